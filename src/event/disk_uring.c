/* The disk engine's io_uring: many jobs under way, each the machine of disk_work.h, driven by one thread, which alone
 * touches the ring and the slots.  New jobs come from the queue; the queue's eventfd is read through the ring, so that
 * there is one place to sleep. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>

#include "base/mem.h"
#include "base/must.h"
#include "event/disk_engine.h"
#include "event/disk_work.h"
#include "event/thread.h"

enum { LENGTH_MAX_B = 1 << 30 };

struct slot {
	struct slot *next_free;
	struct disk_job *job;
	struct work work;
};

struct ring {
	struct io_uring uring;
	struct queue *queue;
	pthread_t thread;
	int wake_fd;
	uint64_t wake_count;  /* what was read from wake_fd, and nobody looks at */
	struct slot *free;
	unsigned busy;
	void *scratch;        /* all slots fetch into it at once: nobody looks at it either */
	struct slot slots[DISK_WORKERS_MAX];
};

static int probe(struct io_uring *uring)
{
	static const int NEEDED[] = { IORING_OP_OPENAT2, IORING_OP_READ, IORING_OP_FADVISE };
	struct io_uring_probe *p = io_uring_get_probe_ring(uring);
	if (!p)
		return -EOPNOTSUPP;
	int err = 0;
	for (size_t i = 0; i < countof(NEEDED); i++)
		if (!io_uring_opcode_supported(p, NEEDED[i]))
			err = -EOPNOTSUPP;
	io_uring_free_probe(p);
	return err;
}

int ring_probe(void)
{
	struct io_uring uring;
	int err = io_uring_queue_init(4, &uring, 0);
	if (err)
		return err;
	err = probe(&uring);
	io_uring_queue_exit(&uring);
	return err;
}

static struct io_uring_sqe *sqe_get(struct ring *r)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
	if (!sqe) {
		io_uring_submit(&r->uring);
		sqe = io_uring_get_sqe(&r->uring);
	}
	must(sqe);
	return sqe;
}

/* Asks to be woken by the queue; its answer carries no slot. */
static void wake_ask(struct ring *r)
{
	struct io_uring_sqe *sqe = sqe_get(r);
	io_uring_prep_read(sqe, r->wake_fd, &r->wake_count, sizeof r->wake_count, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

static void slot_ask(struct ring *r, struct slot *s)
{
	struct io_uring_sqe *sqe = sqe_get(r);
	struct work *w = &s->work;
	/* An sqe's length has 32 bits; what is left over is asked for next. */
	unsigned room_b = w->room_b < LENGTH_MAX_B ? (unsigned)w->room_b : LENGTH_MAX_B;
	switch (w->todo) {
	case WORK_OPEN:
		io_uring_prep_openat2(sqe, w->dir_fd, w->path, &w->how);
		break;
	case WORK_READ:
		io_uring_prep_read(sqe, w->fd, w->file->bytes + w->at_b, room_b, w->at_b);
		break;
	case WORK_ADVISE:
		io_uring_prep_fadvise(sqe, w->fd, w->at_b, room_b, POSIX_FADV_WILLNEED);
		break;
	case WORK_FETCH:
		io_uring_prep_read(sqe, w->fd, r->scratch, room_b, w->at_b);
		break;
	case WORK_DONE:
		must(!"a finished job has nothing to ask");
	}
	io_uring_sqe_set_data(sqe, s);
}

/* Asks for the next step, or lets the job go. */
static void slot_go(struct ring *r, struct slot *s)
{
	if (s->work.todo != WORK_DONE) {
		slot_ask(r, s);
		return;
	}
	struct disk_job *job = s->job;
	job->err = s->work.err;
	s->next_free = r->free;
	r->free = s;
	r->busy--;
	disk_job_done(r->queue, job);
}

static void job_start(struct ring *r, struct disk_job *job)
{
	struct slot *s = r->free;
	must(s);
	r->free = s->next_free;
	r->busy++;
	s->job = job;
	if (job->op == DISK_OPEN)
		work_open(&s->work, job, &job->file, false);
	else
		work_ahead(&s->work, job);
	slot_go(r, s);
}

static void answers_take(struct ring *r)
{
	struct io_uring_cqe *cqe;
	while (io_uring_peek_cqe(&r->uring, &cqe) == 0) {
		struct slot *s = io_uring_cqe_get_data(cqe);
		int answer = cqe->res;
		io_uring_cqe_seen(&r->uring, cqe);
		if (!s) {
			wake_ask(r);
			continue;
		}
		work_step(&s->work, answer);
		slot_go(r, s);
	}
}

static void *ring_run(void *arg)
{
	struct ring *r = arg;
	wake_ask(r);
	for (;;) {
		struct mail *m;
		while ((m = queue_try(r->queue)))
			job_start(r, container_of(m, struct disk_job, done));
		if (r->busy == 0 && queue_closed(r->queue))
			return NULL;
		int n = io_uring_submit_and_wait(&r->uring, 1);
		must(n >= 0 || n == -EINTR || n == -EAGAIN || n == -EBUSY);
		answers_take(r);
	}
}

int ring_new(struct ring **out, struct queue *q, int wake_fd)
{
	struct ring *r = MEM_NEW(struct ring);
	int err = io_uring_queue_init(DISK_WORKERS_MAX, &r->uring, 0);
	if (err) {
		mem_free(r);
		return err;
	}
	/* An open that has to wait takes a kernel thread, of which there would be four per processor at most.  (Linux 5.15;
	 * an older one keeps its own number.) */
	unsigned kernel_threads[2] = { DISK_WORKERS_MAX, 0 };
	io_uring_register_iowq_max_workers(&r->uring, kernel_threads);
	r->queue = q;
	r->wake_fd = wake_fd;
	r->scratch = mem_new(WORK_SCRATCH_B);
	for (size_t i = 0; i < countof(r->slots); i++) {
		r->slots[i].next_free = r->free;
		r->free = &r->slots[i];
	}
	err = probe(&r->uring);
	if (!err)
		err = thread_start(&r->thread, "petrel-disk", ring_run, r);
	if (err) {
		io_uring_queue_exit(&r->uring);
		mem_free(r->scratch);
		mem_free(r);
		return err;
	}
	*out = r;
	return 0;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	pthread_join(r->thread, NULL);
	io_uring_queue_exit(&r->uring);
	mem_free(r->scratch);
	mem_free(r);
}

/* The disk engine: chooses who reads, and keeps the queues.  See disk.h; any thread may submit. */
#include "event/disk.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/disk_engine.h"

struct disk {
	enum disk_kind kind;
	int wake_fd;           /* the ring's; -1 with threads */
	struct queue *reads;   /* DISK_OPEN, DISK_AHEAD */
	struct queue *calls;   /* DISK_CALL: whatever computes must not hold up what reads, nor the reverse */
	struct queue *waits;   /* DISK_WAIT */
	struct ring *ring;     /* NULL with threads */
	struct crew *readers;  /* NULL with a ring */
	struct crew *callers;
	struct crew *waiters;
};

void disk_job_done(struct queue *q, struct disk_job *job)
{
	queue_done(q, job->err == -EIO);
	mailbox_post(job->to, &job->done);
}

static unsigned workers_within(unsigned workers)
{
	if (workers == 0)
		return 1;
	return workers < DISK_WORKERS_MAX ? workers : DISK_WORKERS_MAX;
}

/* -errno where there is no io_uring to be had. */
static int with_ring(struct disk *d, unsigned workers, unsigned queue)
{
	/* Blocking: reading it through the ring is to wait, not to answer EAGAIN. */
	d->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (d->wake_fd < 0)
		return -errno;
	d->reads = queue_new(workers, queue, d->wake_fd);
	int err = ring_new(&d->ring, d->reads, d->wake_fd);
	if (!err) {
		d->kind = DISK_URING;
		return 0;
	}
	queue_free(d->reads);
	close(d->wake_fd);
	d->wake_fd = -1;
	return err;
}

static int with_threads(struct disk *d, unsigned workers, unsigned queue)
{
	d->kind = DISK_THREADS;
	d->reads = queue_new(workers, queue, -1);
	return crew_new(&d->readers, d->reads, "petrel-disk", workers);
}

int disk_new(struct disk **out, enum disk_kind kind, unsigned workers, unsigned queue)
{
	struct disk *d = MEM_NEW(struct disk);
	d->wake_fd = -1;
	workers = workers_within(workers);
	d->calls = queue_new(DISK_CALLERS, queue, -1);
	d->waits = queue_new(DISK_WAITERS, queue, -1);
	int err = crew_new(&d->callers, d->calls, "petrel-call", DISK_CALLERS);
	if (!err)
		err = crew_new(&d->waiters, d->waits, "petrel-wait", DISK_WAITERS);
	if (!err && (kind == DISK_THREADS || with_ring(d, workers, queue)))
		err = with_threads(d, workers, queue);
	if (err) {
		disk_free(d);
		return err;
	}
	*out = d;
	return 0;
}

/* What waited gets its mail, too: whoever submitted counts on it. */
static void queue_cancel(struct queue *q)
{
	struct mail *m = q ? queue_close(q) : NULL;
	while (m) {
		struct disk_job *job = container_of(m, struct disk_job, done);
		m = m->next;
		job->err = -ECANCELED;
		job->file = (struct disk_file){ .fd = -1 };
		mailbox_post(job->to, &job->done);
	}
}

void disk_free(struct disk *d)
{
	if (!d)
		return;
	queue_cancel(d->reads);
	queue_cancel(d->calls);
	queue_cancel(d->waits);
	ring_free(d->ring);
	crew_free(d->readers);
	crew_free(d->callers);
	crew_free(d->waiters);
	queue_free(d->reads);
	queue_free(d->calls);
	queue_free(d->waits);
	if (d->wake_fd >= 0)
		close(d->wake_fd);
	mem_free(d);
}

enum disk_kind disk_kind(const struct disk *d)
{
	return d->kind;
}

enum disk_kind disk_probe(const char **reason)
{
	int err = ring_probe();
	switch (err) {
	case 0:
		*reason = "this kernel has it and allows it";
		return DISK_URING;
	case -EPERM:
	case -EACCES:
		*reason = "io_uring is forbidden here, by a seccomp profile or by kernel.io_uring_disabled";
		break;
	case -ENOSYS:
		*reason = "this kernel has no io_uring";
		break;
	case -EOPNOTSUPP:
		*reason = "this kernel's io_uring is too old";
		break;
	case -ENOMEM:
		*reason = "io_uring may not lock memory here (RLIMIT_MEMLOCK)";
		break;
	default:
		*reason = "io_uring can't be set up here";
	}
	return DISK_THREADS;
}

void disk_bounds(struct disk *d, unsigned workers, unsigned queue)
{
	workers = workers_within(workers);
	if (d->readers)
		crew_grow(d->readers, workers);
	queue_bounds(d->reads, workers, queue);
	queue_bounds(d->calls, DISK_CALLERS, queue);
	queue_bounds(d->waits, DISK_WAITERS, queue);
}

int disk_submit(struct disk *d, struct disk_job *job)
{
	switch (job->op) {
	case DISK_CALL:
		return queue_push(d->calls, &job->done);
	case DISK_WAIT:
		return queue_push(d->waits, &job->done);
	default:
		return queue_push(d->reads, &job->done);
	}
}

struct disk_stats disk_stats(const struct disk *d)
{
	struct queue *const queues[] = { d->reads, d->calls, d->waits };
	struct disk_stats sum = {};
	for (size_t i = 0; i < countof(queues); i++) {
		struct queue_stats s = queue_stats(queues[i]);
		sum.waiting += s.waiting;
		sum.under_way += s.under_way;
		sum.finished += s.finished;
		sum.refused += s.refused;
		sum.failed += s.failed;
	}
	return sum;
}

/* Threads that do one job at a time: the whole engine where there is no io_uring, DISK_CALL and DISK_WAIT everywhere.
 * How many work at once is the queue's business: a crew never shrinks, its idle threads sleep. */
#include <errno.h>

#include "base/mem.h"
#include "base/must.h"
#include "event/disk_engine.h"
#include "event/disk_work.h"
#include "event/thread.h"

struct crew {
	struct queue *queue;
	const char *name;
	pthread_mutex_t lock;  /* of the two below */
	unsigned threads;
	pthread_t thread[DISK_WORKERS_MAX];
};

static void job_run(struct disk_job *job, void *scratch)
{
	struct work w;
	switch (job->op) {
	case DISK_OPEN:
		work_open(&w, job, &job->file, false);
		job->err = work_run(&w, scratch);
		break;
	case DISK_AHEAD:
		work_ahead(&w, job);
		job->err = work_run(&w, scratch);
		break;
	case DISK_CALL:
	case DISK_WAIT:
		job->err = 0;
		job->call(job);
		break;
	}
}

static void *crew_run(void *arg)
{
	struct crew *c = arg;
	void *scratch = mem_new(WORK_SCRATCH_B);
	struct mail *m;
	while ((m = queue_take(c->queue))) {
		struct disk_job *job = container_of(m, struct disk_job, done);
		job_run(job, scratch);
		disk_job_done(c->queue, job);
	}
	mem_free(scratch);
	return NULL;
}

void crew_grow(struct crew *c, unsigned threads)
{
	must(threads <= DISK_WORKERS_MAX);
	pthread_mutex_lock(&c->lock);
	while (c->threads < threads && thread_start(&c->thread[c->threads], c->name, crew_run, c) == 0)
		c->threads++;
	pthread_mutex_unlock(&c->lock);
}

int crew_new(struct crew **out, struct queue *q, const char *name, unsigned threads)
{
	struct crew *c = MEM_NEW(struct crew);
	c->queue = q;
	c->name = name;
	pthread_mutex_init(&c->lock, NULL);
	crew_grow(c, threads);
	*out = c;
	if (c->threads > 0)
		return 0;
	crew_free(c);
	*out = NULL;
	return -EAGAIN;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->threads; i++)
		pthread_join(c->thread[i], NULL);
	pthread_mutex_destroy(&c->lock);
	mem_free(c);
}

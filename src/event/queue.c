/* A bounded queue under one lock.  See queue.h. */
#include "event/queue.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct mail *oldest;
	struct mail **end;       /* where the next one is linked in */
	unsigned workers, bound;
	struct queue_stats stats;
	bool closed;
	bool starved;            /* queue_try() found nothing: whoever pushes writes wake_fd */
	int wake_fd;
};

struct queue *queue_new(unsigned workers, unsigned bound, int wake_fd)
{
	struct queue *q = MEM_NEW(struct queue);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	q->end = &q->oldest;
	q->workers = workers;
	q->bound = bound;
	q->wake_fd = wake_fd;
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	must(!q->oldest && q->stats.under_way == 0);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	mem_free(q);
}

/* Unlocks, and wakes the thread that drives the ring where it asked for it. */
static void unlock_and_wake(struct queue *q)
{
	bool wake = q->starved && q->wake_fd >= 0;
	q->starved = false;
	pthread_mutex_unlock(&q->lock);
	uint64_t one = 1;
	if (wake && write(q->wake_fd, &one, sizeof one) < 0)
		must(errno == EAGAIN);
}

void queue_bounds(struct queue *q, unsigned workers, unsigned bound)
{
	pthread_mutex_lock(&q->lock);
	q->workers = workers;
	q->bound = bound;
	pthread_cond_broadcast(&q->changed);
	unlock_and_wake(q);
}

int queue_push(struct queue *q, struct mail *m)
{
	pthread_mutex_lock(&q->lock);
	uint64_t held = q->stats.waiting + q->stats.under_way;
	if (q->closed || held >= (uint64_t)q->workers + q->bound) {
		q->stats.refused++;
		pthread_mutex_unlock(&q->lock);
		return -EBUSY;
	}
	m->next = NULL;
	*q->end = m;
	q->end = &m->next;
	q->stats.waiting++;
	pthread_cond_signal(&q->changed);
	unlock_and_wake(q);
	return 0;
}

static bool can_take(const struct queue *q)
{
	return q->oldest && q->stats.under_way < q->workers;
}

static struct mail *take(struct queue *q)
{
	struct mail *m = q->oldest;
	q->oldest = m->next;
	if (!q->oldest)
		q->end = &q->oldest;
	q->stats.waiting--;
	q->stats.under_way++;
	return m;
}

struct mail *queue_take(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	while (!can_take(q) && !q->closed)
		pthread_cond_wait(&q->changed, &q->lock);
	struct mail *m = can_take(q) ? take(q) : NULL;
	pthread_mutex_unlock(&q->lock);
	return m;
}

struct mail *queue_try(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	struct mail *m = can_take(q) ? take(q) : NULL;
	q->starved = !m;
	pthread_mutex_unlock(&q->lock);
	return m;
}

void queue_done(struct queue *q, bool failed)
{
	pthread_mutex_lock(&q->lock);
	must(q->stats.under_way > 0);
	q->stats.under_way--;
	q->stats.finished++;
	q->stats.failed += failed;
	pthread_mutex_unlock(&q->lock);
}

struct mail *queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	struct mail *waited = q->oldest;
	q->oldest = NULL;
	q->end = &q->oldest;
	q->stats.waiting = 0;
	q->closed = true;
	pthread_cond_broadcast(&q->changed);
	unlock_and_wake(q);
	return waited;
}

bool queue_closed(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed;
}

struct queue_stats queue_stats(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	struct queue_stats stats = q->stats;
	pthread_mutex_unlock(&q->lock);
	return stats;
}

/* struct queue: work that waits for one of a few workers, bounded.
 *
 * What is queued is a struct mail, which nobody has posted yet.  Its workers are threads that block in queue_take(), or
 * one thread that drives an io_uring, takes with queue_try() and sleeps on an eventfd.  Any thread may push.  The lock
 * is held for a few instructions, never over a system call, and nothing else is locked while it is held. */
#pragma once

#include <stdint.h>

#include "event/mailbox.h"

struct queue;

struct queue_stats {
	uint64_t waiting, under_way, finished, refused, failed;
};

/* At most `workers` under way at a time, at most `bound` more waiting.  wake_fd: an eventfd that is written when
 * queue_try() may find something again after it found nothing; -1: none.  The caller keeps wake_fd. */
struct queue *queue_new(unsigned workers, unsigned bound, int wake_fd);
void queue_free(struct queue *q);
/* The new bounds hold from now on; what waits already, stays. */
void queue_bounds(struct queue *q, unsigned workers, unsigned bound);
/* 0, or -EBUSY: full, or closed. */
[[nodiscard]] int queue_push(struct queue *q, struct mail *m);
/* The oldest, which is under way from then on.  Waits for one; NULL once the queue is closed. */
struct mail *queue_take(struct queue *q);
/* As above, but NULL where there is none now or `workers` are under way. */
struct mail *queue_try(struct queue *q);
/* One that was taken is finished; failed: by no fault of who asked for it.  To be called before its mail is posted. */
void queue_done(struct queue *q, bool failed);
/* Takes no more, wakes all workers.  Returns what waited, oldest first, linked by next: it is the caller's. */
struct mail *queue_close(struct queue *q);
bool queue_closed(struct queue *q);
struct queue_stats queue_stats(struct queue *q);

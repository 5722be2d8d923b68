/* What the parts of the disk engine know of each other: disk.c, disk_threads.c, disk_uring.c. */
#pragma once

#include "event/disk.h"
#include "event/queue.h"

struct crew;  /* threads that take from one queue */
struct ring;  /* the io_uring and its thread */

enum {
	/* Threads for DISK_CALL.  They compute rather than wait, and must not take the cores from the loops. */
	DISK_CALLERS = 2,
	/* And for DISK_WAIT. */
	DISK_WAITERS = 4,
};

/* The job is finished: err is set, the mail leaves. */
void disk_job_done(struct queue *q, struct disk_job *job);

/* 0 or -errno. */
[[nodiscard]] int crew_new(struct crew **out, struct queue *q, const char *name, unsigned threads);
/* At least so many threads from now on; fewer where the system refuses. */
void crew_grow(struct crew *c, unsigned threads);
/* The queue is closed: waits until all threads ended. */
void crew_free(struct crew *c);

/* Whether io_uring can be used here at all: 0 or -errno; -EOPNOTSUPP where it lacks what we need. */
[[nodiscard]] int ring_probe(void);
/* Takes from the queue, whose wake_fd it reads.  0 or -errno. */
[[nodiscard]] int ring_new(struct ring **out, struct queue *q, int wake_fd);
/* The queue is closed: waits until what is under way is finished. */
void ring_free(struct ring *r);

/* struct loop: an event loop; one thread runs it, and only that thread touches what hangs on it.
 *
 * Edge-triggered epoll: a descriptor is added once and never changed, so that a request costs one read, one write and
 * its share of an epoll_wait.  Whoever gets an edge works until EAGAIN, or queues its task to go on in the next turn.
 * A wake never runs code: it queues the owner's task, which the loop runs later in the turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "event/mailbox.h"
#include "event/timer.h"

enum {
	LOOP_SCRATCH_B = 64 * 1024,  /* the loop's one read buffer */
	LOOP_EVENTS = 256,           /* taken from the kernel at a time */
	LOOP_TRACE = 64,             /* last events kept for a panic */
};

/* A descriptor that is watched; embedded in its owner. */
struct watch {
	int fd;
	void (*ready)(struct watch *w, uint32_t events);  /* EPOLLIN and so on */
};

/* Something to run on the loop later; embedded in its owner. */
struct task {
	struct link link;
	void (*run)(struct task *t);
};

/* What a loop did last, for the panic dump and the watchdog: constants only, no pointers that may be stale. */
struct trace {
	const char *what;
	uint64_t at_ms;
	uint64_t detail;
};

struct epoll_event;

struct loop {
	int epoll_fd;
	unsigned index;              /* 0 … loops-1 */
	bool stopping;
	uint64_t now_ms;             /* monotonic; read once per turn */
	uint64_t now_ns;             /* the same clock, finer, for timings in logs */
	/* How far apart turns begin at the least, where there is nothing to do in between; the owner's to set (asleep() may).
	 * 0: as soon as something comes. */
	uint64_t gap_ns;
	struct wheel wheel;
	struct link tasks;           /* to run in this turn */
	struct mailbox mailbox;
	struct watch mail_watch;
	struct epoll_event *events;  /* of this turn; those before event_at are done with */
	int event_at, event_count;
	int turn_events;             /* that this turn began with */
	struct trace trace[LOOP_TRACE];
	unsigned trace_at;
	struct str serving;          /* for the panic dump: what is being worked on, such as a request line; .p NULL: nothing */
	/* Called before the loop sleeps and after it woke: share/epoch's announcements.  NULL: not called. */
	void (*asleep)(struct loop *l);
	void (*awake)(struct loop *l);
	void *owner;                 /* what this loop is for, for those who have only the loop */
	char *scratch;               /* LOOP_SCRATCH_B bytes; what is read has to be used up or copied before returning */
};

/* 0 or -errno. */
[[nodiscard]] int loop_init(struct loop *l, unsigned index);
void loop_fini(struct loop *l);
/* Runs until loop_stop().  The thread that calls it becomes the loop's thread. */
void loop_run(struct loop *l);
/* From the loop's own thread. */
void loop_stop(struct loop *l);

/* Watches w->fd for input, output and hang-up, edge-triggered; 0 or -errno (ENOSPC, ENOMEM). */
[[nodiscard]] int loop_watch(struct loop *l, struct watch *w);
/* As above for listening sockets that several loops share: level-triggered, input only, wakes one loop. */
[[nodiscard]] int loop_watch_shared(struct loop *l, struct watch *w);
/* Says again what the descriptor is ready for, in the next turn or as soon as it is: for who stopped before EAGAIN.  A
 * socket is ready for output when a good part of its buffer is free, so that who waits for that writes much at a time. */
void loop_again(struct loop *l, struct watch *w);
/* Stops watching, without closing.  Events of this turn that are still to be delivered are forgotten. */
void loop_unwatch(struct loop *l, struct watch *w);
/* The same for a descriptor that is closed next and shared with nobody: the kernel forgets it by itself. */
void loop_forget(struct loop *l, struct watch *w);

/* Runs the task later in this turn, or in the next one when called from a task; harmless where it is queued already. */
void loop_queue(struct loop *l, struct task *t);
static inline void task_init(struct task *t, void (*run)(struct task *))
{
	link_init(&t->link);
	t->run = run;
}
/* It will not run; harmless where it was not queued. */
static inline void task_stop(struct task *t)
{
	link_del(&t->link);
}

/* Notes what the loop does; what is a constant string. */
static inline void loop_trace(struct loop *l, const char *what, uint64_t detail)
{
	l->trace[l->trace_at++ % LOOP_TRACE] = (struct trace){ what, l->now_ms, detail };
}

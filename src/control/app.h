/* struct app: the processes of one `app` block, as many as there is work for, each replaced when it is due.
 *
 * What is wanted stands in a few numbers; app_step() compares them with what there is and starts or retires processes,
 * and is run again after each change.  A crash, a recycled process, a rolling restart, growing and shrinking are all the
 * same to it. */
#pragma once

#include "base/buf.h"
#include "control/parting.h"
#include "control/process.h"
#include "http/backend.h"
#include "http/conf.h"

struct apps;

/* How its last process came to its end that was not meant to. */
struct last_end {
	struct buf text;             /* a sentence; empty: there was none */
	uint64_t wall_ms;
	struct tail lines;          /* what it said last */
};

/* What an app may use. */
struct app_ways {
	struct loop *loop;           /* the control thread's */
	struct log_ring *ring;
	struct pools *pools;
	uint64_t (*next_id)(struct apps *apps);
	/* app_tick() is to come soon. */
	void (*hurry)(struct apps *apps);
	/* A message to the spawner: 0 or -errno; the fd stays the caller's. */
	int (*send)(struct apps *apps, const struct spawn_message *m, int fd);
	struct apps *apps;
};

struct app {
	struct link link;
	const struct app_ways *ways;
	struct buf name;
	struct pool *pool;           /* counted */
	int protocol;                /* enum protocol */
	struct app_conf conf;        /* its numbers; texts and lists are empty */
	struct buf print;            /* all of the configuration that a process is made of */
	bool removed;                /* no configuration names it any more; what is under way ends */
	unsigned generation;         /* one more whenever all processes are to be replaced */
	bool proven;                 /* a process of this generation has lived for a while */
	unsigned next_number;
	uint64_t wanted;             /* processes */
	struct link processes;
	struct link partings;        /* control/parting.h */
	struct task task;            /* app_step() */
	struct mail wish;            /* requests wait in the pool's queue */
	bool wishing;                /* the pool has it, or it is on its way */
	uint64_t requests;           /* as last looked at */
	uint64_t busy_ms;            /* when as many processes as there are had something to do last */
	uint64_t looked_ms;          /* when the spawner was asked what they use last */
	uint64_t restarts;           /* processes that were started in place of one that ended by itself */
	struct last_end last;
};

struct app *app_new(const struct app_ways *ways, struct str name);
/* No loop runs any more. */
void app_free(struct app *a);
/* As the configuration has it now; user is who petrel's worker runs as. */
void app_conf(struct app *a, const struct backend *b, struct str user);
/* No configuration has it any more. */
void app_remove(struct app *a);
/* All processes are replaced, a few at a time, each by one that is ready. */
void app_restart(struct app *a);
/* Something about its processes changed: app_step() runs soon. */
void app_changed(struct app *a);
/* The pool's servers are those that serve. */
void app_publish(struct app *a);
/* What it uses is known anew. */
void app_seen(struct app *a, struct process *p);
/* Now and then: bounds, load.  True: there was something to do, come again soon. */
bool app_tick(struct app *a);
/* A process ended that was not meant to; text is a sentence without its name. */
[[gnu::format(printf, 3, 4)]] void app_ended(struct app *a, const struct process *p, const char *format, ...);
/* The listing: appends a JSON object. */
void app_print(struct buf *out, struct app *a);

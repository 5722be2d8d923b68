/* struct process: one process of an app, from the wish for it to its end: a machine of named steps on the control thread.
 *
 * It tells its app when something changed (app_changed()), and the app decides what is to be done; so a process is never
 * freed under its own feet. */
#pragma once

#include "control/said.h"
#include "control/slot.h"
#include "control/sweep.h"
#include "share/pool.h"

struct app;
struct spawn_message;

enum process_state {
	PROCESS_STARTING,  /* the spawner was asked for it; deadline: start_timeout */
	PROCESS_WAKING,    /* it runs, and is connected to again and again until that works; deadline: the same */
	PROCESS_READY,     /* it gets requests */
	PROCESS_RETIRING,  /* it gets none any more, and finishes those that it has */
	PROCESS_ENDING,    /* it was sent SIGTERM; SIGKILL at the deadline */
	PROCESS_KILLED,    /* it was sent SIGKILL, and is again after a while */
	PROCESS_BACKOFF,   /* it ended too soon or could not be started; is started again at the deadline */
	PROCESS_GONE,      /* it is to be freed */
};

struct process {
	struct link link;            /* in app->processes, oldest first */
	struct app *app;
	enum process_state state;
	uint64_t id;                 /* of its present start, for the spawner; 0: nothing runs */
	unsigned number;
	char name[80];               /* of its server in the pool: "php/3" */
	unsigned generation;         /* of the app when it was started: it runs what was configured then */
	pid_t pid;                   /* 0: not known */
	struct slot slot;
	int probe_fd;                /* a connection that is being tried; -1 */
	struct said said;
	struct timer timer;          /* what the state waits for */
	uint64_t asked_ms;           /* when it was asked for last */
	uint64_t ready_ms;
	uint64_t drained_ms;         /* PROCESS_RETIRING: when it has to be done */
	uint64_t counted_ms;         /* when it was seen to have had requests last */
	struct peer *peer;           /* counted; NULL: not in the pool yet */
	bool kept;                   /* started anew in the same place: requests may wait at its socket already */
	struct sweep *sweep;         /* under way; NULL: none */
	uint64_t requests, requests_before;   /* of the peer: as last looked at, and at its start */
	uint64_t memory_b, descriptors;       /* as last looked at */
	uint64_t requests_seen;               /* of the peer: when the spawner was asked for those */
	const char *due;             /* why it is to be replaced; NULL: it is not */
	unsigned failures;           /* ends in a row that were too soon */
	bool late;                   /* ended by us: it was not ready in time */
};

/* Asks for a process.  It is in app->processes from now on. */
struct process *process_new(struct app *a, unsigned number);
/* What the spawner says about its id; fd: a descriptor that came with it, taken over, or -1. */
void process_heard(struct process *p, const struct spawn_message *m, int fd);
/* The spawner is gone, and what it started with it. */
void process_lost(struct process *p);
/* There is a new spawner. */
void process_retry(struct process *p);
/* It gets no new request, and ends when it is done. */
void process_retire(struct process *p);
/* It has never been ready, and is not wanted any more. */
void process_cancel(struct process *p);
/* It is to be ready one day: it is on its way, or is started again after an end that was its own fault. */
bool process_comes(const struct process *p);
/* Its server belongs in the pool. */
bool process_serves(const struct process *p);
/* Looks at its server's counts. */
void process_count(struct process *p);
/* Requests since its start. */
uint64_t process_requests(const struct process *p);
/* "ready", "backoff" … */
const char *process_state_name(const struct process *p);
/* Why it is to be replaced; empty: it is not. */
struct str process_due(const struct process *p);
/* Gives up its place; PROCESS_GONE, or at the very end. */
void process_free(struct process *p);

/* struct child: the worker's process, or a spawner's, as the supervisor sees it, from fork to the reason of its death. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* What a child is there for. */
struct child_kind {
	const char *name;            /* "worker" */
	int (*work)(int channel);
	bool follows;                /* is killed when the supervisor dies; else its channel tells it */
};

struct child {
	pid_t pid;            /* 0: there is none */
	int channel;          /* the supervisor's end; -1: closed */
	int panic_fd;         /* memory file with the panic's lines */
	uint64_t started_ms;
};

/* How long to wait before the next start: not at all, but for a worker that dies within BACKOFF_SHORT_MS of its start
 * again, longer each time; a life of BACKOFF_LONG_MS forgives everything. */
struct backoff {
	uint64_t next_ms;  /* what the next short life costs */
};

enum {
	BACKOFF_SHORT_MS = 1000,
	BACKOFF_LONG_MS = 10000,
	BACKOFF_LEAST_MS = 100,
	BACKOFF_MOST_MS = 5000,
};

/* Forks; the new process has its end of the channel, the panic file, and 0 to 2, nothing else, and runs kind->work() to its
 * end.  0 or -errno. */
[[nodiscard]] int child_start(struct child *c, const struct child_kind *kind);
/* Reaps it where it has ended: true, with the status of waitpid(2). */
bool child_ended(struct child *c, int *status);
/* What it said in its panic goes to out; closes what belongs to it.  After child_ended(). */
void child_fini(struct child *c, struct buf *out);
/* "was killed by SIGSEGV (core dumped)", "exited with status 3". */
void child_describe(struct buf *out, int status);

/* After a life of lived_ms: the wait before the next start. */
uint64_t backoff_next(struct backoff *b, uint64_t lived_ms);

/* struct said: what a process says on standard output and error: into the error log, a line each, as many a second as that
 * can bear; the last lines are kept. */
#pragma once

#include "base/buf.h"
#include "event/loop.h"
#include "share/log.h"

enum { SAID_LINES = 20, SAID_LINE_B = 800 };

/* The last lines, oldest first from at on. */
struct tail {
	struct buf line[SAID_LINES];
	unsigned at, count;
};

void tail_add(struct tail *l, struct str line);
/* Line i of count, oldest first. */
struct str tail_get(const struct tail *l, unsigned i);
void tail_fini(struct tail *l);

struct said {
	struct watch watch;          /* fd -1: closed */
	struct loop *loop;
	struct log_ring *ring;
	struct timer pause;          /* it says too much at a time: reading goes on later */
	char who[112];               /* before each line: "app php[4711]" */
	struct buf part;             /* of a line whose end has not come yet */
	struct tail last;
	unsigned tokens;             /* lines that may be logged now */
	uint64_t tokens_ms;          /* when they were counted */
	uint64_t left_out;
	uint64_t read_b;             /* since it was opened */
	bool quiet;                  /* the last lines are kept, and none is logged */
};

void said_init(struct said *s, struct loop *l, struct log_ring *ring);
/* Takes fd over; it does not block. */
void said_open(struct said *s, int fd, const char *who);
/* The process has ended: takes in what it still said, and closes.  The last lines stay. */
void said_close(struct said *s);
void said_fini(struct said *s);

/* struct batch: chores that many threads hand in and one worker at a time does, all that waits at once.
 *
 * There is no thread of its own: whoever hands in a chore while nobody works is the worker from then on, and has it done
 * on whatever thread may wait.  Bounded in bytes: past the bound a chore is refused. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Embedded in what is to be done. */
struct chore {
	struct chore *next;
	uint64_t cost_b;     /* of memory that it holds until it is done */
};

struct batch;

#define BATCH_SURELY UINT64_MAX

enum handed {
	HANDED_FULL,    /* too much waits: the chore is still the caller's */
	HANDED_ON,      /* somebody works, and will find it */
	HANDED_BEGIN,   /* nobody does: the caller is the worker now */
};

struct batch *batch_new(uint64_t most_b);
/* Nobody works, nothing waits. */
void batch_free(struct batch *b);
/* Waits until nobody works.  Nothing more is handed in; the caller is the worker of what waits. */
void batch_end(struct batch *b);
/* over_b: how far past the bound it may go; BATCH_SURELY: it is never refused. */
enum handed batch_add(struct batch *b, struct chore *c, uint64_t over_b);
/* The worker's: all that waits, oldest first, linked by next; NULL: nothing. */
struct chore *batch_take(struct batch *b);
/* The worker's: true where more has come and the caller goes on; else nobody works from now on. */
bool batch_more(struct batch *b);
/* The worker's, who can't: nobody works from now on, whatever waits. */
void batch_leave(struct batch *b);
/* Anyone's: true where something waits and nobody works; the caller is the worker now. */
bool batch_begin(struct batch *b);

/* struct epoch: when is memory that a loop may still be looking at free to go?
 *
 * Loops read the store and the current configuration without a lock and without counting references.  Whoever takes
 * something out of sight hands it to epoch_retire(); it is freed once every loop has been asleep, or has begun a new
 * turn, since.  A loop that keeps a pointer longer than its turn takes a counted reference instead. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { EPOCH_LOOPS = 256 };

struct epoch;

/* Embedded in what is to be freed. */
struct retired {
	struct retired *next;
	uint64_t at;
	void (*free)(struct retired *r);  /* runs on some loop's or the control thread, under no lock */
};

struct epoch *epoch_new(void);
/* No loop runs any more; frees what was retired. */
void epoch_free(struct epoch *e);
/* Loop `index` looks at shared things from now on, having forgotten all from before. */
void epoch_enter(struct epoch *e, unsigned index);
/* Loop `index` holds no borrowed pointer: it sleeps. */
void epoch_leave(struct epoch *e, unsigned index);
/* r is out of sight already: no new reader can find it. */
void epoch_retire(struct epoch *e, struct retired *r, void (*free)(struct retired *));
/* Frees what may go; cheap where nothing waits.  Any thread, now and then. */
void epoch_reap(struct epoch *e);

/* struct fifos: which object of a shard goes next (S3-FIFO; Yang and others, SOSP 2023).
 *
 * Newcomers wait in `small`, a tenth of the bytes.  Who was asked for more than once by the time he is at its head moves
 * to `main`; the others leave, and only their hashes are remembered for a while (the ghosts): who comes back soon goes
 * to `main` at once.  `main` is a clock: who was asked for gets another round.  All under the shard's lock. */
#pragma once

#include "share/store.h"

/* Hashes of who left, each with the time of it: direct-mapped, so that a newer one may take an older one's place.  A mark
 * is short: that two things share one now and then does no harm. */
struct ghosts {
	uint32_t *marks;  /* upper 20 bits: of the hash; lower 12: when, in parts of `memory`; 0: none */
	size_t mask;
	uint64_t now;     /* counts who left */
	uint64_t memory;  /* how many are remembered */
};

struct fifos {
	struct link small, main;
	size_t small_b, main_b;
	struct ghosts ghosts;
};

void fifos_init(struct fifos *f);
void fifos_fini(struct fifos *f);
/* As many ghosts as there may be objects. */
void fifos_room(struct fifos *f, size_t objects);
void fifos_add(struct fifos *f, struct object *o);
/* o takes the place of old, which has the same key, and what is known of it. */
void fifos_replace(struct fifos *f, struct object *old, struct object *o);
void fifos_del(struct fifos *f, struct object *o);
/* Takes out who has to go, but never keep; NULL where there is nobody else. */
struct object *fifos_victim(struct fifos *f, const struct object *keep);

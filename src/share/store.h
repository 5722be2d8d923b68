/* struct store: objects found by key, shared by all loops, bounded in bytes.  The hot set lives here.
 *
 * Finding takes no lock and counts nothing: a loop may look at what it found until its turn ends (share/epoch.h), and
 * takes a reference to keep it longer.  Changes take the lock of one of many shards.  Eviction is by S3-FIFO: a small
 * queue for newcomers, a main queue for what was asked for again, and a ghost list of keys, so that a scan of many
 * things asked for once passes through the small queue and leaves the rest alone.
 *
 * What an object is made of is its owner's business: struct object is embedded at its start. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "event/mailbox.h"
#include "share/epoch.h"

struct store;
struct slab;

/* 72 bytes: there may be tens of millions. */
struct object {
	/* The owner's, before it is landed; immutable from then on. */
	struct str key;                       /* in the object's own memory */
	uint64_t hash;                        /* store_hash(key) */
	size_t cost_b;                        /* all the memory that goes with it */
	void (*free)(struct object *o);
	/* Any thread. */
	_Atomic uint32_t refs;                /* the store's own counts as one */
	_Atomic uint8_t asked;                /* S3-FIFO's counter, 0 … 3 */
	/* The store's. */
	uint8_t where;
	union {
		struct link queue;            /* while it is in the store */
		struct retired retired;       /* once it is out of sight */
	};
};
_Static_assert(sizeof(struct object) == 72, "each byte costs tens of megabytes");

struct store *store_new(struct epoch *e, size_t memory_b);
/* No loop runs any more. */
void store_free(struct store *s);
/* Evicts at once where the new bound is smaller. */
void store_bound(struct store *s, size_t memory_b);

/* Memory for what is to be put into it (share/slab.h): it outlives the store as long as any of it is in use. */
struct slab *store_slab(struct store *s);
/* Seeded per process, so that clients can't choose keys that collide. */
uint64_t store_hash(const struct store *s, struct str key);
/* Something of this hash is looked for soon: what has to be read for that comes from memory meanwhile. */
void store_expect(const struct store *s, uint64_t hash);
/* The object, borrowed until the calling loop's turn ends, or NULL.  Marks it as asked for. */
struct object *store_find(struct store *s, struct str key, uint64_t hash);
/* Puts o in, in place of what has its key; the store takes over one of the caller's references.  Returns
 * false and lets go of that, and drops what has its key, where it costs more than the store may hold. */
bool store_put(struct store *s, struct object *o);
/* Takes the object of this key out; false where there was none. */
bool store_drop(struct store *s, struct str key, uint64_t hash);

/* Takes out all that is of no use any more; is_weed() is called under a shard's lock: it only looks.  Not on a loop. */
void store_weed(struct store *s, bool (*is_weed)(const struct object *o));

/* A counted reference, for longer than a turn. */
void object_get(struct object *o);
void object_put(struct epoch *e, struct object *o);

/* --- One job per key, however many wait for it. --- */

/* Whoever waits for a key: embedded in something that lives until its mail is delivered. */
struct waiter {
	struct mail mail;              /* set deliver; posted to `to` when the flight has landed or failed */
	struct mailbox *to;
	int err;                       /* 0, or -errno: what the job ended with */
	struct object *object;         /* what it landed, or NULL; the reference is the waiter's */
	struct link link;              /* the store's */
};

enum flight { FLIGHT_MINE, FLIGHT_JOINED };

/* Either the caller has to do the job for this key and call store_land() exactly once (w is not used), or somebody does
 * already and w gets mail.  Who got FLIGHT_MINE after he found nothing looks again before he works: an earlier flight
 * may have landed in between. */
enum flight store_join(struct store *s, struct str key, uint64_t hash, struct waiter *w);
/* Ends the flight: whoever joined gets mail with err and a reference to o (NULL: none), whether or not the store had
 * room for it.  Put the object in before. */
void store_land(struct store *s, struct str key, uint64_t hash, int err, struct object *o);

struct store_stats {
	uint64_t objects, bytes, bound_b, hits, misses, evicted;
};
struct store_stats store_stats(struct store *s);
/* Calls see() for each object, hottest queue first, under a shard's lock: see() only copies.  For the hot list. */
void store_each(struct store *s, void (*see)(void *arg, const struct object *o), void *arg);

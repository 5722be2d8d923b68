/* The object store: shards, each a hash table that is read without a lock.  See store.h.
 *
 * A bucket is a cache line of slots: pointers with some of the hash's bits above them.  Looking for a key takes the word
 * that says where its shard's buckets are, which few lines hold for all shards, then the bucket's line, then the object's
 * own ones, however many objects there are.  Slots are changed under the shard's lock, by
 * single stores; an object stays in its slot until it is taken out, and in memory until no loop can be looking at it
 * (share/epoch.h).  A larger table is filled before readers see it. */
#include "share/store.h"

#include <pthread.h>
#include <sched.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "share/fifos.h"
#include "share/flights.h"
#include "share/slab.h"

enum {
	SHARDS_MAX = 256,       /* of the hash's top byte */
	SHARD_MIN_B = 4 << 20,  /* a smaller shard would be too small a sample to judge by what is hot in it */
	HUGE_FROM_B = 256 << 20,
	BUCKETS_MIN = 16,
	SLOTS = 7,
	FILLED = 4,             /* slots of a bucket that are taken, on the average, before there are more buckets */
	LINE_B = 64,
	LINES = 5,              /* of an object, which whoever finds it is about to read */
	COUNTERS = 64,
	ASKED_MAX = 3,
};

struct bucket {
	_Atomic uint64_t slot[SLOTS];    /* 0: empty; else a pointer, with bits of the hash above it */
	_Atomic(struct bucket *) more;   /* where these are full */
};
_Static_assert(sizeof(struct bucket) == LINE_B, "one cache line is read");

struct table {
	struct retired retired;
	size_t buckets;          /* a power of two */
	struct bucket *bucket;   /* in `room`, each in a line */
	struct extra *extras;    /* what buckets have more */
	char room[];
};

struct extra {
	struct bucket bucket;
	struct extra *next;
};

struct shard {
	pthread_mutex_t lock;    /* of all that follows */
	struct table *table;
	_Atomic size_t bytes;    /* read without the lock, to find where there is most */
	size_t objects;
	uint64_t evicted;
	struct fifos fifos;
};

/* One per processor, so that counting a hit takes no cache line from another. */
struct counter {
	_Atomic uint64_t hits, misses;
	char apart[112];
};

struct store {
	struct epoch *epoch;
	uint64_t seed;
	_Atomic size_t bound_b;
	_Atomic size_t bytes;
	struct slab *slab;
	unsigned shard_count;    /* a power of two */
	struct counter counters[COUNTERS];
	_Atomic uintptr_t seen[SHARDS_MAX];  /* by shard: its buckets, and in the lowest bits their number's logarithm */
	struct flights flights;
	struct shard shards[];
};

/* --- Objects. --- */

void object_get(struct object *o)
{
	uint32_t before = atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	must(before > 0);
}

static void object_free(struct retired *r)
{
	struct object *o = container_of(r, struct object, retired);
	o->free(o);
}

void object_put(struct epoch *e, struct object *o)
{
	uint32_t before = atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel);
	must(before > 0);
	if (before == 1)
		epoch_retire(e, &o->retired, object_free);
}

/* The store lets go of an object only when no loop can be looking at it: until then a loop may still take a reference
 * to what it found. */
static void object_let_go(struct retired *r)
{
	struct object *o = container_of(r, struct object, retired);
	if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
		o->free(o);
}

/* --- Tables. --- */

/* User space ends below 2^47 on x86-64, and at 2^48 elsewhere. */
enum { POINTER_BITS = 48, TAG_FROM = 40 };   /* the tag's bits choose neither the shard nor a bucket */

static uint64_t tag_of(uint64_t hash)
{
	return hash >> TAG_FROM << POINTER_BITS;
}

static uint64_t word_of(struct object *o)
{
	must((uintptr_t)o >> POINTER_BITS == 0);
	return tag_of(o->hash) | (uintptr_t)o;
}

static struct object *object_in(uint64_t word)
{
	return (struct object *)(uintptr_t)(word & ((UINT64_C(1) << POINTER_BITS) - 1));
}

static struct table *table_new(size_t buckets)
{
	struct table *t = mem_new(sizeof *t + (buckets + 1) * sizeof *t->bucket);
	uintptr_t room = (uintptr_t)t->room;
	t->buckets = buckets;
	t->bucket = (struct bucket *)((room + LINE_B - 1) / LINE_B * LINE_B);
	return t;
}

static void table_free(struct retired *r)
{
	struct table *t = container_of(r, struct table, retired);
	for (struct extra *e = t->extras, *next; e; e = next) {
		next = e->next;
		mem_free(e);
	}
	mem_free(t);
}

/* The table as readers see it. */
static uintptr_t seen_of(const struct table *t)
{
	return (uintptr_t)t->bucket | (unsigned)__builtin_ctzll(t->buckets);
}

static struct bucket *bucket_of(uintptr_t seen, uint64_t hash)
{
	uint64_t mask = (UINT64_C(1) << seen % LINE_B) - 1;
	return (struct bucket *)(seen - seen % LINE_B) + (hash & mask);
}

static bool has_key(const struct object *o, struct str key, uint64_t hash)
{
	return o->hash == hash && str_eq(o->key, key);
}

/* All of it at once: one after the other each line would be waited for. */
static void fetch(const struct object *o)
{
	for (size_t i = 0; i < LINES; i++)
		__builtin_prefetch((const char *)o + i * LINE_B);
}

/* The slot that has the object of this key, or NULL.  With or without the lock: without, it may have been emptied since,
 * and *out is what was in it. */
static _Atomic uint64_t *slot_find(uintptr_t seen, struct str key, uint64_t hash, struct object **out)
{
	uint64_t tag = tag_of(hash);
	for (struct bucket *b = bucket_of(seen, hash); b; b = atomic_load(&b->more)) {
		for (unsigned i = 0; i < SLOTS; i++) {
			uint64_t word = atomic_load(&b->slot[i]);
			struct object *o = object_in(word);
			if (!o || (word ^ tag) >> POINTER_BITS)
				continue;
			fetch(o);
			if (!has_key(o, key, hash))
				continue;
			*out = o;
			return &b->slot[i];
		}
	}
	return NULL;
}

static struct bucket *more_of(struct table *t, struct bucket *b)
{
	struct bucket *more = atomic_load(&b->more);
	if (more)
		return more;
	struct extra *e = MEM_NEW(struct extra);
	e->next = t->extras;
	t->extras = e;
	atomic_store(&b->more, &e->bucket);
	return &e->bucket;
}

/* Where its key is not yet.  The lock is held, or nobody sees the table. */
static void table_add(struct table *t, struct object *o)
{
	for (struct bucket *b = bucket_of(seen_of(t), o->hash);; b = more_of(t, b)) {
		for (unsigned i = 0; i < SLOTS; i++) {
			if (atomic_load(&b->slot[i]))
				continue;
			atomic_store(&b->slot[i], word_of(o));
			return;
		}
	}
}

static void table_each(const struct table *t, void (*see)(void *arg, struct object *o), void *arg)
{
	for (size_t i = 0; i < t->buckets; i++)
		for (struct bucket *b = &t->bucket[i]; b; b = atomic_load(&b->more))
			for (unsigned k = 0; k < SLOTS; k++)
				if (atomic_load(&b->slot[k]))
					see(arg, object_in(atomic_load(&b->slot[k])));
}

static unsigned shard_of(const struct store *s, uint64_t hash)
{
	return (hash >> 56) & (s->shard_count - 1);
}

/* The lock is held, or nobody sees it yet. */
static void shard_show(struct store *s, struct shard *h, struct table *t)
{
	h->table = t;
	atomic_store(&s->seen[h - s->shards], seen_of(t));
}

static void copy(void *table, struct object *o)
{
	table_add(table, o);
}

/* The lock is held.  Readers go on meanwhile. */
static void shard_grow(struct store *s, struct shard *h)
{
	struct table *old = h->table, *t = table_new(2 * old->buckets);
	table_each(old, copy, t);
	shard_show(s, h, t);
	epoch_retire(s->epoch, &old->retired, table_free);
	fifos_room(&h->fifos, FILLED * t->buckets);
}

/* --- The store. --- */

static unsigned shards_for(size_t memory_b)
{
	unsigned shards = 1;
	while (shards < SHARDS_MAX && memory_b / SHARD_MIN_B >= 2 * shards)
		shards *= 2;
	return shards;
}

static void shard_init(struct store *s, struct shard *h)
{
	shard_show(s, h, table_new(BUCKETS_MIN));
	pthread_mutex_init(&h->lock, NULL);
	fifos_init(&h->fifos);
	fifos_room(&h->fifos, FILLED * BUCKETS_MIN);
}

struct store *store_new(struct epoch *e, size_t memory_b)
{
	unsigned shards = shards_for(memory_b);
	struct store *s = mem_new(sizeof *s + shards * sizeof *s->shards);
	s->epoch = e;
	s->shard_count = shards;
	atomic_init(&s->bound_b, memory_b);
	must(getrandom(&s->seed, sizeof s->seed, 0) == sizeof s->seed);
	s->slab = slab_new(memory_b >= HUGE_FROM_B);
	flights_init(&s->flights);
	for (unsigned i = 0; i < shards; i++)
		shard_init(s, &s->shards[i]);
	return s;
}

static void let_go(void *arg, struct object *o)
{
	(void)arg;
	object_let_go(&o->retired);
}

static void shard_fini(struct shard *h)
{
	struct table *t = h->table;
	table_each(t, let_go, NULL);
	table_free(&t->retired);
	fifos_fini(&h->fifos);
	pthread_mutex_destroy(&h->lock);
}

void store_free(struct store *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->shard_count; i++)
		shard_fini(&s->shards[i]);
	flights_fini(&s->flights);
	slab_free(s->slab);
	mem_free(s);
}

struct slab *store_slab(struct store *s)
{
	return s->slab;
}

uint64_t store_hash(const struct store *s, struct str key)
{
	return hash_bytes(key, s->seed);
}

static void count(struct store *s, bool hit)
{
	struct counter *c = &s->counters[(unsigned)sched_getcpu() % COUNTERS];
	atomic_fetch_add_explicit(hit ? &c->hits : &c->misses, 1, memory_order_relaxed);
}

void store_expect(const struct store *s, uint64_t hash)
{
	__builtin_prefetch(bucket_of(atomic_load(&s->seen[shard_of(s, hash)]), hash));
}

struct object *store_find(struct store *s, struct str key, uint64_t hash)
{
	struct object *o = NULL;
	slot_find(atomic_load(&s->seen[shard_of(s, hash)]), key, hash, &o);
	count(s, o);
	if (!o)
		return NULL;
	/* Written only while it is low: a hot object's cache line stays shared. */
	uint8_t asked = atomic_load_explicit(&o->asked, memory_order_relaxed);
	if (asked < ASKED_MAX)
		atomic_store_explicit(&o->asked, asked + 1, memory_order_relaxed);
	return o;
}

/* o is out of its queue: out of sight with it, too.  The lock is held. */
static void unlink_object(struct store *s, struct shard *h, struct object *o)
{
	struct object *found = NULL;
	_Atomic uint64_t *slot = slot_find(seen_of(h->table), o->key, o->hash, &found);
	must(slot && found == o);
	atomic_store(slot, 0);
	h->objects--;
	atomic_fetch_sub(&h->bytes, o->cost_b);
	atomic_fetch_sub(&s->bytes, o->cost_b);
	epoch_retire(s->epoch, &o->retired, object_let_go);
}

static bool shard_evict(struct store *s, struct shard *h, const struct object *keep)
{
	pthread_mutex_lock(&h->lock);
	struct object *o = fifos_victim(&h->fifos, keep);
	if (o) {
		unlink_object(s, h, o);
		h->evicted++;
	}
	pthread_mutex_unlock(&h->lock);
	return o;
}

/* From a shard that has more than its share, the one that grew first; while the bytes are past the bound there is one,
 * unless keep makes up its excess: then from any. */
static bool evict_one(struct store *s, unsigned grew, size_t share_b, const struct object *keep)
{
	for (unsigned i = 0; i < s->shard_count; i++) {
		struct shard *h = &s->shards[(grew + i) % s->shard_count];
		if (atomic_load(&h->bytes) > share_b && shard_evict(s, h, keep))
			return true;
	}
	for (unsigned i = 0; i < s->shard_count; i++)
		if (shard_evict(s, &s->shards[(grew + i) % s->shard_count], keep))
			return true;
	return false;
}

static void bound_keep(struct store *s, unsigned grew, const struct object *keep)
{
	size_t bound_b = atomic_load(&s->bound_b);
	while (atomic_load(&s->bytes) > bound_b && evict_one(s, grew, bound_b / s->shard_count, keep))
		;
}

void store_bound(struct store *s, size_t memory_b)
{
	atomic_store(&s->bound_b, memory_b);
	bound_keep(s, 0, NULL);
}

/* A reader sees the old one or the new one.  The lock is held. */
static void replace(struct store *s, struct shard *h, _Atomic uint64_t *slot, struct object *o)
{
	struct object *old = object_in(atomic_load(slot));
	atomic_store(slot, word_of(o));
	fifos_replace(&h->fifos, old, o);
	atomic_fetch_sub(&h->bytes, old->cost_b);
	atomic_fetch_sub(&s->bytes, old->cost_b);
	epoch_retire(s->epoch, &old->retired, object_let_go);
}

static void insert(struct store *s, struct shard *h, struct object *o)
{
	struct table *t = h->table;
	table_add(t, o);
	fifos_add(&h->fifos, o);
	if (++h->objects > FILLED * t->buckets)
		shard_grow(s, h);
}

bool store_put(struct store *s, struct object *o)
{
	if (o->cost_b > atomic_load(&s->bound_b)) {
		store_drop(s, o->key, o->hash);
		/* No loop ever saw it by way of the store: nothing has to wait for the end of a turn. */
		if (atomic_fetch_sub(&o->refs, 1) == 1)
			o->free(o);
		return false;
	}
	struct shard *h = &s->shards[shard_of(s, o->hash)];
	pthread_mutex_lock(&h->lock);
	atomic_fetch_add(&h->bytes, o->cost_b);
	atomic_fetch_add(&s->bytes, o->cost_b);
	_Atomic uint64_t *slot = slot_find(seen_of(h->table), o->key, o->hash, &(struct object *){ NULL });
	if (slot)
		replace(s, h, slot, o);
	else
		insert(s, h, o);
	pthread_mutex_unlock(&h->lock);
	/* From here on o is only a name for whom to spare: it may be gone. */
	bound_keep(s, (unsigned)(h - s->shards), o);
	return true;
}

bool store_drop(struct store *s, struct str key, uint64_t hash)
{
	struct shard *h = &s->shards[shard_of(s, hash)];
	pthread_mutex_lock(&h->lock);
	struct object *o = NULL;
	slot_find(seen_of(h->table), key, hash, &o);
	if (o) {
		fifos_del(&h->fifos, o);
		unlink_object(s, h, o);
	}
	pthread_mutex_unlock(&h->lock);
	return o;
}

/* The lock is held. */
static void weed(struct store *s, struct shard *h, struct link *queue, bool (*is_weed)(const struct object *o))
{
	for (struct link *l = queue->next, *next; l != queue; l = next) {
		struct object *o = container_of(l, struct object, queue);
		next = l->next;
		if (!is_weed(o))
			continue;
		fifos_del(&h->fifos, o);
		unlink_object(s, h, o);
	}
}

void store_weed(struct store *s, bool (*is_weed)(const struct object *o))
{
	for (unsigned i = 0; i < s->shard_count; i++) {
		struct shard *h = &s->shards[i];
		pthread_mutex_lock(&h->lock);
		weed(s, h, &h->fifos.small, is_weed);
		weed(s, h, &h->fifos.main, is_weed);
		pthread_mutex_unlock(&h->lock);
	}
}

enum flight store_join(struct store *s, struct str key, uint64_t hash, struct waiter *w)
{
	return flights_join(&s->flights, key, hash, w);
}

void store_land(struct store *s, struct str key, uint64_t hash, int err, struct object *o)
{
	flights_land(&s->flights, key, hash, err, o);
}

struct store_stats store_stats(struct store *s)
{
	struct store_stats stats = { .bytes = atomic_load(&s->bytes), .bound_b = atomic_load(&s->bound_b) };
	for (unsigned i = 0; i < COUNTERS; i++) {
		stats.hits += atomic_load_explicit(&s->counters[i].hits, memory_order_relaxed);
		stats.misses += atomic_load_explicit(&s->counters[i].misses, memory_order_relaxed);
	}
	for (unsigned i = 0; i < s->shard_count; i++) {
		struct shard *h = &s->shards[i];
		pthread_mutex_lock(&h->lock);
		stats.objects += h->objects;
		stats.evicted += h->evicted;
		pthread_mutex_unlock(&h->lock);
	}
	return stats;
}

static void see_queue(const struct link *queue, void (*see)(void *arg, const struct object *o), void *arg)
{
	for (struct link *l = queue->next; l != queue; l = l->next)
		see(arg, container_of(l, struct object, queue));
}

void store_each(struct store *s, void (*see)(void *arg, const struct object *o), void *arg)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < s->shard_count; i++) {
			struct shard *h = &s->shards[i];
			pthread_mutex_lock(&h->lock);
			see_queue(pass == 0 ? &h->fifos.main : &h->fifos.small, see, arg);
			pthread_mutex_unlock(&h->lock);
		}
	}
}

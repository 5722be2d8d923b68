/* Counting connections, in all and by address.  Any thread; asked once when a connection comes and once when it goes.
 *
 * Addresses are counted whether or not there is a bound, so that a bound set by a reload holds for those that are there
 * already. */
#include "share/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"

enum { SHARDS = 64, BUCKETS = 256 };

struct entry {
	struct entry *next;
	uint64_t count;
	uint8_t length;
	char address[16];
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
};

struct limits {
	_Atomic uint64_t count, most, most_per_address;
	uint64_t seed;
	struct shard shards[SHARDS];
};

struct limits *limits_new(void)
{
	struct limits *l = aligned_alloc(64, sizeof *l);
	must(l && "out of memory");
	memset(l, 0, sizeof *l);
	must(getrandom(&l->seed, sizeof l->seed, 0) == sizeof l->seed);
	for (int i = 0; i < SHARDS; i++)
		pthread_mutex_init(&l->shards[i].lock, NULL);
	return l;
}

void limits_free(struct limits *l)
{
	if (!l)
		return;
	for (int i = 0; i < SHARDS; i++) {
		for (int b = 0; b < BUCKETS; b++) {
			for (struct entry *e = l->shards[i].buckets[b], *next; e; e = next) {
				next = e->next;
				mem_free(e);
			}
		}
		pthread_mutex_destroy(&l->shards[i].lock);
	}
	free(l);
}

void limits_bounds(struct limits *l, uint64_t all, uint64_t per_address)
{
	atomic_store_explicit(&l->most, all, memory_order_relaxed);
	atomic_store_explicit(&l->most_per_address, per_address, memory_order_relaxed);
}

/* The place of an address's entry, in its shard, which is locked. */
static struct entry **locate(struct limits *l, struct str address, struct shard **shard)
{
	uint64_t hash = hash_bytes(address, l->seed);
	*shard = &l->shards[hash % SHARDS];
	pthread_mutex_lock(&(*shard)->lock);
	struct entry **at = &(*shard)->buckets[hash / SHARDS % BUCKETS];
	while (*at && !str_eq(str_make((*at)->address, (*at)->length), address))
		at = &(*at)->next;
	return at;
}

static bool enter_address(struct limits *l, struct str address)
{
	struct shard *shard;
	struct entry **at = locate(l, address, &shard);
	uint64_t most = atomic_load_explicit(&l->most_per_address, memory_order_relaxed);
	bool room = !most || !*at || (*at)->count < most;
	if (room && !*at) {
		struct entry *e = MEM_NEW(struct entry);
		e->length = (uint8_t)address.n;
		memcpy(e->address, address.p, address.n);
		*at = e;
	}
	if (room)
		(*at)->count++;
	pthread_mutex_unlock(&shard->lock);
	return room;
}

static void leave_address(struct limits *l, struct str address)
{
	struct shard *shard;
	struct entry **at = locate(l, address, &shard), *e = *at;
	must(e && e->count);
	if (--e->count == 0) {
		*at = e->next;
		mem_free(e);
	}
	pthread_mutex_unlock(&shard->lock);
}

enum admitted limits_enter(struct limits *l, struct str address)
{
	uint64_t most = atomic_load_explicit(&l->most, memory_order_relaxed);
	uint64_t before = atomic_fetch_add_explicit(&l->count, 1, memory_order_relaxed);
	enum admitted said = most && before >= most ? LIMITS_FULL : LIMITS_ADMITTED;
	must(address.n <= sizeof(((struct entry *)0)->address));
	if (said == LIMITS_ADMITTED && address.n && !enter_address(l, address))
		said = LIMITS_ADDRESS_FULL;
	if (said != LIMITS_ADMITTED)
		atomic_fetch_sub_explicit(&l->count, 1, memory_order_relaxed);
	return said;
}

void limits_leave(struct limits *l, struct str address)
{
	if (address.n)
		leave_address(l, address);
	atomic_fetch_sub_explicit(&l->count, 1, memory_order_relaxed);
}

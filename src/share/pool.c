/* Pools: the registry, the lifetimes of pools and peers, and what the control thread wants of them.  See pool.h.
 *
 * The control thread runs all of this, but for peer_get(), peer_put() and peer_eject().  It changes the list by making
 * another one. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "share/pool_in.h"

enum { LINE_B = 64 };  /* a cache line */

struct pools {
	struct epoch *epoch;
	unsigned loops;
	struct link all;               /* struct pool */
	_Atomic(struct mailbox *) boxes[EPOCH_LOOPS];
};

/* --- Peers. --- */

static char *line_align(char *p)
{
	return (char *)(((uintptr_t)p + LINE_B - 1) & ~(uintptr_t)(LINE_B - 1));
}

static uint32_t weight_within(unsigned weight)
{
	return weight < 1 ? 1 : weight > POOL_WEIGHT_MAX ? POOL_WEIGHT_MAX : weight;
}

/* The same on every machine and after every restart: cookies hold it.  0 means none. */
static uint64_t id_of(struct str name)
{
	uint64_t id = hash_bytes(name, 0);
	return id ? id : 1;
}

static struct peer *peer_new(struct pool *pool, const struct peer_spec *spec, uint64_t since_ms)
{
	size_t here_b = pool->loops * sizeof(struct peer_here);
	char *memory = mem_new(sizeof(struct peer) + LINE_B + here_b + spec->name.n);
	struct peer *p = (struct peer *)memory;
	p->here = (struct peer_here *)line_align(memory + sizeof *p);
	for (unsigned i = 0; i < pool->loops; i++)
		link_init(&p->here[i].idle);
	char *name = (char *)p->here + here_b;
	memcpy(name, spec->name.p, spec->name.n);
	p->name = str_make(name, spec->name.n);
	p->id = id_of(p->name);
	p->addr = spec->addr;
	p->addr_b = spec->addr_b;
	p->backup = spec->backup;
	p->pool = pool;
	atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
	atomic_init(&p->refs, 1);
	atomic_init(&p->state, spec->addr_b ? 0 : PEER_UNRESOLVED);
	atomic_init(&p->weight, weight_within(spec->weight));
	atomic_init(&p->connections, spec->connections);
	atomic_init(&p->since_ms, since_ms);
	return p;
}

static void peer_free(struct retired *r)
{
	struct peer *p = container_of(r, struct peer, retired);
	struct pool *pool = p->pool;
	mem_free(p);
	pool_let_go(pool);
}

void peer_get(struct peer *peer)
{
	uint32_t before = atomic_fetch_add_explicit(&peer->refs, 1, memory_order_relaxed);
	must(before > 0);
}

/* Its memory stays until the turn ends: who gave it back may still print its name. */
void peer_put(struct pool *pool, struct peer *peer)
{
	uint32_t before = atomic_fetch_sub_explicit(&peer->refs, 1, memory_order_acq_rel);
	must(before > 0);
	if (before == 1)
		epoch_retire(pool->epoch, &peer->retired, peer_free);
}

/* --- Lists. --- */

static void list_retired(struct retired *r)
{
	list_free(container_of(r, struct peer_list, retired));
}

/* Takes over a reference of each peer. */
static void list_set(struct pool *pool, struct peer *const *peers, unsigned count, const struct pool_rules *rules)
{
	struct peer_list *old = atomic_exchange(&pool->list, list_new(peers, count, rules));
	epoch_retire(pool->epoch, &old->retired, list_retired);
	queue_serve(pool, clock_ms());
}

/* The same servers, with other rules or weights. */
static void list_renew(struct pool *pool, const struct pool_rules *rules)
{
	const struct peer_list *l = pool_list(pool);
	for (unsigned i = 0; i < l->count; i++)
		peer_get(l->peers[i]);
	list_set(pool, l->peers, l->count, rules);
}

/* --- Pools. --- */

static void pool_free(struct retired *r)
{
	struct pool *pool = container_of(r, struct pool, retired);
	for (unsigned i = 0; i < POOL_CLASSES; i++)
		must(link_alone(&pool->classes[i]));
	list_free(atomic_load(&pool->list));
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool);
}

void pool_let_go(struct pool *pool)
{
	if (atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) == 1)
		epoch_retire(pool->epoch, &pool->retired, pool_free);
}

static struct pool *pool_new(struct pools *p, struct str name)
{
	static const struct pool_rules NONE = { .balance = BALANCE_ROUND_ROBIN };
	size_t here_b = p->loops * sizeof(struct pool_here);
	char *memory = mem_new(sizeof(struct pool) + LINE_B + here_b + name.n);
	struct pool *pool = (struct pool *)memory;
	pool->epoch = p->epoch;
	pool->loops = p->loops;
	pool->here = (struct pool_here *)line_align(memory + sizeof *pool);
	char *bytes = (char *)pool->here + here_b;
	memcpy(bytes, name.p, name.n);
	pool->name = str_make(bytes, name.n);
	atomic_init(&pool->list, list_new(NULL, 0, &NONE));
	atomic_init(&pool->refs, 1);
	pthread_mutex_init(&pool->lock, NULL);
	for (unsigned i = 0; i < POOL_CLASSES; i++)
		link_init(&pool->classes[i]);
	link_add(&p->all, &pool->link);
	return pool;
}

struct pools *pools_new(struct epoch *e, unsigned loops)
{
	must(loops > 0 && loops <= EPOCH_LOOPS);
	struct pools *p = MEM_NEW(struct pools);
	p->epoch = e;
	p->loops = loops;
	link_init(&p->all);
	return p;
}

void pools_free(struct pools *p)
{
	if (!p)
		return;
	must(link_alone(&p->all));
	mem_free(p);
}

void pools_loop(struct pools *p, unsigned index, struct mailbox *box)
{
	must(index < p->loops);
	atomic_store(&p->boxes[index], box);
}

struct mailbox *pools_mailbox(const struct pools *p, unsigned index)
{
	return atomic_load(&p->boxes[index]);
}

unsigned pools_loops(const struct pools *p)
{
	return p->loops;
}

struct pool *pool_get(struct pools *p, struct str name)
{
	struct pool *pool = NULL;
	for (struct link *l = p->all.next; l != &p->all && !pool; l = l->next) {
		struct pool *one = container_of(l, struct pool, link);
		if (str_eq(one->name, name))
			pool = one;
	}
	if (!pool)
		pool = pool_new(p, name);
	pool->users++;
	return pool;
}

void pool_put(struct pool *pool)
{
	must(pool->users > 0);
	if (--pool->users)
		return;
	link_del(&pool->link);
	pool_set_peers(pool, NULL, 0);
	pool_let_go(pool);
}

void pools_each(struct pools *p, void (*see)(void *arg, struct pool *pool), void *arg)
{
	struct link *next;
	for (struct link *l = p->all.next; l != &p->all; l = next) {
		next = l->next;
		see(arg, container_of(l, struct pool, link));
	}
}

/* --- Wishes. --- */

struct str pool_name(const struct pool *pool)
{
	return pool->name;
}

void pool_set_rules(struct pool *pool, const struct pool_rules *rules)
{
	list_renew(pool, rules);
}

struct pool_rules pool_rules(const struct pool *pool)
{
	return pool_list(pool)->rules;
}

static bool is_spec(const struct peer *p, const struct peer_spec *spec)
{
	return str_eq(p->name, spec->name) && p->backup == spec->backup && p->addr_b == spec->addr_b &&
	       memcmp(&p->addr, &spec->addr, spec->addr_b) == 0;
}

/* With a reference: the one that is there already, or a new one.  Who joins others starts slowly. */
static struct peer *peer_of(struct pool *pool, const struct peer_spec *spec)
{
	const struct peer_list *l = pool_list(pool);
	for (unsigned i = 0; i < l->count; i++) {
		struct peer *p = l->peers[i];
		if (!is_spec(p, spec))
			continue;
		atomic_store(&p->weight, weight_within(spec->weight));
		atomic_store(&p->connections, spec->connections);
		peer_get(p);
		return p;
	}
	return peer_new(pool, spec, l->count ? clock_ms() : 0);
}

static bool stays(const struct peer *p, struct peer *const *peers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (peers[i] == p)
			return true;
	return false;
}

void pool_set_peers(struct pool *pool, const struct peer_spec *specs, size_t count)
{
	const struct peer_list *old = pool_list(pool);
	struct peer **peers = mem_new((count + 1) * sizeof(struct peer *));
	for (size_t i = 0; i < count; i++)
		peers[i] = peer_of(pool, &specs[i]);
	for (unsigned i = 0; i < old->count; i++)
		if (!stays(old->peers[i], peers, count))
			atomic_fetch_or(&old->peers[i]->state, PEER_RETIRED);
	struct pool_rules rules = old->rules;
	list_set(pool, peers, (unsigned)count, &rules);
	mem_free(peers);
}

void peer_set_state(struct pool *pool, struct peer *peer, uint32_t set, uint32_t clear, uint64_t now_ms)
{
	uint32_t before = atomic_load(&peer->state), after;
	do
		after = (before & ~clear) | set;
	while (!atomic_compare_exchange_weak(&peer->state, &before, after));
	if (after == before)
		return;
	if (!after)
		atomic_store(&peer->since_ms, now_ms);
	if (before & clear & PEER_EJECTED) {
		atomic_store(&peer->failures, 0);
		atomic_store(&peer->latency_us, 0);
	}
	/* Also where it went: those who waited for it may go to a backup now. */
	queue_serve(pool, now_ms);
}

/* Loops do it, too: see peer_leave(). */
void peer_eject(struct pool *pool, struct peer *peer, uint64_t until_ms, uint64_t now_ms)
{
	atomic_store(&peer->ejected_until_ms, until_ms);
	atomic_store(&peer->since_ms, until_ms);
	atomic_fetch_or(&peer->state, PEER_EJECTED);
	queue_serve(pool, now_ms);
}

void peer_set_weight(struct pool *pool, struct peer *peer, unsigned weight)
{
	atomic_store(&peer->weight, weight_within(weight));
	struct pool_rules rules = pool_rules(pool);
	list_renew(pool, &rules);
}

void peer_set_connections(struct pool *pool, struct peer *peer, unsigned connections)
{
	atomic_store(&peer->connections, connections);
	queue_serve(pool, clock_ms());
}

struct peer *pool_find(struct pool *pool, struct str name)
{
	const struct peer_list *l = pool_list(pool);
	for (unsigned i = 0; i < l->count; i++)
		if (str_eq(l->peers[i]->name, name))
			return l->peers[i];
	return NULL;
}

void pool_each(struct pool *pool, void (*see)(void *arg, struct pool *pool, struct peer *peer), void *arg)
{
	const struct peer_list *l = pool_list(pool);
	for (unsigned i = 0; i < l->count; i++)
		see(arg, pool, l->peers[i]);
}

uint64_t pool_requests(const struct pool *pool)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < pool->loops; i++)
		all += atomic_load_explicit(&pool->here[i].requests, memory_order_relaxed);
	return all;
}

struct pool_stats pool_stats(const struct pool *pool)
{
	return (struct pool_stats){
		.requests = pool_requests(pool),
		.retries = atomic_load_explicit(&pool->retries, memory_order_relaxed),
		.queued = atomic_load_explicit(&pool->queued, memory_order_relaxed),
		.queue_full = atomic_load_explicit(&pool->queue_full, memory_order_relaxed),
		.queue_late = atomic_load_explicit(&pool->queue_late, memory_order_relaxed),
		.none = atomic_load_explicit(&pool->none, memory_order_relaxed),
		.waiting = atomic_load(&pool->waiting),
	};
}

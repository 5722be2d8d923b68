/* Choosing a server.  No lock, on any loop: the list is immutable, the counts are atomics, and whoever finds a server full
 * that he just saw with room looks again.
 *
 * The way of balancing proposes; where its proposal has no room, the least busy server that has some is taken, so that
 * "none" means that each was seen full. */
#include "base/mem.h"
#include "base/must.h"
#include "share/pool_in.h"

enum {
	PART = 1024,          /* a weight's unit, in which slow start can take parts of it */
	START_PART = 16,      /* a server that just became ready has 1/16 of its weight */
	TURNS_TRIED = 32,
	DRAWS = 4,
	RING_ROUNDS = 8,      /* points looked at on the ring, for each server */
};

/* In this order: a server that was ejected, rather than one that has just failed this same request. */
static const struct reach REACHES[] = {
	{},
	{ .backup = true },
	{ .ejected = true },
	{ .backup = true, .ejected = true },
	{ .tried = true },
	{ .backup = true, .tried = true },
	{ .ejected = true, .tried = true },
	{ .backup = true, .ejected = true, .tried = true },
};

static uint32_t relaxed(const _Atomic uint32_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static bool was_tried(const struct peer *p, const struct pick *k)
{
	for (size_t i = 0; i < k->tried_count; i++)
		if (k->tried[i] == p)
			return true;
	return false;
}

/* Its state, without an ejection whose time is over. */
static uint32_t state_now(const struct peer *p, uint64_t now_ms)
{
	uint32_t state = atomic_load(&p->state);
	if (state & PEER_EJECTED && atomic_load(&p->ejected_until_ms) <= now_ms)
		state &= ~(uint32_t)PEER_EJECTED;
	return state;
}

bool pick_fits(const struct peer *p, const struct pick *k, const struct reach *r)
{
	uint32_t state = state_now(p, k->now_ms);
	if (r->ejected)
		state &= ~(uint32_t)PEER_EJECTED;
	return !state && p->backup == r->backup && (r->tried || !was_tried(p, k));
}

static bool has_any(const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	const struct peer_group *g = &l->groups[r->backup];
	for (unsigned i = 0; i < g->count; i++)
		if (pick_fits(g->peers[i], k, r))
			return true;
	return false;
}

bool pick_reach(const struct peer_list *l, const struct pick *k, struct reach *out)
{
	for (size_t i = 0; i < countof(REACHES); i++)
		if (has_any(l, k, &REACHES[i])) {
			*out = REACHES[i];
			return true;
		}
	return false;
}

/* seq_cst throughout: who waits counts himself before he looks here, who leaves looks for him after he was here. */
bool slot_take(struct peer *p)
{
	uint32_t most = atomic_load(&p->connections), busy = atomic_load(&p->busy);
	if (!most) {
		atomic_fetch_add(&p->busy, 1);
		return true;
	}
	while (busy < most)
		if (atomic_compare_exchange_weak(&p->busy, &busy, busy + 1))
			return true;
	return false;
}

static bool has_room(const struct peer *p)
{
	uint32_t most = atomic_load(&p->connections);
	return !most || atomic_load(&p->busy) < most;
}

/* Its weight, in PARTs: less while it starts slowly. */
static uint64_t pull_of(const struct peer_list *l, const struct peer *p, uint64_t now_ms)
{
	uint64_t whole = (uint64_t)relaxed(&p->weight) * PART, slow_ms = l->rules.slow_start_ms;
	if (!slow_ms)
		return whole;
	uint64_t since_ms = atomic_load_explicit(&p->since_ms, memory_order_relaxed);
	uint64_t age_ms = now_ms > since_ms ? now_ms - since_ms : 0;
	if (age_ms >= slow_ms)
		return whole;
	uint64_t least = whole / START_PART, part = (uint64_t)((double)whole * (double)age_ms / (double)slow_ms);
	return part > least ? part : least;
}

/* SplitMix64's last step: from tickets to what looks like chance. */
static uint64_t scatter(uint64_t n)
{
	n += 0x9e3779b97f4a7c15;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
	n = (n ^ n >> 27) * 0x94d049bb133111eb;
	return n ^ n >> 31;
}

/* nth: of those that this pick has taken already. */
static uint64_t ticket_take(struct pool *pool, const struct pick *k, unsigned nth)
{
	if (k->dry)
		return atomic_load_explicit(&pool->ticket, memory_order_relaxed) + nth;
	return atomic_fetch_add_explicit(&pool->ticket, 1, memory_order_relaxed);
}

static bool grab(struct peer *p, const struct pick *k)
{
	return k->dry ? has_room(p) : slot_take(p);
}

/* --- Who is less busy. --- */

struct load {
	uint64_t busy, pull;
	unsigned handy;    /* 2: an idle connection on this loop; 1: room for a new one; 0: all are some other loop's */
};

static struct load load_of(const struct peer_list *l, const struct peer *p, const struct pick *k)
{
	uint32_t most = relaxed(&p->connections);
	unsigned room = !most || relaxed(&p->open) < most;
	return (struct load){
		.busy = (uint64_t)relaxed(&p->busy) + 1,
		.pull = pull_of(l, p, k->now_ms),
		/* That is the loop's own affair, which another thread can't look at. */
		.handy = !k->dry && p->here[k->loop].idle_count ? 2 : room,
	};
}

static bool is_less(const struct load *a, const struct load *b)
{
	uint64_t x = a->busy * b->pull, y = b->busy * a->pull;
	return x != y ? x < y : a->handy > b->handy;
}

/* The least busy with room.  Among equals, whose turn it is. */
static struct peer *least_busy(struct pool *pool, const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	const struct peer_group *g = &l->groups[r->backup];
	unsigned first = (unsigned)(ticket_take(pool, k, 0) % g->count);
	struct peer *best = NULL;
	struct load least = {};
	for (unsigned i = 0; i < g->count; i++) {
		struct peer *p = g->peers[(first + i) % g->count];
		if (!pick_fits(p, k, r) || !has_room(p))
			continue;
		struct load load = load_of(l, p, k);
		if (!best || is_less(&load, &least)) {
			best = p;
			least = load;
		}
	}
	return best;
}

/* NULL: each of them was seen full, or not fit. */
static struct peer *take_least(struct pool *pool, const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	struct peer *p;
	do
		p = least_busy(pool, l, k, r);
	while (p && !grab(p, k));
	return p;
}

/* --- The ways of balancing; NULL: no proposal. --- */

/* Who can't be picked lets his turn pass, and all the others move up: a shared ticket for each look. */
static struct peer *take_turn(struct pool *pool, const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	const struct peer_group *g = &l->groups[r->backup];
	for (unsigned i = 0; i < g->turn_count && i < TURNS_TRIED; i++) {
		uint64_t ticket = ticket_take(pool, k, i);
		struct peer *p = g->turns[ticket % g->turn_count];
		if (!pick_fits(p, k, r))
			continue;
		uint64_t whole = (uint64_t)relaxed(&p->weight) * PART, pull = pull_of(l, p, k->now_ms);
		if ((pull >= whole || scatter(ticket) % whole < pull) && grab(p, k))
			return p;
	}
	return NULL;
}

/* Two by chance, the turns being as many as the weights say; the less busy of them. */
static struct peer *take_of_two(struct pool *pool, const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	const struct peer_group *g = &l->groups[r->backup];
	for (unsigned i = 0; i < DRAWS; i++) {
		uint64_t chance = scatter(ticket_take(pool, k, i));
		struct peer *a = g->turns[(uint32_t)chance % g->turn_count];
		struct peer *b = g->turns[(chance >> 32) % g->turn_count];
		if (!pick_fits(a, k, r) || !pick_fits(b, k, r) || (a == b && g->count > 1))
			continue;
		struct load load_a = load_of(l, a, k), load_b = load_of(l, b, k);
		struct peer *p = is_less(&load_b, &load_a) ? b : a;
		if (grab(p, k))
			return p;
	}
	return NULL;
}

static unsigned ring_find(const struct peer_group *g, uint64_t hash)
{
	unsigned low = 0, high = g->ring_count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (g->ring[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low % g->ring_count;
}

/* What all of them have to do, and can do. */
struct share {
	uint64_t busy, pull;
};

static struct share share_of(const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	const struct peer_group *g = &l->groups[r->backup];
	struct share s = { .busy = 1 };
	for (unsigned i = 0; i < g->count; i++)
		if (pick_fits(g->peers[i], k, r)) {
			s.busy += relaxed(&g->peers[i]->busy);
			s.pull += pull_of(l, g->peers[i], k->now_ms);
		}
	return s;
}

/* Nobody gets more than 1.25 times his share (Mirrokni and others, Consistent Hashing with Bounded Loads, 2016); rounded
 * up, so that there is always room for one. */
static bool within_share(const struct peer_list *l, const struct peer *p, const struct pick *k, const struct share *s)
{
	uint64_t busy = relaxed(&p->busy);
	return !busy || 4 * busy * s->pull < 5 * s->busy * pull_of(l, p, k->now_ms);
}

static struct peer *take_on_ring(const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	const struct peer_group *g = &l->groups[r->backup];
	if (!g->ring)
		return NULL;
	struct share share = share_of(l, k, r);
	unsigned at = ring_find(g, k->hash), looks = RING_ROUNDS * g->count;
	for (unsigned i = 0; i < looks; i++) {
		struct peer *p = g->ring[(at + i) % g->ring_count].peer;
		if (pick_fits(p, k, r) && within_share(l, p, k, &share) && grab(p, k))
			return p;
	}
	return NULL;
}

static struct peer *propose(struct pool *pool, const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	switch (l->rules.balance) {
	case BALANCE_ROUND_ROBIN:
		return take_turn(pool, l, k, r);
	case BALANCE_RANDOM_TWO:
		return take_of_two(pool, l, k, r);
	case BALANCE_HASH:
		return take_on_ring(l, k, r);
	case BALANCE_LEAST_CONNECTIONS:
		break;
	}
	return NULL;
}

static struct peer *take(struct pool *pool, const struct peer_list *l, const struct pick *k, const struct reach *r)
{
	struct peer *p = propose(pool, l, k, r);
	return p ? p : take_least(pool, l, k, r);
}

/* --- Picking. --- */

/* A server that drains goes on with those that stick to it. */
static struct peer *take_sticky(const struct peer_list *l, const struct pick *k)
{
	for (unsigned i = 0; i < l->count; i++) {
		struct peer *p = l->peers[i];
		if (p->id == k->sticky && !(state_now(p, k->now_ms) & ~(uint32_t)PEER_DRAINING) && !was_tried(p, k) &&
		    grab(p, k))
			return p;
	}
	return NULL;
}

void slot_taken(struct pool *pool, struct peer *p, unsigned loop)
{
	must(loop < pool->loops);
	peer_get(p);
	atomic_fetch_add_explicit(&p->requests, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&pool->here[loop].requests, 1, memory_order_relaxed);
}

enum picked pick_now(struct pool *pool, const struct pick *k, struct peer **out)
{
	const struct peer_list *l = pool_list(pool);
	struct peer *p = k->sticky ? take_sticky(l, k) : NULL;
	struct reach reach;
	if (!p && !pick_reach(l, k, &reach))
		return atomic_load(&pool->grows) ? PICK_WAIT : PICK_NONE;
	if (!p)
		p = take(pool, l, k, &reach);
	if (!p)
		return PICK_WAIT;
	if (!k->dry)
		slot_taken(pool, p, k->loop);
	*out = p;
	return PICKED;
}

enum picked pool_pick(struct pool *pool, const struct pick *pick, struct peer **out)
{
	budget_turn(pool, pick->now_ms);
	if (atomic_load(&pool->waiting))
		return PICK_WAIT;  /* nobody goes past those who wait */
	enum picked how = pick_now(pool, pick, out);
	if (how == PICK_NONE)
		atomic_fetch_add_explicit(&pool->none, 1, memory_order_relaxed);
	return how;
}

/* --- Looking on. --- */

enum picked pool_foresee(struct pool *pool, const struct pick *pick, struct peer **out)
{
	struct pick dry = *pick;
	dry.dry = true;
	return atomic_load(&pool->waiting) ? PICK_WAIT : pick_now(pool, &dry, out);
}

enum unfit pool_unfit(struct pool *pool, const struct pick *pick, const struct peer *peer)
{
	struct reach reach;
	bool any = pick_reach(pool_list(pool), pick, &reach);
	uint32_t state = state_now(peer, pick->now_ms);
	if (state & ~(uint32_t)(any && reach.ejected ? PEER_EJECTED : 0))
		return UNFIT_STATE;
	if (any && peer->backup && !reach.backup)
		return UNFIT_BACKUP;
	return has_room(peer) ? UNFIT_NOT : UNFIT_FULL;
}

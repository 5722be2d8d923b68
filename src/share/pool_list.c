/* The immutable list of a pool's servers, with what makes choosing quick: the order of turns, and the consistent ring.
 *
 * Made by the control thread, read by every loop, freed by the epochs. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "share/pool_in.h"

enum {
	TURNS_MOST = 8192,    /* past this, weights are scaled down: the order of turns stays small */
	POINTS_MOST = 160,    /* on the ring, of the server with the greatest weight */
};

/* When a turn is due: at part/whole of a round. */
struct turn {
	uint64_t part, whole;
	unsigned index;       /* of the server: who is due at the same time comes in the owner's order */
};

static int turn_order(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;
	uint64_t l = x->part * y->whole, r = y->part * x->whole;
	if (l != r)
		return l < r ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static uint64_t divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static uint64_t weight_of(const struct peer *p)
{
	return atomic_load_explicit(&p->weight, memory_order_relaxed);
}

/* What weights are divided by: what they have in common, or more where there would be too many turns. */
static uint64_t turn_unit(const struct peer_group *g)
{
	uint64_t sum = 0, unit = 0;
	for (unsigned i = 0; i < g->count; i++) {
		sum += weight_of(g->peers[i]);
		unit = divisor(weight_of(g->peers[i]), unit);
	}
	uint64_t least = (sum + TURNS_MOST - 1) / TURNS_MOST;
	return unit > least ? unit : least;
}

static uint64_t turns_of(const struct peer *p, uint64_t unit)
{
	uint64_t n = weight_of(p) / unit;
	return n ? n : 1;
}

/* Each server's turns lie evenly apart; the first ones begin one after the other, so that those of servers with one turn
 * don't meet. */
static void make_turns(struct peer_group *g)
{
	uint64_t unit = turn_unit(g);
	for (unsigned i = 0; i < g->count; i++)
		g->turn_count += (unsigned)turns_of(g->peers[i], unit);
	struct turn *turns = mem_new(g->turn_count * sizeof *turns);
	unsigned n = 0;
	for (unsigned i = 0; i < g->count; i++) {
		uint64_t most = turns_of(g->peers[i], unit);
		for (uint64_t k = 0; k < most; k++)
			turns[n++] = (struct turn){ k * (g->count + 1) + i + 1, most * (g->count + 1), i };
	}
	qsort(turns, n, sizeof *turns, turn_order);
	g->turns = mem_new(n * sizeof(struct peer *));
	for (unsigned i = 0; i < n; i++)
		g->turns[i] = g->peers[turns[i].index];
	mem_free(turns);
}

static int point_order(const void *a, const void *b)
{
	const struct ring_point *x = a, *y = b;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* In relation to the greatest weight, so that a server's points stay where they are while others come and go. */
static unsigned points_of(const struct peer *p, uint64_t greatest)
{
	unsigned n = (unsigned)(POINTS_MOST * weight_of(p) / greatest);
	return n ? n : 1;
}

static void make_ring(struct peer_group *g)
{
	uint64_t greatest = 1;
	for (unsigned i = 0; i < g->count; i++)
		if (weight_of(g->peers[i]) > greatest)
			greatest = weight_of(g->peers[i]);
	for (unsigned i = 0; i < g->count; i++)
		g->ring_count += points_of(g->peers[i], greatest);
	g->ring = mem_new(g->ring_count * sizeof *g->ring);
	struct ring_point *point = g->ring;
	for (unsigned i = 0; i < g->count; i++) {
		unsigned points = points_of(g->peers[i], greatest);
		for (unsigned k = 0; k < points; k++)
			*point++ = (struct ring_point){ hash_bytes(g->peers[i]->name, k + 1), g->peers[i] };
	}
	qsort(g->ring, g->ring_count, sizeof *g->ring, point_order);
}

static void make_group(struct peer_group *g, const struct peer_list *l, bool backup)
{
	g->peers = mem_new((l->count + 1) * sizeof(struct peer *));
	for (unsigned i = 0; i < l->count; i++)
		if (l->peers[i]->backup == backup)
			g->peers[g->count++] = l->peers[i];
	if (!g->count)
		return;
	make_turns(g);
	if (l->rules.balance == BALANCE_HASH)
		make_ring(g);
}

struct peer_list *list_new(struct peer *const *peers, unsigned count, const struct pool_rules *rules)
{
	struct peer_list *l = MEM_NEW(struct peer_list);
	l->rules = *rules;
	l->count = count;
	l->peers = mem_new((count + 1) * sizeof(struct peer *));
	for (unsigned i = 0; i < count; i++)
		l->peers[i] = peers[i];
	make_group(&l->groups[0], l, false);
	make_group(&l->groups[1], l, true);
	return l;
}

void list_free(struct peer_list *l)
{
	for (unsigned i = 0; i < l->count; i++)
		peer_put(l->peers[i]->pool, l->peers[i]);
	for (unsigned i = 0; i < countof(l->groups); i++) {
		mem_free(l->groups[i].peers);
		mem_free(l->groups[i].turns);
		mem_free(l->groups[i].ring);
	}
	mem_free(l->peers);
	mem_free(l);
}

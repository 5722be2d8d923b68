/* Eviction by S3-FIFO.  See fifos.h.  Runs on any thread, under the shard's lock. */
#include "share/fifos.h"

#include "base/mem.h"

enum {
	SMALL_SHARE = 10,   /* `small` holds one part in so many */
	MOVES_AT = 2,       /* asked for so often, a newcomer moves to `main` */
	GHOST_TIMES = 4095, /* of a mark: a mask, too */
	GHOST_PARTS = 1024, /* of the time that something is remembered for */
	ROUNDS_MAX = 4000,  /* looks at one victim's expense: bounds the time under the lock */
};

enum where { NOWHERE, IN_SMALL, IN_MAIN };

void fifos_init(struct fifos *f)
{
	*f = (struct fifos){};
	link_init(&f->small);
	link_init(&f->main);
}

void fifos_fini(struct fifos *f)
{
	mem_free(f->ghosts.marks);
}

/* What was remembered is forgotten: it happens a few times in a store's life. */
void fifos_room(struct fifos *f, size_t objects)
{
	size_t marks = objects;
	mem_free(f->ghosts.marks);
	f->ghosts.marks = mem_new(marks * sizeof *f->ghosts.marks);
	f->ghosts.mask = marks - 1;
	f->ghosts.memory = objects;
	f->ghosts.now = 0;
}

/* 1 … 4095: the time that goes into a mark. */
static uint32_t ghost_time(const struct ghosts *g)
{
	return 1 + (uint32_t)(g->now * GHOST_PARTS / g->memory % GHOST_TIMES);
}

static uint32_t ghost_name(uint64_t hash)
{
	return (uint32_t)(hash >> 24) & ~(uint32_t)GHOST_TIMES;
}

static void ghost_add(struct ghosts *g, uint64_t hash)
{
	g->marks[hash & g->mask] = ghost_name(hash) | ghost_time(g);
	g->now++;
}

static bool ghost_take(struct ghosts *g, uint64_t hash)
{
	uint32_t *mark = &g->marks[hash & g->mask], at = *mark & GHOST_TIMES;
	bool known = at && (*mark & ~(uint32_t)GHOST_TIMES) == ghost_name(hash) &&
	             (ghost_time(g) + GHOST_TIMES - at) % GHOST_TIMES <= GHOST_PARTS;
	if (known)
		*mark = 0;
	return known;
}

static void enqueue(struct fifos *f, struct object *o, enum where where)
{
	o->where = (uint8_t)where;
	link_add(where == IN_MAIN ? &f->main : &f->small, &o->queue);
	*(where == IN_MAIN ? &f->main_b : &f->small_b) += o->cost_b;
}

void fifos_add(struct fifos *f, struct object *o)
{
	enqueue(f, o, ghost_take(&f->ghosts, o->hash) ? IN_MAIN : IN_SMALL);
}

void fifos_del(struct fifos *f, struct object *o)
{
	*(o->where == IN_MAIN ? &f->main_b : &f->small_b) -= o->cost_b;
	o->where = NOWHERE;
	link_del(&o->queue);
}

void fifos_replace(struct fifos *f, struct object *old, struct object *o)
{
	uint8_t asked = atomic_load_explicit(&old->asked, memory_order_relaxed);
	atomic_store_explicit(&o->asked, asked, memory_order_relaxed);
	o->where = old->where;
	link_add(&old->queue, &o->queue);  /* at the end of the list whose head is old: just before it */
	*(o->where == IN_MAIN ? &f->main_b : &f->small_b) += o->cost_b;
	fifos_del(f, old);
}

/* The first in the queue that is not keep. */
static struct object *first(struct link *queue, const struct object *keep)
{
	struct link *l = queue->next;
	if (l != queue && container_of(l, struct object, queue) == keep)
		l = l->next;
	return l == queue ? NULL : container_of(l, struct object, queue);
}

static bool small_is_full(const struct fifos *f)
{
	return f->small_b * SMALL_SHARE >= f->small_b + f->main_b;
}

/* Out with it; or, asked for in the meantime, on to (another round in) `main`. */
static bool passes(struct fifos *f, struct object *o, bool last_round)
{
	uint8_t asked = atomic_load_explicit(&o->asked, memory_order_relaxed);
	bool newcomer = o->where == IN_SMALL;
	bool goes_on = !last_round && (newcomer ? asked >= MOVES_AT : asked > 0);
	fifos_del(f, o);
	if (goes_on) {
		/* A lookup that counts just now may be lost: it is a hint. */
		atomic_store_explicit(&o->asked, newcomer ? 0 : (uint8_t)(asked - 1), memory_order_relaxed);
		enqueue(f, o, IN_MAIN);
	} else if (newcomer) {
		ghost_add(&f->ghosts, o->hash);
	}
	return goes_on;
}

struct object *fifos_victim(struct fifos *f, const struct object *keep)
{
	for (unsigned round = 1;; round++) {
		struct object *newcomer = first(&f->small, keep), *old = first(&f->main, keep);
		struct object *o = newcomer && (small_is_full(f) || !old) ? newcomer : old;
		if (!o || !passes(f, o, round >= ROUNDS_MAX))
			return o;
	}
}

/* Marks: open addressing, linear probing.  See marks.h.
 *
 * A slot is filled once, its mark last, and its times only grow: a reader finds all of it or nothing.  Nothing is taken
 * out of a table: forgetting makes another one. */
#include "share/marks.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SLOTS_LEAST = 64, SAMPLES = 1024 };

struct slot {
	_Atomic uint64_t mark;   /* 0: empty */
	_Atomic uint64_t gone_ms, stale_ms;
};

struct mark_table {
	struct retired retired;
	size_t slots;            /* a power of two; a quarter is empty */
	size_t used;             /* the owner's */
	struct slot slot[];
};

struct marks {
	struct epoch *epoch;
	_Atomic(struct mark_table *) table;
};

static struct mark_table *table_new(size_t slots)
{
	struct mark_table *t = mem_new(sizeof *t + slots * sizeof *t->slot);
	t->slots = slots;
	return t;
}

static void table_free(struct retired *r)
{
	mem_free(container_of(r, struct mark_table, retired));
}

struct marks *marks_new(struct epoch *e)
{
	struct marks *m = MEM_NEW(struct marks);
	m->epoch = e;
	atomic_init(&m->table, table_new(SLOTS_LEAST));
	return m;
}

void marks_free(struct marks *m)
{
	mem_free(atomic_load(&m->table));
	mem_free(m);
}

/* 0 means that a slot is empty. */
static uint64_t never_0(uint64_t mark)
{
	return mark ? mark : 1;
}

/* The mark's slot, or the empty one where it would be. */
static struct slot *slot_of(struct mark_table *t, uint64_t mark)
{
	for (size_t i = mark;; i++) {
		struct slot *s = &t->slot[i & (t->slots - 1)];
		uint64_t has = atomic_load(&s->mark);
		if (!has || has == mark)
			return s;
	}
}

static struct purge_times slot_times(const struct slot *s)
{
	return (struct purge_times){ atomic_load(&s->gone_ms), atomic_load(&s->stale_ms) };
}

static uint64_t latest_ms(struct purge_times t)
{
	return t.gone_ms > t.stale_ms ? t.gone_ms : t.stale_ms;
}

struct purge_times marks_look(const struct marks *m, uint64_t mark)
{
	mark = never_0(mark);
	const struct slot *s = slot_of(atomic_load(&m->table), mark);
	/* An empty one may be taken by another mark meanwhile. */
	return atomic_load(&s->mark) == mark ? slot_times(s) : (struct purge_times){};
}

static void raise_to(_Atomic uint64_t *at, uint64_t ms)
{
	if (ms > atomic_load(at))
		atomic_store(at, ms);
}

static void slot_fill(struct mark_table *t, uint64_t mark, struct purge_times times)
{
	struct slot *s = slot_of(t, mark);
	raise_to(&s->gone_ms, times.gone_ms);
	raise_to(&s->stale_ms, times.stale_ms);
	if (atomic_load(&s->mark))
		return;
	atomic_store(&s->mark, mark);
	t->used++;
}

static void publish(struct marks *m, struct mark_table *t)
{
	struct mark_table *old = atomic_load(&m->table);
	atomic_store(&m->table, t);
	epoch_retire(m->epoch, &old->retired, table_free);
}

static size_t slots_for(size_t marks)
{
	size_t slots = SLOTS_LEAST;
	while (marks * 4 > slots * 3)
		slots *= 2;
	return slots;
}

static void copy(void *table, uint64_t mark, struct purge_times t)
{
	slot_fill(table, mark, t);
}

void marks_note(struct marks *m, uint64_t mark, bool soft, uint64_t at_ms)
{
	size_t slots = slots_for(marks_count(m) + 1);
	if (slots > atomic_load(&m->table)->slots) {
		struct mark_table *larger = table_new(slots);
		marks_each(m, copy, larger);
		publish(m, larger);
	}
	struct purge_times t = { soft ? 0 : at_ms, soft ? at_ms : 0 };
	slot_fill(atomic_load(&m->table), never_0(mark), t);
}

size_t marks_count(const struct marks *m)
{
	return atomic_load(&m->table)->used;
}

static int time_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

uint64_t marks_quarter(const struct marks *m)
{
	const struct mark_table *t = atomic_load(&m->table);
	uint64_t sample[SAMPLES];
	size_t n = 0;
	/* Marks are hashes: those that stand first in the table are as good as any. */
	for (size_t i = 0; i < t->slots && n < SAMPLES; i++)
		if (atomic_load(&t->slot[i].mark))
			sample[n++] = latest_ms(slot_times(&t->slot[i]));
	qsort(sample, n, sizeof *sample, time_order);
	return n ? sample[n / 4] : 0;
}

struct purge_times marks_until(const struct marks *m, uint64_t until_ms)
{
	const struct mark_table *t = atomic_load(&m->table);
	struct purge_times most = {};
	for (size_t i = 0; i < t->slots; i++) {
		struct purge_times times = slot_times(&t->slot[i]);
		if (latest_ms(times) > until_ms)
			continue;
		most.gone_ms = times.gone_ms > most.gone_ms ? times.gone_ms : most.gone_ms;
		most.stale_ms = times.stale_ms > most.stale_ms ? times.stale_ms : most.stale_ms;
	}
	return most;
}

void marks_forget(struct marks *m, uint64_t until_ms)
{
	const struct mark_table *t = atomic_load(&m->table);
	size_t left = 0;
	for (size_t i = 0; i < t->slots; i++)
		left += latest_ms(slot_times(&t->slot[i])) > until_ms;
	if (left == t->used)
		return;
	struct mark_table *smaller = table_new(slots_for(left));
	for (size_t i = 0; i < t->slots; i++) {
		struct purge_times times = slot_times(&t->slot[i]);
		if (latest_ms(times) > until_ms)
			slot_fill(smaller, atomic_load(&t->slot[i].mark), times);
	}
	publish(m, smaller);
}

void marks_each(const struct marks *m, void (*see)(void *arg, uint64_t mark, struct purge_times t), void *arg)
{
	const struct mark_table *t = atomic_load(&m->table);
	for (size_t i = 0; i < t->slots; i++) {
		uint64_t mark = atomic_load(&t->slot[i].mark);
		if (mark)
			see(arg, mark, slot_times(&t->slot[i]));
	}
}

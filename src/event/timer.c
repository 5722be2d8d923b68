/* The timer wheel.  Level 0 has a slot per tick, each further level a slot per turn of the one below; a timer sits in
 * the finest level that reaches its time, and moves down as that comes near.  The loop's thread only. */
#include "event/timer.h"

#include <limits.h>

enum { BITS = 6, MASK = WHEEL_SLOTS - 1 };

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	*w = (struct wheel){ .tick = now_ms / WHEEL_TICK_MS };
	for (int level = 0; level < WHEEL_LEVELS; level++)
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			link_init(&w->slots[level][slot]);
}

void timer_init(struct timer *t, void (*fire)(struct timer *))
{
	link_init(&t->link);
	t->due_ms = t->slot_tick = 0;
	t->fire = fire;
}

/* Hangs the timer into the slot of its time; what lies in the past goes into the next slot to turn up. */
static void hang(struct wheel *w, struct timer *t)
{
	uint64_t tick = (t->due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	uint64_t horizon = 1ull << (BITS * WHEEL_LEVELS);
	if (tick < w->tick)
		tick = w->tick;
	if (tick - w->tick >= horizon)
		tick = w->tick + horizon - 1;
	int level = 0;
	while ((tick - w->tick) >> (BITS * (level + 1)))
		level++;
	int slot = (int)(tick >> (BITS * level)) & MASK;
	t->slot_tick = tick;
	w->used[level] |= 1ull << slot;
	link_add(&w->slots[level][slot], &t->link);
}

void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms)
{
	t->due_ms = due_ms;
	if (timer_is_set(t)) {
		if (t->slot_tick * WHEEL_TICK_MS <= due_ms)
			return;
		link_del(&t->link);
	}
	hang(w, t);
}

void timer_stop(struct timer *t)
{
	link_del(&t->link);
}

/* Moves a slot's timers to a list of their own: whatever they set meanwhile can't be met twice. */
static void unhang(struct wheel *w, int level, int slot, struct link *out)
{
	struct link *head = &w->slots[level][slot];
	link_init(out);
	w->used[level] &= ~(1ull << slot);
	if (link_alone(head))
		return;
	*out = *head;
	out->next->prev = out->prev->next = out;
	link_init(head);
}

static void cascade(struct wheel *w, int level)
{
	struct link list;
	unhang(w, level, (int)(w->tick >> (BITS * level)) & MASK, &list);
	while (!link_alone(&list)) {
		struct timer *t = (struct timer *)list.next;
		link_del(&t->link);
		hang(w, t);
	}
}

static void fire_slot(struct wheel *w, uint64_t now_ms)
{
	struct link list;
	unhang(w, 0, (int)w->tick & MASK, &list);
	w->tick++;
	while (!link_alone(&list)) {
		struct timer *t = (struct timer *)list.next;
		link_del(&t->link);
		if (t->due_ms > now_ms)
			hang(w, t);
		else
			t->fire(t);
	}
}

/* The first tick at or after w->tick whose slot is used or whose level above has to come down. */
static uint64_t next_tick(const struct wheel *w)
{
	uint64_t best = UINT64_MAX;
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		if (!w->used[level])
			continue;
		uint64_t turn = w->tick >> (BITS * level);
		int here = (int)turn & MASK;
		uint64_t ahead = w->used[level] >> here | (here ? w->used[level] << (WHEEL_SLOTS - here) : 0);
		uint64_t at = (turn + (uint64_t)__builtin_ctzll(ahead)) << (BITS * level);
		/* The current slot of an upper level came down when its turn began; what is in it is a whole turn away. */
		if (level && at < w->tick) {
			ahead &= ~1ull;
			at = (turn + (ahead ? (uint64_t)__builtin_ctzll(ahead) : WHEEL_SLOTS)) << (BITS * level);
		}
		if (at < best)
			best = at;
	}
	return best;
}

void wheel_turn(struct wheel *w, uint64_t now_ms)
{
	uint64_t now_tick = now_ms / WHEEL_TICK_MS;
	while (w->tick <= now_tick) {
		uint64_t next = next_tick(w);
		if (next > now_tick) {
			w->tick = now_tick + 1;
			return;
		}
		w->tick = next;
		for (int level = WHEEL_LEVELS - 1; level > 0; level--)
			if (!(w->tick & ((1ull << (BITS * level)) - 1)))
				cascade(w, level);
		fire_slot(w, now_ms);
	}
}

int wheel_wait_ms(const struct wheel *w, uint64_t now_ms)
{
	uint64_t next = next_tick(w);
	if (next == UINT64_MAX)
		return -1;
	uint64_t due_ms = next * WHEEL_TICK_MS;
	if (due_ms <= now_ms)
		return 0;
	return due_ms - now_ms > INT_MAX ? INT_MAX : (int)(due_ms - now_ms);
}

/* Timers: a hierarchical wheel per loop.  Timers are embedded in their owner; only the loop's thread touches them.
 *
 * A deadline that moves on with every request must cost nothing: timer_set() to a later time only writes the new time
 * into the timer, which finds out that it came too early when its slot turns up. */
#pragma once

#include <stdint.h>

#include "base/list.h"

enum {
	WHEEL_TICK_MS = 4,   /* timers fire up to this late, and never early */
	WHEEL_SLOTS = 64,
	WHEEL_LEVELS = 5,    /* 64^5 ticks: 49 days; later deadlines are looked at again then */
};

struct timer {
	struct link link;                  /* in a slot, or alone */
	uint64_t due_ms;                   /* when it is to fire, on the loop's clock */
	uint64_t slot_tick;                /* when its slot turns up: at or before due_ms */
	void (*fire)(struct timer *t);     /* the timer is off the wheel when this runs */
};

struct wheel {
	uint64_t tick;                     /* all slots before this one have fired */
	uint64_t used[WHEEL_LEVELS];       /* bit per slot that may hold a timer */
	struct link slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_ms);
void timer_init(struct timer *t, void (*fire)(struct timer *));
/* Fires at due_ms (monotonic); a timer that was set before is moved. */
void timer_set(struct wheel *w, struct timer *t, uint64_t due_ms);
/* It will not fire; harmless where it was not set. */
void timer_stop(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return !link_alone(&t->link);
}
/* Fires what is due; a timer's fire() may set or stop any timer, and free its own. */
void wheel_turn(struct wheel *w, uint64_t now_ms);
/* Milliseconds until something may be due, at least 0; -1 where no timer is set. */
int wheel_wait_ms(const struct wheel *w, uint64_t now_ms);

/* struct marks: when what bears a mark was purged last, for many marks: a hash table that grows by being replaced.
 *
 * Changed under its owner's lock; looked at without one by loops inside their turn (share/epoch.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "share/epoch.h"

struct marks;

/* Whatever was asked for before these times is gone, or stale; 0: never. */
struct purge_times {
	uint64_t gone_ms, stale_ms;
};

struct marks *marks_new(struct epoch *e);
/* No loop runs any more. */
void marks_free(struct marks *m);
struct purge_times marks_look(const struct marks *m, uint64_t mark);

/* The owner's. */
void marks_note(struct marks *m, uint64_t mark, bool soft, uint64_t at_ms);
size_t marks_count(const struct marks *m);
/* A time that about a quarter of them are not later than, and one of them at least. */
uint64_t marks_quarter(const struct marks *m);
/* The latest times of those that marks_forget() would take away. */
struct purge_times marks_until(const struct marks *m, uint64_t until_ms);
/* Those whose both times are not later. */
void marks_forget(struct marks *m, uint64_t until_ms);
void marks_each(const struct marks *m, void (*see)(void *arg, uint64_t mark, struct purge_times t), void *arg);

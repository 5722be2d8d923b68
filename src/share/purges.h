/* struct purges: what was purged of a cache, and when: by what a page has to be asked for anew although it is still there.
 *
 * A purge takes effect at once and walks over nothing: it is a note that says "what was asked for before this time, and
 * bears this mark, is gone" (or, softly: stale).  A page is compared with the notes when it is found.  purges_count() says
 * whether there are any that a page was not compared with yet, which is all that a hit pays for.
 *
 * Times never go backwards: a purge is later than all that was asked for before it, whatever the clock says
 * (purges_now_ms()).  Marks are hashes, of URLs (struct image's base) and of tags; patterns are compared with the page's
 * key.  Bounded: past the bound the oldest quarter of the notes goes, and all that was asked for before the latest of them
 * counts as purged, softly where they all were soft.  Changed under a lock by the control thread and loops (PURGE), read
 * by loops without one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "share/epoch.h"

struct purges;

enum purge_kind { PURGE_URL, PURGE_TAG, PURGE_MATCH, PURGE_ALL };
enum purged { PURGED_NOT, PURGED_SOFT, PURGED_HARD };

struct purge {
	enum purge_kind kind;
	bool soft;
	uint64_t at_ms;      /* given by purges_add() where it is 0 */
	uint64_t mark;       /* PURGE_URL, PURGE_TAG */
	struct str match;    /* PURGE_MATCH: a pattern, '*' for any run of characters; compared with the key */
};

enum { PURGES_MARKS_MOST = 1 << 20, PURGES_MATCHES_MOST = 1000, PURGES_MATCH_MOST_B = 4096 };

struct purges *purges_new(struct epoch *e);
void purges_free(struct purges *p);
/* Whether it can be added: 0, -E2BIG (the pattern is too long), -EINVAL (it is empty, or holds control characters). */
[[nodiscard]] int purge_check(const struct purge *what);
/* Takes effect at once on all threads; sets what->at_ms.  As purge_check(). */
[[nodiscard]] int purges_add(struct purges *p, struct purge *what);
/* How many there have been: one atomic read.  A page that was compared with them at that count need not be again. */
uint32_t purges_count(const struct purges *p);

/* What to compare: a page's. */
struct purgeable {
	uint64_t asked_ms;
	uint64_t base;
	const char *tags;    /* tag_count times 8 bytes, unaligned */
	size_t tag_count;
	struct str key;      /* as patterns see it */
};
enum purged purges_look(const struct purges *p, const struct purgeable *what);

/* The time of something that is asked for now: max of wall_ms and all times given out before. */
uint64_t purges_now_ms(struct purges *p, uint64_t wall_ms);

/* One line of a journal, with its checksum and its end, and back, without its end: what is to survive a restart.  A pattern
 * points into the line.  0 or -EBADMSG. */
void purge_print(const struct purge *what, struct buf *out);
[[nodiscard]] int purge_parse(struct str line, struct purge *out);
/* All that still count, oldest first, as lines. */
void purges_print(struct purges *p, struct buf *out);
struct purges_stats {
	uint64_t added, marks, matches;
};
struct purges_stats purges_stats(struct purges *p);

/* struct shelf: the disk tier of a cache: a folder of segments, files that are written from front to back and never
 * changed, with an index, and a journal of purges.
 *
 *	index        a file of fixed size: buckets of slots, each a few bits of a key's hash and where its record is.  A hint:
 *	             whatever it says is compared with the record.  Read and written in place, so that it is usable at once
 *	             after a restart, however many objects there are
 *	NNNNNNNN     a segment: records one behind the other: a head with lengths and checksums, then a page's image
 *	journal      purges that are to survive a restart (share/purges.h)
 *
 * A record that is torn, of another key, or has a wrong checksum is a miss.  When the folder is full the oldest segment
 * goes as a whole; what of it is still asked for is written again at the front.  A loop looks without waiting
 * (RWF_NOWAIT), and what the kernel would have to wait for is done by the disk engine.  A folder that is full or can't be
 * written turns writing off for a while and says so in the log and in shelf_stats(); a folder that can't be read is a tier
 * without hits.  See docs/why/shelf.md. */
#pragma once

#include "http/page.h"
#include "share/purges.h"
#include "share/segments.h"

struct shelf;

/* A folder's shelf, opened without reading more than its index's head.  dir_fd is taken over; 0 or -errno with *why.  Runs
 * on the control thread before any loop uses it.  Purges of the journal are added to purges. */
[[nodiscard]] int shelf_open(struct shelf **out, int dir_fd, uint64_t size_b, struct disk *disk, struct purges *purges,
                             const char **why);
/* Pages of its segments are kept in this store: there a segment that goes is let go of, too.  Before any loop uses it. */
void shelf_weeds(struct shelf *s, struct store *store);
/* Whether all that is in it came since it was opened. */
bool shelf_is_new(const struct shelf *s);
/* A new bound (a reload). */
void shelf_bound(struct shelf *s, uint64_t size_b);
/* No loop runs any more: what waits to be written is written, and the engine is not asked for anything from now on. */
void shelf_settle(struct shelf *s);
/* The same, and frees it. */
void shelf_free(struct shelf *s);

/* What somebody seeks; embedded in something that lives until `task` was queued. */
struct shelf_ask {
	/* The asker's. */
	struct home *home;
	struct store *store;         /* whose seed the page's hash is made with */
	struct task *task;           /* queued on the home's loop when it is over */
	struct str key;              /* lives as long */
	/* The answer: over; err 0 with a page (one reference, the asker's), -ENOENT, or what the disk said. */
	bool over;
	int err;
	struct page *page;
	/* The shelf's. */
	struct disk_job job;
	struct shelf *shelf;
	struct seek seek;
	uint64_t whole_b;
	unsigned tries;
};
/* Looks at once where that needs no waiting: true, the answer is there. Else false: the task will be queued. Bodies
 * larger than whole_b stay on the disk (PAGE_SEGMENT), their bytes verified; others are read into the page. */
bool shelf_ask(struct shelf *s, struct shelf_ask *a, uint64_t whole_b);
/* Has the page written, sometime soon; takes a reference of its own.  Dropped, and counted, where too much waits. */
void shelf_put(struct shelf *s, struct home *h, struct page *p);
/* The page was found in memory.  Where what the disk has of it goes soon, it is written again, once: what is asked for is
 * to be there after a restart, too.  For each hit: it looks at a number. */
void shelf_seen(struct shelf *s, struct home *h, struct page *p);
/* Forgets the key, sometime soon. */
void shelf_drop(struct shelf *s, struct home *h, struct str key);
/* Writes the purge to the journal and through to the disk; then mail to `to`: done->err.  Purges take effect without it. */
struct shelf_noted {
	struct mail mail;
	struct mailbox *to;
	int err;
};
void shelf_note(struct shelf *s, const struct purge *what, struct shelf_noted *done);

struct shelf_stats {
	uint64_t bytes, bound_b, segments, hits, misses, written, written_b, dropped, bad, errors;
	bool off;                    /* writing is off for a while */
	int err;                     /* why: -ENOSPC … */
};
struct shelf_stats shelf_stats(const struct shelf *s);

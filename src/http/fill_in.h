/* What the files of a fill know of each other: see fill.h.
 *
 *	fill.c          the machine: the tiers it asks, its place in the line, its heir, its end
 *	fill_ask.c      the request to the origin
 *	fill_answer.c   what becomes of the answer, by its head: kept, renewed, passed on, failed
 *	fill_body.c     its body: into the blob, into the store, through to those who read it
 *
 * Each fill runs on its loop's thread, in turns of its own task; it frees itself when it is over. */
#pragma once

#include "http/fill.h"
#include "http/freshness.h"

enum { FILL_INLINE_MOST_B = 64 * 1024 };  /* a body that is no larger lies behind its head, in one block */

enum fill_at {
	FILL_SHELF,      /* asks the disk tier */
	FILL_CLUSTER,    /* asks memcached */
	FILL_LINE,       /* waits for its turn */
	FILL_ORIGIN,     /* its request runs */
};

struct fill {
	struct task task;
	struct link link;            /* in home->fetches */
	enum fill_at at;
	const struct cache_rules *rules;
	struct cache *cache;
	struct str url, base, key;   /* as in the wish; in the request's arena */
	bool sliced;
	uint64_t slice;
	struct growth *growth;
	struct page *stale;          /* counted; NULL */
	struct fill **heir;          /* NULL: nobody */
	bool behind;                 /* nobody waited for it when it began */
	bool entered;                /* what `at` does was begun */
	bool in_line;                /* it has a place among those that run */
	bool decided;                /* what becomes of the answer */
	bool handed;                 /* it waits for its heir to take the answer over */
	bool ended;                  /* the growth was brought to its end */
	bool keeps;                  /* the page is to be stored */
	bool cut;                    /* the loop is about to end */
	struct shelf_ask shelf;
	struct cluster_ask cluster;
	struct line_place place;
	struct timer timer;          /* in a line; of a flow that is ahead of those who read it */
	struct came came;
	struct page *head;           /* the page without its body; the growth's */
	struct blob *blob;           /* counted; what of the body came in */
	struct ip local;             /* the address that its client connected to */
	struct req req;              /* has the arena that this lies in */
};

static inline struct home *fill_home(const struct fill *f)
{
	return f->req.home;
}

static inline struct cache_counts *fill_counts(const struct fill *f)
{
	return cache_count(f->cache, fill_home(f));
}

/* fill.c: it is no longer among those that run. */
void fill_leave_line(struct fill *f);
/* Its growth is over, with this. */
void fill_end(struct fill *f, enum growing how, struct page *page, unsigned status, enum end reason);
/* The answer is for nobody but its heir, who takes it over; where there is none it is thrown away.  GO_WAIT, or GO_FAIL. */
enum go fill_hand_over(struct fill *f, enum growing how, unsigned status);
/* fill_answer.c: whether bodies, with so much more, would take more memory than there is for them, beside that for what is
 * kept: as much again, or some fixed amount. */
bool fill_is_crowded(const struct fill *f, uint64_t more_b);
/* fill_ask.c: what is asked, a copy of what r asks. */
void fill_copy_ask(struct fill *f, const struct req *r);
/* What makes its origin answer 304 where what is kept still holds (RFC 9111, 4.3.1). */
void fill_add_conditions(struct fill *f);
/* fill_answer.c: GO_NEXT: the answer's body is to be taken in; GO_ANSWER: the fill is over; GO_WAIT: it waits for its heir;
 * GO_FAIL. */
enum go fill_decide(struct fill *f);
/* Into the disk tier, where that is worth a write. */
void fill_shelve(struct fill *f, struct page *page);
/* Into the store, and to the other tiers; false: it was purged while it came, and what is there now may be newer. */
bool fill_keep(struct fill *f, struct page *page);
/* fill_body.c: GO_NEXT: all of it is there. */
enum go fill_take_in(struct fill *f);

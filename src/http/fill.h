/* struct fill: fetches a page that is not in memory, for all who want it: from the disk tier, from memcached, from its
 * origin, in this order.
 *
 *	shelf     asks the disk tier
 *	cluster   asks memcached
 *	line      waits until so few fills ask the same backend that it may go on
 *	origin    is a request of its own (struct req), which is handled as its client's would be, and pulls the answer into
 *	          a blob that any number of clients read while it grows (share/growth.h)
 *
 * It belongs to the loop of the client that began it.  Once its origin was asked it goes on when all clients are gone, as
 * long as what comes can be kept.  An answer that can't be kept is that client's alone, who takes it over as if it had
 * asked itself. */
#pragma once

#include "http/cache.h"

struct fill;

/* What is to be filled. */
struct fill_wish {
	const struct cache_rules *rules;
	struct str url;              /* the key of what was asked for: for purges */
	struct str base, key;        /* without what Vary adds, and with it */
	struct growth *growth;       /* whose filler the caller is; the reference goes over to the fill */
	struct page *stale;          /* what is kept already and may be validated: the fill takes a reference; or NULL */
	bool elsewhere;              /* it may be in the other tiers: false where those had only `stale` */
	bool sliced;                 /* a slice of it is to be fetched (http/slices.h): this one */
	uint64_t slice;
	bool behind;                 /* nobody waits for it: see fill_may_be_behind() */
};

/* Whether one more may begin that nobody waits for: where origins are slow, or down, they would pile up in the line. */
bool fill_may_be_behind(const struct cache *c);
/* Begins; r is the request of which the fill's is a copy.  heir: where the one that waits for it keeps its pointer at it;
 * set to NULL when the fill is over; NULL: there is none. */
void fill_begin(struct req *r, const struct fill_wish *wish, struct fill **heir);
/* The growth ended as GROWTH_PASS or GROWTH_FAILED: r, the heir, gets the fill's answer and all that belongs to it.  The
 * fill is over. */
void fill_take(struct fill *f, struct req *r);
/* The heir is no longer interested. */
void fill_leave(struct fill *f);
/* Whether its origin was asked already. */
bool fill_asks(const struct fill *f);
/* The loop is about to end: nothing is fetched any more. */
void fills_cut(struct home *h);
/* It has ended, and all that was on its way to it was delivered. */
void fills_free(struct home *h);

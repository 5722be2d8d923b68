/* struct fill: fetches a page that is not in memory, for all who want it: from the disk tier, from memcached, from its
 * origin, in this order.
 *
 *	shelf     asks the disk tier
 *	cluster   asks memcached
 *	line      waits until so few fills are under way that it may go on
 *	origin    is a request of its own (struct req), which is handled as its client's would be
 *	bytes     pulls the answer into a blob that any number of clients read while it grows (share/growth.h)
 *
 * It belongs to the loop of the first client, and goes on when all clients are gone. */
#pragma once

#include "http/cache.h"

struct fill;

/* Begins to fill the growth, whose filler the caller is by growths_join(): r is the request of which the fill's is a copy.
 * stale: what is kept already and may be validated, or NULL.  The fill ends by itself. */
void fill_begin(struct req *r, const struct cache_rules *rules, struct str base, struct str key, struct growth *g,
                struct page *stale);

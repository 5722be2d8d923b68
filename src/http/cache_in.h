/* What the files of a cache know of each other:
 *
 *	cache.c         caches by name, over snapshots
 *	cache_key.c     what tells pages apart
 *	cache_purge.c   what is purged, here and on other machines
 *	cache_rules.c   what a configuration says of it */
#pragma once

#include "http/cache.h"

/* cache_purge.c: from now on purges are shared with those that use this pool of servers; NULL: with nobody.  The control
 * thread's. */
void cache_share(struct cache *c, struct memcached *m, struct log_ring *ring);

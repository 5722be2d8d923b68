/* Names of keys in memcached, of a cache named `site`.  Functions without state. */
#pragma once

#include "http/page.h"

enum { CLUSTER_KEY_B = 128 };

/* pc1:<site>:<32 hex>: a page. */
struct str key_of_page(char p[CLUSTER_KEY_B], struct str site, struct str key);
/* pt1:<site>:<16 hex>: the generation number of a tag; pu1: of a URL with variants. */
struct str key_of_tag(char p[CLUSTER_KEY_B], struct str site, uint64_t tag);
struct str key_of_url(char p[CLUSTER_KEY_B], struct str site, uint64_t base);
/* pj1:<site>:<number>:<copy>: a piece of the journal of purges. */
struct str key_of_journal(char p[CLUSTER_KEY_B], struct str site, uint64_t number, unsigned copy);

/* Generation numbers count hard purges in units of GENERATION_HARD, soft ones in ones, from a time that is later each time
 * a number has to begin anew. */
enum { GENERATION_SHIFT = 20, GENERATION_HARD = 1 << GENERATION_SHIFT };

static inline uint64_t generation_first(uint64_t wall_ms)
{
	return wall_ms / 1000 << GENERATION_SHIFT;
}

/* What became of something that was stored at generation `then`, where it is `now` by now. */
static inline enum purged generation_purged(uint64_t then, uint64_t now)
{
	return then == now ? PURGED_NOT : then >> GENERATION_SHIFT == now >> GENERATION_SHIFT ? PURGED_SOFT : PURGED_HARD;
}

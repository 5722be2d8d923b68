/* Which site and which route answer a request. */
#pragma once

#include "http/conf.h"

/* The names of all sites, by hash; in the snapshot's arena.  Names are lower case, "*.suffix" or "*", each once. */
struct host_table *host_table_build(struct arena *a, const struct site *sites, size_t count);
/* The site of this name: the exact one, else the longest "*.suffix", else "*", else NULL. */
const struct site *host_table_find(const struct host_table *t, struct str host);
/* The first route that matches; the site's fallback where none does.  Fills captures. */
const struct route *route_pick(const struct site *site, struct str path, struct captures *captures);

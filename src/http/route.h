/* Which site and which route answer a request. */
#pragma once

#include "http/conf.h"

/* The names of all sites, by hash; in the snapshot's arena.  Names are lower case, "*.suffix" or "*", each once. */
struct host_table *host_table_build(struct arena *a, const struct site *sites, size_t count);
/* Which name of a site a host fits. */
enum host_fit { HOST_FITS_NONE, HOST_FITS_EXACTLY, HOST_FITS_WILDCARD, HOST_FITS_ANY };
/* The same, with that name in *name and how it fits in *fit. */
const struct site *host_table_fit(const struct host_table *t, struct str host, enum host_fit *fit, struct str *name);
/* The site of this name: the exact one, else the longest "*.suffix", else "*", else NULL. */
const struct site *host_table_find(const struct host_table *t, struct str host);
/* The first route that matches; the site's fallback where none does.  Fills captures. */
const struct route *route_pick(const struct site *site, struct str path, struct captures *captures);
/* The same of those behind one of the site's routes; of all where that is NULL. */
const struct route *route_pick_after(const struct site *site, const struct route *after, struct str path,
                                     struct captures *captures);

/* What the files of the cache's module know of each other. */
#pragma once

#include "http/explain.h"
#include "http/visit.h"

struct cache_values {
	struct items caches;               /* struct cache_rules: main */
	struct str name;
	const struct cache_rules *rules;   /* of that name; NULL: off */
};

bool cache_is_purge(const struct ask *a);
bool cache_may_purge(const struct req *r, const struct cache_rules *rules);
/* Whether the cache is to be asked, of what is no purge: GO_WAIT; else the request goes by it, and v says why.  v->base is
 * the key. */
enum go cache_sort(struct req *r, struct visit *v);
/* cache_explain.c: on the control thread. */
void cache_explain(struct req *r, const void *values, struct explained *out);

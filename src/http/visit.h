/* struct visit: what a request got of a cache: for the answer's head, logs and explanations.  In the request's arena. */
#pragma once

#include "http/cache.h"

struct visit {
	const struct cache_rules *rules;
	struct cache_status status;
	bool said;                   /* in the answer's head */
	bool invalidates;            /* an unsafe method: where it succeeds, what is stored under its URL goes */
	struct str base;             /* the key without what Vary adds; empty where none was made */
};

/* The request goes on to its handler; v says why. */
enum go visit_goes_by(struct visit *v, enum cached cached, enum forward forward, enum stored why);

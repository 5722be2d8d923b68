/* struct tap: which requests somebody wants to see, and the feed by which he sees them.
 *
 * Immutable but for what it counts.  The control thread gives all loops the list of taps there are (struct taps); a loop
 * compares each request with them once, when it was routed.  While there is none the list is NULL. */
#pragma once

#include "base/arena.h"
#include "http/pattern.h"
#include "net/addr.h"
#include "share/feed.h"
#include "share/quota.h"

struct req;

enum { TAPS_MOST = 8, TAP_RATE = 20, TAP_RATE_MOST = 1000 };

struct tap {
	struct arena arena;
	struct str route;            /* the pattern as it is printed; empty: any, here and below */
	struct str host;             /* in lower case */
	struct pattern path;
	bool has_path, has_client;
	struct network client;
	unsigned status_from, status_to;  /* 0: any */
	uint64_t slow_ns;            /* that took at least so long */
	bool secrets;                /* are shown */
	struct feed *feed;           /* a reference */
	struct quota *quota;         /* likewise */
};

struct taps {
	size_t count;
	const struct tap *p[TAPS_MOST];
	size_t loops_left;           /* the control thread's: that may look at it */
};

/* From a query ("route=…&status=5xx"), without its feed; NULL and a sentence in *why. */
struct tap *tap_new(struct str query, struct buf *why);
void tap_free(struct tap *t);
/* By what is known before the request is answered. */
bool tap_wants(const struct tap *t, const struct req *r);

/* Cache-Status (RFC 9211): what a cache says in an answer's head about how it was dealt with. */
#pragma once

#include "http/freshness.h"

/* $cache in logs, and the head of the field. */
enum cached {
	CACHED_NONE,      /* the route has no cache */
	CACHED_HIT,
	CACHED_STALE,     /* a hit on something stale */
	CACHED_RENEWED,   /* its origin said that what was kept still holds (304) */
	CACHED_MISS,
	CACHED_JOINED,    /* a miss that somebody else's fill answered */
	CACHED_PASS,      /* known not to be storable */
	CACHED_BYPASS,    /* the configuration or the method says so */
};
struct str cached_name(enum cached c);

enum forward { FORWARD_NONE, FORWARD_BYPASS, FORWARD_METHOD, FORWARD_URI_MISS, FORWARD_VARY_MISS, FORWARD_MISS,
               FORWARD_REQUEST, FORWARD_STALE, FORWARD_PARTIAL };

struct cache_status {
	enum cached cached;
	enum forward forward;
	unsigned origin_status;   /* fwd-status; 0: as the answer's, or none */
	int64_t ttl_s;            /* what is left of its freshness, negative when stale; INT64_MIN: unknown */
	bool stored, collapsed;
	enum stored why;          /* where it was not: detail */
	struct str tier;          /* detail of a hit: "memory", "disk", "memcached" */
	struct str key;           /* shown where the configuration says so; empty: not */
};

/* The element for this cache, such as:  petrel; hit; ttl=30   petrel; fwd=uri-miss; stored   In the arena. */
struct str cache_status_print(struct arena *a, const struct cache_status *s);

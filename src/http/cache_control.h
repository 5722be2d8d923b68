/* Cache-Control (RFC 9111, 5.2) and its relatives as they are written in heads: parsed from all lines of the field, each
 * directive once, the stricter reading where they contradict one another. */
#pragma once

#include "http/head.h"

enum cc_flag {
	CC_NO_STORE = 1 << 0,
	CC_NO_CACHE = 1 << 1,            /* without fields */
	CC_NO_CACHE_FIELDS = 1 << 2,     /* no-cache="a, b": cache_control_names() */
	CC_PRIVATE = 1 << 3,
	CC_PRIVATE_FIELDS = 1 << 4,
	CC_PUBLIC = 1 << 5,
	CC_MUST_REVALIDATE = 1 << 6,
	CC_PROXY_REVALIDATE = 1 << 7,
	CC_MUST_UNDERSTAND = 1 << 8,
	CC_IMMUTABLE = 1 << 9,
	CC_NO_TRANSFORM = 1 << 10,
	CC_ONLY_IF_CACHED = 1 << 11,
	CC_MAX_STALE_ANY = 1 << 12,      /* max-stale without a number */
};

enum { CC_ABSENT = -1, CC_SECONDS_MOST = INT32_MAX };

/* Seconds, CC_ABSENT, or at most CC_SECONDS_MOST; what can't be read counts as 0 (RFC 9111, 4.2.1: stale) for lifetimes,
 * as absent for what a request allows. */
struct cache_control {
	unsigned flags;
	bool targeted;                   /* of an answer: it is CDN-Cache-Control's, so that Expires says nothing either */
	int64_t max_age, s_maxage, stale_while_revalidate, stale_if_error, min_fresh, max_stale;
};

/* Of an answer: Cache-Control, but CDN-Cache-Control in its place where there is one that can be read (RFC 9213). */
void cache_control_of_answer(const struct field *fields, size_t count, struct cache_control *out);
/* Of a request: Cache-Control, or Pragma: no-cache where there is none. */
void cache_control_of_ask(const struct ask *a, struct cache_control *out);
/* Whether no-cache="…" or private="…" of an answer name this field; cc: what these fields were read as. */
bool cache_control_names(const struct cache_control *cc, const struct field *fields, size_t count, struct str name);

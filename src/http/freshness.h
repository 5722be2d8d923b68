/* What RFC 9111 says about keeping answers and using what was kept.  Pure functions: no request is changed, and
 * nothing waits. */
#pragma once

#include "http/cache_control.h"
#include "http/page.h"

/* How a cache departs from, or adds to, what answers say: constant for a route. */
struct freshness_rules {
	uint64_t default_ttl_ms;        /* for answers that say nothing of their freshness; 0: none */
	uint64_t least_ttl_ms;          /* whatever less an answer says; 0: none.  Not for no-store, no-cache, private */
	uint64_t most_ttl_ms;           /* 0: none */
	bool heuristic;                 /* a tenth of the time since Last-Modified, at most a day (RFC 9111, 4.2.2) */
	bool asks;                      /* Cache-Control and Pragma of requests count (RFC 9111, 5.2.1) */
	bool cookies;                   /* cookies say nothing about who is asking: an answer with Set-Cookie may be kept,
	                                 * without that field, and one to a Cookie as if there were none */
	uint64_t revalidate_ms, error_ms;  /* stale-while-revalidate and stale-if-error where the answer does not say */
	struct items negative;          /* struct status_ttl: for answers of this status that don't say */
};

struct status_ttl {
	uint64_t from, to;              /* statuses, both included */
	uint64_t ttl_ms;
};

/* Why an answer was stored, or was not: in Cache-Status, in `ctl explain`, in the log. */
enum stored {
	STORED_YES,
	STORED_METHOD,            /* neither GET nor HEAD */
	STORED_REQUEST_NO_STORE,  /* the client said no-store */
	STORED_NO_STORE,
	STORED_PRIVATE,
	STORED_AUTHORIZATION,     /* the request had Authorization, and the answer does not allow it (RFC 9111, 3.5) */
	STORED_SET_COOKIE,
	STORED_VARY_ALL,          /* Vary: * */
	STORED_STATUS,            /* one that can't be kept, or not understood under must-understand */
	STORED_NOT_FRESH,         /* it says nothing that allows it, or is stale already and has no validator */
	STORED_RANGE,             /* 206 without our having asked for a slice */
	STORED_LARGE,             /* larger than the cache's object */
	STORED_CROWDED,           /* large, and too much is in memory beside what is kept: fetched, or sent to slow clients */
	STORED_CONDITION,         /* the configuration's: no_store */
	STORED_USES,              /* not asked for often enough yet */
	STORED_CUT,               /* it broke off, or was not as long as promised */
	STORED_HEAD,              /* its head can't be kept: too many fields, or tags */
	STORED_VARIANTS,          /* too many variants of this URL */
	STORED_REDIRECTED,        /* the application sent the request elsewhere inside (X-Accel-Redirect) */
	STORED_ADDRESSED,         /* the request has a body */
	STORED_COOKIE,            /* the request had a Cookie, and the answer does not say how long it may be kept */
	STORED_OTHER,             /* a 304 about another version than what is kept: ask again, without a condition */
};
/* "no-store", "set-cookie" …: a token (for Cache-Status' detail), and a sentence for people. */
struct str stored_name(enum stored s);
const char *stored_sentence(enum stored s);
/* Whether the same would be said of the next request's answer, too.  What lies in one client's request must not keep a page
 * from being stored for all. */
enum lasting {
	LASTS_NOT,     /* it need not */
	LASTS_ALONE,   /* where that says as much of who is asking: ask_tells() */
	LASTS,         /* it would */
};
enum lasting stored_lasts(enum stored s);
/* Whether a request says something of who is asking, or how: Cookie, Authorization, Cache-Control. */
static inline bool ask_tells(const struct ask *a)
{
	return a->first[FIELD_COOKIE] | a->first[FIELD_AUTHORIZATION] | a->first[FIELD_CACHE_CONTROL];
}

/* What came: of an answer to a GET. */
struct came {
	const struct ask *ask;          /* as the client asked */
	unsigned status;
	const struct field *fields;
	size_t field_count;
	struct str date;                /* its Date, where that is none of the fields; empty: it has none */
	bool slice;                     /* a range of it was asked for on the cache's own account: 206 is what was wanted */
	uint64_t asked_ms, came_ms;     /* as in struct image */
};

/* Whether an answer may be kept, and for how long: on STORED_YES the times, status and flags of *out are set; on other
 * results nothing is.
 *
 * Lifetimes are s-maxage, max-age, Expires, in this order; then what the rules say of the status; then, for statuses that
 * allow it (RFC 9110, 15.1), the rules' default or a guess.  An answer to a request with a Cookie is kept only where it
 * says itself how long: an application that knows its visitor and forgot to say so must not show one's page to the next.
 * What `private` and `no-cache` name as fields (RFC 9111, 5.2.2.4 and 5.2.2.7) is left to
 * freshness_keeps(). */
enum stored freshness_store(const struct came *c, const struct freshness_rules *rules, struct image *out);
/* Whether a field is stored with the answer: not hop-by-hop ones, Set-Cookie, what no-cache="…" and private="…" name, Age,
 * Cache-Status, and fields for caches (Surrogate-Key and others, CDN-Cache-Control is passed on). */
bool freshness_keeps(const struct came *c, const struct cache_control *cc, const struct field *f);
/* Whether a cache's own request to an origin has this field of its client's: not conditions and ranges, which are the
 * client's affair, nor what is said of the connection alone, nor fields by which frameworks are led to another URL, host or
 * method than those of the key, nor names with a '_'; and Accept-Encoding goes as vary_encodings(). */
bool freshness_sends(const struct ask *a, const struct field *f);

/* What a 304 makes of a stored page (RFC 9111, 3.2 and 4.3.4): on STORED_YES *fields (in the arena, pointing into the page
 * and the 304) are to be kept, and the times, status and flags of *out are set as for an answer that came now.
 * Anything else: the stored page is not to be used any more, and the origin has to be asked again without a condition,
 * since what it would say then may be for who asked alone (STORED_OTHER: it is about another version). */
enum stored freshness_update(struct arena *a, const struct page *stored, const struct came *c,
                             const struct freshness_rules *rules, struct image *out, struct field **fields,
                             size_t *field_count);

enum use {
	USE_FRESH,        /* serve */
	USE_STALE,        /* serve, and ask for it anew meanwhile */
	USE_VALIDATE,     /* ask its origin first; where that is ill, and use_if_error(): serve */
	USE_NOT,          /* the client said no-cache, or max-age, min-fresh forbid it: ask its origin first */
};
/* Whether the page may be served to this request now; purged softly counts as stale. */
enum use freshness_use(const struct page *p, const struct ask *a, const struct freshness_rules *rules, uint64_t wall_ms,
                       bool purged_soft);
/* The same, where its origin is ill or took too long. */
bool freshness_use_if_error(const struct page *p, const struct ask *a, const struct freshness_rules *rules,
                            uint64_t wall_ms);
/* The client wants nothing but what is stored (only-if-cached): 504 where nothing is. */
bool freshness_only_if_cached(const struct ask *a, const struct freshness_rules *rules);

/* How long it may be an answer by itself from came_ms on: fresh, or stale; ms. */
uint64_t image_lives_ms(const struct image *i);
/* How long it stays useful at all from came_ms on: fresh, stale, or to be validated; ms.  For tiers that forget by time. */
uint64_t image_useful_ms(const struct image *i);

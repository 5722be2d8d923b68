/* Slices: a large thing is kept in pieces of one size, each a page of its own, so that a part of it can be served,
 * stored and forgotten alone.
 *
 * The first slice is asked for in place of the whole; its origin's 206 says how large that is and which version.
 * All others are of the same version, told by a strong ETag or Last-Modified: what the first one's freshness
 * allows, they allow. */
#pragma once

#include "http/cache.h"

/* What a Content-Range says (RFC 9110, 14.4). */
struct slice_range {
	uint64_t from_b, length_b, total_b;
};

/* "bytes 0-99/1000"; false where it says no such thing. */
bool slice_range_parse(struct str field, struct slice_range *out);
/* Of a page that is a slice: false: it is none. */
bool slice_of(const struct page *p, struct slice_range *out);
enum { SLICE_KEY_MORE_B = 2 + 2 * 20 };
/* The key of the n-th slice of what is under this key, at `to`, where there is room for SLICE_KEY_MORE_B more than the key
 * has.  Slices of another size are others. */
struct str slice_key(char *to, struct str key, uint64_t slice_b, uint64_t n);
/* Whether an answer's version can be told from any other's: only then its slices belong together. */
bool slice_has_version(const struct field *fields, size_t count);

/* Answers with all of what the first slice is a part of, or the parts that were asked for. key: without the slice's
 * number; url: for purges. All of it outlives the request; first is borrowed for the turn. */
enum go answer_slices(struct req *r, const struct cache_rules *rules, struct str url, struct str key, struct page *first);

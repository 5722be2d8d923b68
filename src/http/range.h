/* Byte ranges (RFC 9110, 14). */
#pragma once

#include "http/req.h"

enum { RANGES_MOST = 16 };

struct range {
	uint64_t from_b, length_b;
};

enum ranged {
	RANGED_WHOLE,    /* no Range, or one that is to be ignored (another unit, malformed, too many): answer 200 */
	RANGED_PARTS,    /* answer 206 with `count` ranges */
	RANGED_NONE,     /* none can be satisfied: answer 416 */
};

struct ranges {
	size_t count;
	struct range at[RANGES_MOST];
};

/* The Range field for a thing of this size; ranges that overlap or touch are put together, the order kept. */
enum ranged ranges_parse(struct str field, uint64_t size_b, struct ranges *out);

/* Answers with the ranges of a body: 206 with Content-Range and the range's body, or multipart/byteranges whose parts
 * are made by part(arg, range); 416 with Content-Range.  Sets status, length, body and fields; Content-Type has to be
 * there already.  part() gives a body in r's arena. */
void answer_ranges(struct req *r, uint64_t size_b, const struct ranges *ranges,
                   struct body *(*part)(struct req *r, void *arg, struct range at), void *arg);
void answer_no_range(struct req *r, uint64_t size_b);

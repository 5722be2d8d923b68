/* Answers in another coding that are made once and kept: of files of the hot set, and of pages of caches. */
#pragma once

#include "http/encoding.h"
#include "http/req.h"

enum variant_got {
	VARIANT_NONE,      /* it is not the whole of anything in memory, or not encoded yet: the next request may find it */
	VARIANT_SWAPPED,   /* the answer's body, length and ETag are the variant's now */
	VARIANT_USELESS,   /* it does not get smaller */
};

/* For an answer that is eligible. */
enum variant_got variant_swap_in(struct req *r, enum encoding e);
/* Encoded by us on its way out, an answer is the same thing, but not byte for byte the same each time: a weak ETag of its
 * own (RFC 9110, 8.8.3.3). */
void etag_weaken(struct req *r, struct str encoding);

/* Content codings in action: a body that encodes a body, and bytes at once. */
#pragma once

#include "http/encoding.h"
#include "http/req.h"

/* Encoders cost up to a megabyte or two each while they run: so many at a time on one loop, and more answers go out as
 * they are. */
enum { CODERS_MOST = 128 };

enum { LEVEL_AUTO = 0, LEVEL_MOST = 11 };

/* r's body `inner` in another encoding; takes inner over.  length_b is inner's, or LENGTH_UNKNOWN; level 1 … 11, or
 * LEVEL_AUTO.  NULL, and inner is untouched, where CODERS_MOST are under way. */
struct body *body_encode(struct req *r, struct body *inner, enum encoding e, unsigned level, int64_t length_b);
/* All of it at once, as small as it gets; appends to *out.  For threads that have the time. */
void bytes_encode(enum encoding e, struct str bytes, struct buf *out);

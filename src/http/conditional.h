/* Conditional requests (RFC 9110, 13), in the order of precedence of 13.2.2. */
#pragma once

#include "http/req.h"

/* What a GET, HEAD or other request for a thing with this ETag (with quotes, strong; empty: none) and this modification
 * time (seconds since 1970; -1: unknown) is answered with: 0 (as if it had no condition), 304 or 412. */
unsigned conditional(struct req *r, struct str etag, int64_t modified_s);
/* Turns the answer into 304: no body, and of the fields not those that describe one (15.4.5). */
void answer_unchanged(struct req *r);
/* If-Range (13.1.5): whether a Range field holds for this thing. */
bool range_applies(struct req *r, struct str etag, int64_t modified_s);

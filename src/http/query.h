/* Queries as HTML forms make them: "name=value&name=value" (URL Standard, application/x-www-form-urlencoded). */
#pragma once

#include "base/buf.h"

/* The value of the first pair of this name, decoded, appended to out; it may hold any byte.  False: there is none. */
bool query_get(struct str query, struct str name, struct buf *out);
/* Appends s as a name or a value stands there. */
void query_encode(struct str s, struct buf *out);

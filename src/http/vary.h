/* Vary (RFC 9111, 4.1): which fields of a request an answer depends on, and the key that has them in it. */
#pragma once

#include "base/arena.h"
#include "http/head.h"

enum { VARY_FIELDS_MOST = 16, VARY_KEY_MOST_B = 8 * 1024 };

/* All Vary fields of an answer as one list: names in lower case, sorted, each once, apart by ", ": in the arena.  Empty:
 * none.  0, -EPERM (it is *, or holds what is no field's name), -E2BIG (too many). */
[[nodiscard]] int vary_of(struct arena *a, const struct field *fields, size_t count, struct str *out);
/* The key of what is sought: base, a line feed, and for each name of the list its values in the request, normalised: lines
 * put together, blanks around commas gone; Accept-Encoding as the codings that are of any use here, best first ("br,gzip";
 * "" and "identity" are the same).  In the arena.  0 or -E2BIG. */
[[nodiscard]] int vary_key(struct arena *a, struct str base, struct str list, const struct ask *ask, struct str *out);

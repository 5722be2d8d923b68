/* Vary (RFC 9111, 4.1): which fields of a request an answer depends on, and the key that has them in it. */
#pragma once

#include "base/arena.h"
#include "http/head.h"

enum { VARY_FIELDS_MOST = 16, VARY_KEY_MOST_B = 8 * 1024 };

/* All Vary fields of an answer as one list: names in lower case, sorted, each once, apart by ", ": in the arena.  Empty:
 * none.  0, -EPERM (it is *, or holds what is no field's name), -E2BIG (too many). */
[[nodiscard]] int vary_of(struct arena *a, const struct field *fields, size_t count, struct str *out);
/* The key of what is sought: base, and for each name of the list a line feed, the name and what the request says of it,
 * normalised: lines put together, blanks around commas gone; Accept-Encoding as vary_encodings().  In the arena.  0, or
 * -E2BIG: what the request says is longer than VARY_KEY_MOST_B, or the key than IMAGE_KEY_MOST. */
[[nodiscard]] int vary_key(struct arena *a, struct str base, struct str list, const struct ask *ask, struct str *out);
/* Accept-Encoding as those of the codings known here that the client takes at least as well as none: "zstd,br,gzip", in
 * this order whatever it prefers among them; "" where there is none of them, and with "identity;q=0" where no coding at all
 * is refused.  It goes to origins in place of what the client sent, so that answers to requests with the same key are fit
 * for each other's clients: codings that are not known here are never asked for. */
struct str vary_encodings(struct arena *a, const struct ask *ask);

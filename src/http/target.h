/* Request targets: decoded and normalised once (RFC 3986, 5.2.4 and 6.2; RFC 9112, 3.2). */
#pragma once

#include "base/arena.h"

/* The path of a target, decoded: %XX once, "." and ".." taken out, runs of '/' made one.  0, or -EINVAL with a sentence
 * in *why: a path above the root, %2F or %00 or another encoded control character, a bad escape. */
[[nodiscard]] int target_path(struct arena *a, struct str raw, struct str *path, const char **why);
/* Splits "host[:port]": *host in lower case, brackets of an IPv6 address kept; *port 0 where not given.  0 or -EINVAL. */
[[nodiscard]] int target_authority(struct arena *a, struct str raw, struct str *host, uint16_t *port);
/* Takes "http://authority" off an absolute-form target (RFC 9112, 3.2.2); false where it is none. */
bool target_take_authority(struct str *target, struct str *authority);
/* A target as it goes to an origin: path and query, without scheme and authority. */
struct str target_origin_form(struct arena *a, struct str target);
/* The other way: a path, percent-encoded for a Location field or a link. */
struct str target_encode(struct arena *a, struct str path);
/* A URL holds printable ASCII only: the rest is percent-encoded, which also keeps blanks and control characters out of
 * fields and request lines. */
struct str target_clean(struct arena *a, struct str target);

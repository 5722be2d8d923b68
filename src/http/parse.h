/* The parser of HTTP/1 request heads, strict: whatever two parsers could read in two ways is refused. */
#pragma once

#include "http/lines.h"

struct parse_limits {
	size_t head_b;      /* request line and fields */
	size_t fields;
};

/* PARSE_DONE: *out is filled; out->head_b bytes of the input belong to it.  PARSE_BAD: answer *status (400, 414, 431,
 * 501, 505) with *why, a sentence, and close.  Strings of *out point into a copy in the arena, never into the input. */
enum parsed parse_ask(struct arena *a, struct str in, const struct parse_limits *limits, struct ask *out,
                      unsigned *status, const char **why);

/* The chunked transfer coding (RFC 9112, 7.1), decoded: extensions are checked and skipped, trailers checked and
 * skipped, or left to whoever wants to read them (http/trailers.h), everything bounded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Where the decoder stands; the next byte belongs to it. */
enum chunked_at {
	CHUNKED_SIZE,          /* first digit of a size */
	CHUNKED_SIZE_MORE,     /* further digits */
	CHUNKED_EXT,           /* after the size: blank, ';' or CR */
	CHUNKED_EXT_NAME,
	CHUNKED_EXT_VALUE,
	CHUNKED_EXT_QUOTED,
	CHUNKED_EXT_ESCAPED,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_TRAILER,       /* first byte of a trailer line, or CR of the end */
	CHUNKED_TRAILER_NAME,
	CHUNKED_TRAILER_VALUE,
	CHUNKED_TRAILER_LF,
	CHUNKED_END_LF,
	CHUNKED_DONE,
};

enum { CHUNKED_OVERHEAD_B = 16384 };  /* extensions of one chunk; all trailers together */

struct chunked {
	enum chunked_at at;
	uint64_t left_b;        /* of the chunk's data */
	uint32_t overhead_b;
	uint8_t digits;
	bool token;             /* the name or value has at least one byte */
	bool leaves_trailers;   /* the caller reads them: CHUNKED_LEFT */
};

enum chunked_got { CHUNKED_SOME, CHUNKED_MORE, CHUNKED_OVER, CHUNKED_LEFT, CHUNKED_BAD };

/* Takes bytes off *in.  CHUNKED_SOME: *data (at most want_b bytes) lies inside what *in was; CHUNKED_MORE: *in is used
 * up; CHUNKED_OVER: the message ended, what is left in *in is the next one's; CHUNKED_LEFT: the last chunk ended, and *in
 * begins with the trailers, or the empty line in their place. */
enum chunked_got chunked_read(struct chunked *c, struct str *in, uint64_t want_b, struct str *data);

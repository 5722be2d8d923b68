/* Content codings: which of them a client accepts, and how well (RFC 9110, 12.5.3). */
#pragma once

#include "http/head.h"

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_BR, ENCODING_ZSTD, ENCODING_COUNT };

/* "br"; empty for identity. */
struct str encoding_name(enum encoding e);
/* ".br"; empty for identity. */
struct str encoding_suffix(enum encoding e);

/* Quality by encoding, 0 … 1000; 0: not acceptable.  Who says nothing accepts identity only: nobody asked. */
struct accepts {
	uint16_t quality[ENCODING_COUNT];
};
struct accepts accepts_parse(struct str line);
/* By all lines of Accept-Encoding: a list may be sent in several (RFC 9110, 5.2). */
struct accepts accepts_of(const struct ask *ask);
/* The best of the encodings whose bit (1 << e) is set in `have`: by quality, then zstd, br, gzip; identity where nothing
 * else is acceptable or better. */
enum encoding accepts_best(const struct accepts *a, unsigned have);

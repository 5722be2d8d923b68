/* 64-bit hashes of bytes, by xxHash's XXH3.  Not for secrets; a table that clients can fill takes a random seed. */
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/str.h"

static inline uint64_t hash_bytes(struct str s, uint64_t seed)
{
	return XXH3_64bits_withSeed(s.p, s.n, seed);
}

/* MD5 (RFC 1321), for those who agreed on it long ago: where memcached clients place a key.  Not for secrets. */
#pragma once

#include "base/str.h"

enum { MD5_B = 16 };

void md5(struct str s, uint8_t out[MD5_B]);

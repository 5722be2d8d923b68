/* UTF-8 (RFC 3629): how many bytes the first character of s takes, 1 to 4, or 0 where s does not begin with a
 * well-formed character (overlong forms, surrogates and values past U+10FFFF are not). */
#pragma once

#include "base/str.h"

size_t utf8_length(struct str s);

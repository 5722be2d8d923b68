/* HTTP dates (RFC 9110, 5.6.7). */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum { DATE_B = 29 };

/* "Sun, 06 Nov 1994 08:49:37 GMT" at p, which has room for DATE_B bytes. */
void date_print(char *p, int64_t seconds);
/* All three forms; two-digit years are taken to be within 50 years of now_s.  0 or -EINVAL. */
[[nodiscard]] int date_parse(struct str s, int64_t now_s, int64_t *seconds);

/* Numbers from text, strictly: the whole of s, no sign, no blanks, no overflow.  Any thread. */
#pragma once

#include "base/str.h"

/* 0 and *out, or -EINVAL (not a number), or -ERANGE (more than max). */
[[nodiscard]] int num_parse(struct str s, uint64_t max, uint64_t *out);
/* Hexadecimal, at most 16 digits; else -EINVAL or -ERANGE. */
[[nodiscard]] int num_parse_hex(struct str s, uint64_t *out);
/* A size in bytes: digits and an optional k, m, g or t (powers of 1024, either case).  -EINVAL, -ERANGE. */
[[nodiscard]] int num_parse_size(struct str s, uint64_t *bytes);
/* A duration in milliseconds: digits and ms, s, m, h or d, several in falling order ("1h30m"); a bare number is
 * refused, except 0.  -EINVAL, -ERANGE. */
[[nodiscard]] int num_parse_duration(struct str s, uint64_t *ms);
/* n in decimal at p, which has room for 20 bytes; returns the number of bytes. */
size_t num_print(char *p, uint64_t n);
/* The shortest exact forms that the two parsers above read back: "64k", "1h30m".  p has room for 40 bytes. */
size_t num_print_size(char *p, uint64_t bytes);
size_t num_print_duration(char *p, uint64_t ms);

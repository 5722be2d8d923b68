/* Times as people write them, in UTC, by the Gregorian calendar.
 *
 * The C library's functions for this look at the time zone first, and so may open a file, which no event loop may. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct civil {
	int64_t year;
	unsigned month, day;             /* from 1 */
	unsigned hour, minute, second;
	unsigned weekday;                /* 0: Sunday */
};

/* From seconds since 1970, which may be negative. */
struct civil civil_of(int64_t seconds);
/* The other way; weekday is not looked at.  A day that its month does not have is one of the next month. */
int64_t civil_seconds(const struct civil *c);
/* "2026-11-20T10:00:00" at p, which has room for 32 bytes; returns the number of bytes, without a NUL. */
size_t civil_print(char *p, int64_t seconds);

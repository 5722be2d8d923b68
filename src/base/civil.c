/* Days to dates and back.  The year begins in March here, so that the day that comes every four years is its last, and
 * eras of 400 years have the same number of days.  No state; any thread. */
#include "base/civil.h"

#include <stdio.h>

enum { DAY_S = 86400, ERA_DAYS = 146097, DAYS_TO_1970 = 719468 /* from 0000-03-01 */ };

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

struct civil civil_of(int64_t seconds)
{
	int64_t days = floor_div(seconds, DAY_S), in_day = seconds - days * DAY_S;
	int64_t since = days + DAYS_TO_1970, era = floor_div(since, ERA_DAYS), in_era = since - era * ERA_DAYS;
	int64_t years = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * years + years / 4 - years / 100);
	int64_t from_march = (5 * in_year + 2) / 153;
	struct civil c = { .day = (unsigned)(in_year - (153 * from_march + 2) / 5 + 1) };
	c.month = (unsigned)(from_march < 10 ? from_march + 3 : from_march - 9);
	c.year = era * 400 + years + (c.month <= 2);
	c.hour = (unsigned)(in_day / 3600);
	c.minute = (unsigned)(in_day / 60 % 60);
	c.second = (unsigned)(in_day % 60);
	c.weekday = (unsigned)(days + 4 - 7 * floor_div(days + 4, 7));  /* 1970 began on a Thursday */
	return c;
}

int64_t civil_seconds(const struct civil *c)
{
	int64_t year = c->year - (c->month <= 2), era = floor_div(year, 400), in_era = year - era * 400;
	int64_t from_march = c->month > 2 ? c->month - 3 : c->month + 9;
	int64_t in_year = (153 * from_march + 2) / 5 + c->day - 1;
	int64_t days = era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - DAYS_TO_1970;
	return days * DAY_S + c->hour * 3600 + c->minute * 60 + c->second;
}

size_t civil_print(char *p, int64_t seconds)
{
	struct civil c = civil_of(seconds);
	int n = snprintf(p, 32, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)c.year, c.month, c.day, c.hour, c.minute,
	                 c.second);
	return (size_t)n;
}

/* HTTP dates.  No state; any thread. */
#include "http/date.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "base/num.h"

static const char DAYS[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char MONTHS[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static void two(char *p, int n)
{
	p[0] = (char)('0' + n / 10 % 10);
	p[1] = (char)('0' + n % 10);
}

void date_print(char *p, int64_t seconds)
{
	struct tm t;
	time_t when = seconds;
	gmtime_r(&when, &t);
	int year = t.tm_year + 1900;
	memcpy(p, "Ddd, 00 Mmm 0000 00:00:00 GMT", DATE_B);
	memcpy(p, DAYS[t.tm_wday], 3);
	two(p + 5, t.tm_mday);
	memcpy(p + 8, MONTHS[t.tm_mon], 3);
	two(p + 12, year / 100);
	two(p + 14, year % 100);
	two(p + 17, t.tm_hour);
	two(p + 20, t.tm_min);
	two(p + 23, t.tm_sec);
}

/* Digits at a place, or -1. */
static int digits(struct str s, size_t at, size_t n)
{
	uint64_t value;
	return num_parse(str_head(str_from(s, at), n), 9999, &value) ? -1 : (int)value;
}

static int month_of(struct str s, size_t at)
{
	for (int m = 0; m < 12; m++)
		if (str_eq(str_head(str_from(s, at), 3), str_of(MONTHS[m])))
			return m;
	return -1;
}

static int time_of(struct str s, size_t at, struct tm *t)
{
	struct str c = str_from(s, at);
	if (c.n < 8 || c.p[2] != ':' || c.p[5] != ':')
		return -EINVAL;
	t->tm_hour = digits(c, 0, 2);
	t->tm_min = digits(c, 3, 2);
	t->tm_sec = digits(c, 6, 2);
	return 0;
}

/* A year of two digits that seems more than 50 years ahead is in the past (RFC 9110, 5.6.7). */
static int full_year(int two_digits, int64_t now_s)
{
	struct tm now;
	time_t when = now_s;
	gmtime_r(&when, &now);
	int year = (now.tm_year + 1900) / 100 * 100 + two_digits;
	return year > now.tm_year + 1900 + 50 ? year - 100 : year;
}

static bool imf(struct str s, struct tm *t)
{
	if (s.n != DATE_B || s.p[3] != ',' || s.p[4] != ' ' || s.p[7] != ' ' || s.p[11] != ' ' || s.p[16] != ' ' ||
	    !str_ends(s, STR(" GMT")))
		return false;
	t->tm_mday = digits(s, 5, 2);
	t->tm_mon = month_of(s, 8);
	t->tm_year = digits(s, 12, 4) - 1900;
	return !time_of(s, 17, t);
}

static bool rfc850(struct str s, int64_t now_s, struct tm *t)
{
	size_t comma = str_find(s, ',');
	struct str d = str_from(s, comma + 1);
	if (comma == s.n || d.n != 23 || d.p[0] != ' ' || d.p[3] != '-' || d.p[7] != '-' || d.p[10] != ' ' ||
	    !str_ends(d, STR(" GMT")))
		return false;
	int year = digits(d, 8, 2);
	t->tm_mday = digits(d, 1, 2);
	t->tm_mon = month_of(d, 4);
	t->tm_year = full_year(year, now_s) - 1900;
	return year >= 0 && !time_of(d, 11, t);
}

static bool asctime_form(struct str s, struct tm *t)
{
	if (s.n != 24 || s.p[3] != ' ' || s.p[7] != ' ' || s.p[10] != ' ' || s.p[19] != ' ')
		return false;
	t->tm_mon = month_of(s, 4);
	t->tm_mday = s.p[8] == ' ' ? digits(s, 9, 1) : digits(s, 8, 2);
	t->tm_year = digits(s, 20, 4) - 1900;
	return !time_of(s, 11, t);
}

static bool sane(const struct tm *t)
{
	return t->tm_mon >= 0 && t->tm_mday >= 1 && t->tm_mday <= 31 && t->tm_year >= -300 && t->tm_hour >= 0 &&
	       t->tm_hour <= 23 && t->tm_min >= 0 && t->tm_min <= 59 && t->tm_sec >= 0 && t->tm_sec <= 60;
}

int date_parse(struct str s, int64_t now_s, int64_t *seconds)
{
	struct tm t = {};
	if ((!imf(s, &t) && !rfc850(s, now_s, &t) && !asctime_form(s, &t)) || !sane(&t))
		return -EINVAL;
	/* A leap second is the second before it; a day that its month does not have is no date. */
	t.tm_sec -= t.tm_sec == 60;
	int day = t.tm_mday;
	int64_t when = timegm(&t);
	if (t.tm_mday != day)
		return -EINVAL;
	*seconds = when;
	return 0;
}

/* HTTP dates.  No state; any thread. */
#include "http/date.h"

#include <errno.h>

#include "base/civil.h"
#include "base/mem.h"
#include "base/num.h"

static const char DAYS[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char MONTHS[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static void two(char *p, unsigned n)
{
	p[0] = (char)('0' + n / 10 % 10);
	p[1] = (char)('0' + n % 10);
}

void date_print(char *p, int64_t seconds)
{
	struct civil c = civil_of(seconds);
	unsigned year = (unsigned)c.year % 10000;
	memcpy(p, "Ddd, 00 Mmm 0000 00:00:00 GMT", DATE_B);
	memcpy(p, DAYS[c.weekday], 3);
	two(p + 5, c.day);
	memcpy(p + 8, MONTHS[c.month - 1], 3);
	two(p + 12, year / 100);
	two(p + 14, year % 100);
	two(p + 17, c.hour);
	two(p + 20, c.minute);
	two(p + 23, c.second);
}

enum { NONE = 10000 };  /* no number of up to four digits */

static unsigned digits(struct str s, size_t at, size_t n)
{
	uint64_t value;
	return num_parse(str_head(str_from(s, at), n), NONE - 1, &value) ? NONE : (unsigned)value;
}

static unsigned month_of(struct str s, size_t at)
{
	for (unsigned m = 0; m < countof(MONTHS); m++)
		if (str_eq(str_head(str_from(s, at), 3), str_of(MONTHS[m])))
			return m + 1;
	return NONE;
}

static bool time_of(struct str s, size_t at, struct civil *c)
{
	struct str t = str_from(s, at);
	if (t.n < 8 || t.p[2] != ':' || t.p[5] != ':')
		return false;
	c->hour = digits(t, 0, 2);
	c->minute = digits(t, 3, 2);
	c->second = digits(t, 6, 2);
	return true;
}

/* A year of two digits that seems more than 50 years ahead is in the past (RFC 9110, 5.6.7). */
static int64_t full_year(unsigned two_digits, int64_t now_s)
{
	int64_t now = civil_of(now_s).year, year = now / 100 * 100 + two_digits;
	return year > now + 50 ? year - 100 : year;
}

static bool imf(struct str s, struct civil *c)
{
	if (s.n != DATE_B || s.p[3] != ',' || s.p[4] != ' ' || s.p[7] != ' ' || s.p[11] != ' ' || s.p[16] != ' ' ||
	    !str_ends(s, STR(" GMT")))
		return false;
	c->day = digits(s, 5, 2);
	c->month = month_of(s, 8);
	c->year = digits(s, 12, 4);
	return time_of(s, 17, c);
}

static bool rfc850(struct str s, int64_t now_s, struct civil *c)
{
	size_t comma = str_find(s, ',');
	struct str d = str_from(s, comma + 1);
	if (comma == s.n || d.n != 23 || d.p[0] != ' ' || d.p[3] != '-' || d.p[7] != '-' || d.p[10] != ' ' ||
	    !str_ends(d, STR(" GMT")))
		return false;
	unsigned year = digits(d, 8, 2);
	c->day = digits(d, 1, 2);
	c->month = month_of(d, 4);
	c->year = year == NONE ? NONE : full_year(year, now_s);
	return time_of(d, 11, c);
}

static bool asctime_form(struct str s, struct civil *c)
{
	if (s.n != 24 || s.p[3] != ' ' || s.p[7] != ' ' || s.p[10] != ' ' || s.p[19] != ' ')
		return false;
	c->month = month_of(s, 4);
	c->day = s.p[8] == ' ' ? digits(s, 9, 1) : digits(s, 8, 2);
	c->year = digits(s, 20, 4);
	return time_of(s, 11, c);
}

static bool sane(const struct civil *c)
{
	return c->month != NONE && c->day >= 1 && c->day <= 31 && c->year >= 1600 && c->year < NONE && c->hour <= 23 &&
	       c->minute <= 59 && c->second <= 60;
}

int date_parse(struct str s, int64_t now_s, int64_t *seconds)
{
	struct civil c = {};
	if ((!imf(s, &c) && !rfc850(s, now_s, &c) && !asctime_form(s, &c)) || !sane(&c))
		return -EINVAL;
	/* A leap second is the second before it; a day that its month does not have is no date. */
	c.second -= c.second == 60;
	int64_t when = civil_seconds(&c);
	if (civil_of(when).day != c.day)
		return -EINVAL;
	*seconds = when;
	return 0;
}

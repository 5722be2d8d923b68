/* Runs of bytes that someone else owns.  No state; any thread. */
#include "base/str.h"

#include <limits.h>

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t str_find(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	return at ? (size_t)(at - s.p) : s.n;
}

size_t str_rfind(struct str s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
	return at ? (size_t)(at - s.p) : s.n;
}

struct str str_from(struct str s, size_t from)
{
	if (from >= s.n)
		return (struct str){ s.p ? s.p + s.n : NULL, 0 };
	return (struct str){ s.p + from, s.n - from };
}

struct str str_head(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s.p++, s.n--;
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str str_cut(struct str *rest, char sep)
{
	size_t at = str_find(*rest, sep);
	struct str taken = { rest->p, at };
	*rest = at < rest->n ? str_from(*rest, at + 1) : (struct str){ NULL, 0 };
	return taken;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;
	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Damerau's distance in its "optimal string alignment" form, which needs the last two rows only. */
unsigned str_distance(struct str a, struct str b)
{
	enum { LONGEST = 64 };
	if (a.n > LONGEST || b.n > LONGEST)
		return UINT_MAX;
	unsigned rows[3][LONGEST + 1];
	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *now = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
		now[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			char ca = ascii_lower(a.p[i - 1]), cb = ascii_lower(b.p[j - 1]);
			unsigned best = least(above[j], now[j - 1]) + 1;
			best = least(best, above[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == ascii_lower(b.p[j - 2]) && ascii_lower(a.p[i - 2]) == cb)
				best = least(best, two_above[j - 2] + 1);
			now[j] = best;
		}
	}
	return rows[a.n % 3][b.n];
}

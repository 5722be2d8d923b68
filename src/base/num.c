/* Numbers from text and back.  No state; any thread. */
#include "base/num.h"

#include <errno.h>

int num_parse(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	if (!s.n)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_digit(s.p[i]))
			return -EINVAL;
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(s.p[i] - '0'), &n))
			return -ERANGE;
	}
	if (n > max)
		return -ERANGE;
	*out = n;
	return 0;
}

int num_parse_hex(struct str s, uint64_t *out)
{
	uint64_t n = 0;
	if (!s.n)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++)
		if (ascii_hex(s.p[i]) < 0)
			return -EINVAL;
	if (s.n > 16)
		return -ERANGE;
	for (size_t i = 0; i < s.n; i++)
		n = n << 4 | (uint64_t)ascii_hex(s.p[i]);
	*out = n;
	return 0;
}

static const struct unit {
	const char *name;
	uint64_t worth;
} SIZES[] = { { "t", 1ull << 40 }, { "g", 1ull << 30 }, { "m", 1ull << 20 }, { "k", 1ull << 10 }, { "", 1 } },
  TIMES[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

static size_t digits(struct str s)
{
	size_t n = 0;
	while (n < s.n && ascii_digit(s.p[n]))
		n++;
	return n;
}

/* Reads one number and the unit behind it from the front of *s. */
static int take(struct str *s, const struct unit *units, size_t count, size_t *which, uint64_t *worth)
{
	size_t n = digits(*s), letters = n;
	while (letters < s->n && ascii_alpha(s->p[letters]))
		letters++;
	uint64_t number;
	int err = num_parse(str_head(*s, n), UINT64_MAX, &number);
	if (err)
		return err;
	struct str name = str_from(str_head(*s, letters), n);
	for (size_t i = 0; i < count; i++) {
		if (!str_eq_nocase(name, str_of(units[i].name)))
			continue;
		*which = i;
		*s = str_from(*s, letters);
		return __builtin_mul_overflow(number, units[i].worth, worth) ? -ERANGE : 0;
	}
	return -EINVAL;
}

int num_parse_size(struct str s, uint64_t *bytes)
{
	size_t unit;
	int err = take(&s, SIZES, sizeof SIZES / sizeof *SIZES, &unit, bytes);
	return err ? err : s.n ? -EINVAL : 0;
}

int num_parse_duration(struct str s, uint64_t *ms)
{
	uint64_t sum = 0, part;
	if (str_eq(s, STR("0"))) {
		*ms = 0;
		return 0;
	}
	size_t floor = 0, unit;
	do {
		int err = take(&s, TIMES, sizeof TIMES / sizeof *TIMES, &unit, &part);
		if (err)
			return err;
		if (unit < floor)
			return -EINVAL;
		floor = unit + 1;
		if (__builtin_add_overflow(sum, part, &sum))
			return -ERANGE;
	} while (s.n);
	*ms = sum;
	return 0;
}

size_t num_print(char *p, uint64_t n)
{
	char back[20];
	size_t len = 0;
	do
		back[len++] = (char)('0' + n % 10);
	while (n /= 10);
	for (size_t i = 0; i < len; i++)
		p[i] = back[len - 1 - i];
	return len;
}

static size_t print_unit(char *p, uint64_t n, const char *unit)
{
	size_t len = num_print(p, n), letters = strlen(unit);
	memcpy(p + len, unit, letters);
	return len + letters;
}

size_t num_print_size(char *p, uint64_t bytes)
{
	size_t i = 0;
	while (bytes % SIZES[i].worth || bytes < SIZES[i].worth) {
		if (SIZES[i].worth == 1)
			break;
		i++;
	}
	return print_unit(p, bytes / SIZES[i].worth, SIZES[i].name);
}

size_t num_print_duration(char *p, uint64_t ms)
{
	size_t len = 0;
	for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
		if (ms < TIMES[i].worth)
			continue;
		len += print_unit(p + len, ms / TIMES[i].worth, TIMES[i].name);
		ms %= TIMES[i].worth;
	}
	return len ? len : num_print(p, 0);
}

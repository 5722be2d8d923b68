/* Content codings: names and what a client accepts.  No state; any thread. */
#include "http/encoding.h"

#include "base/mem.h"

static const struct {
	struct str name, suffix;
} ENCODINGS[ENCODING_COUNT] = {
	[ENCODING_IDENTITY] = { { "", 0 }, { "", 0 } },
	[ENCODING_GZIP] = { { "gzip", 4 }, { ".gz", 3 } },
	[ENCODING_BR] = { { "br", 2 }, { ".br", 3 } },
	[ENCODING_ZSTD] = { { "zstd", 4 }, { ".zst", 4 } },
};

enum {
	QUALITY_ONE = 1000,
	QUALITY_UNSAID = -1,
	/* Identity that nobody named is acceptable, but less so than whatever was named. */
	QUALITY_LEAST = 1,
};

struct str encoding_name(enum encoding e)
{
	return ENCODINGS[e].name;
}

struct str encoding_suffix(enum encoding e)
{
	return ENCODINGS[e].suffix;
}

/* RFC 9110, 12.4.2: 0 or 1 and at most three digits behind the point; in thousandths, -1 where it is none. */
static int qvalue(struct str s)
{
	if (!s.n || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return -1;
	int q = (s.p[0] - '0') * QUALITY_ONE, unit = QUALITY_ONE / 10;
	for (size_t i = 2; i < s.n; i++, unit /= 10) {
		if (!ascii_digit(s.p[i]))
			return -1;
		q += (s.p[i] - '0') * unit;
	}
	return q <= QUALITY_ONE ? q : -1;
}

/* "gzip;q=0.5": the name and its quality; false where it is malformed. */
static bool element_parse(struct str element, struct str *name, int *quality)
{
	struct str rest = element;
	*name = str_trim(str_cut(&rest, ';'));
	*quality = QUALITY_ONE;
	if (!rest.p)
		return true;
	struct str weight = str_trim(rest);
	if (!str_eq_nocase(str_head(weight, 2), STR("q=")))
		return false;
	*quality = qvalue(str_from(weight, 2));
	return *quality >= 0;
}

static enum encoding encoding_of(struct str name)
{
	if (str_eq_nocase(name, STR("identity")))
		return ENCODING_IDENTITY;
	if (str_eq_nocase(name, STR("x-gzip")))  /* RFC 9110, 8.4.1.3 */
		return ENCODING_GZIP;
	for (int e = ENCODING_GZIP; e < ENCODING_COUNT; e++)
		if (str_eq_nocase(name, ENCODINGS[e].name))
			return (enum encoding)e;
	return ENCODING_COUNT;
}

/* What was said of each, and of all others. */
struct said {
	int quality[ENCODING_COUNT + 1], star;
};

static const struct said NOTHING_SAID = {
	.quality = { [0 ... ENCODING_COUNT] = QUALITY_UNSAID },
	.star = QUALITY_UNSAID,
};

static void hear(struct said *said, struct str line)
{
	struct str element, name;
	while (list_next(&line, &element)) {
		int quality;
		if (!element_parse(element, &name, &quality))
			continue;
		if (str_eq(name, STR("*")))
			said->star = quality;
		else
			said->quality[encoding_of(name)] = quality;
	}
}

static struct accepts weigh(const struct said *said)
{
	struct accepts a = {};
	for (int e = 0; e < ENCODING_COUNT; e++) {
		int unsaid = e == ENCODING_IDENTITY && said->star ? QUALITY_LEAST : said->star;
		int quality = said->quality[e] != QUALITY_UNSAID ? said->quality[e] : unsaid;
		a.quality[e] = quality > 0 ? (uint16_t)quality : 0;
	}
	return a;
}

struct accepts accepts_parse(struct str line)
{
	struct said said = NOTHING_SAID;
	hear(&said, line);
	return weigh(&said);
}

struct accepts accepts_of(const struct ask *ask)
{
	struct said said = NOTHING_SAID;
	for (size_t i = 0; ask->first[FIELD_ACCEPT_ENCODING] && i < ask->field_count; i++)
		if (ask->fields[i].id == FIELD_ACCEPT_ENCODING)
			hear(&said, ask->fields[i].value);
	return weigh(&said);
}

enum encoding accepts_best(const struct accepts *a, unsigned have)
{
	static const enum encoding PREFERRED[] = { ENCODING_ZSTD, ENCODING_BR, ENCODING_GZIP };
	enum encoding best = ENCODING_IDENTITY;
	for (size_t i = 0; i < countof(PREFERRED); i++) {
		enum encoding e = PREFERRED[i];
		bool first = best == ENCODING_IDENTITY && a->quality[e] == a->quality[best];
		if ((have & 1u << e) && a->quality[e] && (first || a->quality[e] > a->quality[best]))
			best = e;
	}
	return best;
}

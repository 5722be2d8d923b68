/* Accept-Encoding: qualities, the star, what is malformed, and what is chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/encoding.h"

enum { GZ = 1 << ENCODING_GZIP, BR = 1 << ENCODING_BR, ZS = 1 << ENCODING_ZSTD, ALL = GZ | BR | ZS };

static const struct {
	const char *field;
	uint16_t identity, gzip, br, zstd;
	unsigned have;
	enum encoding best;
} ROWS[] = {
	{ NULL, 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "gzip", 1, 1000, 0, 0, ALL, ENCODING_GZIP },
	{ "GZip", 1, 1000, 0, 0, ALL, ENCODING_GZIP },
	{ "x-gzip", 1, 1000, 0, 0, ALL, ENCODING_GZIP },
	{ "gzip, deflate, br, zstd", 1, 1000, 1000, 1000, ALL, ENCODING_ZSTD },
	{ "gzip, deflate, br, zstd", 1, 1000, 1000, 1000, GZ | BR, ENCODING_BR },
	{ "gzip, deflate, br, zstd", 1, 1000, 1000, 1000, 0, ENCODING_IDENTITY },
	{ "gzip;q=1.0, br;q=0.5", 1, 1000, 500, 0, ALL, ENCODING_GZIP },
	{ "gzip ; q=0.123 , br", 1, 123, 1000, 0, ALL, ENCODING_BR },
	{ "gzip;Q=0.7", 1, 700, 0, 0, ALL, ENCODING_GZIP },
	{ "gzip;q=0", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "gzip;q=0.000, *", 1, 0, 1000, 1000, ALL, ENCODING_ZSTD },
	{ "*", 1, 1000, 1000, 1000, ALL, ENCODING_ZSTD },
	{ "*;q=0", 0, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "*;q=0.3, br;q=0.1", 1, 300, 100, 300, ALL, ENCODING_ZSTD },
	{ "*;q=0.3, br;q=0.1", 1, 300, 100, 300, BR, ENCODING_BR },
	{ "identity", 1000, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "identity, gzip", 1000, 1000, 0, 0, ALL, ENCODING_GZIP },
	{ "identity, gzip;q=0.9", 1000, 900, 0, 0, ALL, ENCODING_IDENTITY },
	{ "identity;q=0, gzip;q=0.001", 0, 1, 0, 0, ALL, ENCODING_GZIP },
	{ "gzip;q=0.001", 1, 1, 0, 0, ALL, ENCODING_GZIP },
	/* Malformed elements are as if they were not there. */
	{ "gzip;q=1.001, br", 1, 0, 1000, 0, ALL, ENCODING_BR },
	{ "gzip;q=2", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "gzip;q=", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "gzip;q=0.1234", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "gzip;q=-1", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "gzip;level=1", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ "gzip;q=0.5;x=y", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
	{ ",, ,gzip,,", 1, 1000, 0, 0, ALL, ENCODING_GZIP },
	{ "gz", 1, 0, 0, 0, ALL, ENCODING_IDENTITY },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct accepts a = accepts_parse(str_of(ROWS[i].field));
		if (a.quality[ENCODING_IDENTITY] != ROWS[i].identity || a.quality[ENCODING_GZIP] != ROWS[i].gzip ||
		    a.quality[ENCODING_BR] != ROWS[i].br || a.quality[ENCODING_ZSTD] != ROWS[i].zstd ||
		    accepts_best(&a, ROWS[i].have) != ROWS[i].best)
			fail_msg("\"%s\": identity %u, gzip %u, br %u, zstd %u, best %d", ROWS[i].field,
			         a.quality[ENCODING_IDENTITY], a.quality[ENCODING_GZIP], a.quality[ENCODING_BR],
			         a.quality[ENCODING_ZSTD], (int)accepts_best(&a, ROWS[i].have));
	}
}

static void a_list_in_several_lines(void **state)
{
	(void)state;
	struct field fields[] = {
		{ STR("Accept-Encoding"), STR("gzip;q=0.5"), FIELD_ACCEPT_ENCODING },
		{ STR("Accept"), STR("br"), FIELD_ACCEPT },
		{ STR("Accept-Encoding"), STR("identity;q=0, zstd;q=0.7"), FIELD_ACCEPT_ENCODING },
	};
	struct ask ask = { .fields = fields, .field_count = countof(fields), .first[FIELD_ACCEPT_ENCODING] = 1 };
	struct accepts a = accepts_of(&ask);
	assert_true(a.quality[ENCODING_GZIP] == 500 && a.quality[ENCODING_ZSTD] == 700);
	assert_true(a.quality[ENCODING_BR] == 0 && a.quality[ENCODING_IDENTITY] == 0);
	a = accepts_of(&(struct ask){});
	assert_true(a.quality[ENCODING_IDENTITY] == 1 && a.quality[ENCODING_GZIP] == 0);
}

static void names(void **state)
{
	(void)state;
	assert_true(str_eq(encoding_name(ENCODING_ZSTD), STR("zstd")));
	assert_true(str_eq(encoding_suffix(ENCODING_GZIP), STR(".gz")));
	assert_int_equal(encoding_name(ENCODING_IDENTITY).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(a_list_in_several_lines),
		                            cmocka_unit_test(names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Slices: what a Content-Range says, and which versions can be told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/page_make.h"
#include "http/slices.h"

static void ranges(void **state)
{
	static const struct {
		const char *field;
		uint64_t from_b, length_b, total_b;   /* length_b 0: it says no such thing */
	} ROWS[] = {
		{ "bytes 0-99/1000", 0, 100, 1000 },
		{ "bytes 0-0/1", 0, 1, 1 },
		{ "bytes 999-999/1000", 999, 1, 1000 },
		{ "bytes 00-009/0010", 0, 10, 10 },
		{ "bytes 9223372036854775806-9223372036854775806/9223372036854775807", INT64_MAX - 1, 1, INT64_MAX },
		/* Beyond its own end, or backwards. */
		{ "bytes 0-1000/1000", 0, 0, 0 },
		{ "bytes 10-9/1000", 0, 0, 0 },
		{ "bytes 0-0/0", 0, 0, 0 },
		/* What is not known is not enough. */
		{ "bytes 0-99/*", 0, 0, 0 },
		{ "bytes */1000", 0, 0, 0 },
		/* Too large. */
		{ "bytes 0-99/9223372036854775808", 0, 0, 0 },
		{ "bytes 0-99/99999999999999999999999999", 0, 0, 0 },
		{ "bytes 18446744073709551615-0/1000", 0, 0, 0 },
		/* Another unit, or no grammar. */
		{ "pages 0-99/1000", 0, 0, 0 },
		{ "bytes=0-99/1000", 0, 0, 0 },
		{ "bytes 0-99", 0, 0, 0 },
		{ "bytes 0/1000", 0, 0, 0 },
		{ "bytes -99/1000", 0, 0, 0 },
		{ "bytes 0-/1000", 0, 0, 0 },
		{ "bytes 0-99/", 0, 0, 0 },
		{ "bytes +0-99/1000", 0, 0, 0 },
		{ "bytes 0- 99/1000", 0, 0, 0 },
		{ "bytes  0-99/1000", 0, 0, 0 },
		{ "bytes 0-99/1000 ", 0, 0, 0 },
		{ "bytes 0-99/1000, bytes 0-99/1000", 0, 0, 0 },
		{ "bytes 0x0-99/1000", 0, 0, 0 },
		{ "bytes ", 0, 0, 0 },
		{ "", 0, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct slice_range got = {};
		if (slice_range_parse(str_of(ROWS[i].field), &got) != (ROWS[i].length_b > 0))
			fail_msg("%s", ROWS[i].field);
		if (!ROWS[i].length_b)
			continue;
		assert_int_equal(got.from_b, ROWS[i].from_b);
		assert_int_equal(got.length_b, ROWS[i].length_b);
		assert_int_equal(got.total_b, ROWS[i].total_b);
	}
	struct slice_range got;
	assert_false(slice_range_parse((struct str){}, &got));
}

static void versions(void **state)
{
	static const struct {
		struct field field;
		bool has;
	} ROWS[] = {
		{ { { "ETag", 4 }, { "\"1\"", 3 }, FIELD_OTHER }, true },
		{ { { "etag", 4 }, { "\"1\"", 3 }, FIELD_OTHER }, true },
		{ { { "ETag", 4 }, { "W/\"1\"", 5 }, FIELD_OTHER }, false },
		{ { { "LAST-MODIFIED", 13 }, { "Sun, 06 Nov 1994 08:49:37 GMT", 29 }, FIELD_OTHER }, true },
		{ { { "Expires", 7 }, { "Sun, 06 Nov 1994 08:49:37 GMT", 29 }, FIELD_OTHER }, false },
	};
	(void)state;
	assert_false(slice_has_version(NULL, 0));
	for (size_t i = 0; i < countof(ROWS); i++)
		assert_int_equal(slice_has_version(&ROWS[i].field, 1), ROWS[i].has);
}

/* Another number, or another thing, is another key; and none of it is a key that a request can have. */
static void keys(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		uint64_t slice_b, n;
	} ROWS[] = {
		{ "host/thing", 1 << 20, 1 },  { "host/thing", 1 << 20, 11 }, { "host/thing1", 1 << 20, 1 },
		{ "host/thing", 1 << 21, 1 },  { "host/thing", 1 << 20, 0 },  { "", UINT64_MAX, UINT64_MAX },
	};
	char room[countof(ROWS)][10 + 1 + SLICE_KEY_MORE_B];
	struct str got[countof(ROWS)];
	for (size_t i = 0; i < countof(ROWS); i++) {
		got[i] = slice_key(room[i], str_of(ROWS[i].key), ROWS[i].slice_b, ROWS[i].n);
		assert_in_range(got[i].n, 1, strlen(ROWS[i].key) + SLICE_KEY_MORE_B);
		assert_true(str_starts(got[i], str_of(ROWS[i].key)) && got[i].p[strlen(ROWS[i].key)] == '\2');
		for (size_t k = 0; k < i; k++)
			assert_false(str_eq(got[i], got[k]));
	}
}

static void pages_that_are_slices(void **state)
{
	static const struct {
		unsigned status;
		const char *field;
		bool is;
	} ROWS[] = {
		{ 206, "bytes 0-99/1000", true }, { 200, "bytes 0-99/1000", false }, { 206, "bytes 0-99/*", false },
		{ 206, "", false },
	};
	(void)state;
	struct epoch *e = epoch_new();
	struct store *s = store_new(e, 1 << 20);
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct slice_range got;
		struct image image = { .status = (uint16_t)ROWS[i].status, .key_b = 3 };
		struct page *p = page_of_marker(s, &image, STR("key"),
		                                (struct field){ STR("Content-Range"), str_of(ROWS[i].field), FIELD_OTHER });
		assert_int_equal(slice_of(p, &got), ROWS[i].is);
		object_put(e, &p->object);
	}
	store_free(s);
	epoch_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges), cmocka_unit_test(versions), cmocka_unit_test(keys),
		cmocka_unit_test(pages_that_are_slices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

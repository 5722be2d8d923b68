/* Tags of answers, from the three fields that carry them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "http/tags.h"

static const struct {
	const char *fields, *tags;   /* each in brackets */
} ROWS[] = {
	{ "", "" },
	{ "X-Tag: a", "" },
	{ "Surrogate-Key: a b  c\td", "[a][b][c][d]" },
	{ "surrogate-key:  a ", "[a]" },
	{ "XKey: a,b c", "[a,b][c]" },
	{ "Cache-Tag: a,b c , ,d", "[a][b c][d]" },
	{ "Cache-Tag: a\nSurrogate-Key: a b\nCache-Tag: c", "[a][a][b][c]" },
	{ "Cache-Tag: a\x01,b\x7f,c", "[c]" },
	{ "Cache-Tag: \xc3\xbc", "[\xc3\xbc]" },
	{ "Cache-Tag:", "" },
	{ "xkey:", "" },
};

static void see(void *arg, struct str tag)
{
	buf_addf(arg, "[%.*s]", STR_F(tag));
}

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asked a;
		struct buf got = {};
		size_t n = asked_init(&a, METHOD_GET, ROWS[i].fields)->ask.field_count;
		tags_each(a.fields, n, see, &got);
		if (!str_eq(buf_str(&got), str_of(ROWS[i].tags)))
			fail_msg("%s: %.*s", ROWS[i].fields, STR_F(buf_str(&got)));
		buf_fini(&got);
		asked_fini(&a);
	}
}

static void count(void *arg, struct str tag)
{
	assert_int_equal(tag.n, TAG_MOST_B);
	++*(size_t *)arg;
}

static void long_tags(void **state)
{
	(void)state;
	char text[2 * TAG_MOST_B + 2];
	size_t seen = 0;
	memset(text, 'x', sizeof text);
	text[TAG_MOST_B] = ' ';
	struct field f = { STR("xkey"), str_make(text, sizeof text), FIELD_OTHER };
	tags_each(&f, 1, count, &seen);
	assert_int_equal(seen, 1);
}

static void fields(void **state)
{
	(void)state;
	assert_true(tags_is_field(STR("SURROGATE-KEY")));
	assert_true(tags_is_field(STR("xkey")));
	assert_true(tags_is_field(STR("Cache-Tag")));
	assert_false(tags_is_field(STR("Cache-Tags")));
	assert_false(tags_is_field(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(long_tags), cmocka_unit_test(fields) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

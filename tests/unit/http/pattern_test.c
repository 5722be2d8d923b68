/* Patterns of routes: what matches, what the stars and groups take, and which pattern covers which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/pattern.h"

/* "= /x", "~ regex" or a glob. */
static int compiled(struct type_in *in, const char *text, struct pattern *p)
{
	struct str s = str_of(text), mark = STR("");
	if (str_starts(s, STR("= ")) || str_starts(s, STR("~ "))) {
		mark = str_head(s, 1);
		s = str_from(s, 2);
	}
	return pattern_parse(in, mark, s, p);
}

static void what_matches(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *text;
		bool matches;
		const char *captures;  /* apart by "|" */
	} ROWS[] = {
		{ "= /a", "/a", true, "" },
		{ "= /a", "/a/", false, "" },
		{ "= /a", "/A", false, "" },
		{ "= /a*", "/a*", true, "" },
		{ "= /a*", "/ab", false, "" },
		{ "/a", "/a", true, "" },
		{ "/a", "/ab", false, "" },
		{ "*", "/", true, "/" },
		{ "*", "/any/thing", true, "/any/thing" },
		{ "/*", "/", true, "" },
		{ "/static/*", "/static/a/b", true, "a/b" },
		{ "/static/*", "/static/", true, "" },
		{ "/static/*", "/static", false, "" },
		{ "*.php", "/x/y.php", true, "/x/y" },
		{ "*.php", ".php", true, "" },
		{ "*.php", "/x.php/", false, "" },
		{ "/a*b*c", "/abc", true, "|" },
		{ "/a*b*c", "/axxbyyc", true, "xx|yy" },
		{ "/a*b*c", "/abbbc", true, "|bb" },
		{ "/a*b*c", "/ac", false, "" },
		{ "/a*a", "/a", false, "" },
		{ "/a*a", "/aa", true, "" },
		{ "/**x", "/yx", true, "|y" },
		{ "/*/*/*", "/1/2/3/4", true, "1|2|3/4" },
		{ "/*1*2*3*4*5*6*7*8*9*0*", "/1234567890", true, "||||||||" },
		{ "~ ^/u/(\\d+)$", "/u/42", true, "42" },
		{ "~ ^/u/(\\d+)$", "/u/42\n", false, "" },
		{ "~ ^/(a)|(b)$", "b", true, "|b" },
		{ "~ x.y", "/x\ny", true, "" },
		{ "~ (?i)\\.PHP$", "/a.php", true, "" },
		{ "~ (1)(2)(3)(4)(5)(6)(7)(8)(9)(0)", "1234567890", true, "1|2|3|4|5|6|7|8|9" },
		{ "~ ^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false, "" },
	};
	struct arena arena = {};
	struct type_in in = { .arena = &arena };
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct pattern p;
		struct captures captures;
		struct buf joined = {};
		assert_int_equal(compiled(&in, ROWS[i].pattern, &p), 0);
		bool matches = pattern_match(&p, str_of(ROWS[i].text), &captures);
		assert_int_equal(pattern_match(&p, str_of(ROWS[i].text), NULL), matches);
		for (size_t j = 0; matches && j < captures.count; j++)
			buf_addf(&joined, "%s%.*s", j ? "|" : "", STR_F(captures.at[j]));
		if (matches != ROWS[i].matches || !str_eq(buf_str(&joined), str_of(ROWS[i].captures)))
			fail_msg("%s on %s: %d, \"%.*s\"", ROWS[i].pattern, ROWS[i].text, matches, STR_F(buf_str(&joined)));
		buf_fini(&joined);
	}
	arena_fini(&arena);
}

/* Memory that is not there is no text, and may not be looked at. */
static void nothing_is_matched_by_stars_only(void **state)
{
	(void)state;
	struct arena arena = {};
	struct type_in in = { .arena = &arena };
	struct pattern p;
	assert_int_equal(compiled(&in, "*b*", &p), 0);
	assert_false(pattern_match(&p, (struct str){ NULL, 0 }, NULL));
	assert_int_equal(compiled(&in, "***", &p), 0);
	assert_true(pattern_match(&p, (struct str){ NULL, 0 }, NULL));
	arena_fini(&arena);
}

static void what_is_refused(void **state)
{
	(void)state;
	static const char *const ROWS[] = { "", "a", "= a", "= *", "=/a", "~^/a", "~ (", "~ [", "~ a{2,1}" };
	struct arena arena = {};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct type_in in = { .arena = &arena };
		struct pattern p;
		assert_true(compiled(&in, ROWS[i], &p) < 0);
		assert_true(in.error[0]);
	}
	arena_fini(&arena);
}

static void what_covers_what(void **state)
{
	(void)state;
	static const struct {
		const char *first, *later;
		bool covers;
	} ROWS[] = {
		{ "*", "= /a", true },
		{ "/*", "*.php", true },
		{ "/*", "~ x", true },
		{ "*", "~ ^/x$", true },
		{ "/a/*", "/a/b/*", true },
		{ "/a/*", "/a/*.png", true },
		{ "/a/*", "/a", false },
		{ "/a/*", "/*", false },
		{ "/a/b/*", "/a/*", false },
		{ "*.png", "/a/*.png", true },
		{ "*.png", "/a/*.jpg", false },
		{ "*.png", "/a/*", false },
		{ "/*/x/*", "/a/x/*", true },
		{ "/a*b", "/a*", false },
		{ "= /a", "/a", true },
		{ "= /a", "/a*", false },
		{ "~ ^/a", "= /ab", true },
		{ "~ ^/a", "/ab*", false },
		{ "~ ^/a", "~ ^/a", true },
		{ "~ ^/a", "~ ^/ab", false },
		{ "/a*", "~ ^/ab", false },
	};
	struct arena arena = {};
	struct type_in in = { .arena = &arena };
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct pattern first, later;
		assert_int_equal(compiled(&in, ROWS[i].first, &first), 0);
		assert_int_equal(compiled(&in, ROWS[i].later, &later), 0);
		if (pattern_covers(&first, &later) != ROWS[i].covers)
			fail_msg("%s covers %s?", ROWS[i].first, ROWS[i].later);
	}
	arena_fini(&arena);
}

static void printing_reads_back(void **state)
{
	(void)state;
	static const struct {
		const char *written, *printed;
	} ROWS[] = {
		{ "*", "*" }, { "/a b*", "\"/a b*\"" }, { "= /x", "= /x" }, { "/x", "= /x" }, { "~ ^/x{2}$", "~ \"^/x{2}$\"" },
	};
	struct arena arena = {};
	struct type_in in = { .arena = &arena };
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct pattern p;
		struct buf out = {};
		assert_int_equal(compiled(&in, ROWS[i].written, &p), 0);
		pattern_print(&out, &p);
		assert_true(str_eq(buf_str(&out), str_of(ROWS[i].printed)));
		buf_fini(&out);
	}
	arena_fini(&arena);
}

/* A pattern that makes backtracking matchers take forever; here each literal is looked for once. */
static void stars_take_no_time(void **state)
{
	(void)state;
	struct arena arena = {};
	struct type_in in = { .arena = &arena };
	struct pattern p;
	struct buf text = {}, glob = {};
	struct timespec from, to;
	buf_add_char(&text, '/');
	buf_add_char(&glob, '/');
	for (int i = 0; i < 8000; i++)
		buf_add_char(&text, 'a');
	for (int i = 0; i < 100; i++)
		buf_add(&glob, STR("*a"));
	buf_add(&glob, STR("*b"));
	assert_int_equal(pattern_parse(&in, STR(""), buf_str(&glob), &p), 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_false(pattern_match(&p, buf_str(&text), NULL));
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 100);
	buf_fini(&text);
	buf_fini(&glob);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(what_matches),
		cmocka_unit_test(nothing_is_matched_by_stars_only),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(what_covers_what),
		cmocka_unit_test(printing_reads_back),
		cmocka_unit_test(stars_take_no_time),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

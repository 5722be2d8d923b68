/* Globs: what they match, and that no pattern makes them slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "base/glob.h"
#include "base/mem.h"

static void stars_stand_for_any_run(void **state)
{
	(void)state;
	static const struct { const char *pattern, *text; bool matches; } ROWS[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "a/b\nc", true }, { "a", "a", true },
		{ "a", "ab", false }, { "a*", "ab", true }, { "a*", "ba", false }, { "*a", "ba", true }, { "*a", "ab", false },
		{ "a*a", "a", false }, { "a*a", "aa", true }, { "a*b*c", "axxbyyc", true }, { "a*b*c", "axxcyyb", false },
		{ "*ab*ab*", "abab", true }, { "*ab*ab*", "aab b", false }, { "**", "x", true }, { "a?c", "abc", false },
		{ "*://example.org/n/*", "https://example.org/n/1", true },
		{ "*://example.org/n/*", "https://example.org/m/1", false },
	};
	for (size_t i = 0; i < countof(ROWS); i++)
		assert_int_equal(glob_match(str_of(ROWS[i].pattern), str_of(ROWS[i].text), NULL), ROWS[i].matches);
}

static void runs_are_captured(void **state)
{
	(void)state;
	struct captures c = {};
	assert_true(glob_match(STR("/*/x/*"), STR("/a/b/x/c"), &c));
	assert_int_equal(c.count, 2);
	assert_true(str_eq(c.at[0], STR("a/b")) && str_eq(c.at[1], STR("c")));
}

/* Of a matcher that takes choices back this would be the end. */
static void no_pattern_is_slow(void **state)
{
	(void)state;
	enum { PATTERN_B = 4096, TEXT_B = 1 << 20 };
	char *pattern = mem_new(PATTERN_B), *text = mem_new(TEXT_B);
	memset(text, 'a', TEXT_B);
	for (size_t i = 0; i < PATTERN_B; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[PATTERN_B - 1] = 'b';
	clock_t begin = clock();
	for (int i = 0; i < 10; i++)
		assert_false(glob_match(str_make(pattern, PATTERN_B), str_make(text, TEXT_B), NULL));
	assert_true((clock() - begin) / CLOCKS_PER_SEC < 5);   /* of this process, whatever else the machine does */
	mem_free(pattern);
	mem_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stars_stand_for_any_run),
		cmocka_unit_test(runs_are_captured),
		cmocka_unit_test(no_pattern_is_slow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

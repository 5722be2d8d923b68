/* Dates against the C library's, over four eras; and the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "base/civil.h"
#include "base/str.h"

static void as_the_library_has_it(void **state)
{
	(void)state;
	/* About 100,000 times from the year 1170 to 2770, at uneven distances. */
	for (int64_t s = -25245000000; s < 25245000000; s += 504911) {
		struct tm t;
		time_t when = s;
		gmtime_r(&when, &t);
		struct civil c = civil_of(s);
		assert_int_equal(c.year, t.tm_year + 1900);
		assert_int_equal(c.month, t.tm_mon + 1);
		assert_int_equal(c.day, t.tm_mday);
		assert_int_equal(c.hour, t.tm_hour);
		assert_int_equal(c.minute, t.tm_min);
		assert_int_equal(c.second, t.tm_sec);
		assert_int_equal(c.weekday, t.tm_wday);
		assert_int_equal(civil_seconds(&c), s);
	}
}

static void a_day_too_many_is_the_next_months(void **state)
{
	(void)state;
	struct civil c = { .year = 2026, .month = 2, .day = 30 };
	struct civil next = civil_of(civil_seconds(&c));
	assert_int_equal(next.month, 3);
	assert_int_equal(next.day, 2);
}

static void printed(void **state)
{
	(void)state;
	char text[32];
	size_t n = civil_print(text, 784111777);
	assert_true(str_eq(str_make(text, n), STR("1994-11-06T08:49:37")));
	n = civil_print(text, -1);
	assert_true(str_eq(str_make(text, n), STR("1969-12-31T23:59:59")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_library_has_it),
		cmocka_unit_test(a_day_too_many_is_the_next_months),
		cmocka_unit_test(printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

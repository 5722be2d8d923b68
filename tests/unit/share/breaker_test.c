/* Breakers: what opens them, what they let through, and on whose word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "share/breaker.h"

static void deadlines_in_a_row_open_it(void **state)
{
	struct breaker b = {};
	(void)state;
	for (unsigned i = 0; i < BREAKER_LATE_MOST - 1; i++)
		assert_false(breaker_count(&b, 0, BREAKER_DEADLINE, 1000));
	assert_false(breaker_count(&b, 0, BREAKER_GOOD, 1000));
	for (unsigned i = 0; i < BREAKER_LATE_MOST - 1; i++)
		assert_false(breaker_count(&b, 0, BREAKER_DEADLINE, 2000));
	assert_true(breaker_admits(&b, 2000, 99));
	assert_true(breaker_count(&b, 0, BREAKER_DEADLINE, 2000));
	assert_int_equal(breaker_state(&b), BREAKER_OPEN);
	assert_int_equal(breaker_why(&b), BREAKER_LATE);
	assert_int_equal(breaker_term(&b), 1);
	assert_false(breaker_admits(&b, 2000, 0));
}

static void half_of_twenty_in_a_second_open_it(void **state)
{
	struct breaker b = {};
	(void)state;
	/* Nineteen are too few to tell, and the second begins anew. */
	for (unsigned i = 0; i < BREAKER_RATE_LEAST - 1; i++)
		assert_false(breaker_count(&b, 0, BREAKER_ERROR, 1000));
	for (unsigned i = 0; i < BREAKER_RATE_LEAST - 1; i++)
		assert_false(breaker_count(&b, 0, i % 2 ? BREAKER_ERROR : BREAKER_GOOD, 2500));
	assert_true(breaker_count(&b, 0, BREAKER_ERROR, 2999));
	assert_int_equal(breaker_why(&b), BREAKER_RATE);
}

static void fewer_than_half_do_not(void **state)
{
	struct breaker b = {};
	(void)state;
	for (unsigned i = 0; i < 2000000; i++)
		assert_false(breaker_count(&b, 0, i % 3 ? BREAKER_GOOD : BREAKER_ERROR, 1000));
	assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
}

static void only_the_first_word_counts(void **state)
{
	struct breaker b = {};
	(void)state;
	assert_true(breaker_open(&b, 0, BREAKER_END));
	assert_false(breaker_open(&b, 0, BREAKER_RESET));
	assert_int_equal(breaker_why(&b), BREAKER_END);
	breaker_ramp(&b, 1000);
	/* What a connection of the term before says. */
	assert_false(breaker_open(&b, 0, BREAKER_RESET));
	for (unsigned i = 0; i < 100; i++)
		assert_false(breaker_count(&b, 0, BREAKER_DEADLINE, 1000));
	assert_int_equal(breaker_state(&b), BREAKER_RAMP);
	assert_true(breaker_open(&b, 1, BREAKER_RESET));
	assert_int_equal(breaker_term(&b), 2);
}

static unsigned admitted(struct breaker *b, uint64_t now_ms)
{
	unsigned n = 0;
	for (uint32_t dice = 0; dice < 100; dice++)
		n += breaker_admits(b, now_ms, dice);
	return n;
}

static void the_ramp_lets_more_and_more_through(void **state)
{
	struct breaker b = {};
	(void)state;
	assert_true(breaker_open(&b, 0, BREAKER_END));
	breaker_ramp(&b, 10000);
	assert_int_equal(admitted(&b, 9999), 10);
	assert_int_equal(admitted(&b, 10000), 10);
	assert_int_equal(admitted(&b, 11000), 55);
	assert_int_equal(admitted(&b, 11999), 99);
	assert_int_equal(breaker_state(&b), BREAKER_RAMP);
	assert_int_equal(admitted(&b, 12000), 100);
	assert_int_equal(breaker_state(&b), BREAKER_CLOSED);
	assert_int_equal(breaker_term(&b), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines_in_a_row_open_it), cmocka_unit_test(half_of_twenty_in_a_second_open_it),
		cmocka_unit_test(fewer_than_half_do_not), cmocka_unit_test(only_the_first_word_counts),
		cmocka_unit_test(the_ramp_lets_more_and_more_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

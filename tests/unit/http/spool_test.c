/* Spools: what comes out is what went in, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "http/spool.h"

enum { MOST_B = 200000 };

static char bytes[MOST_B];

static void fill_bytes(void)
{
	for (size_t i = 0; i < MOST_B; i++)
		bytes[i] = (char)(i * 7 + i / 251);
}

static void is_empty(const struct spool *s)
{
	assert_int_equal(s->held_b, 0);
	assert_int_equal(spool_peek(s).n, 0);
	assert_null(s->first);
	assert_null(s->last);
}

/* Takes at most `most` at a time off the front; returns how many there were. */
static size_t drain(struct spool *s, size_t from, size_t most, size_t all)
{
	size_t n = 0;
	while (n < all && s->held_b) {
		struct str piece = spool_peek(s);
		assert_true(piece.n > 0 && piece.n <= s->held_b);
		size_t take = piece.n < most ? piece.n : most;
		take = take < all - n ? take : all - n;
		assert_memory_equal(piece.p, bytes + from + n, take);
		spool_drop(s, take);
		n += take;
	}
	return n;
}

static void in_and_out(void **state)
{
	static const struct {
		size_t in_b, out_b;
	} ROWS[] = {
		{ 1, 1 }, { 1, 100 }, { 100, 1 }, { 1000, 999 }, { SPOOL_BLOCK_B, SPOOL_BLOCK_B },
		{ SPOOL_BLOCK_B + 1, SPOOL_BLOCK_B - 1 }, { 3 * SPOOL_BLOCK_B, 5000 }, { 65536, 65536 }, { 7, 100000 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
		struct spool s = {};
		size_t in = 0, out = 0;
		while (out < MOST_B) {
			/* Two go in for each that comes out, as long as there is something. */
			for (unsigned k = 0; k < 2 && in < MOST_B; k++) {
				size_t n = ROWS[i].in_b < MOST_B - in ? ROWS[i].in_b : MOST_B - in;
				spool_add(&s, str_make(bytes + in, n));
				in += n;
			}
			assert_int_equal(s.held_b, in - out);
			out += drain(&s, out, ROWS[i].out_b, ROWS[i].out_b);
		}
		is_empty(&s);
		spool_fini(&s);
	}
}

/* It may be in its reader's hands while more comes. */
static void stays_where_it_is(void **state)
{
	struct spool s = {};
	(void)state;
	spool_add(&s, str_make(bytes, 50000));
	struct str first = spool_peek(&s);
	assert_int_equal(first.n, 50000);
	spool_add(&s, str_make(bytes + 50000, 100000));
	assert_ptr_equal(spool_peek(&s).p, first.p);
	assert_memory_equal(first.p, bytes, 50000);
	spool_drop(&s, 20000);
	assert_ptr_equal(spool_peek(&s).p, first.p + 20000);
	assert_int_equal(drain(&s, 20000, 1000, MOST_B), 130000);
	is_empty(&s);
}

static void nothing(void **state)
{
	struct spool s = {};
	(void)state;
	spool_add(&s, (struct str){});
	is_empty(&s);
	spool_drop(&s, 0);
	spool_fini(&s);
	spool_add(&s, str_make(bytes, 10));
	spool_fini(&s);
	is_empty(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_and_out),
		cmocka_unit_test(stays_where_it_is),
		cmocka_unit_test(nothing),
	};
	fill_bytes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

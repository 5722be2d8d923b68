/* Blobs: what was added is there, wherever its pieces end; and all of it while others add and forget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "share/blob.h"

enum { READERS = 3, RUN_B = 100 * 1000, ALL_B = 40 << 20 };

/* The byte that stands at an offset, in every test. */
static char byte_at(uint64_t at_b)
{
	return (char)(at_b * 31 + (at_b >> 12));
}

static struct str run_at(char *to, uint64_t at_b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = byte_at(at_b + i);
	return str_make(to, n);
}

static void assert_bytes(const struct blob *b, uint64_t from_b, uint64_t to_b)
{
	while (from_b < to_b) {
		struct str s = blob_at(b, from_b);
		assert_true(s.n > 0 && from_b + s.n <= blob_size_b(b));
		for (size_t i = 0; i < s.n; i++)
			assert_int_equal(s.p[i], byte_at(from_b + i));
		from_b += s.n;
	}
}

static void what_is_added_is_there(void **state)
{
	static const struct {
		uint64_t expected_b, size_b;
		size_t run_b;
	} ROWS[] = {
		{ 0, 0, 1 },          { 0, 1, 1 },              { 0, 100000, 7 },          { 0, 3 << 20, 65536 },
		{ 10, 10, 3 },        { 10, 5000, 4999 },       { 70000, 70000, 65536 },   { 70000, 60000, 512 },
		{ 1 << 20, 1 << 20, 99999 }, { 9 << 20, 9 << 20, 99999 }, { UINT64_MAX, 100, 100 }, { 1, 6 << 20, 99991 },
	};
	(void)state;
	static char run[RUN_B];
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct blob *b = blob_new(ROWS[i].expected_b, NULL);
		assert_int_equal(blob_size_b(b), 0);
		for (uint64_t at_b = 0; at_b < ROWS[i].size_b;) {
			uint64_t left_b = ROWS[i].size_b - at_b;
			size_t n = left_b < ROWS[i].run_b ? (size_t)left_b : ROWS[i].run_b;
			assert_true(blob_add(b, run_at(run, at_b, n)));
			at_b += n;
		}
		assert_int_equal(blob_size_b(b), ROWS[i].size_b);
		assert_bytes(b, 0, ROWS[i].size_b);
		/* What was expected lies in one run, as far as that is reasonable. */
		if (ROWS[i].size_b && ROWS[i].expected_b == ROWS[i].size_b && ROWS[i].size_b <= BLOB_PIECE_MOST_B)
			assert_int_equal(blob_at(b, 0).n, ROWS[i].size_b);
		assert_true(blob_cost_b(b) >= ROWS[i].size_b);
		blob_put(b);
	}
}

static void what_is_forgotten_is_no_longer_there(void **state)
{
	(void)state;
	static char run[RUN_B];
	struct blob *b = blob_new(0, NULL);
	blob_trim(b, 0);
	for (uint64_t at_b = 0; at_b < ALL_B; at_b += RUN_B) {
		assert_true(blob_add(b, run_at(run, at_b, RUN_B)));
		/* Over and over, and never behind what is there. */
		blob_trim(b, at_b);
		blob_trim(b, at_b / 2);
		assert_bytes(b, at_b, at_b + RUN_B);
	}
	uint64_t size_b = blob_size_b(b);
	blob_trim(b, size_b);
	assert_true(blob_add(b, run_at(run, size_b, 10)));
	assert_bytes(b, size_b, size_b + 10);
	blob_put(b);
}

/* What has no end goes on, as long as what was read is forgotten. */
static void there_is_no_end(void **state)
{
	(void)state;
	enum { PIECE_B = 1 << 20 };
	char *piece = mem_new(PIECE_B);
	struct blob *b = blob_new(0, NULL);
	while (blob_size_b(b) < BLOB_MOST_B + 100 * PIECE_B) {
		uint64_t at_b = blob_size_b(b);
		piece[0] = byte_at(at_b);
		assert_true(blob_add(b, str_make(piece, PIECE_B)));
		assert_int_equal(blob_at(b, at_b).p[0], byte_at(at_b));
		blob_trim(b, at_b);
		assert_true(blob_cost_b(b) < 8 * PIECE_B);
	}
	blob_put(b);
	mem_free(piece);
}

/* What they hold together: what is expected, then what is there, until the last reference goes. */
static void what_they_hold_is_tallied(void **state)
{
	(void)state;
	static char run[RUN_B];
	struct blob_tally *t = blob_tally_new();
	struct blob *known = blob_new(3 << 20, t), *unknown = blob_new(0, t);
	assert_int_equal(blob_tally_b(t), 3 << 20);
	for (uint64_t at_b = 0; at_b < 2 << 20; at_b += RUN_B)
		assert_true(blob_add(known, run_at(run, at_b, RUN_B)));
	assert_int_equal(blob_tally_b(t), 3 << 20);
	for (uint64_t at_b = 0; at_b < 5 << 20; at_b += RUN_B)
		assert_true(blob_add(unknown, run_at(run, at_b, RUN_B)));
	assert_true(blob_tally_b(t) >= 8 << 20 && blob_tally_b(t) < 10 << 20);
	blob_trim(unknown, blob_size_b(unknown) - 1);
	assert_true(blob_tally_b(t) > 3 << 20 && blob_tally_b(t) < 5 << 20);
	blob_put(unknown);
	assert_int_equal(blob_tally_b(t), 3 << 20);
	/* It outlives whoever made it. */
	blob_tally_put(t);
	blob_put(known);
}

/* --- By several threads. --- */

struct reading {
	struct blob *blob;
	_Atomic uint64_t at_b;       /* how far it has read */
	bool fine;
	pthread_t thread;
};

static void *read_all(void *arg)
{
	struct reading *r = arg;
	r->fine = true;
	for (uint64_t at_b = 0; at_b < ALL_B;) {
		if (at_b == blob_size_b(r->blob)) {
			sched_yield();
			continue;
		}
		struct str s = blob_at(r->blob, at_b);
		for (size_t i = 0; i < s.n; i += 97)
			r->fine &= s.p[i] == byte_at(at_b + i);
		r->fine &= s.p[s.n - 1] == byte_at(at_b + s.n - 1);
		at_b += s.n;
		atomic_store(&r->at_b, at_b);
	}
	blob_put(r->blob);
	return NULL;
}

static void one_writes_and_many_read(void **state)
{
	(void)state;
	struct reading readers[READERS] = {};
	static char run[RUN_B];
	struct blob *b = blob_new(0, NULL);
	for (size_t i = 0; i < READERS; i++) {
		readers[i].blob = b;
		blob_get(b);
		pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
	}
	for (uint64_t at_b = 0; at_b < ALL_B;) {
		size_t n = (size_t)(at_b % 777 + 1) * 100;
		n = n < ALL_B - at_b ? n : (size_t)(ALL_B - at_b);
		assert_true(blob_add(b, run_at(run, at_b, n)));
		at_b += n;
		uint64_t slowest_b = UINT64_MAX;
		for (size_t i = 0; i < READERS; i++)
			slowest_b = readers[i].at_b < slowest_b ? readers[i].at_b : slowest_b;
		blob_trim(b, slowest_b);
	}
	blob_put(b);
	for (size_t i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_true(readers[i].fine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_there), cmocka_unit_test(what_is_forgotten_is_no_longer_there),
		cmocka_unit_test(there_is_no_end), cmocka_unit_test(what_they_hold_is_tallied),
		cmocka_unit_test(one_writes_and_many_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

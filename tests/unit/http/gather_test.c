/* How far apart turns begin, from what a loop counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/gather.h"

enum { MS = 1000000, US = 1000 };

/* A window of ten milliseconds and a thousand turns, at whose ends so many requests were at origins. */
static uint64_t gap_ns(size_t waiting, uint64_t requests_per_s)
{
	struct gather g = { .since_ns = 5 * MS };
	for (uint64_t i = 0; i < 1000; i++)
		gather_turn(&g, waiting, 0, 5 * MS);
	return gather_turn(&g, waiting, requests_per_s / 100, 15 * MS);
}

static void a_gap_is_an_eighth_of_what_a_request_takes(void **state)
{
	(void)state;
	static const struct {
		size_t waiting;
		uint64_t rate, gap_ns;
	} ROWS[] = {
		{ 32, 32000, 125 * US },   /* a millisecond each */
		{ 16, 20000, 100 * US },
		{ 64, 100000, 80 * US },
		{ 8, 80000, 12500 },
		{ 7, 70000, 0 },           /* not one request would come in it */
		{ 0, 100000, 0 },          /* nothing is at an origin: files, hits */
		{ 1, 20000, 0 },
		{ 32, 200000, 20 * US },   /* much else is to do: a request takes little time on average */
		{ 32, 0, 0 },              /* origins that are silent: whatever comes from them comes alone */
		{ 500, 10000, 200 * US },  /* 50 ms each: never more than this */
		{ 500, 4900, 0 },          /* in which nothing comes, on average */
		{ 2000, 5000, 200 * US },
	};
	for (size_t i = 0; i < countof(ROWS); i++)
		assert_in_range(gap_ns(ROWS[i].waiting, ROWS[i].rate), ROWS[i].gap_ns * 99 / 100, ROWS[i].gap_ns);
}

static void it_holds_until_the_next_window_is_over(void **state)
{
	(void)state;
	struct gather g = {};
	gather_turn(&g, 32, 0, 100 * MS);
	uint64_t gap = 0;
	for (uint64_t i = 1; i <= 80; i++) {
		gap = gather_turn(&g, 32, 32 * i, 100 * MS + i * MS / 10);
		assert_int_equal(gap != 0, i >= 40);
	}
	/* Everything ends; the first turn after that says so. */
	assert_int_equal(gather_turn(&g, 0, 32 * 80, 5000ull * MS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gap_is_an_eighth_of_what_a_request_takes),
		cmocka_unit_test(it_holds_until_the_next_window_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

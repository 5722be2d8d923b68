/* Meters: what is counted by loops is found in the sums; quantiles are as near as the buckets are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "share/meter.h"

static void each_value_is_in_its_bucket(void **state)
{
	(void)state;
	for (uint64_t us = 0; us < 300000000; us = us * 9 / 8 + 1) {
		struct histogram h = {};
		histogram_add(&h, us);
		unsigned i = 0;
		while (!counter_get(&h.bucket[i]))
			i++;
		assert_true(us < histogram_bound_us(i));
		assert_true(!i || us >= histogram_bound_us(i - 1));
		assert_int_equal(counter_get(&h.sum_us), us);
	}
}

static void bounds_grow_by_a_quarter_at_most(void **state)
{
	(void)state;
	for (unsigned i = 2; i + 1 < HISTOGRAM_BUCKETS; i++) {
		assert_true(histogram_bound_us(i) > histogram_bound_us(i - 1));
		assert_true(histogram_bound_us(i) <= histogram_bound_us(i - 1) * 5 / 4);
	}
	assert_true(histogram_bound_us(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
}

static void names_have_numbers(void **state)
{
	char name[16];
	(void)state;
	struct meters *m = meters_new(2);
	unsigned api = meters_number(m, METER_ROUTE, STR("a.org"), STR("/api/*"));
	assert_int_not_equal(api, METER_REST);
	assert_int_equal(meters_number(m, METER_ROUTE, STR("a.org"), STR("/api/*")), api);
	assert_int_not_equal(meters_number(m, METER_ROUTE, STR("b.org"), STR("/api/*")), api);
	assert_int_not_equal(meters_number(m, METER_POOL, STR(""), STR("/api/*")), api);
	for (unsigned i = 0; i < METERS_MOST; i++) {
		snprintf(name, sizeof name, "%u", i);
		meters_number(m, METER_POOL, STR(""), str_of(name));
	}
	assert_int_equal(meters_count(m), METERS_MOST);
	assert_int_equal(meters_number(m, METER_POOL, STR(""), STR("one too many")), METER_REST);
	assert_int_equal(meters_number(m, METER_ROUTE, STR("a.org"), STR("/api/*")), api);
	meters_free(m);
}

static void loops_are_added_up(void **state)
{
	struct meter_sum *sum = MEM_NEW(struct meter_sum);
	(void)state;
	struct meters *m = meters_new(2);
	unsigned number = meters_number(m, METER_ROUTE, STR("*"), STR("*"));
	for (unsigned loop = 0; loop < 2; loop++) {
		struct meter *cell = meters_at(m, loop, number);
		counter_add(&cell->by_class[2], 3);
		counter_add(&cell->by_class[5], 1);
		counter_add(&cell->out_b, 100);
		histogram_add(&cell->time, 1000);
	}
	meters_sum(m, number, sum);
	assert_int_equal(sum->requests, 8);
	assert_int_equal(sum->by_class[2], 6);
	assert_int_equal(sum->out_b, 200);
	assert_int_equal(sum->time.count, 2);
	assert_int_equal(sum->time.sum_us, 2000);
	assert_true(str_eq(sum->name, STR("*")));
	meters_free(m);
	mem_free(sum);
}

static void quantiles_are_near(void **state)
{
	struct histogram h = {};
	struct distribution d = {}, none = {};
	(void)state;
	for (uint64_t us = 1; us <= 10000; us++)
		histogram_add(&h, us);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		d.bucket[i] = counter_get(&h.bucket[i]);
		d.count += d.bucket[i];
	}
	for (double q = 0.05; q < 1; q += 0.05) {
		double exact = q * 10000, got = (double)distribution_quantile_us(&d, q);
		assert_true(got > exact * 0.8 && got < exact * 1.2);
	}
	assert_int_equal(distribution_quantile_us(&none, 0.5), 0);
	distribution_sub(&d, &d);
	assert_int_equal(distribution_quantile_us(&d, 0.99), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_in_its_bucket),  cmocka_unit_test(bounds_grow_by_a_quarter_at_most),
		cmocka_unit_test(names_have_numbers),           cmocka_unit_test(loops_are_added_up),
		cmocka_unit_test(quantiles_are_near),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The observer: samples that go on counting never go back, and points are made of what happened between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "control/sample.h"
#include "event/loop.h"

/* A loop that is busy while it is looked at, and answers a request each time. */
static void fill(void *worker, struct sample *out)
{
	uint64_t *looks = worker;
	++*looks;
	out->loop_count = 1;
	out->loops = MEM_NEW(struct loop_sample);
	out->loops[0] = (struct loop_sample){ .busy_ns = *looks * 1000000, .requests = *looks, .connections = 3 };
	out->meter_count = 1;
	out->meters = MEM_NEW(struct meter_sum);
	out->meters[0] = (struct meter_sum){ .kind = METER_ROUTE, .requests = *looks,
		                             .by_class = { [2] = *looks }, .time = { .count = *looks, .bucket = { *looks } } };
}

static void compare(struct observer *o)
{
	const struct sample *now = observer_now(o);
	for (uint64_t ms = 0; ms <= 90000; ms += 10000) {
		const struct sample *before = observer_before(o, ms);
		assert_true(before->at_ms <= now->at_ms);
		assert_true(before->loops[0].busy_ns <= now->loops[0].busy_ns);
		assert_true(before->meters[0].requests <= now->meters[0].requests);
		assert_true(before->time.count <= now->time.count);
	}
}

static void nothing_counts_back(void **state)
{
	struct loop loop;
	uint64_t looks = 0;
	(void)state;
	assert_int_equal(loop_init(&loop, 0), 0);
	struct observer *o = observer_new(&loop, &(struct observed){ fill, &looks });
	compare(o);
	for (int s = 0; s < 120; s++) {
		loop.now_ms += 1000;
		wheel_turn(&loop.wheel, loop.now_ms);
		compare(o);
	}
	observer_look(o);
	compare(o);
	assert_true(observer_now(o)->at_ms - observer_before(o, 60000)->at_ms >= 60000);
	observer_free(o);
	loop_fini(&loop);
}

static void points_say_what_happened_between(void **state)
{
	struct point points[POINTS];
	struct loop loop;
	uint64_t looks = 0;
	(void)state;
	assert_int_equal(loop_init(&loop, 0), 0);
	struct observer *o = observer_new(&loop, &(struct observed){ fill, &looks });
	assert_int_equal(observer_points(o, points), 0);
	/* Its timers come up to a step late. */
	for (int s = 0; s < 8000; s++) {
		loop.now_ms += 50;
		wheel_turn(&loop.wheel, loop.now_ms);
	}
	assert_int_equal(observer_points(o, points), POINTS);
	for (unsigned i = 0; i < POINTS; i++) {
		assert_true(points[i].requests_ps > 0.85f && points[i].requests_ps < 1.05f);
		assert_true(points[i].by_class_ps[2] > 0.85f && points[i].by_class_ps[5] == 0);
		assert_true(points[i].busy > 0.0005f && points[i].busy < 0.002f);
		assert_true(points[i].connections == 3);
	}
	observer_free(o);
	loop_fini(&loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_counts_back),
		cmocka_unit_test(points_say_what_happened_between),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

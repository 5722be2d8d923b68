/* The timer wheel against a plain list of deadlines: nothing fires early, nothing later than a tick, nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "event/timer.h"

static struct wheel wheel;
static uint64_t now_ms;

struct probe {
	struct timer timer;
	uint64_t fired_ms;
	unsigned count;
};

static void fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);
	p->fired_ms = now_ms;
	p->count++;
}

/* Walks on as a loop would: sleeping as long as the wheel says, at most `most_ms`. */
static void walk(uint64_t until_ms, uint64_t most_ms)
{
	while (now_ms < until_ms) {
		int wait_ms = wheel_wait_ms(&wheel, now_ms);
		uint64_t step = wait_ms < 0 || (uint64_t)wait_ms > most_ms ? most_ms : (uint64_t)wait_ms;
		now_ms += step ? step : 1;
		wheel_turn(&wheel, now_ms);
	}
}

static void each_distance_fires_in_its_tick(void **state)
{
	(void)state;
	static const uint64_t DISTANCE_MS[] = { 0, 1, 3, 4, 5, 255, 256, 257, 1000, 16383, 16384, 16385, 75000, 1048576,
		                                1048577, 86400000, 400000000 };
	static const uint64_t START_MS[] = { 0, 1, 255, 256, 16380, 1048575, 123456789 };
	for (size_t s = 0; s < countof(START_MS); s++) {
		for (size_t d = 0; d < countof(DISTANCE_MS); d++) {
			struct probe p = {};
			now_ms = START_MS[s];
			wheel_init(&wheel, now_ms);
			timer_init(&p.timer, fire);
			uint64_t due_ms = now_ms + DISTANCE_MS[d];
			timer_set(&wheel, &p.timer, due_ms);
			walk(due_ms + 2 * WHEEL_TICK_MS, 1u << 30);
			assert_int_equal(p.count, 1);
			assert_in_range(p.fired_ms, due_ms, due_ms + 2 * WHEEL_TICK_MS);
		}
	}
}

static void a_later_deadline_is_found_when_the_slot_turns_up(void **state)
{
	(void)state;
	struct probe p = {};
	now_ms = 1000;
	wheel_init(&wheel, now_ms);
	timer_init(&p.timer, fire);
	for (int i = 0; i < 100; i++) {
		timer_set(&wheel, &p.timer, now_ms + 500);
		walk(now_ms + 100, 7);
		assert_int_equal(p.count, 0);
	}
	walk(now_ms + 500, 7);
	assert_int_equal(p.count, 1);
}

static void an_earlier_deadline_moves_it(void **state)
{
	(void)state;
	struct probe p = {};
	now_ms = 5;
	wheel_init(&wheel, now_ms);
	timer_init(&p.timer, fire);
	timer_set(&wheel, &p.timer, 100000);
	timer_set(&wheel, &p.timer, 50);
	walk(60, 1000);
	assert_int_equal(p.count, 1);
}

static void random_timers_all_fire_once(void **state)
{
	(void)state;
	enum { COUNT = 3000 };
	static struct probe probes[COUNT];
	static uint64_t due_ms[COUNT];
	srand(7);
	now_ms = 999;
	wheel_init(&wheel, now_ms);
	for (int i = 0; i < COUNT; i++) {
		probes[i] = (struct probe){};
		timer_init(&probes[i].timer, fire);
		due_ms[i] = now_ms + (uint64_t)rand() % (i % 3 ? 2000 : 3000000);
		timer_set(&wheel, &probes[i].timer, due_ms[i]);
		if (i % 7 == 0)
			timer_stop(&probes[i].timer);
		if (i % 50 == 0)
			walk(now_ms + (uint64_t)rand() % 40, 11);
	}
	walk(now_ms + 3000100, 100000);
	for (int i = 0; i < COUNT; i++) {
		if (i % 7 == 0) {
			assert_int_equal(probes[i].count, 0);
			continue;
		}
		assert_int_equal(probes[i].count, 1);
		assert_true(probes[i].fired_ms >= due_ms[i]);
	}
	assert_int_equal(wheel_wait_ms(&wheel, now_ms), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_distance_fires_in_its_tick),
		cmocka_unit_test(a_later_deadline_is_found_when_the_slot_turns_up),
		cmocka_unit_test(an_earlier_deadline_moves_it),
		cmocka_unit_test(random_timers_all_fire_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

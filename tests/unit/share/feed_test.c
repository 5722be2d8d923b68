/* Feeds: lines arrive in order, are bounded, and die with their reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "share/feed.h"

static unsigned told;

static void came(void *arg)
{
	(void)arg;
	told++;
}

static void lines_arrive_in_order(void **state)
{
	struct mailbox box;
	struct buf got = {};
	(void)state;
	assert_int_equal(mailbox_init(&box), 0);
	struct feed *f = feed_new(&box, 100, came, NULL);
	feed_get(f);
	assert_true(feed_send(f, STR("one\n")));
	assert_true(feed_send(f, STR("two\n")));
	mailbox_open(&box);
	feed_take(f, &got);
	assert_true(str_eq(buf_str(&got), STR("one\ntwo\n")));
	assert_true(told > 0);
	feed_end(f);
	feed_put(f);
	buf_fini(&got);
	mailbox_fini(&box);
}

static void what_is_too_much_is_dropped_and_counted(void **state)
{
	struct mailbox box;
	struct buf got = {};
	(void)state;
	assert_int_equal(mailbox_init(&box), 0);
	struct feed *f = feed_new(&box, 10, came, NULL);
	feed_get(f);
	assert_true(feed_send(f, STR("12345678")));
	assert_false(feed_send(f, STR("901")));
	mailbox_open(&box);
	assert_false(feed_send(f, STR("901")));
	feed_take(f, &got);
	assert_true(feed_send(f, STR("901")));
	assert_int_equal(feed_dropped(f), 2);
	mailbox_open(&box);
	feed_end(f);
	assert_true(feed_ended(f));
	assert_false(feed_send(f, STR("x")));
	feed_put(f);
	buf_fini(&got);
	mailbox_fini(&box);
}

static void what_is_on_its_way_outlives_the_reader(void **state)
{
	struct mailbox box;
	(void)state;
	assert_int_equal(mailbox_init(&box), 0);
	struct feed *f = feed_new(&box, 100, came, NULL);
	feed_get(f);
	assert_true(feed_send(f, STR("late")));
	feed_end(f);
	feed_put(f);
	told = 0;
	mailbox_open(&box);
	assert_int_equal(told, 0);
	mailbox_fini(&box);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_arrive_in_order),
		cmocka_unit_test(what_is_too_much_is_dropped_and_counted),
		cmocka_unit_test(what_is_on_its_way_outlives_the_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

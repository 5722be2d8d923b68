/* Messages about alerts: that they fit what carries them, whatever is told, and say nothing to a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "control/alert_message.h"
#include "event/spawn.h"

static const char ID[] = "0123456789abcdef";

/* All that there can be, of a byte that takes most room where it is escaped. */
static void fill(struct link *items, unsigned count, char c)
{
	struct buf much = {};
	for (int i = 0; i < 5000; i++)
		buf_add_char(&much, c);
	link_init(items);
	for (unsigned i = 0; i < count; i++) {
		struct tell what = { .what = i % 2 ? TELL_END : TELL_BEGIN, .name = STR("a"), .label = "route",
			                 .label_value = buf_str(&much), .when = buf_str(&much), .text = buf_str(&much), .value = 1,
			                 .value_text = STR("1"), .lasted_ms = 90000 };
		link_add(items, &item_new(&what)->link);
	}
	buf_fini(&much);
}

static void the_most_fits(void **state)
{
	static const char BYTES[] = { '\x01', '"', '\xc3', 'a' };
	(void)state;
	for (size_t i = 0; i < countof(BYTES); i++) {
		for (enum notify_kind kind = NOTIFY_COMMAND; kind <= NOTIFY_MAIL; kind++) {
			struct link items;
			struct buf out = {};
			fill(&items, TELL_ITEMS, BYTES[i]);
			message_print(&out, kind, &items, 7, ID);
			assert_true(out.n <= SPAWN_TEXT_B);
			items_free(&items);
			buf_fini(&out);
		}
	}
}

static void json_is_json(void **state)
{
	struct link items;
	struct buf out = {};
	(void)state;
	fill(&items, TELL_ITEMS, '\x1b');
	message_print(&out, NOTIFY_WEBHOOK, &items, 7, ID);
	struct str rest = buf_str(&out), line = str_cut(&rest, '\n');
	assert_true(str_is_printable(line));
	assert_true(line.n <= MESSAGE_SUMMARY_B);
	json_t *json = json_loadb(rest.p, rest.n, 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "id")), ID);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "firing");
	size_t told = json_array_size(json_object_get(json, "alerts"));
	assert_true(told > 3 && told < TELL_ITEMS);
	assert_int_equal(json_integer_value(json_object_get(json, "left_out")), 7 + TELL_ITEMS - told);
	json_decref(json);
	items_free(&items);
	buf_fini(&out);
}

static void one_alert_is_told_in_full(void **state)
{
	static const struct {
		enum tell_what what;
		const char *expected;
	} ROWS[] = {
		{ TELL_BEGIN, ": slow begins: 612ms (p99(all) > 1s): page 3" },
		{ TELL_END, ": slow ends after 90s (p99(all) > 1s): page 3" },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct tell what = { .what = ROWS[i].what, .name = STR("slow"), .when = STR("p99(all) > 1s"),
			                 .text = STR("page 3"), .value_text = STR("612ms"), .lasted_ms = 90000 };
		struct link items;
		struct buf out = {};
		link_init(&items);
		link_add(&items, &item_new(&what)->link);
		message_print(&out, NOTIFY_COMMAND, &items, 0, ID);
		struct str rest = buf_str(&out), line = str_cut(&rest, '\n');
		assert_true(str_starts(line, STR("petrel ")) && str_ends(line, str_of(ROWS[i].expected)));
		items_free(&items);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_fits),
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(one_alert_is_told_in_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

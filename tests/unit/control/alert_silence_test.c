/* Silences as a state file keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/alert_in.h"

static void init(struct alerts *a, struct loop *l)
{
	*l = (struct loop){ .now_ms = 5000 };
	*a = (struct alerts){ .loop = l };
	link_init(&a->rules);
	link_init(&a->silences);
}

static void restore(struct alerts *a, const char *text)
{
	json_t *list = json_loads(text, 0, NULL);
	alerts_restore(a, list);
	json_decref(list);
}

static void silences_survive(void **state)
{
	struct alerts before, after;
	struct loop l, k;
	(void)state;
	init(&before, &l);
	init(&after, &k);
	struct rule *r = rule_new(STR("slow"), STR("petrel_connections > 1"), STR(""), &(struct items){}, false);
	link_add(&before.rules, &r->link);
	assert_int_equal(alerts_silence(&before, STR("slow"), 3600000, STR("a \"reason\"\n"), &(struct caller){ 1, 7 }), 0);
	assert_int_not_equal(alerts_silence(&before, STR("fast"), 3600000, STR(""), &(struct caller){}), 0);
	json_t *list = alerts_kept(&before);
	k.now_ms = 77;
	alerts_restore(&after, list);
	json_decref(list);
	const struct silence *s = silence_find(&after, STR("slow"));
	assert_non_null(s);
	assert_true(silence_left_ms(&after, s) > 3590000 && silence_left_ms(&after, s) <= 3600000);
	assert_true(str_eq(buf_str(&s->reason), STR("a \"reason\"\n")));
	assert_int_equal(s->who.uid, 7);
	k.now_ms += 3600001;
	silences_expire(&after);
	assert_null(silence_find(&after, STR("slow")));
	rule_free(r);
	silences_free(&before);
	silences_free(&after);
}

static void what_is_no_list_of_silences_is_left_alone(void **state)
{
	static const char *const ROWS[] = {
		"", "[", "{}", "7", "[7]", "[{}]", "[{\"alert\":\"a\"}]", "[{\"alert\":7,\"until_ms\":99999999999999}]",
		"[{\"alert\":\"a\",\"until_ms\":1}]", "[{\"alert\":\"a\",\"until_ms\":-1}]",
		"[{\"alert\":\"\",\"until_ms\":99999999999999}]",
	};
	struct alerts a;
	struct loop l;
	(void)state;
	init(&a, &l);
	for (size_t i = 0; i < countof(ROWS); i++) {
		restore(&a, ROWS[i]);
		assert_int_equal(a.silence_count, 0);
	}
	/* The clock was set: no longer than anybody may ask for. */
	restore(&a, "[{\"alert\":\"a\",\"until_ms\":99999999999999}]");
	assert_int_equal(silence_left_ms(&a, silence_find(&a, STR("a"))), SILENCE_MOST_MS);
	silences_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silences_survive),
		cmocka_unit_test(what_is_no_list_of_silences_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

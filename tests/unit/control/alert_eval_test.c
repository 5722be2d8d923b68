/* Conditions over time: windows, restarts of counts, what is not known, and rules that begin and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "control/alert_conf.h"
#include "control/alert_rule.h"

/* What the table's metrics say in the round that comes. */
static struct {
	double gauge;
	double count;
	bool has_count;
	double ready[3];             /* of pools a, b, c; less than 0: there is no such pool */
	unsigned more;               /* pools beside those */
	struct distribution time;
} WORLD;

static void tell_gauge(struct metric_out *out, const struct control *c, const struct sample *now)
{
	(void)c;
	(void)now;
	out->number(out, &(struct labels){}, WORLD.gauge);
}

static void tell_count(struct metric_out *out, const struct control *c, const struct sample *now)
{
	(void)c;
	(void)now;
	if (WORLD.has_count)
		out->number(out, &(struct labels){ { { "class", STR("5xx") } }, 1 }, WORLD.count);
}

static void tell_ready(struct metric_out *out, const struct control *c, const struct sample *now)
{
	static const char *const NAMES[] = { "a", "b", "c" };
	(void)c;
	(void)now;
	for (size_t i = 0; i < countof(NAMES); i++)
		if (WORLD.ready[i] >= 0)
			out->number(out, &(struct labels){ { { "pool", str_of(NAMES[i]) } }, 1 }, WORLD.ready[i]);
	for (unsigned i = 0; i < WORLD.more; i++) {
		char name[2] = { (char)('A' + i / 10), (char)('0' + i % 10) };
		out->number(out, &(struct labels){ { { "pool", str_make(name, 2) } }, 1 }, 1);
	}
}

static void tell_time(struct metric_out *out, const struct control *c, const struct sample *now)
{
	(void)c;
	(void)now;
	out->histogram(out, &(struct labels){ { { "route", STR("/api/*") } }, 1 }, &WORLD.time);
}

/* In the place of control/metric.c: this file's symbol is found first. */
const struct metric METRICS[] = {
	{ "petrel_gauge", "", METRIC_GAUGE, "", tell_gauge },
	{ "petrel_count_total", "", METRIC_COUNTER, "class", tell_count },
	{ "petrel_ready", "", METRIC_GAUGE, "pool", tell_ready },
	{ "petrel_seconds", "", METRIC_HISTOGRAM, "route", tell_time },
	{},
};

/* What a rule told, in its order: "+a" begins, "-a" ends. */
struct log {
	struct buf text;
	struct rule *rule;
	struct sample now;
};

static void begins(void *arg, struct instance *i)
{
	buf_addf(&((struct log *)arg)->text, "+%.*s@%llu ", STR_F(buf_str(&i->label)),
	         (unsigned long long)((struct log *)arg)->now.at_ms / 1000);
}

static void ends(void *arg, struct instance *i)
{
	buf_addf(&((struct log *)arg)->text, "-%.*s@%llu ", STR_F(buf_str(&i->label)),
	         (unsigned long long)((struct log *)arg)->now.at_ms / 1000);
}

static void begin(struct log *l, const char *when)
{
	*l = (struct log){ .now = { .at_ms = 1000000 } };
	for (size_t i = 0; i < countof(WORLD.ready); i++)
		WORLD.ready[i] = -1;
	WORLD.gauge = WORLD.count = 0;
	WORLD.has_count = true;
	WORLD.time = (struct distribution){};
	l->rule = rule_new(STR("r"), str_of(when), STR(""), &(struct items){}, false);
	link_init(&l->rule->link);
}

static void end(struct log *l)
{
	rule_free(l->rule);
	buf_fini(&l->text);
}

/* So many seconds, one look in each; per_s is added to the count each time. */
static void pass(struct log *l, unsigned seconds, double per_s)
{
	static const struct rule_ops OPS = { begins, ends };
	while (seconds--) {
		l->now.at_ms += 1000;
		WORLD.count += per_s;
		rule_look(l->rule, NULL, &l->now, 2000, &OPS, l);
	}
}

static struct instance *only(struct log *l)
{
	return container_of(l->rule->instances.next, struct instance, link);
}

static void told(struct log *l, const char *expected)
{
	buf_add_char(&l->text, '\0');
	assert_string_equal(l->text.p, expected);
	buf_clear(&l->text);
}

static void a_threshold_holds_for_a_time(void **state)
{
	struct log l;
	(void)state;
	begin(&l, "petrel_gauge > 10 for 3s");
	pass(&l, 2, 0);
	WORLD.gauge = 11;
	pass(&l, 2, 0);
	assert_int_equal(only(&l)->state, ALERT_PENDING);
	WORLD.gauge = 10;
	pass(&l, 1, 0);
	assert_int_equal(only(&l)->state, ALERT_FINE);
	WORLD.gauge = 12;
	pass(&l, 4, 0);
	told(&l, "+@1009 ");
	pass(&l, 5, 0);
	told(&l, "");
	/* Gone for less than two seconds is not gone. */
	WORLD.gauge = 0;
	pass(&l, 2, 0);
	WORLD.gauge = 12;
	pass(&l, 2, 0);
	told(&l, "");
	WORLD.gauge = 0;
	pass(&l, 3, 0);
	told(&l, "-@1021 ");
	end(&l);
}

static void a_rate_is_of_its_window(void **state)
{
	struct log l;
	(void)state;
	begin(&l, "rate(petrel_count_total(class=5xx), 12s) > 5");
	WORLD.count = 1000;
	pass(&l, 2, 1000);
	told(&l, "");                /* hardly anything is known yet */
	pass(&l, 30, 4);
	assert_true(only(&l)->value > 3.99 && only(&l)->value < 4.01);
	pass(&l, 12, 10);
	assert_true(only(&l)->value > 9.9 && only(&l)->value < 10.1);
	pass(&l, 14, 0);
	assert_true(only(&l)->value < 0.01);
	/* A count that begins anew is no rate of less than nothing, and none of millions. */
	WORLD.count = 5;
	pass(&l, 2, 1);
	assert_true(only(&l)->value != only(&l)->value);
	pass(&l, 10, 1);
	assert_true(only(&l)->value > 0.99 && only(&l)->value < 1.01);
	end(&l);
}

static void a_percentile_is_of_what_came_lately(void **state)
{
	struct log l;
	(void)state;
	begin(&l, "p99(route /api/*, 10s) > 500ms");
	WORLD.time.count = 1000;
	WORLD.time.bucket[90] = 1000;   /* before anybody looked: slow ones */
	pass(&l, 5, 0);
	told(&l, "");
	unsigned fast = 0;
	while (histogram_bound_us(fast) < 10000)
		fast++;
	for (int i = 0; i < 20; i++) {
		WORLD.time.count += 100;
		WORLD.time.bucket[fast] += 100;
		pass(&l, 1, 0);
	}
	told(&l, "");
	assert_true(only(&l)->value > 0.007 && only(&l)->value < 0.013);
	WORLD.time.count += 100;
	WORLD.time.bucket[90] += 100;
	pass(&l, 1, 0);
	told(&l, "+@1026 ");
	pass(&l, 14, 0);
	told(&l, "-@1038 ");
	end(&l);
}

static void a_change_is_against_the_time_before(void **state)
{
	struct log l;
	(void)state;
	begin(&l, "change(petrel_gauge, 10m) < -50% for 5s");
	WORLD.gauge = 100;
	pass(&l, 60, 0);
	WORLD.gauge = 10;
	pass(&l, 20, 0);
	told(&l, "");                /* too little is known of before */
	WORLD.gauge = 100;
	pass(&l, 600, 0);
	WORLD.gauge = 40;
	pass(&l, 10, 0);
	told(&l, "+@1686 ");
	assert_true(only(&l)->value < -0.5 && only(&l)->value > -0.61);
	WORLD.gauge = 90;
	pass(&l, 4, 0);
	told(&l, "-@1693 ");
	end(&l);
}

static void absence_and_what_is_not_known(void **state)
{
	struct log l;
	(void)state;
	begin(&l, "absent(petrel_count_total(class=5xx)) for 2s");
	pass(&l, 3, 0);
	told(&l, "");
	WORLD.has_count = false;
	pass(&l, 4, 0);
	told(&l, "+@1006 ");
	WORLD.has_count = true;
	pass(&l, 3, 0);
	told(&l, "-@1010 ");
	end(&l);
	begin(&l, "petrel_count_total != 7 or petrel_gauge / petrel_gauge > 0");
	WORLD.has_count = false;
	pass(&l, 3, 0);
	told(&l, "");
	end(&l);
}

static void each_pool_is_an_alert_of_its_own(void **state)
{
	struct log l;
	(void)state;
	begin(&l, "petrel_ready < 1 and petrel_gauge < 5 for 2s each pool");
	WORLD.ready[0] = 2;
	WORLD.ready[1] = 2;
	pass(&l, 3, 0);
	told(&l, "");
	WORLD.ready[1] = 0;
	pass(&l, 4, 0);
	told(&l, "+b@1006 ");
	WORLD.ready[2] = 0;
	pass(&l, 4, 0);
	told(&l, "+c@1010 ");
	/* A pool that is gone has no alert any more. */
	WORLD.ready[1] = -1;
	pass(&l, 3, 0);
	told(&l, "-b@1014 ");
	assert_int_equal(l.rule->instance_count, 2);
	WORLD.gauge = 9;
	pass(&l, 3, 0);
	told(&l, "-c@1017 ");
	end(&l);
}

static void wall_clocks_that_jump_change_nothing(void **state)
{
	struct log l;
	(void)state;
	begin(&l, "petrel_gauge > 10 for 5s");
	WORLD.gauge = 11;
	for (int i = 0; i < 5; i++) {
		l.now.wall_ms = i % 2 ? 0 : 4102444800000;
		pass(&l, 1, 0);
	}
	told(&l, "");
	pass(&l, 1, 0);
	told(&l, "+@1006 ");
	/* A look that comes late, since the machine slept: time has passed all the same. */
	WORLD.gauge = 0;
	pass(&l, 1, 0);
	l.now.at_ms += 3600000;
	pass(&l, 1, 0);
	told(&l, "-@4608 ");
	end(&l);
}

static void what_has_too_many_values_is_bounded(void **state)
{
	struct rule *r = rule_new(STR("r"), STR("petrel_ready < 1 each pool"), STR(""), &(struct items){}, false);
	struct log l = { .rule = r, .now = { .at_ms = 1000 } };
	(void)state;
	link_init(&r->link);
	WORLD.ready[0] = WORLD.ready[1] = WORLD.ready[2] = 1;
	pass(&l, 1, 0);
	assert_int_equal(r->instance_count, 3);
	assert_false(r->overflowed);
	WORLD.more = 200;
	pass(&l, 2, 0);
	assert_int_equal(r->instance_count, INSTANCES_MOST);
	assert_true(r->overflowed);
	WORLD.more = 0;
	pass(&l, 1, 0);
	assert_int_equal(r->instance_count, 3);
	rule_free(r);
}

static void outcomes_are_kept_by_way(void **state)
{
	struct rule *r = rule_new(STR("r"), STR("petrel_gauge > 1"), STR(""), &(struct items){}, false);
	(void)state;
	link_init(&r->link);
	rule_note(r, STR("sms"), TELL_BEGIN, false, STR("no"), 1);
	rule_note(r, STR("mail"), TELL_BEGIN, true, STR("yes"), 2);
	rule_note(r, STR("sms"), TELL_END, true, STR("yes"), 3);
	const struct rule_notice *n = container_of(r->notices.next, struct rule_notice, link);
	assert_true(str_eq(buf_str(&n->way), STR("sms")) && n->fine && n->what == TELL_END && n->wall_ms == 3);
	assert_ptr_equal(r->notices.next->next->next, &r->notices);
	for (char c = 'a'; c <= 'z'; c++)
		rule_note(r, str_make(&c, 1), TELL_BEGIN, true, STR("yes"), 4);
	unsigned count = 0;
	for (struct link *l = r->notices.next; l != &r->notices; l = l->next)
		count++;
	assert_int_equal(count, NOTIFIES_MOST);
	rule_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_threshold_holds_for_a_time),
		cmocka_unit_test(a_rate_is_of_its_window),
		cmocka_unit_test(a_percentile_is_of_what_came_lately),
		cmocka_unit_test(a_change_is_against_the_time_before),
		cmocka_unit_test(absence_and_what_is_not_known),
		cmocka_unit_test(each_pool_is_an_alert_of_its_own),
		cmocka_unit_test(wall_clocks_that_jump_change_nothing),
		cmocka_unit_test(what_has_too_many_values_is_bounded),
		cmocka_unit_test(outcomes_are_kept_by_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

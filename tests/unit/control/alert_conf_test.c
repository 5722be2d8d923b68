/* Alerts in the configuration: messages about mistakes, the built-in rules, URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../config/golden.h"
#include "control/alert_conf.h"
#include "control/alert_expr.h"
#include "main/modules.h"

static void mistakes_are_told(void **state)
{
	(void)state;
	golden_all("tests/golden/alerts/*.conf", MODULES, MODULE_COUNT);
}

static void builtin_rules_are_right(void **state)
{
	(void)state;
	for (size_t i = 0; ALERT_BUILTINS[i].name; i++) {
		const struct alert_builtin *b = &ALERT_BUILTINS[i];
		struct arena arena;
		struct expr e;
		struct expr_error error;
		arena_init(&arena, NULL, 0);
		if (expr_parse(&arena, METRICS, str_of(b->when), &e, &error))
			fail_msg("%s: %s", b->name, error.text);
		arena_fini(&arena);
	}
}

static struct conf *built(const char *text)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	sources_from_text(&s, STR("test.conf"), STR("/"), str_of(text));
	assert_int_equal(conf_build(&s, MODULES, MODULE_COUNT, false, &m, &c), 0);
	messages_fini(&m);
	sources_fini(&s);
	return c;
}

/* The names that `builtin` takes are those of the table, in its order. */
static void builtin_rules_are_switched(void **state)
{
	(void)state;
	struct conf *none = built(""), *all = built("alerts { builtin off; }");
	size_t count = 0;
	for (; ALERT_BUILTINS[count].name; count++) {
		struct buf text = {};
		buf_addf(&text, "alerts { builtin off %s; }%c", ALERT_BUILTINS[count].name, '\0');
		struct conf *one = built(text.p);
		for (size_t k = 0; ALERT_BUILTINS[k].name; k++)
			assert_int_equal(alert_builtin_is_on(conf_alerts(one), k), k != count);
		assert_true(alert_builtin_is_on(conf_alerts(none), count));
		assert_false(alert_builtin_is_on(conf_alerts(all), count));
		conf_free(one);
		buf_fini(&text);
	}
	assert_true(count > 5);
	conf_free(none);
	conf_free(all);
}

static void urls_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		bool tls;
		const char *host, *port, *authority, *target;
	} ROWS[] = {
		{ "https://example.org", true, "example.org", "443", "example.org", "" },
		{ "http://example.org/x?y=/z", false, "example.org", "80", "example.org", "/x?y=/z" },
		{ "https://example.org:8443/", true, "example.org", "8443", "example.org:8443", "/" },
		{ "http://example.org?x=1", false, "example.org", "80", "example.org", "?x=1" },
		{ "https://[2001:db8::1]/x#y", true, "2001:db8::1", "443", "[2001:db8::1]", "/x" },
		{ "https://[::1]:81/x", true, "::1", "81", "[::1]:81", "/x" },
	};
	static const char *const WRONG[] = { "", "example.org", "ftp://x/", "https://", "https:///x", "https://a:b@c/",
		                             "https://a:/", "https://a:0/", "https://a:65536/", "https://[::1/x",
		                             "https://a b/" };
	struct url url;
	const char *why;
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		if (url_parse(str_of(ROWS[i].text), &url, &why))
			fail_msg("%s: %s", ROWS[i].text, why);
		assert_int_equal(url.tls, ROWS[i].tls);
		assert_true(str_eq(url.host, str_of(ROWS[i].host)));
		assert_true(str_eq(url.port, str_of(ROWS[i].port)));
		assert_true(str_eq(url.authority, str_of(ROWS[i].authority)));
		assert_true(str_eq(url.target, str_of(ROWS[i].target)));
	}
	for (size_t i = 0; i < countof(WRONG); i++)
		if (!url_parse(str_of(WRONG[i]), &url, &why))
			fail_msg("%s: was accepted", WRONG[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(builtin_rules_are_right),
		cmocka_unit_test(builtin_rules_are_switched),
		cmocka_unit_test(urls_are_taken_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* header, header_add, header_remove and expires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "served.h"

static void fields(void **state)
{
	(void)state;
	struct served s;
	served_open(&s, "header X-Site outer; header Both outer;\n"
	                "site * { header Both inner;\n"
	                " route /a/* { header X-Part \"$1-$field_x\"; header_add X-Site second; respond 200 a; }\n"
	                " route /gone { header Content-Type \"\"; header_remove content-type; respond 200 a; }\n"
	                " route /replaced { header Content-Type text/x; respond 200 a; }\n"
	                " route /error { header X-Always yes always; respond 500 a; }\n"
	                "}");
	served_get(&s, GET_WITH("/a/b", "X: \xc3\xa4 y"));
	assert_has(&s, "\nX-Site: outer\nBoth: inner\nX-Part: b-\xc3\xa4 y\nX-Site: second\n");
	assert_lacks(&s, "Both: outer");
	served_get(&s, GET_WITH("/a/b", "X: one\ttwo"));
	assert_has(&s, "\nX-Part: b-one two\n");
	served_get(&s, GET("/gone"));
	assert_lacks(&s, "Content-Type");
	served_get(&s, GET("/replaced"));
	assert_has(&s, "\nContent-Type: text/x\n");
	assert_lacks(&s, "text/plain");
	served_get(&s, GET("/error"));
	assert_has(&s, "\nX-Always: yes\n");
	assert_lacks(&s, "X-Site");
	served_get(&s, GET("/nowhere"));
	assert_lacks(&s, "X-Site");
	served_close(&s);
}

static void expires(void **state)
{
	(void)state;
	static const struct {
		const char *conf, *control, *date;
	} ROWS[] = {
		{ "expires 30d;", "\nCache-Control: max-age=2592000\n", "\nExpires: " },
		{ "expires 90s;", "\nCache-Control: max-age=90\n", "\nExpires: " },
		{ "expires epoch;", "\nCache-Control: no-cache\n", "\nExpires: Thu, 01 Jan 1970 00:00:00 GMT\n" },
		{ "expires max;", "\nCache-Control: max-age=315360000\n", "\nExpires: " },
		{ "expires 1d; header Cache-Control private;", "\nCache-Control: private\n", "\nExpires: " },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		char conf[256];
		struct served s;
		snprintf(conf, sizeof conf, "site * { %s route /a { respond 200; } route /off { expires off; respond 200; } }",
		         ROWS[i].conf);
		served_open(&s, conf);
		served_get(&s, GET("/a"));
		assert_has(&s, ROWS[i].control);
		assert_has(&s, ROWS[i].date);
		served_get(&s, GET("/off"));
		assert_lacks(&s, "Expires");
		served_get(&s, GET("/nowhere"));
		assert_lacks(&s, "Expires");
		served_close(&s);
	}
}

/* Refused while the configuration is read. */
static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *conf, *says;
	} ROWS[] = {
		{ "header \"a b\" c;", "can't be a field's name" },
		{ "header \"\" c;", "can't be a field's name" },
		{ "header Content-Length 1;", "follows from how an answer is sent" },
		{ "header_remove transfer-encoding;", "follows from how an answer is sent" },
		{ "header X \"a\\nb\";", "control character" },
		{ "header X $nope;", "no variable" },
		{ "expires never;", "expires" },
		{ "expires -1;", "expires" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct sources sources = {};
		struct messages m = {};
		struct buf out = {};
		struct conf *c = NULL;
		sources_from_text(&sources, STR("test.conf"), STR("/"), str_of(ROWS[i].conf));
		assert_int_not_equal(conf_build(&sources, MODULES, MODULE_COUNT, false, &m, &c), 0);
		messages_print(&m, false, &out);
		buf_add_char(&out, '\0');
		if (!strstr(out.p, ROWS[i].says))
			fail_msg("%s: %s", ROWS[i].conf, out.p);
		buf_fini(&out);
		messages_fini(&m);
		sources_fini(&sources);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(fields), cmocka_unit_test(expires), cmocka_unit_test(refused) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

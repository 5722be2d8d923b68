/* allow and deny: the smallest network that holds the client decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "served.h"

static const struct {
	const char *conf, *peer;
	unsigned status;
} ROWS[] = {
	{ "", "192.0.2.1", 200 },
	{ "allow 127.0.0.0/8;", "127.0.0.1", 200 },
	{ "allow 127.0.0.0/8;", "192.0.2.1", 403 },
	{ "allow 127.0.0.0/8;", "::1", 403 },
	{ "allow 127.0.0.0/8 ::1;", "::1", 200 },
	{ "deny 192.0.2.0/24;", "192.0.2.1", 403 },
	{ "deny 192.0.2.0/24;", "198.51.100.1", 200 },
	{ "deny all;", "::1", 403 },
	{ "allow 10.0.0.0/8; deny 10.0.0.5;", "10.0.0.5", 403 },
	{ "deny 10.0.0.5; allow 10.0.0.0/8;", "10.0.0.5", 403 },
	{ "allow 10.0.0.0/8; deny 10.0.0.5;", "10.0.0.6", 200 },
	{ "allow 10.0.0.5; deny 10.0.0.0/8;", "10.0.0.5", 200 },
	{ "allow 10.0.0.5; deny 10.0.0.0/8;", "10.0.0.6", 403 },
	{ "deny all; allow 10.0.0.5;", "10.0.0.5", 200 },
	{ "deny all; allow 0.0.0.0/0;", "10.0.0.5", 200 },
	{ "deny all; allow 0.0.0.0/0;", "::1", 403 },
	{ "allow 10.0.0.5; deny 10.0.0.5;", "10.0.0.5", 403 },
	{ "deny all; allow unix;", "unix", 200 },
	{ "deny unix;", "10.0.0.1", 200 },
	{ "deny unix;", "unix", 403 },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		char conf[256];
		struct served s;
		snprintf(conf, sizeof conf, "site * { route * { %s respond 200; } }", ROWS[i].conf);
		served_open(&s, conf);
		served_ask(&s, GET("/"), ROWS[i].peer);
		if (s.r->answer.status != ROWS[i].status)
			fail_msg("%s for %s: %u", ROWS[i].conf, ROWS[i].peer, s.r->answer.status);
		served_close(&s);
	}
}

/* What is said further out holds further in. */
static void inherited(void **state)
{
	(void)state;
	struct served s;
	served_open(&s, "deny 10.0.0.5; site * { route /a { allow 10.0.0.0/8; respond 200; } route * { respond 200; } }");
	served_ask(&s, GET("/a"), "10.0.0.5");
	assert_int_equal(s.r->answer.status, 403);
	served_ask(&s, GET("/b"), "10.0.0.5");
	assert_int_equal(s.r->answer.status, 403);
	served_ask(&s, GET("/a"), "10.0.0.6");
	assert_int_equal(s.r->answer.status, 200);
	served_ask(&s, GET("/a"), "11.0.0.6");
	assert_int_equal(s.r->answer.status, 403);
	served_ask(&s, GET("/b"), "11.0.0.6");
	assert_int_equal(s.r->answer.status, 200);
	served_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(inherited) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

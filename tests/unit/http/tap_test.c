/* Which requests a tap wants, and what is no tap; and how many a second there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "http/tap.h"

static const struct {
	const char *query;
	bool wants;
	const char *wrong;   /* a part of what is said */
} ROWS[] = {
	{ "", true },
	{ "host=example.org", true },
	{ "host=EXAMPLE.org", true },
	{ "host=other", false },
	{ "path=/a/*", true },
	{ "path=*.php", false },
	{ "path=%2Fa%2Fb", true },
	{ "client=192.0.2.7", true },
	{ "client=192.0.2.0/24", true },
	{ "client=::1", false },
	{ "route=/a/*", false },
	{ "status=5xx&slow=100&max-rate=5&secrets=true", true },
	{ "host=example.org&path=/b", false },
	{ "path=a", false, "has to begin" },
	{ "path=~+(", false, "path" },
	{ "client=nobody", false, "client" },
	{ "client=192.0.2.7/24", false, "client" },
	{ "status=600", false, "such as 404" },
	{ "status=0xx", false, "such as 404" },
	{ "status=99", false, "such as 404" },
	{ "status=", false, "such as 404" },
	{ "slow=0", false, "number" },
	{ "slow=x", false, "number" },
	{ "max-rate=0", false, "number" },
	{ "max-rate=1001", false, "number" },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asked a;
		struct buf why = {};
		struct req *r = asked_init(&a, METHOD_GET, "");
		struct tap *t = tap_new(str_of(ROWS[i].query), &why);
		r->ask.host = STR("example.org");
		r->ask.path = STR("/a/b");
		r->peer = (struct ip){ .family = AF_INET, .bytes = { 192, 0, 2, 7 } };
		buf_add_char(&why, '\0');
		if ((t == NULL) != (ROWS[i].wrong != NULL) || (!t && !strstr(why.p, ROWS[i].wrong)) ||
		    (t && tap_wants(t, r) != ROWS[i].wants))
			fail_msg("%s: %s", ROWS[i].query, why.p);
		if (t)
			tap_free(t);
		buf_fini(&why);
		asked_fini(&a);
	}
}

static void a_quota(void **state)
{
	struct quota *q = quota_new(3);
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(quota_take(q, 5000), i < 3);
	assert_int_equal(quota_refused(q), 7);
	assert_true(quota_take(q, 6000));
	/* A clock that is a little behind. */
	assert_true(quota_take(q, 5999));
	assert_true(quota_take(q, 6999));
	assert_false(quota_take(q, 6999));
	assert_true(quota_take(q, 7000));
	quota_get(q);
	quota_put(q);
	quota_put(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(a_quota) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

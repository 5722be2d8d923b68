/* Routes that clients can't ask for, and what an application's answer gives to the file in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "served.h"

static void only_from_inside(void **state)
{
	(void)state;
	struct served s;
	served_open(&s, "site * {\n    root /nonexistent;\n"
	                "    route /inside/* { internal; respond 200 inside; }\n"
	                "    route /deep/* { internal; files { try /inside/a; } }\n"
	                "    route /twice/* { internal; internal; respond 200 twice; }\n"
	                "    route * { files { try /deep/$path; } }\n"
	                "}\n");
	served_get(&s, GET("/inside/a"));
	assert_has(&s, "404\n");
	served_get(&s, GET("/deep/a"));
	assert_has(&s, "404\n");
	served_get(&s, GET("/twice/a"));
	assert_has(&s, "404\n");
	served_get(&s, GET("/else"));
	assert_has(&s, "200\n");
	assert_has(&s, "inside");
	served_close(&s);
}

/* All of it goes with a 200, cookies alone with what went wrong. */
static void kept_fields(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		bool type, control;
	} ROWS[] = { { 200, true, true }, { 206, true, true }, { 304, false, true }, { 404, false, false } };
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct served s;
		char conf[128];
		snprintf(conf, sizeof conf, "site * { route * { respond %u text type a/b; } }\n", ROWS[i].status);
		served_open(&s, conf);
		s.kept[0] = (struct field){ STR("content-type"), STR("c/d"), FIELD_OTHER };
		s.kept[1] = (struct field){ STR("Set-Cookie"), STR("e=f"), FIELD_OTHER };
		s.kept[2] = (struct field){ STR("Set-Cookie"), STR("g=h"), FIELD_OTHER };
		s.kept[3] = (struct field){ STR("Cache-Control"), STR("no-store"), FIELD_OTHER };
		s.kept_count = 4;
		served_get(&s, GET("/"));
		assert_has(&s, "Set-Cookie: e=f\n");
		assert_has(&s, "Set-Cookie: g=h\n");
		assert_int_equal(served_has(&s, "content-type: c/d\n"), ROWS[i].type);
		assert_int_equal(served_has(&s, "Content-Type: a/b\n"), !ROWS[i].type);
		assert_int_equal(served_has(&s, "Cache-Control: no-store\n"), ROWS[i].control);
		served_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest TESTS[] = { cmocka_unit_test(only_from_inside), cmocka_unit_test(kept_fields) };
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

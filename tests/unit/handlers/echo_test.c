/* echo: the request as JSON, its body pulled with waits in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "served.h"

static json_t *parsed(const struct served *s)
{
	const char *body = strstr(s->text.p, "\n\n") + 2;
	json_error_t error;
	json_t *j = json_loads(body, JSON_ALLOW_NUL, &error);
	if (!j)
		fail_msg("%s in %s", error.text, body);
	return j;
}

static void head(void **state)
{
	(void)state;
	struct served s;
	served_open(&s, "site * { route * { echo; } }");
	served_get(&s, "PUT /a/../b%20c?x=\"y\"&%ff HTTP/1.1\r\nHost: A:81\r\nX-Raw: \xff\"\\\r\nx-raw: two\r\n\r\n");
	json_t *j = parsed(&s);
	assert_string_equal(json_string_value(json_object_get(j, "method")), "PUT");
	assert_string_equal(json_string_value(json_object_get(j, "path")), "/b c");
	assert_string_equal(json_string_value(json_object_get(j, "query")), "x=\"y\"&%ff");
	assert_string_equal(json_string_value(json_object_get(j, "host")), "a");
	assert_int_equal(json_integer_value(json_object_get(j, "port")), 81);
	json_t *fields = json_object_get(j, "fields");
	assert_int_equal(json_array_size(fields), 3);
	assert_string_equal(json_string_value(json_array_get(json_array_get(fields, 1), 1)), "\xc3\xbf\"\\");
	json_decref(j);
	served_get(&s, GET("/"));
	j = parsed(&s);
	assert_true(json_is_null(json_object_get(j, "query")));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "body"), "length")), 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "body"), "xxh64")), "ef46db3751d8e999");
	json_decref(j);
	served_close(&s);
}

static void body(void **state)
{
	(void)state;
	struct served s;
	char *bytes = mem_new(100000);
	memset(bytes, 'x', 100000);
	bytes[1] = '\0';
	served_open(&s, "site * { route * { echo; } }");
	s.upload_bytes = str_make(bytes, 100000);
	served_get(&s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	json_t *j = parsed(&s), *b = json_object_get(j, "body");
	assert_int_equal(json_integer_value(json_object_get(b, "length")), 100000);
	assert_true(served_has(&s, "\"first\": \"x\\u0000xx"));
	assert_int_equal(s.waits, 100);
	json_decref(j);
	mem_free(bytes);
	served_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(head), cmocka_unit_test(body) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names of fields and methods, and comma-separated lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/head.h"

static const struct {
	const char *list, *elements;   /* each in brackets */
} LISTS[] = {
	{ "", "" },
	{ ",", "" },
	{ " , ,\t,", "" },
	{ "a", "[a]" },
	{ " a ", "[a]" },
	{ "a,b", "[a][b]" },
	{ ",a,, b c ,", "[a][b c]" },
	{ "a;q=\"x,y\",b", "[a;q=\"x,y\"][b]" },
	{ "\"a\\\",b\",c", "[\"a\\\",b\"][c]" },
	{ "\"a,b", "[\"a,b]" },
	{ "\"a\\", "[\"a\\]" },
	{ "a\\,b", "[a\\][b]" },
};

static void lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(LISTS); i++) {
		struct buf got = {};
		size_t n = strlen(LISTS[i].list);
		char *exact = mem_new(n);
		memcpy(exact, LISTS[i].list, n);
		struct str rest = { exact, n }, element;
		while (list_next(&rest, &element))
			buf_addf(&got, "[%.*s]", STR_F(element));
		if (!str_eq(buf_str(&got), str_of(LISTS[i].elements)))
			fail_msg("%s: %.*s", LISTS[i].list, STR_F(buf_str(&got)));
		buf_fini(&got);
		mem_free(exact);
	}
}

static void list_members(void **state)
{
	(void)state;
	assert_true(list_has(STR("keep-alive, Upgrade"), STR("upgrade")));
	assert_true(list_has(STR("close"), STR("close")));
	assert_true(list_has(STR("\" x, close"), STR("close")));
	assert_true(list_has(STR("x=\"y, close , z\""), STR("close")));
	assert_false(list_has(STR("closed, x-close, \"close\""), STR("close")));
	assert_false(list_has(STR(""), STR("close")));
}

/* Each id has a name that is found: the table is sorted by hand. */
static void field_ids(void **state)
{
	static const char *NAMES[FIELD_IDS] = {
		[FIELD_ACCEPT] = "Accept",
		[FIELD_ACCEPT_ENCODING] = "Accept-Encoding",
		[FIELD_AGE] = "Age",
		[FIELD_AUTHORIZATION] = "Authorization",
		[FIELD_CACHE_CONTROL] = "Cache-Control",
		[FIELD_CONNECTION] = "Connection",
		[FIELD_CONTENT_LENGTH] = "Content-Length",
		[FIELD_CONTENT_TYPE] = "Content-Type",
		[FIELD_COOKIE] = "Cookie",
		[FIELD_DATE] = "Date",
		[FIELD_ETAG] = "ETag",
		[FIELD_EXPECT] = "Expect",
		[FIELD_EXPIRES] = "Expires",
		[FIELD_HOST] = "Host",
		[FIELD_IF_MATCH] = "If-Match",
		[FIELD_IF_MODIFIED_SINCE] = "If-Modified-Since",
		[FIELD_IF_NONE_MATCH] = "If-None-Match",
		[FIELD_IF_RANGE] = "If-Range",
		[FIELD_IF_UNMODIFIED_SINCE] = "If-Unmodified-Since",
		[FIELD_LAST_MODIFIED] = "Last-Modified",
		[FIELD_PRAGMA] = "Pragma",
		[FIELD_RANGE] = "Range",
		[FIELD_REFERER] = "Referer",
		[FIELD_SET_COOKIE] = "Set-Cookie",
		[FIELD_TE] = "TE",
		[FIELD_TRANSFER_ENCODING] = "Transfer-Encoding",
		[FIELD_UPGRADE] = "Upgrade",
		[FIELD_USER_AGENT] = "User-Agent",
		[FIELD_VARY] = "Vary",
	};
	(void)state;
	for (int id = FIELD_OTHER + 1; id < FIELD_IDS; id++)
		assert_int_equal(field_id(str_of(NAMES[id])), id);
}

static void field_names(void **state)
{
	(void)state;
	assert_int_equal(field_id(STR("a-name-that-is-longer-than-any")), FIELD_OTHER);
	assert_int_equal(field_id(STR("host")), FIELD_HOST);
	assert_int_equal(field_id(STR("HOST")), FIELD_HOST);
	assert_int_equal(field_id(STR("If-Unmodified-Since")), FIELD_IF_UNMODIFIED_SINCE);
	assert_int_equal(field_id(STR("transfer-ENCODING")), FIELD_TRANSFER_ENCODING);
	assert_int_equal(field_id(STR("transfer_encoding")), FIELD_OTHER);
	assert_int_equal(field_id(STR("hos")), FIELD_OTHER);
	assert_int_equal(field_id(STR("hosts")), FIELD_OTHER);
	assert_int_equal(field_id(STR("")), FIELD_OTHER);
}

static void methods(void **state)
{
	(void)state;
	assert_int_equal(method_of(STR("GET")), METHOD_GET);
	assert_int_equal(method_of(STR("CONNECT")), METHOD_CONNECT);
	assert_int_equal(method_of(STR("get")), METHOD_OTHER);
	assert_int_equal(method_of(STR("")), METHOD_OTHER);
}

static void tokens(void **state)
{
	(void)state;
	static const char TCHARS[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		assert_int_equal(str_is_token(str_make(&c, 1)), c && strchr(TCHARS, c));
	}
	assert_false(str_is_token(STR("")));
	assert_false(str_is_token(STR("a b")));
}

static void reasons(void **state)
{
	(void)state;
	assert_true(str_eq(status_reason(404), STR("Not Found")));
	assert_true(str_eq(status_reason(299), STR("Unknown")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lists), cmocka_unit_test(list_members),
		                            cmocka_unit_test(field_ids), cmocka_unit_test(field_names), cmocka_unit_test(methods),
		                            cmocka_unit_test(tokens), cmocka_unit_test(reasons) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

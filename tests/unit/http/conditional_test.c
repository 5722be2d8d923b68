/* Conditional requests: every field alone, and their order of precedence (RFC 9110, 13.2.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "http/conditional.h"

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define THEN   "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

enum { THEN_S = 784111777 };

static const struct {
	enum method method;
	const char *fields;
	unsigned status;
} ROWS[] = {
	{ METHOD_GET, "", 0 },
	{ METHOD_GET, "If-Match: \"a\"", 0 },
	{ METHOD_GET, "If-Match: \"b\"", 412 },
	{ METHOD_GET, "If-Match: \"b\", \"a\"", 0 },
	{ METHOD_GET, "If-Match: \"b\" ,, \"a\"", 0 },
	{ METHOD_GET, "If-Match: \"b\"\nIf-Match: \"a\"", 0 },
	{ METHOD_GET, "If-Match: W/\"a\"", 412 },
	{ METHOD_GET, "If-Match: *", 0 },
	{ METHOD_GET, "If-Match: a", 412 },
	{ METHOD_GET, "If-Match: \"b\\\", \"a\"", 0 },
	{ METHOD_GET, "If-Match: \"b\" \"a\"", 412 },
	{ METHOD_GET, "If-Match: \"a", 412 },
	{ METHOD_POST, "If-Match: \"b\"", 412 },
	{ METHOD_GET, "If-None-Match: \"a\"", 304 },
	{ METHOD_HEAD, "If-None-Match: \"a\"", 304 },
	{ METHOD_PUT, "If-None-Match: \"a\"", 412 },
	{ METHOD_GET, "If-None-Match: W/\"a\"", 304 },
	{ METHOD_GET, "If-None-Match: w/\"a\"", 0 },
	{ METHOD_GET, "If-None-Match: \"b\", W/\"c\"", 0 },
	{ METHOD_GET, "If-None-Match: \"b\", W/\"a\"", 304 },
	{ METHOD_GET, "If-None-Match: *", 304 },
	{ METHOD_PUT, "If-None-Match: *", 412 },
	{ METHOD_GET, "If-None-Match: a", 0 },
	{ METHOD_GET, "If-Modified-Since: " BEFORE, 0 },
	{ METHOD_GET, "If-Modified-Since: " THEN, 304 },
	{ METHOD_HEAD, "If-Modified-Since: " AFTER, 304 },
	{ METHOD_POST, "If-Modified-Since: " AFTER, 0 },
	{ METHOD_GET, "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304 },
	{ METHOD_GET, "If-Modified-Since: Sun Nov  6 08:49:37 1994", 304 },
	{ METHOD_GET, "If-Modified-Since: yesterday", 0 },
	{ METHOD_GET, "If-Modified-Since: " THEN "\nIf-Modified-Since: " THEN, 0 },
	{ METHOD_GET, "If-Unmodified-Since: " BEFORE, 412 },
	{ METHOD_GET, "If-Unmodified-Since: " THEN, 0 },
	{ METHOD_GET, "If-Unmodified-Since: tomorrow", 0 },
	{ METHOD_PUT, "If-Unmodified-Since: " BEFORE, 412 },
	/* The ETag's field makes the date's field void. */
	{ METHOD_GET, "If-Match: \"a\"\nIf-Unmodified-Since: " BEFORE, 0 },
	{ METHOD_GET, "If-None-Match: \"b\"\nIf-Modified-Since: " AFTER, 0 },
	{ METHOD_GET, "If-None-Match: \"a\"\nIf-Modified-Since: " BEFORE, 304 },
	/* What fails stands before what was not changed. */
	{ METHOD_GET, "If-Match: \"b\"\nIf-None-Match: \"a\"", 412 },
	{ METHOD_GET, "If-Match: \"a\"\nIf-None-Match: \"a\"", 304 },
	{ METHOD_GET, "If-Unmodified-Since: " BEFORE "\nIf-None-Match: \"a\"", 412 },
	{ METHOD_GET, "If-Unmodified-Since: " AFTER "\nIf-Modified-Since: " AFTER, 304 },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asked a;
		unsigned status = conditional(asked_init(&a, ROWS[i].method, ROWS[i].fields), STR("\"a\""), THEN_S);
		if (status != ROWS[i].status)
			fail_msg("%s: %u", ROWS[i].fields, status);
		asked_fini(&a);
	}
}

/* A thing that has neither ETag nor date. */
static void bare(void **state)
{
	(void)state;
	static const struct {
		const char *fields;
		unsigned status;
	} BARE[] = {
		{ "If-Match: \"\"", 412 },
		{ "If-Match: *", 0 },
		{ "If-None-Match: \"\"", 0 },
		{ "If-Modified-Since: " AFTER, 0 },
		{ "If-Unmodified-Since: " BEFORE, 0 },
	};
	for (size_t i = 0; i < countof(BARE); i++) {
		struct asked a;
		struct req *r = asked_init(&a, METHOD_GET, BARE[i].fields);
		assert_int_equal(conditional(r, (struct str){}, -1), BARE[i].status);
		asked_fini(&a);
	}
}

static void if_range(void **state)
{
	(void)state;
	static const struct {
		const char *fields;
		bool applies;
	} IF_RANGE[] = {
		{ "", true },
		{ "If-Range: \"a\"", true },
		{ "If-Range: \"b\"", false },
		{ "If-Range: W/\"a\"", false },
		{ "If-Range: " THEN, true },
		{ "If-Range: " AFTER, false },
		{ "If-Range: " BEFORE, false },
		{ "If-Range: a", false },
		{ "If-Range: \"a\", \"b\"", false },
	};
	for (size_t i = 0; i < countof(IF_RANGE); i++) {
		struct asked a;
		struct req *r = asked_init(&a, METHOD_GET, IF_RANGE[i].fields);
		if (range_applies(r, STR("\"a\""), THEN_S) != IF_RANGE[i].applies)
			fail_msg("%s", IF_RANGE[i].fields);
		asked_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(bare), cmocka_unit_test(if_range) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

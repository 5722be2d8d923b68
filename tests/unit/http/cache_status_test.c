/* Cache-Status: the examples of RFC 9211 as far as they apply, and that whatever is printed can be read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/cache_status.h"
#include "http/sf.h"

static const struct {
	struct cache_status status;
	const char *text;
} ROWS[] = {
	{ { .cached = CACHED_HIT, .ttl_s = 376 }, "petrel; hit; ttl=376" },
	{ { .cached = CACHED_HIT, .ttl_s = INT64_MIN }, "petrel; hit" },
	{ { .cached = CACHED_STALE, .ttl_s = -412 }, "petrel; hit; ttl=-412" },
	{ { .cached = CACHED_HIT, .ttl_s = 0, .tier = { "memory", 6 } }, "petrel; hit; ttl=0; detail=memory" },
	{ { .cached = CACHED_MISS, .forward = FORWARD_URI_MISS, .ttl_s = INT64_MIN, .stored = true },
	  "petrel; fwd=uri-miss; stored" },
	{ { .cached = CACHED_JOINED, .forward = FORWARD_URI_MISS, .ttl_s = INT64_MIN, .collapsed = true },
	  "petrel; fwd=uri-miss; collapsed" },
	{ { .cached = CACHED_RENEWED, .forward = FORWARD_STALE, .origin_status = 304, .ttl_s = 60, .stored = true },
	  "petrel; fwd=stale; fwd-status=304; stored; ttl=60" },
	{ { .cached = CACHED_BYPASS, .forward = FORWARD_BYPASS, .ttl_s = INT64_MIN }, "petrel; fwd=bypass" },
	{ { .cached = CACHED_BYPASS, .forward = FORWARD_METHOD, .ttl_s = INT64_MIN }, "petrel; fwd=method" },
	{ { .cached = CACHED_MISS, .forward = FORWARD_VARY_MISS, .ttl_s = INT64_MIN, .why = STORED_SET_COOKIE },
	  "petrel; fwd=vary-miss; detail=set-cookie" },
	{ { .cached = CACHED_HIT, .ttl_s = 1, .key = { "http://a/\"b\\c\n\xc3", 15 } },
	  "petrel; hit; ttl=1; key=\"http://a/\\\"b\\\\c%0A%C3\"" },
};

static void is_structured(struct str text)
{
	struct sf member;
	assert_int_equal(sf_list_next(&text, &member), 1);
	assert_int_equal(sf_list_next(&text, &member), 0);
}

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct arena a;
		arena_init(&a, NULL, 0);
		struct str text = cache_status_print(&a, &ROWS[i].status);
		if (!str_eq(text, str_of(ROWS[i].text)))
			fail_msg("%s: %.*s", ROWS[i].text, STR_F(text));
		is_structured(text);
		arena_fini(&a);
	}
}

/* Every reason, the longest numbers and keys: what is printed fits, and is a token where it has to be one. */
static void longest(void **state)
{
	(void)state;
	static char key[4096];
	memset(key, '\xff', sizeof key);
	for (int why = STORED_YES; why <= STORED_OTHER; why++) {
		struct arena a;
		arena_init(&a, NULL, 0);
		struct cache_status s = { .cached = CACHED_MISS, .forward = FORWARD_VARY_MISS, .origin_status = 4294967295u,
			                  .ttl_s = INT64_MIN + 1, .stored = true, .collapsed = true, .why = (enum stored)why,
			                  .key = { key, sizeof key } };
		assert_true(str_is_token(stored_name((enum stored)why)));
		assert_true(str_ends(str_of(stored_sentence((enum stored)why)), STR(".")));
		struct str text = cache_status_print(&a, &s);
		assert_true(text.n < sizeof key);
		arena_fini(&a);
	}
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(cached_name(CACHED_NONE).n, 0);
	for (int c = CACHED_HIT; c <= CACHED_BYPASS; c++)
		assert_true(str_is_token(cached_name((enum cached)c)));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(longest), cmocka_unit_test(names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Caches: which requests and URLs have which key, and caches by their names over snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "http/cache.h"

/* --- Keys. --- */

static struct str ignored[] = { { "utm_*", 5 }, { "fbclid", 6 } };

static struct cache_rules rules_of(bool ignores, bool sorts)
{
	struct cache_rules rules = { .sort_query = sorts };
	if (ignores)
		rules.ignore = (struct items){ .p = ignored, .count = countof(ignored) };
	return rules;
}

static void keys(void **state)
{
	static const struct {
		const char *target, *host;
		uint16_t port;
		bool ignores, sorts;
		const char *key, *asked;      /* what the origin is asked for */
	} ROWS[] = {
		{ "/", "a", 0, 0, 0, "a/", "/" },
		{ "/x?b=2&a=1", "a", 0, 0, 0, "a/x?b=2&a=1", "/x?b=2&a=1" },
		{ "/x?b=2&a=1", "a", 0, 0, 1, "a/x?a=1&b=2", "/x?a=1&b=2" },
		/* A name without a value, the same name twice, in their order. */
		{ "/x?b&a&b=1&a", "a", 0, 0, 1, "a/x?a&a&b&b=1", "/x?a&a&b&b=1" },
		{ "/x?utm_source=z&id=1&fbclid=9", "a", 0, 1, 0, "a/x?id=1", "/x?id=1" },
		{ "/x?utm_source=z&utm_=&fbclid", "a", 0, 1, 0, "a/x", "/x" },
		/* Not these: a name that only begins like one without a star, another case. */
		{ "/x?fbclids=1&UTM_x=2&xutm_=3", "a", 0, 1, 0, "a/x?fbclids=1&UTM_x=2&xutm_=3", "/x?fbclids=1&UTM_x=2&xutm_=3" },
		{ "/x?c=3&utm_a=1&b=2", "a", 0, 1, 1, "a/x?b=2&c=3", "/x?b=2&c=3" },
		/* Empty pairs are no pairs, where pairs are looked at. */
		{ "/x?&&a=1&", "a", 0, 1, 0, "a/x?a=1", "/x?a=1" },
		{ "/x?", "a", 0, 1, 1, "a/x", "/x" },
		{ "/x?&&a=1&", "a", 0, 0, 0, "a/x?&&a=1&", "/x?&&a=1&" },
		{ "/x?", "a", 0, 0, 0, "a/x?", "/x?" },
		/* A second question mark is part of a value. */
		{ "/x?b=?&a=?", "a", 0, 0, 1, "a/x?a=?&b=?", "/x?a=?&b=?" },
		/* Paths are as they came. */
		{ "/a/../b//c%2e", "a", 0, 1, 1, "a/a/../b//c%2e", "/a/../b//c%2e" },
		{ "/x", "a", 80, 0, 0, "a/x", "/x" },
		{ "/x", "a", 8080, 0, 0, "a:8080/x", "/x" },
		{ "/x", "a", 65535, 0, 0, "a:65535/x", "/x" },
		{ "/x", "[::1]", 443, 0, 0, "[::1]:443/x", "/x" },
		{ "/x", "", 0, 0, 0, "/x", "/x" },
		{ "http://other/x?q", "a", 0, 0, 0, "a/x?q", "/x?q" },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asked a;
		struct req *r = asked_init(&a, METHOD_GET, "");
		struct cache_rules rules = rules_of(ROWS[i].ignores, ROWS[i].sorts);
		r->ask.target = str_of(ROWS[i].target);
		r->ask.host = str_of(ROWS[i].host);
		r->ask.port = ROWS[i].port;
		struct str key = cache_key(&rules, r), asked = cache_target(&rules, r, &r->arena);
		if (!str_eq(key, str_of(ROWS[i].key)) || !str_eq(asked, str_of(ROWS[i].asked)))
			fail_msg("%s: %.*s, %.*s", ROWS[i].target, STR_F(key), STR_F(asked));
		asked_fini(&a);
	}
}

static void a_key_that_is_too_long_is_none(void **state)
{
	(void)state;
	static char target[IMAGE_KEY_MOST];
	struct asked a;
	struct cache_rules rules = {};
	memset(target, '/', sizeof target);
	for (size_t n = sizeof target - 1; n <= sizeof target; n++) {
		struct req *r = asked_init(&a, METHOD_GET, "");
		r->ask.target = str_make(target, n);
		r->ask.host = STR("a");
		assert_int_equal(cache_key(&rules, r).n, n < sizeof target ? n + 1 : 0);
		asked_fini(&a);
	}
}

static void keys_of_urls(void **state)
{
	static const struct {
		const char *url;
		bool ignores, sorts;
		const char *key;              /* NULL: it can't be told */
	} ROWS[] = {
		{ "http://example.org/", 0, 0, "example.org/" },
		{ "http://example.org", 0, 0, "example.org/" },
		{ "http://Example.ORG/Path", 0, 0, "example.org/Path" },
		{ "http://example.org:80/x", 0, 0, "example.org/x" },
		{ "http://example.org:8080/x?b&a", 0, 1, "example.org:8080/x?a&b" },
		{ "http://example.org/x?utm_x=1&id=2", 1, 0, "example.org/x?id=2" },
		{ "http://[::1]:8080/x", 0, 0, "[::1]:8080/x" },
		{ "http://example.org?a", 0, 0, NULL },
		{ "http://", 0, 0, NULL },
		{ "http:///x", 0, 0, NULL },
		{ "http://user@example.org/x", 0, 0, NULL },
		{ "http://example.org:0x50/x", 0, 0, NULL },
		{ "http://example.org:99999/x", 0, 0, NULL },
		{ "http://example.org/../x", 0, 0, NULL },
		{ "http://example.org/%zz", 0, 0, NULL },
		{ "ftp://example.org/x", 0, 0, NULL },
		{ "/x", 0, 0, NULL },
		{ "", 0, 0, NULL },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct cache_rules rules = rules_of(ROWS[i].ignores, ROWS[i].sorts);
		struct buf out = {};
		bool told = cache_key_of_url(&rules, str_of(ROWS[i].url), &out);
		if (told != (ROWS[i].key != NULL) || (told && !str_eq(buf_str(&out), str_of(ROWS[i].key))))
			fail_msg("%s: %.*s", ROWS[i].url, STR_F(buf_str(&out)));
		buf_fini(&out);
	}
	/* Who has keys of his own has to say them. */
	struct cache_rules own = { .key.count = 1 };
	struct buf out = {};
	assert_false(cache_key_of_url(&own, STR("http://example.org/"), &out));
	assert_int_equal(out.n, 0);
}

/* What an answer says that it changed is believed of its own host alone. */
static void keys_of_locations(void **state)
{
	static const struct {
		const char *url, *key;
	} ROWS[] = {
		{ "/x", "a:8080/x" },
		{ "/x?q", "a:8080/x?q" },
		{ "http://a:8080/x", "a:8080/x" },
		{ "http://A:8080", "a:8080/" },
		{ "http://a/x", NULL },
		{ "http://a:80801/x", NULL },
		{ "http://a:8080.evil/x", NULL },
		{ "http://b:8080/x", NULL },
		{ "x", NULL },
		{ "", NULL },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asked a;
		struct cache_rules rules = {};
		struct buf out = {};
		struct req *r = asked_init(&a, METHOD_POST, "");
		r->ask.host = STR("a");
		r->ask.port = 8080;
		bool told = cache_key_of_location(&rules, r, str_of(ROWS[i].url), &out);
		if (told != (ROWS[i].key != NULL) || (told && !str_eq(buf_str(&out), str_of(ROWS[i].key))))
			fail_msg("%s: %.*s", ROWS[i].url, STR_F(buf_str(&out)));
		buf_fini(&out);
		asked_fini(&a);
	}
}

static void conditions(void **state)
{
	static const struct {
		const char *text;
		bool holds;
	} ROWS[] = {
		{ "0", false },          { "00", true },     { "1", true },  { " ", true },
		{ "$cookie_a", true },   { "$cookie_b", false },  { "$cookie_c", false }, { "$cookie_d", false },
		{ "$cookie_b$cookie_a", true },
	};
	(void)state;
	struct asked a;
	struct req *r = asked_init(&a, METHOD_GET, "Cookie: a=yes; b=0; c=");
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct tmpl t;
		struct type_in in = { .arena = &r->arena };
		if (tmpl_parse(&in, str_of(ROWS[i].text), &t))
			fail_msg("%s: %s", ROWS[i].text, in.error);
		if (cache_condition(&t, r) != ROWS[i].holds)
			fail_msg("%s", ROWS[i].text);
	}
	asked_fini(&a);
}

/* --- By name. --- */

struct bench {
	struct epoch *epoch;
	struct loop loop;
	struct caches *caches;
};

static int setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);
	*state = b;
	b->epoch = epoch_new();
	b->caches = caches_new(b->epoch, NULL, &b->loop, NULL, 1);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	caches_settle(b->caches);
	caches_free(b->caches);
	epoch_free(b->epoch);
	mem_free(b);
	return 0;
}

static void count_one(void *arg, struct cache *c)
{
	(void)c;
	++*(unsigned *)arg;
}

static unsigned listed(struct caches *c)
{
	unsigned count = 0;
	caches_each(c, count_one, &count);
	return count;
}

static struct cache_rules named(struct str name, uint64_t memory_b)
{
	return (struct cache_rules){ .name = name, .memory_b = memory_b, .fills = 1 };
}

static bool keep(struct cache *c, struct str key)
{
	struct image image = { .key_b = (uint32_t)key.n, .status = 200 };
	struct page *p = page_new(c->store, &image, PAGE_INLINE);
	memcpy(page_key_at(p), key.p, key.n);
	page_ready(p, c->store);
	return store_put(c->store, &p->object);
}

static bool has(struct cache *c, struct str key)
{
	return store_find(c->store, key, store_hash(c->store, key));
}

static void a_cache_outlives_snapshots(void **state)
{
	struct bench *b = *state;
	struct cache_rules rules = named(STR("pages"), 1 << 20), other = named(STR("others"), 1 << 20);
	struct cache *c = caches_get(b->caches, &rules, NULL);
	assert_true(keep(c, STR("a/")));
	/* The next snapshot is there before the one before goes. */
	rules.memory_b = 2 << 20;
	assert_ptr_equal(caches_get(b->caches, &rules, NULL), c);
	cache_put(c);
	assert_true(has(c, STR("a/")));
	assert_int_equal(store_stats(c->store).bound_b, 2 << 20);
	assert_ptr_not_equal(caches_get(b->caches, &other, NULL), c);
	assert_ptr_equal(caches_find(b->caches, STR("pages")), c);
	assert_null(caches_find(b->caches, STR("page")));
	assert_int_equal(listed(b->caches), 2);
	/* Nobody has it any more: its memory goes, and it can come back. */
	cache_put(c);
	assert_null(caches_find(b->caches, STR("pages")));
	assert_int_equal(listed(b->caches), 1);
	assert_int_equal(store_stats(c->store).bytes, 0);
	assert_ptr_equal(caches_get(b->caches, &rules, NULL), c);
	assert_true(keep(c, STR("a/")) && has(c, STR("a/")));
	cache_put(c);
	cache_put(caches_find(b->caches, STR("others")));
}

/* A purge is noted, and who comes from now on joins nobody who asked before. */
static void a_purge_parts_what_is_under_way(void **state)
{
	struct bench *b = *state;
	struct cache_rules rules = named(STR("pages"), 1 << 20);
	struct cache *c = caches_get(b->caches, &rules, NULL);
	struct growth *before, *after;
	assert_int_equal(growths_join(c->growths, STR("a/"), 1, page_hash(STR("a/")), NULL, &before), ROLE_FILLER);
	assert_int_equal(cache_purge(c, NULL, PURGE_URL, STR("a/"), false, NULL), 0);
	assert_int_equal(growths_join(c->growths, STR("a/"), 1, page_hash(STR("a/")), NULL, &after), ROLE_FILLER);
	assert_ptr_not_equal(before, after);
	growth_end(before, GROWTH_FAILED, NULL, 502, 0);
	growth_end(after, GROWTH_FAILED, NULL, 502, 0);
	growth_put(before);
	growth_put(after);
	assert_int_equal(purges_count(c->purges), 1);
	assert_true(cache_purge(c, NULL, PURGE_MATCH, STR("a\n*"), false, NULL) < 0);
	assert_int_equal(purges_count(c->purges), 1);
	cache_put(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(a_key_that_is_too_long_is_none),
		cmocka_unit_test(keys_of_urls),
		cmocka_unit_test(keys_of_locations),
		cmocka_unit_test(conditions),
		cmocka_unit_test_setup_teardown(a_cache_outlives_snapshots, setup, teardown),
		cmocka_unit_test_setup_teardown(a_purge_parts_what_is_under_way, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

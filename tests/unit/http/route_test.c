/* Which site a host gets, and which route a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/route.h"

static const struct str NAMES_0[] = { { "example.org", 11 }, { "www.example.org", 15 } };
static const struct str NAMES_1[] = { { "*.example.org", 13 } };
static const struct str NAMES_2[] = { { "*.b.example.org", 15 } };
static const struct str NAMES_3[] = { { "*", 1 } };
static const struct str NAMES_4[] = { { "[::1]", 5 }, { "127.0.0.1", 9 } };
static const struct site SITES[] = {
	{ .names = NAMES_0, .name_count = 2 }, { .names = NAMES_1, .name_count = 1 }, { .names = NAMES_2, .name_count = 1 },
	{ .names = NAMES_4, .name_count = 2 }, { .names = NAMES_3, .name_count = 1 },
};

static const struct {
	const char *host;
	int site;
} HOSTS[] = {
	{ "example.org", 0 },     { "www.example.org", 0 }, { "a.example.org", 1 }, { "a.www.example.org", 1 },
	{ "a.b.example.org", 2 }, { "b.example.org", 1 },   { "x.a.b.example.org", 2 }, { ".example.org", 1 },
	{ "[::1]", 3 },           { "127.0.0.1", 3 },       { "example.com", 4 },   { "org", 4 },
	{ "xexample.org", 4 },    { "", 4 },                { "*.example.org", 1 }, { "*", 4 },
	{ ".", 4 },               { "..", 4 },              { "127.0.0.2", 4 },
};

static void hosts(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, NULL, 0);
	struct host_table *t = host_table_build(&a, SITES, countof(SITES)), *none = host_table_build(&a, SITES, 4);
	for (size_t i = 0; i < countof(HOSTS); i++) {
		struct str host = str_of(HOSTS[i].host);
		const struct site *site = host_table_find(t, host);
		if (site != &SITES[HOSTS[i].site])
			fail_msg("%s: %td", HOSTS[i].host, site - SITES);
		/* Without a site for all others, those have none. */
		assert_ptr_equal(host_table_find(none, host), HOSTS[i].site == 4 ? NULL : &SITES[HOSTS[i].site]);
	}
	arena_fini(&a);
}

static void many_hosts(void **state)
{
	(void)state;
	enum { COUNT = 5000 };
	struct arena a;
	arena_init(&a, NULL, 0);
	struct str *names = arena_new(&a, COUNT * sizeof *names);
	struct site *sites = arena_new(&a, COUNT * sizeof *sites);
	for (int i = 0; i < COUNT; i++) {
		names[i] = arena_strf(&a, "%ssite%d.test", i % 3 ? "" : "*.", i);
		sites[i] = (struct site){ .names = &names[i], .name_count = 1 };
	}
	struct host_table *t = host_table_build(&a, sites, COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_ptr_equal(host_table_find(t, arena_strf(&a, "%ssite%d.test", i % 3 ? "" : "a.b.", i)), &sites[i]);
	assert_null(host_table_find(t, STR("site5000.test")));
	arena_fini(&a);
}

static void route(struct arena *a, struct route *out, const char *mark, const char *text)
{
	struct type_in in = { .arena = a };
	assert_int_equal(pattern_parse(&in, str_of(mark), str_of(text), &out->pattern), 0);
}

static void routes(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, NULL, 0);
	struct route r[4] = {};
	struct captures c;
	route(&a, &r[0], "=", "/ping");
	route(&a, &r[1], "", "/a/*.php");
	route(&a, &r[2], "~", "^/u/(\\d+)$");
	route(&a, &r[3], "", "/a/*");
	struct site site = { .routes = r, .route_count = 4 };
	assert_ptr_equal(route_pick(&site, STR("/ping"), &c), &r[0]);
	assert_ptr_equal(route_pick(&site, STR("/ping/"), &c), &site.fallback);
	assert_int_equal(c.count, 0);
	assert_ptr_equal(route_pick(&site, STR("/a/b/c.php"), &c), &r[1]);
	assert_true(str_eq(c.at[0], STR("b/c")));
	assert_ptr_equal(route_pick(&site, STR("/u/42"), &c), &r[2]);
	assert_true(c.count == 1 && str_eq(c.at[0], STR("42")));
	assert_ptr_equal(route_pick(&site, STR("/a/"), &c), &r[3]);
	assert_ptr_equal(route_pick(&site, STR("/"), &c), &site.fallback);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(hosts), cmocka_unit_test(many_hosts),
		                            cmocka_unit_test(routes) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Targets: decoded and normalised once, never above the root; hosts and ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/target.h"

static const struct {
	const char *raw, *path;   /* NULL: refused */
} PATHS[] = {
	{ "/", "/" },
	{ "//", "/" },
	{ "///a///b//", "/a/b/" },
	{ "/a/b.c", "/a/b.c" },
	{ "/.", "/" },
	{ "/./", "/" },
	{ "/./a", "/a" },
	{ "/a/.", "/a/" },
	{ "/a/./b", "/a/b" },
	{ "/a/..", "/" },
	{ "/a/../", "/" },
	{ "/a/../b", "/b" },
	{ "/a/b/../..", "/" },
	{ "/a/b/../../c/", "/c/" },
	{ "/a//../b", "/b" },
	{ "/...", "/..." },
	{ "/..a/.b/c..", "/..a/.b/c.." },
	{ "/.well-known/x", "/.well-known/x" },
	{ "/%61", "/a" },
	{ "/%2E/a", "/a" },
	{ "/a/%2e%2E/b", "/b" },
	{ "/a/.%2e/b", "/b" },
	{ "/%25", "/%" },
	{ "/%252e%252e/", "/%2e%2e/" },
	{ "/%252f", "/%2f" },
	{ "/a%20b%3f%23%C3%A4", "/a b?#\xc3\xa4" },
	{ "/%5c..%5c", "/\\..\\" },
	{ "/%80%ff", "/\x80\xff" },
	{ "/a;b=c/d", "/a;b=c/d" },
	{ "", NULL },
	{ "a", NULL },
	{ "*", NULL },
	{ "..", NULL },
	{ "/..", NULL },
	{ "/../", NULL },
	{ "//..", NULL },
	{ "/./..", NULL },
	{ "/a/../..", NULL },
	{ "/a/../../a", NULL },
	{ "/%2e%2e", NULL },
	{ "/%2e./x", NULL },
	{ "/a/..//..", NULL },
	{ "/%", NULL },
	{ "/%a", NULL },
	{ "/%ag", NULL },
	{ "/%g0", NULL },
	{ "/a%2", NULL },
	{ "/%%20", NULL },
	{ "/%2f", NULL },
	{ "/a/..%2F..", NULL },
	{ "/%00", NULL },
	{ "/a%00.html", NULL },
	{ "/%09", NULL },
	{ "/%0a", NULL },
	{ "/%1f", NULL },
	{ "/%7f", NULL },
};

/* A copy of exactly this size, so that the sanitizer sees whoever reads past it. */
static struct str exact(const char *s)
{
	struct str copy = { mem_new(strlen(s)), strlen(s) };
	memcpy((char *)(uintptr_t)copy.p, s, copy.n);
	return copy;
}

static void paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(PATHS); i++) {
		struct arena a;
		struct str path = {}, again = {}, raw = exact(PATHS[i].raw);
		const char *why = NULL;
		arena_init(&a, NULL, 0);
		int err = target_path(&a, raw, &path, &why);
		if ((err != 0) != !PATHS[i].path || (!err && !str_eq(path, str_of(PATHS[i].path))) || (err && !why))
			fail_msg("%s: %d, %.*s", PATHS[i].raw, err, STR_F(path));
		/* What is encoded again means the same. */
		if (!err) {
			assert_int_equal(target_path(&a, target_encode(&a, path), &again, &why), 0);
			assert_true(str_eq(path, again));
		}
		arena_fini(&a);
		mem_free((void *)(uintptr_t)raw.p);
	}
}

static const struct {
	const char *raw, *host;
	uint16_t port;
} HOSTS[] = {
	{ "a", "a", 0 },
	{ "Example.ORG", "example.org", 0 },
	{ "example.org.", "example.org", 0 },
	{ "a:80", "a", 80 },
	{ "a:65535", "a", 65535 },
	{ "a:0", "a", 0 },
	{ "a:", "a", 0 },
	{ "a_b-c.d", "a_b-c.d", 0 },
	{ "127.0.0.1:8080", "127.0.0.1", 8080 },
	{ "[::1]", "[::1]", 0 },
	{ "[2001:DB8::1]:443", "[2001:db8::1]", 443 },
	{ "", NULL, 0 },
	{ ".", NULL, 0 },
	{ "..", NULL, 0 },
	{ ".a", NULL, 0 },
	{ "a..b", NULL, 0 },
	{ "a..", NULL, 0 },
	{ ":80", NULL, 0 },
	{ "a:65536", NULL, 0 },
	{ "a:8o", NULL, 0 },
	{ "a: 80", NULL, 0 },
	{ "a:-1", NULL, 0 },
	{ "a:80:80", NULL, 0 },
	{ "a b", NULL, 0 },
	{ "a,b", NULL, 0 },
	{ "a/", NULL, 0 },
	{ "a@b", NULL, 0 },
	{ "a%20", NULL, 0 },
	{ "*", NULL, 0 },
	{ "[", NULL, 0 },
	{ "[]", NULL, 0 },
	{ "[:", NULL, 0 },
	{ "[::1", NULL, 0 },
	{ "[::1]a", NULL, 0 },
	{ "[::g]", NULL, 0 },
	{ "::1", NULL, 0 },
};

static void hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(HOSTS); i++) {
		struct arena a;
		struct str host = {}, raw = exact(HOSTS[i].raw);
		uint16_t port = 0;
		arena_init(&a, NULL, 0);
		int err = target_authority(&a, raw, &host, &port);
		if ((err != 0) != !HOSTS[i].host || (!err && (!str_eq(host, str_of(HOSTS[i].host)) || port != HOSTS[i].port)))
			fail_msg("%s: %d, %.*s, %u", HOSTS[i].raw, err, STR_F(host), port);
		arena_fini(&a);
		mem_free((void *)(uintptr_t)raw.p);
	}
}

static void long_hosts(void **state)
{
	(void)state;
	char name[256];
	struct arena a;
	struct str host;
	uint16_t port;
	arena_init(&a, NULL, 0);
	memset(name, 'a', sizeof name);
	assert_int_equal(target_authority(&a, str_make(name, 255), &host, &port), 0);
	assert_int_not_equal(target_authority(&a, str_make(name, 256), &host, &port), 0);
	arena_fini(&a);
}

static void encoded(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, NULL, 0);
	assert_true(str_eq(target_encode(&a, STR("/a b\"<>%?#\\\r\n\xc3\xa4;x=~")),
	                   STR("/a%20b%22%3C%3E%25%3F%23%5C%0D%0A%C3%A4%3Bx=~")));
	assert_int_equal(target_encode(&a, STR("")).n, 0);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(paths), cmocka_unit_test(hosts), cmocka_unit_test(long_hosts),
		                            cmocka_unit_test(encoded) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

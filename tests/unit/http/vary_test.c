/* Vary: lists of names, keys, and Accept-Encoding made plain. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "http/page.h"
#include "http/vary.h"

static const struct {
	const char *fields;
	int err;
	const char *list;
} LISTS[] = {
	{ "", 0, "" },
	{ "X: y", 0, "" },
	{ "Vary:", 0, "" },
	{ "Vary: Accept-Encoding", 0, "accept-encoding" },
	{ "vary: B, a ,,B", 0, "a, b" },
	{ "Vary: cookie\nVary: Accept\nVary: COOKIE", 0, "accept, cookie" },
	{ "Vary: *", -EPERM, NULL },
	{ "Vary: a, *", -EPERM, NULL },
	{ "Vary: a b", -EPERM, NULL },
	{ "Vary: \"a\"", -EPERM, NULL },
	{ "Vary: a\nVary: (", -EPERM, NULL },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", 0, "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p" },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,A", 0, "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p" },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", -E2BIG, NULL },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\nVary: *", -EPERM, NULL },
};

static void lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(LISTS); i++) {
		struct asked a;
		struct str list;
		struct req *r = asked_init(&a, METHOD_GET, LISTS[i].fields);
		for (size_t k = 0; k < r->ask.field_count; k++)
			a.fields[k].id = FIELD_OTHER;
		int err = vary_of(&r->arena, a.fields, r->ask.field_count, &list);
		if (err != LISTS[i].err || (!err && !str_eq(list, str_of(LISTS[i].list))))
			fail_msg("%s: %d", LISTS[i].fields, err);
		asked_fini(&a);
	}
}

static const struct {
	const char *fields, *list, *key;
} KEYS[] = {
	{ "", "", "base" },
	{ "A: 1", "", "base" },
	{ "A: 1\nB: 2", "a", "base\na:1" },
	{ "A: 1\nB: 2", "a, b", "base\na:1\nb:2" },
	{ "B: 2", "a, b", "base\na\nb:2" },
	/* Not there, and empty. */
	{ "", "a", "base\na" },
	{ "A:", "a", "base\na:" },
	/* Lines put together, blanks around commas gone, those in quotes not. */
	{ "a: 1 , 2\nx: y\nA: 3", "a", "base\na:1,2,3" },
	{ "A: 1,2,3", "a", "base\na:1,2,3" },
	{ "A: \"1 , 2\"", "a", "base\na:\"1 , 2\"" },
	{ "A: x  y", "a", "base\na:x  y" },
	/* What the origin never sees is not there. */
	{ "Connection: A, close\nA: 1\nB: 2", "a, b", "base\na\nb:2" },
	{ "Range: bytes=0-\nX-Original-URL: /x", "range, x-original-url", "base\nrange\nx-original-url" },
	/* What one list says is not what another says. */
	{ "A: 1", "b", "base\nb" },
	/* Accept-Encoding. */
	{ "Accept-Encoding: gzip, deflate, br, zstd", "accept-encoding", "base\naccept-encoding:zstd,br,gzip" },
	{ "Accept-Encoding: identity", "accept-encoding", "base\naccept-encoding:" },
	{ "", "accept-encoding", "base\naccept-encoding:" },
};

static void keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(KEYS); i++) {
		struct asked a;
		struct str key;
		struct req *r = asked_init(&a, METHOD_GET, KEYS[i].fields);
		assert_int_equal(vary_key(&r->arena, STR("base"), str_of(KEYS[i].list), &r->ask, &key), 0);
		if (!str_eq(key, str_of(KEYS[i].key)))
			fail_msg("%s, %s: %.*s", KEYS[i].fields, KEYS[i].list, STR_F(key));
		asked_fini(&a);
	}
}

static void long_keys(void **state)
{
	(void)state;
	static char fields[VARY_KEY_MOST_B + 16] = "A: ";
	struct asked a;
	struct str key;
	memset(fields + 3, 'x', VARY_KEY_MOST_B - 3);
	struct req *r = asked_init(&a, METHOD_GET, fields);
	assert_int_equal(vary_key(&r->arena, STR("base"), STR("a"), &r->ask, &key), 0);
	assert_int_equal(key.n, 4 + VARY_KEY_MOST_B);
	asked_fini(&a);
	fields[VARY_KEY_MOST_B] = 'x';
	r = asked_init(&a, METHOD_GET, fields);
	assert_int_equal(vary_key(&r->arena, STR("base"), STR("a"), &r->ask, &key), -E2BIG);
	asked_fini(&a);
	/* All of it is a page's key. */
	static char base[IMAGE_KEY_MOST];
	r = asked_init(&a, METHOD_GET, "A: 1");
	assert_int_equal(vary_key(&r->arena, str_make(base, sizeof base - 4), STR("a"), &r->ask, &key), 0);
	assert_int_equal(key.n, IMAGE_KEY_MOST);
	assert_int_equal(vary_key(&r->arena, str_make(base, sizeof base - 3), STR("a"), &r->ask, &key), -E2BIG);
	asked_fini(&a);
}

static const struct {
	const char *fields, *plain;
} ENCODINGS[] = {
	{ "", "" },
	{ "Accept-Encoding:", "" },
	{ "Accept-Encoding: gzip", "gzip" },
	{ "Accept-Encoding: GZIP, x-gzip", "gzip" },
	{ "Accept-Encoding: gzip, br", "br,gzip" },
	{ "Accept-Encoding: gzip;q=1, br;q=0.9, zstd;q=0.95", "zstd,br,gzip" },
	{ "Accept-Encoding: gzip\nAccept-Encoding: br", "br,gzip" },
	{ "Accept-Encoding: deflate, compress", "" },
	{ "Accept-Encoding: gzip;q=0, br;q=0", "" },
	{ "Accept-Encoding: *", "zstd,br,gzip" },
	{ "Accept-Encoding: *;q=0", "identity;q=0" },
	{ "Accept-Encoding: gzip, *;q=0", "gzip,identity;q=0" },
	{ "Accept-Encoding: gzip, identity;q=0", "gzip,identity;q=0" },
	{ "Accept-Encoding: gzip, identity", "gzip" },
	{ "Accept-Encoding: gzip;q=0.5, identity", "" },
	{ "Accept-Encoding: gzip;q=0.5, br;q=0.9, identity;q=0.8", "br" },
	{ "Accept-Encoding: gzip;q=nonsense", "" },
};

static void encodings(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ENCODINGS); i++) {
		struct asked a;
		struct req *r = asked_init(&a, METHOD_GET, ENCODINGS[i].fields);
		struct str plain = vary_encodings(&r->arena, &r->ask);
		if (!str_eq(plain, str_of(ENCODINGS[i].plain)))
			fail_msg("%s: %.*s", ENCODINGS[i].fields, STR_F(plain));
		asked_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lists), cmocka_unit_test(keys), cmocka_unit_test(long_keys),
		                            cmocka_unit_test(encodings) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

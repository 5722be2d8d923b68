/* compress: which answers, in which encoding, and what their heads say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "served.h"

static const char LONG[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
			   "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
			   "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";

static const struct {
	const char *conf, *fields, *encoding;
	bool varies;
} ROWS[] = {
	{ "compress on;", "Accept-Encoding: gzip", "gzip", true },
	{ "compress on;", "Accept-Encoding: gzip, br", "br", true },
	{ "compress on;", "Accept-Encoding: gzip, br, zstd", "zstd", true },
	{ "compress on;", "Accept-Encoding: gzip;q=0.5, br;q=0.2", "gzip", true },
	{ "compress on;", "X: y", NULL, true },
	{ "compress on;", "Accept-Encoding: deflate", NULL, true },
	{ "", "Accept-Encoding: gzip", NULL, false },
	{ "compress on; compress_min 1k;", "Accept-Encoding: gzip", NULL, true },
	{ "compress on; header Cache-Control \"public, no-transform\";", "Accept-Encoding: gzip", NULL, false },
	{ "compress on; header Content-Encoding x;", "Accept-Encoding: gzip", NULL, false },
	{ "compress on; header Content-Type image/png;", "Accept-Encoding: gzip", NULL, false },
	{ "compress on; compress_types image/png text/css;", "Accept-Encoding: gzip", NULL, false },
	{ "compress on; compress_types image/png Text/Plain;", "Accept-Encoding: gzip", "gzip", true },
	{ "compress on; compress_types text/*; compress_level 9;", "Accept-Encoding: br", "br", true },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		char conf[2048], head[256], encoding[64];
		struct served s;
		snprintf(conf, sizeof conf, "site * { %s route * { respond 200 \"%s\"; } }", ROWS[i].conf, LONG);
		snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", ROWS[i].fields);
		snprintf(encoding, sizeof encoding, "\nContent-Encoding: %s\n", ROWS[i].encoding ? ROWS[i].encoding : "");
		served_open(&s, conf);
		served_get(&s, head);
		if ((ROWS[i].encoding != NULL) != served_has(&s, encoding) ||
		    ROWS[i].varies != served_has(&s, "\nVary: Accept-Encoding\n") ||
		    (ROWS[i].encoding == NULL) != served_has(&s, LONG))
			fail_msg("%s, %s: %s", ROWS[i].conf, ROWS[i].fields, s.text.p);
		assert_int_equal(s.home.coders, 0);
		served_close(&s);
	}
}

/* The encoded thing has an ETag of its own, and a client that has it gets 304. */
static void etags(void **state)
{
	(void)state;
	char conf[1024];
	struct served s;
	snprintf(conf, sizeof conf, "compress on; header ETag \"\\\"v1\\\"\"; header Vary Cookie;"
	                            "site * { route * { respond 200 \"%s\"; } }", LONG);
	served_open(&s, conf);
	served_get(&s, GET_WITH("/", "Accept-Encoding: gzip"));
	assert_has(&s, "\nETag: W/\"v1-gzip\"\n");
	assert_has(&s, "\nVary: Cookie, Accept-Encoding\n");
	served_get(&s, GET_WITH("/", "Accept-Encoding: gzip\r\nIf-None-Match: \"x\", W/\"v1-gzip\""));
	assert_true(str_starts(buf_str(&s.text), STR("304\n")));
	assert_has(&s, "\nETag: W/\"v1-gzip\"\n");
	assert_lacks(&s, "Content-");
	assert_true(str_ends(buf_str(&s.text), STR("\n\n")));
	served_get(&s, GET_WITH("/", "Accept-Encoding: gzip\r\nIf-None-Match: W/\"v1-br\""));
	assert_true(str_starts(buf_str(&s.text), STR("200\n")));
	served_get(&s, GET_WITH("/", "Accept-Encoding: identity"));
	assert_has(&s, "\nETag: \"v1\"\n");
	served_get(&s, "HEAD / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
	assert_has(&s, "\nContent-Encoding: gzip\n");
	assert_int_equal(s.home.coders, 0);
	served_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(etags) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

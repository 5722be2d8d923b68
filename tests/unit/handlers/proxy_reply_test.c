/* What an HTTP server says about itself, and where its answer is left to petrel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxied.h"

#define GET "GET /app/ HTTP/1.1\r\nHost: Example.org:81\r\n\r\n"

static const struct {
	const char *inner;
	const char *name, *value;
	const char *becomes;
} ROWS[] = {
	/* The server's own address. */
	{ "", "Location", "http://10.0.0.1:9000/a?b", "http://Example.org:81/a?b" },
	{ "", "location", "HTTP://10.0.0.1:9000", "http://Example.org:81" },
	{ "", "Location", "http://10.0.0.1:9000?b", "http://Example.org:81?b" },
	{ "", "Location", "http://10.0.0.1:90001/", "http://10.0.0.1:90001/" },
	{ "", "Location", "http://10.0.0.1/", "http://10.0.0.1/" },
	{ "host api.internal;", "Location", "http://api.internal:80/", "http://Example.org:81/" },
	{ "host api.internal:80;", "Location", "http://API.internal/", "http://Example.org:81/" },
	{ "", "Location", "https://10.0.0.1:9000/", "https://10.0.0.1:9000/" },
	{ "", "Location", "https://example.org:81/", "https://example.org:81/" },
	{ "", "Location", "http://example.org:81/", "http://example.org:81/" },
	{ "", "Location", "/a", "/a" },
	{ "", "Location", "//10.0.0.1:9000/a", "//10.0.0.1:9000/a" },
	{ "", "Location", "http://", "http://" },
	{ "", "Location", "", "" },
	{ "", "X-Location", "http://10.0.0.1:9000/", "http://10.0.0.1:9000/" },
	{ "host api.internal;", "Location", "http://api.internal/a", "http://Example.org:81/a" },
	/* Rules. */
	{ "redirect_rewrite http://o/v2/ /app/;", "Location", "http://o/v2/x", "/app/x" },
	{ "redirect_rewrite http://o/ /a/; redirect_rewrite http://o/v2/ /b/;", "Location", "http://o/v2/x", "/a/v2/x" },
	{ "redirect_rewrite http://o/ http://$host/;", "Location", "http://o/x", "http://example.org/x" },
	{ "redirect_rewrite http://o/ /a/;", "Location", "http://10.0.0.1:9000/", "http://Example.org:81/" },
	{ "redirect_rewrite / /app/;", "Location", "/x", "/app/x" },
	/* Refresh. */
	{ "", "Refresh", "5; url=http://10.0.0.1:9000/a", "5; url=http://Example.org:81/a" },
	{ "", "Refresh", "5;URL='http://10.0.0.1:9000/a'", "5;URL='http://Example.org:81/a'" },
	{ "", "Refresh", "5", "5" },
	{ "", "Refresh", "5; url=", "5; url=" },
	/* Cookies. */
	{ "", "Set-Cookie", "a=b; Path=/v2/; Domain=o", "a=b; Path=/v2/; Domain=o" },
	{ "cookie_path /v2/ /app/;", "Set-Cookie", "a=b; Path=/v2/x;Secure", "a=b; Path=/app/x;Secure" },
	{ "cookie_path /v2/ /app/;", "Set-Cookie", "path=/v2/; pATH = /v2/; HttpOnly", "path=/v2/; pATH=/app/; HttpOnly" },
	{ "cookie_path / /app/;", "Set-Cookie", "a=\"x;Path=/", "a=\"x; Path=/app/" },
	{ "cookie_path /v2/ /app/;", "Set-Cookie", "a=b; Path=/v3/", "a=b; Path=/v3/" },
	{ "cookie_domain o.example p;", "Set-Cookie", "a=b; Domain=.O.example; Path=/", "a=b; Domain=p; Path=/" },
	{ "cookie_domain o.example \"\";", "Set-Cookie", "a=b; domain=o.example; Secure", "a=b; Secure" },
	{ "cookie_domain o.example p;", "Set-Cookie", "a=b; Domain=x.o.example", "a=b; Domain=x.o.example" },
	{ "cookie_domain o $host;", "Set-Cookie", "a=b;Domain=o", "a=b; Domain=example.org" },
	{ "cookie_path /v2/ /app/;", "Set-Cookie", "a;", "a;" },
	{ "cookie_path /v2/ /app/;", "Set-Cookie", "", "" },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct proxied p;
		struct field field = { str_of(ROWS[i].name), str_of(ROWS[i].value), FIELD_OTHER };
		proxied_init(&p, ROWS[i].inner, GET);
		p.t.c.reply = (struct reply){ .status = 302, .fields = &field, .field_count = 1 };
		assert_int_equal(proxy_reply(&p.t.r, &p.t.c), GO_NEXT);
		if (!str_eq(field.value, str_of(ROWS[i].becomes)))
			fail_msg("%s: %s: %s became %.*s", ROWS[i].inner, ROWS[i].name, ROWS[i].value, STR_F(field.value));
		proxied_fini(&p);
	}
}

/* --- Left to petrel. --- */

static const struct {
	const char *inner;
	const char *name, *value;
	const char *path, *query;    /* path NULL: the answer is passed on */
} LEFT[] = {
	{ "", "X-Accel-Redirect", "/files/a%20b?c=d", "/files/a b", "c=d" },
	{ "", "x-accel-redirect", "/files/../x/./y", "/x/y", NULL },
	{ "sendfile off;", "X-Accel-Redirect", "/files/a", NULL, NULL },
	{ "", "X-Sendfile", "/srv/www/a%b/ä.txt", "/a%b/ä.txt", NULL },
	{ "", "X-Sendfile", "/srv/www/a/../b?c", "/b?c", NULL },
	{ "sendfile off;", "X-Sendfile", "/srv/www/a", NULL, NULL },
	{ "", "X-Accel-Buffering", "no", NULL, NULL },
};

static void left_to_petrel(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(LEFT); i++) {
		struct proxied p;
		struct field fields[] = {
			{ STR("Content-Type"), STR("a/b"), FIELD_CONTENT_TYPE }, { STR("ETag"), STR("\"x\""), FIELD_OTHER },
			{ str_of(LEFT[i].name), str_of(LEFT[i].value), FIELD_OTHER }, { STR("Set-Cookie"), STR("c=d"), FIELD_OTHER },
		};
		proxied_init(&p, LEFT[i].inner, "POST /app/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
		p.t.c.reply = (struct reply){ .status = 200, .fields = fields, .field_count = countof(fields) };
		enum go go = proxy_reply(&p.t.r, &p.t.c);
		bool off = LEFT[i].inner[0];
		assert_int_equal(go, LEFT[i].path ? GO_AGAIN : GO_NEXT);
		assert_int_equal(p.t.c.reply.field_count, off ? 4 : 3);
		if (!LEFT[i].path) {
			proxied_fini(&p);
			continue;
		}
		assert_true(str_eq(p.t.r.ask.path, str_of(LEFT[i].path)));
		assert_true(str_eq(p.t.r.ask.query, str_of(LEFT[i].query)));
		assert_int_equal(p.t.r.ask.method, METHOD_GET);
		assert_int_equal(p.t.r.ask.framing, FRAMING_NONE);
		assert_int_equal(p.t.r.kept_field_count, 2);
		assert_true(str_eq(p.t.r.kept_fields[1].value, STR("c=d")));
		proxied_fini(&p);
	}
}

int main(void)
{
	const struct CMUnitTest TESTS[] = { cmocka_unit_test(rows), cmocka_unit_test(left_to_petrel) };
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

/* What people are shown of protocols: whole, in pieces of any size, and cut off anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/decode.h"
#include "http/mask.h"

#define BYTES(literal) STR(literal)

static const struct {
	enum decode how;
	struct str in;
	const char *pairs;   /* "name=value;"; NULL: not enough to know */
	const char *body;
} ASKED[] = {
	{ DECODE_SCGI, { "25:CONTENT_LENGTH\0" "0\0A\0\0SCGI\0,rest", 33 }, "CONTENT_LENGTH=0;A=;", "rest" },
	{ DECODE_SCGI, { "24:CONTENT_LENGTH\0" "0\0A", 21 }, "CONTENT_LENGTH=0;", "" },
	{ DECODE_SCGI, { "x:", 2 }, NULL, NULL },
	{ DECODE_SCGI, { "99999999999999:", 15 }, NULL, NULL },
	{ DECODE_SCGI, { "", 0 }, NULL, NULL },
	{ DECODE_UWSGI, { "\0\x08\0\0\x01\0A\x01\0B\x01\0", 12 }, "A=B;", "" },
	{ DECODE_UWSGI, { "\0\x06\0\0\x01\0A\x01\0Bbody", 14 }, "A=B;", "body" },
	{ DECODE_UWSGI, { "\0\xff\xff\0\xff\xff", 6 }, "", "" },
	{ DECODE_UWSGI, { "\0\x06\0", 3 }, NULL, NULL },
	{ DECODE_CGI, { "\x08\0\0\0\0\0\0\0A=B=\0C=\0x", 17 }, "A=B=;C=;", "x" },
	{ DECODE_CGI, { "\xff\xff\xff\xff\0\0\0\0A=B", 11 }, "", "" },
	{ DECODE_CGI, { "\x08\0", 2 }, NULL, NULL },
	{ DECODE_NOTHING, { "abc", 3 }, NULL, NULL },
};

static struct str exact(struct str s)
{
	char *p = mem_new(s.n + !s.n);
	memcpy(p, s.p, s.n);
	return str_make(p, s.n);
}

static void gather(enum decode how, struct str head, struct buf *out)
{
	struct str name, value;
	while (decode_pair(how, &head, &name, &value))
		buf_addf(out, "%.*s=%.*s;", STR_F(name), STR_F(value));
}

static void asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ASKED); i++) {
		struct str in = exact(ASKED[i].in), head, body;
		struct buf out = {};
		bool known = decode_ask(ASKED[i].how, in, &head, &body);
		if (known)
			gather(ASKED[i].how, head, &out);
		if (known != (ASKED[i].pairs != NULL) ||
		    (known && (!str_eq(buf_str(&out), str_of(ASKED[i].pairs)) || !str_eq(body, str_of(ASKED[i].body)))))
			fail_msg("row %zu: %.*s", i, STR_F(buf_str(&out)));
		buf_fini(&out);
		mem_free((char *)(uintptr_t)in.p);
	}
}

static const struct {
	const char *in, *first, *fields, *body;
} HEADS[] = {
	{ "GET / HTTP/1.1\r\nA: 1\r\nB:2 \r\n\r\nbody\n\nmore", "GET / HTTP/1.1", "A=1;B=2;", "body\n\nmore" },
	{ "HTTP/1.1 200 OK\n\nx", "HTTP/1.1 200 OK", "", "x" },
	{ "Status: 404\nA:b\n\n", "", "Status=404;A=b;", "" },
	{ "Status: 404\r\nA: b", "", "Status=404;A=b;", "" },
	{ "HTTP/1.1 200 OK\r\nSet-Coo", "HTTP/1.1 200 OK", "Set-Coo=;", "" },
	{ "HTTP/1.1", "HTTP/1.1", "", "" },
	{ "\r\nbody", "", "", "body" },
	{ "", "", "", "" },
};

static void heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(HEADS); i++) {
		struct str in = exact(str_of(HEADS[i].in)), first, fields, body;
		struct buf out = {};
		decode_head(in, &first, &fields, &body);
		gather(DECODE_HTTP, fields, &out);
		if (!str_eq(first, str_of(HEADS[i].first)) || !str_eq(buf_str(&out), str_of(HEADS[i].fields)) ||
		    !str_eq(body, str_of(HEADS[i].body)))
			fail_msg("row %zu: %.*s|%.*s|%.*s", i, STR_F(first), STR_F(buf_str(&out)), STR_F(body));
		buf_fini(&out);
		mem_free((char *)(uintptr_t)in.p);
	}
}

static void add_record(struct buf *out, uint8_t type, size_t length, size_t padding)
{
	const unsigned char head[] = { 1, type, 0, 1, (unsigned char)(length >> 8), (unsigned char)length,
		                       (unsigned char)padding, 0 };
	buf_add(out, str_make((const char *)head, sizeof head));
	for (size_t i = 0; i < length; i++)
		buf_add_char(out, (char)('a' + i % 26));
	for (size_t i = 0; i < padding; i++)
		buf_add_char(out, '\0');
}

/* However it is cut, the same is kept of it. */
static void records(void **state)
{
	static const size_t PIECES[] = { 1, 3, 7, 8, 100, 4096, 1 << 20 };
	struct buf all = {};
	(void)state;
	add_record(&all, 1, 8, 0);
	add_record(&all, RECORD_PARAMS, 20000, 4);
	add_record(&all, RECORD_STDOUT, 65535, 1);
	add_record(&all, RECORD_STDOUT, 0, 0);
	add_record(&all, RECORD_STDERR, 3, 255);
	add_record(&all, 200, 600, 0);
	for (size_t i = 0; i < countof(PIECES); i++) {
		struct buf kept = {}, said = {};
		struct thin thin = {};
		struct record r;
		for (struct str rest = buf_str(&all); rest.n; rest = str_from(rest, PIECES[i]))
			thin_add(&thin, str_head(rest, PIECES[i]), &kept);
		for (struct str rest = buf_str(&kept); record_next(&rest, &r);)
			buf_addf(&said, "%s %u %zu/%zu;", record_name(r.type), r.id, r.content.n, r.length);
		assert_string_equal((buf_add_char(&said, '\0'), said.p),
		                    "BEGIN_REQUEST 1 8/8;PARAMS 1 16384/20000;STDOUT 1 512/65535;STDOUT 1 0/0;STDERR 1 3/3;"
		                    "? 1 512/600;");
		buf_fini(&kept);
		buf_fini(&said);
	}
	buf_fini(&all);
}

static const struct {
	const char *in, *out;   /* '|' in it: bytes are missing there */
} MASKS[] = {
	{ "A: 1\r\nSet-Cookie: a=b\r\nB: 2\r\n\r\nSet-Cookie: x", "A: 1\r\nSet-Cookie: ***\nB: 2\r\n\r\nSet-Cookie: x" },
	{ "Cookie:a\n cookie: b\n", "Cookie: ***\n cookie: ***\n" },
	{ "X-Auth-Token:", "X-Auth-Token: ***" },
	{ "A: 1\nset_cookie: a\n\nx", "A: 1\nset_cookie: ***\n\nx" },
	{ "A: |b\nC: d\n\nx", "A: \nC: d\n\nx" },
	{ "A: |b\n\nx|y", "A: \n\nxy" },
	{ "\nx", "\nx" },
	{ "", "" },
};

static void masks(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(MASKS); i++) {
		for (size_t piece = 1; piece < 40; piece++) {
			struct mask m = {};
			struct buf out = {};
			for (struct str rest = str_of(MASKS[i].in); rest.n;) {
				struct str run = str_head(rest, piece);
				run = str_head(run, str_find(run, '|'));
				mask_add(&m, run, &out);
				rest = str_from(rest, run.n);
				if (rest.n && rest.p[0] == '|') {
					mask_gap(&m);
					rest = str_from(rest, 1);
				}
			}
			if (!str_eq(buf_str(&out), str_of(MASKS[i].out)))
				fail_msg("row %zu by %zu: %.*s", i, piece, STR_F(buf_str(&out)));
			buf_fini(&out);
		}
	}
}

static void names(void **state)
{
	static const char *const SECRET[] = { "Authorization", "proxy-authorization", "Cookie", "SET-COOKIE", "HTTP_COOKIE",
		                              "HTTP_AUTHORIZATION", "X-Api-Key", "HTTP_X_API_KEY", "DB_PASSWORD", "PHP_AUTH_PW",
		                              "X-CSRF-Token", "AWS_SECRET_ACCESS_KEY" };
	static const char *const PLAIN[] = { "Host", "User-Agent", "Content-Type", "", "X-Request-Id", "traceparent", "ETag" };
	(void)state;
	for (size_t i = 0; i < countof(SECRET); i++)
		assert_true(is_secret(str_of(SECRET[i])));
	for (size_t i = 0; i < countof(PLAIN); i++)
		assert_false(is_secret(str_of(PLAIN[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(asked), cmocka_unit_test(heads), cmocka_unit_test(records),
		                            cmocka_unit_test(masks), cmocka_unit_test(names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

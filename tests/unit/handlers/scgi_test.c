/* SCGI and uwsgi: what is sent, and answers that end with the connection or their length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/num.h"
#include "heard.h"
#include "http/gateway.h"

#define POST "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"

static const struct heard_row ROWS[] = {
	{ "GET", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello", "200\nA: b\n\nhello", NULL },
	{ "GET", "A: b\n\nhello", "200\nA: b\n\nhello", NULL },
	{ "GET", "Status: 404\nContent-Length: 5\n\nhello and more", "404 length=5\n\nhello", NULL },
	{ "GET", "Content-Length: 0\n\n", "200 length=0\n\n", NULL },
	{ "GET", "Content-Length: 5\n\nhell", "200 length=5\n\nhell", "shorter" },
	{ "GET", "A: b\n\n", "200\nA: b\n\n", NULL },
	{ "HEAD", "Content-Length: 5\n\nhello", "200 length=5\n\n", NULL },
	{ "GET", "Status: 204\n\n", "204\n\n", NULL },
	{ "GET", "Location: /x\n\n", "302 again=/x\nLocation: /x\n\n", NULL },
	{ "GET", "", NULL, "did not answer" },
	{ "GET", "A: b\n", NULL, "ends in its head" },
	{ "GET", "HTTP/1.1 100 Continue\r\n\r\n", NULL, "below 200" },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", NULL, "Transfer-Encoding" },
};

static void answers(void **state)
{
	(void)state;
	struct gateway g = {};
	for (size_t i = 0; i < countof(ROWS); i++) {
		heard_row(&SCGI_CODEC, &g, &ROWS[i], str_of(ROWS[i].answer));
		heard_row(&UWSGI_CODEC, &g, &ROWS[i], str_of(ROWS[i].answer));
	}
}

static void scgi_requests(void **state)
{
	(void)state;
	struct gateway g = { .cgi.mounted = true };
	struct called t;
	struct buf out = {};
	uint64_t length = 0;
	buf_add(&out, STR("before"));
	assert_true(called_init(&t, &SCGI_CODEC, &g, STR(POST)));
	assert_int_equal(called_ask(&t, STR("hello"), 2, &out), 0);
	struct str text = str_from(buf_str(&out), 6), digits = str_cut(&text, ':');
	assert_int_equal(num_parse(digits, 1 << 16, &length), 0);
	assert_true(str_starts(text, STR("CONTENT_LENGTH\0005\0SCGI\0001\0GATEWAY_INTERFACE\0CGI/1.1\0")));
	assert_non_null(memmem(text.p, length, "\0PATH_INFO\0/a", 14));
	assert_true(str_eq(str_from(text, length), STR(",hello")));
	assert_int_equal(text.p[length - 1], '\0');
	called_fini(&t);
	buf_fini(&out);
}

static void uwsgi_requests(void **state)
{
	(void)state;
	struct gateway g = { .cgi.mounted = true };
	struct called t;
	struct buf out = {};
	assert_true(called_init(&t, &UWSGI_CODEC, &g, STR(POST)));
	assert_int_equal(called_ask(&t, STR("hello"), 2, &out), 0);
	const unsigned char *p = (const unsigned char *)out.p;
	size_t length = (size_t)p[2] << 8 | p[1];
	assert_int_equal(p[0], 0);
	assert_int_equal(p[3], 0);
	assert_true(str_eq(str_from(buf_str(&out), 4 + length), STR("hello")));
	struct str pairs = str_head(str_from(buf_str(&out), 4), length), value = {};
	while (pairs.n) {
		size_t n = (unsigned char)pairs.p[0] | (size_t)(unsigned char)pairs.p[1] << 8;
		struct str name = str_head(str_from(pairs, 2), n);
		pairs = str_from(pairs, 2 + n);
		n = (unsigned char)pairs.p[0] | (size_t)(unsigned char)pairs.p[1] << 8;
		if (str_eq(name, STR("REQUEST_URI")))
			value = str_head(str_from(pairs, 2), n);
		pairs = str_from(pairs, 2 + n);
	}
	assert_true(str_eq(value, STR("/a?b")));
	called_fini(&t);
	buf_fini(&out);
}

/* What can't be said is not tried. */
static void refusals(void **state)
{
	(void)state;
	struct gateway g = {};
	struct called t;
	struct buf out = {}, head = {};
	const struct codec *codecs[] = { &SCGI_CODEC, &UWSGI_CODEC };
	for (size_t i = 0; i < 2; i++) {
		assert_true(called_init(&t, codecs[i], &g,
		                        STR("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")));
		assert_int_equal(called_ask(&t, STR(""), 1, &out), 411);
		called_fini(&t);
	}
	for (size_t count = 1; count <= 5; count += 4) {
		buf_clear(&head);
		buf_add(&head, STR("GET / HTTP/1.1\r\nHost: h\r\n"));
		for (size_t i = 0; i < count; i++)
			buf_addf(&head, "X%zu: %0*d\r\n", i, count == 1 ? 70000 : 16000, 0);
		buf_add(&head, STR("\r\n"));
		assert_true(called_init(&t, &UWSGI_CODEC, &g, buf_str(&head)));
		assert_int_equal(called_ask(&t, STR(""), 1, &out), 431);
		assert_non_null(t.c.why);
		called_fini(&t);
	}
	buf_fini(&out);
	buf_fini(&head);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(answers), cmocka_unit_test(scgi_requests), cmocka_unit_test(uwsgi_requests),
		cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

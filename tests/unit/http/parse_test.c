/* Request heads: what is refused, with which status; what is accepted, and what it means; heads that come in pieces.
 * Every input lies in memory of exactly its size, and is gone when the strings of the result are looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/parse.h"

static const struct parse_limits LIMITS = { 4096, 20 };

struct result {
	struct arena arena;
	enum parsed parsed;
	struct ask ask;
	unsigned status;
	const char *why;
};

/* The input is overwritten and freed before anyone looks at the result. */
static struct result parse(struct str in, const struct parse_limits *limits)
{
	struct result r = {};
	char *exact = mem_new(in.n);
	memcpy(exact, in.p, in.n);
	arena_init(&r.arena, NULL, 0);
	r.parsed = parse_ask(&r.arena, str_make(exact, in.n), limits, &r.ask, &r.status, &r.why);
	memset(exact, '!', in.n);
	mem_free(exact);
	return r;
}

#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" H
#define POST "POST / HTTP/1.1\r\n" H

static const struct {
	const char *head;
	unsigned status;
} REFUSED[] = {
	/* Request lines. */
	{ " GET / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "G(T / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "G\x80T / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET\t/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /  HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /\tHTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1 \r\n" H "\r\n", 400 },
	{ "GET /\r\n" H "\r\n", 400 },
	{ "GET / \r\n" H "\r\n", 400 },
	{ "GET HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET  HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET / http/1.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.x\r\n" H "\r\n", 400 },
	{ "GET / HTTP/x.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/11.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.10\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1,1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/0.9\r\n" H "\r\n", 505 },
	{ "GET / HTTP/2.0\r\n" H "\r\n", 505 },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
	{ "GETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\n" H "\r\n", 501 },
	{ "CONNECT a:80 HTTP/1.1\r\n" H "\r\n", 501 },
	{ "\n" GET "\r\n", 400 },
	{ "\r\n\r\n" GET "\r\n", 400 },
	{ "\rGET / HTTP/1.1\r\n" H "\r\n", 400 },
	/* Targets. */
	{ "GET a HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET a/b HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET a:80 HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET ?a HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET * HTTP/1.1\r\n" H "\r\n", 400 },
	{ "OPTIONS ** HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /# HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /\x01 HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /\x7f HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /% HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%2 HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%2g HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%2f HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%2F HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%00 HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%0d%0a HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%7F HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /.. HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /../ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a/../../b HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /%2e%2E/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /.%2e HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET ftp://a/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http:/a HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http:///a HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http:// HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http://?x HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http://u@a/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http://a:x/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http://b/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http://a:8080/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http://a/.. HTTP/1.1\r\n" H "\r\n", 400 },
	{ "OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n", 400 },
	/* Hosts. */
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.9\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400 },
	{ GET H "\r\n", 400 },
	{ "GET / HTTP/1.0\r\n" H H "\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a?\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:+1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: [x]\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: %61\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: .\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", 400 },
	{ "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400 },
	/* Fields. */
	{ GET "A : b\r\n\r\n", 400 },
	{ GET "A\t: b\r\n\r\n", 400 },
	{ GET ": b\r\n\r\n", 400 },
	{ GET "A\r\n\r\n", 400 },
	{ GET "A b: c\r\n\r\n", 400 },
	{ GET "A\x80: c\r\n\r\n", 400 },
	{ GET "A(: c\r\n\r\n", 400 },
	{ GET "A: b\r\n c\r\n\r\n", 400 },
	{ GET "A: b\r\n\tc\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n " H "\r\n", 400 },
	{ GET "A: b\rc\r\n\r\n", 400 },
	{ GET "A: b\r\r\n\r\n", 400 },
	{ GET "A: b\x01\r\n\r\n", 400 },
	{ GET "A: b\x7f\r\n\r\n", 400 },
	{ GET "A: b\x1b[0m\r\n\r\n", 400 },
	/* LF alone ends nothing. */
	{ "GET / HTTP/1.1\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
	{ GET "\n", 400 },
	{ GET "A: b\n\n", 400 },
	{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
	{ GET "\rx", 400 },
	/* Framing. */
	{ POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400 },
	{ POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400 },
	{ POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400 },
	{ POST "Content-Length: 1\r\nA: b\r\ncontent-length: 1\r\n\r\n", 400 },
	{ POST "Content-Length: 1, 1\r\n\r\n", 400 },
	{ POST "Content-Length:\r\n\r\n", 400 },
	{ POST "Content-Length: x\r\n\r\n", 400 },
	{ POST "Content-Length: +1\r\n\r\n", 400 },
	{ POST "Content-Length: -1\r\n\r\n", 400 },
	{ POST "Content-Length: 1 1\r\n\r\n", 400 },
	{ POST "Content-Length: 0x1\r\n\r\n", 400 },
	{ POST "Content-Length: 1.0\r\n\r\n", 400 },
	{ POST "Content-Length: \"1\"\r\n\r\n", 400 },
	{ POST "Content-Length: 9223372036854775808\r\n\r\n", 413 },
	{ POST "Content-Length: 99999999999999999999999999\r\n\r\n", 413 },
	{ POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ POST "Transfer-Encoding: gzip\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: identity\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: xchunked\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: chunked;a=b\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501 },
	{ POST "Transfer-Encoding:\r\n\r\n", 501 },
	{ POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	/* Expectations. */
	{ POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417 },
	{ POST "Expect: 100-continue, x\r\nContent-Length: 1\r\n\r\n", 417 },
};

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(REFUSED); i++) {
		struct result r = parse(str_of(REFUSED[i].head), &LIMITS);
		if (r.parsed != PARSE_BAD || r.status != REFUSED[i].status || !r.why || !r.why[0])
			fail_msg("%s\n%d, status %u: %s", REFUSED[i].head, (int)r.parsed, r.status, r.why);
		arena_fini(&r.arena);
	}
}

static const struct {
	const char *head;
	const char *means;   /* method path?query host:port minor k(eep alive) e(xpect) framing:length fields */
} ACCEPTED[] = {
	{ GET "\r\n", "GET / a:0 1.1 k none:0 1" },
	{ "\r\n" GET "\r\n", "GET / a:0 1.1 k none:0 1" },
	{ "GET / HTTP/1.0\r\n\r\n", "GET / :0 1.0 none:0 0" },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / :0 1.0 k none:0 1" },
	{ "GET / HTTP/1.0\r\nConnection: x,,Keep-Alive ,y\r\n\r\n", "GET / :0 1.0 k none:0 1" },
	{ "GET / HTTP/1.0\r\n" H "\r\n", "GET / a:0 1.0 none:0 1" },
	{ "GET / HTTP/1.9\r\n" H "\r\n", "GET / a:0 1.1 k none:0 1" },
	{ GET "Connection: close\r\n\r\n", "GET / a:0 1.1 none:0 2" },
	{ GET "Connection: x\r\nconnection: Upgrade , CLOSE\r\n\r\n", "GET / a:0 1.1 none:0 3" },
	{ GET "Connection: closed\r\n\r\n", "GET / a:0 1.1 k none:0 2" },
	{ "get / HTTP/1.1\r\n" H "\r\n", "get / a:0 1.1 k none:0 1" },
	{ "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" H "\r\n", "!#$%&'*+-.^_`|~09azAZ / a:0 1.1 k none:0 1" },
	{ "GET /a/b.c?d=e&f HTTP/1.1\r\n" H "\r\n", "GET /a/b.c?d=e&f a:0 1.1 k none:0 1" },
	{ "GET /? HTTP/1.1\r\n" H "\r\n", "GET /? a:0 1.1 k none:0 1" },
	{ "GET /?a?b/../%00 HTTP/1.1\r\n" H "\r\n", "GET /?a?b/../%00 a:0 1.1 k none:0 1" },
	{ "GET //a//b/ HTTP/1.1\r\n" H "\r\n", "GET /a/b/ a:0 1.1 k none:0 1" },
	{ "GET /a/./b/../c/. HTTP/1.1\r\n" H "\r\n", "GET /a/c/ a:0 1.1 k none:0 1" },
	{ "GET /%61%20%C3%A4%25 HTTP/1.1\r\n" H "\r\n", "GET /a \xc3\xa4% a:0 1.1 k none:0 1" },
	{ "GET /%252e%252e/ HTTP/1.1\r\n" H "\r\n", "GET /%2e%2e/ a:0 1.1 k none:0 1" },
	{ "GET /\"<>\\^`{|}[]:;@!$&'()*+,= HTTP/1.1\r\n" H "\r\n",
	  "GET /\"<>\\^`{|}[]:;@!$&'()*+,= a:0 1.1 k none:0 1" },
	{ "GET http://a/b?c HTTP/1.1\r\n" H "\r\n", "GET /b?c a:0 1.1 k none:0 1" },
	{ "GET HTTP://A?c HTTP/1.1\r\n" H "\r\n", "GET /?c a:0 1.1 k none:0 1" },
	{ "GET https://a:99 HTTP/1.1\r\nHost: A:99\r\n\r\n", "GET / a:99 1.1 k none:0 1" },
	{ "GET http://a/ HTTP/1.0\r\n\r\n", "GET / a:0 1.0 none:0 0" },
	{ "OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * a:0 1.1 k none:0 1" },
	{ "OPTIONS / HTTP/1.1\r\n" H "\r\n", "OPTIONS / a:0 1.1 k none:0 1" },
	{ "TRACE / HTTP/1.1\r\n" H "\r\n", "TRACE / a:0 1.1 k none:0 1" },
	{ "GET / HTTP/1.1\r\nhOST:ExAmPle.ORG:8080\r\n\r\n", "GET / example.org:8080 1.1 k none:0 1" },
	{ "GET / HTTP/1.1\r\nHost: a.example.org.\r\n\r\n", "GET / a.example.org:0 1.1 k none:0 1" },
	{ "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET / a:0 1.1 k none:0 1" },
	{ "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", "GET / 127.0.0.1:1 1.1 k none:0 1" },
	{ "GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", "GET / [::1]:1 1.1 k none:0 1" },
	{ "GET / HTTP/1.1\r\nHost: [::FFFF:1.2.3.4]\r\n\r\n", "GET / [::ffff:1.2.3.4]:0 1.1 k none:0 1" },
	{ GET "A:\r\nB: \t\r\nC:\t x \xc3\xa4\ty\t \r\n\r\n", "GET / a:0 1.1 k none:0 4" },
	{ POST "Content-Length: 0\r\n\r\n", "POST / a:0 1.1 k none:0 2" },
	{ POST "Content-Length: 5\r\n\r\nhello", "POST / a:0 1.1 k length:5 2" },
	{ POST "Content-Length: 0000000000000000000000000005\r\n\r\n", "POST / a:0 1.1 k length:5 2" },
	{ POST "Content-Length: 9223372036854775807\r\n\r\n", "POST / a:0 1.1 k length:9223372036854775807 2" },
	{ POST "Transfer-Encoding: Chunked\r\n\r\n", "POST / a:0 1.1 k chunked:0 2" },
	{ GET "Content-Length: 3\r\n\r\nabc", "GET / a:0 1.1 k length:3 2" },
	{ POST "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n", "POST / a:0 1.1 k e length:1 3" },
	{ POST "Expect: 100-continue\r\n\r\n", "POST / a:0 1.1 k none:0 2" },
	{ "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: anything\r\n\r\n", "POST / :0 1.0 length:1 2" },
};

static void print(struct buf *out, const struct ask *a)
{
	static const char *const FRAMINGS[] = { "none", "length", "chunked" };
	buf_addf(out, "%.*s %.*s%s%.*s %.*s:%u 1.%u%s%s %s:%llu %zu", STR_F(a->method_name), STR_F(a->path),
	         a->query.p ? "?" : "", STR_F(a->query), STR_F(a->host), a->port, a->minor, a->keep_alive ? " k" : "",
	         a->expect_continue ? " e" : "", FRAMINGS[a->framing], (unsigned long long)a->length_b, a->field_count);
}

static void accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ACCEPTED); i++) {
		struct buf means = {};
		struct result r = parse(str_of(ACCEPTED[i].head), &LIMITS);
		if (r.parsed == PARSE_DONE)
			print(&means, &r.ask);
		if (r.parsed != PARSE_DONE || !str_eq(buf_str(&means), str_of(ACCEPTED[i].means)))
			fail_msg("%s\n%d: %.*s (%u, %s)", ACCEPTED[i].head, (int)r.parsed, STR_F(buf_str(&means)), r.status,
			         r.why);
		buf_fini(&means);
		arena_fini(&r.arena);
	}
}

static void fields(void **state)
{
	(void)state;
	struct result r = parse(STR(GET "X-A: 1\r\nACCEPT:  text/html \r\nx-a:\r\naccept: b\r\n\r\nrest"), &LIMITS);
	assert_int_equal(r.parsed, PARSE_DONE);
	assert_int_equal(r.ask.field_count, 5);
	assert_int_equal(r.ask.head_b, strlen(GET "X-A: 1\r\nACCEPT:  text/html \r\nx-a:\r\naccept: b\r\n\r\n"));
	assert_true(str_eq(r.ask.fields[1].name, STR("X-A")));
	assert_true(str_eq(r.ask.fields[1].value, STR("1")));
	assert_true(str_eq(ask_field(&r.ask, FIELD_ACCEPT), STR("text/html")));
	assert_int_equal(r.ask.fields[3].value.n, 0);
	assert_int_equal(r.ask.fields[4].id, FIELD_ACCEPT);
	assert_null(ask_field(&r.ask, FIELD_RANGE).p);
	arena_fini(&r.arena);
}

/* What is known of a head that is refused is logged, perhaps long after the input is gone. */
static void refused_strings_stay(void **state)
{
	(void)state;
	struct result r = parse(STR("GET /a HTTP/1.1\r\nHost : a\r\n\r\n"), &LIMITS);
	assert_int_equal(r.parsed, PARSE_BAD);
	assert_true(str_eq(r.ask.method_name, STR("GET")));
	assert_true(str_eq(r.ask.target, STR("/a")));
	arena_fini(&r.arena);
}

/* --- In pieces. --- */

static enum parsed parse_only(struct str in)
{
	struct result r = parse(in, &LIMITS);
	arena_fini(&r.arena);
	return r.parsed;
}

/* A head that is fine as a whole is never refused, nor taken for complete, before its last byte. */
static void cut_everywhere(struct str in)
{
	struct result whole = parse(in, &LIMITS);
	assert_int_equal(whole.parsed, PARSE_DONE);
	for (size_t n = 0; n < whole.ask.head_b; n++)
		if (parse_only(str_head(in, n)) != PARSE_MORE)
			fail_msg("%.*s\ncut after %zu", STR_F(in), n);
	assert_int_equal(parse_only(str_head(in, whole.ask.head_b)), PARSE_DONE);
	arena_fini(&whole.arena);
}

/* What is refused is refused from some byte on, with one status, and never accepted in between. */
static void refused_from_some_byte_on(struct str in, unsigned status)
{
	bool bad = false;
	for (size_t n = 0; n <= in.n; n++) {
		struct result r = parse(str_head(in, n), &LIMITS);
		bad |= r.parsed == PARSE_BAD;
		if (r.parsed != (bad ? PARSE_BAD : PARSE_MORE) || (bad && r.status != status))
			fail_msg("%.*s\ncut after %zu: %d, %u", STR_F(in), n, (int)r.parsed, r.status);
		arena_fini(&r.arena);
	}
	assert_true(bad);
}

static void pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ACCEPTED); i++)
		cut_everywhere(str_of(ACCEPTED[i].head));
	for (size_t i = 0; i < countof(REFUSED); i++)
		refused_from_some_byte_on(str_of(REFUSED[i].head), REFUSED[i].status);
}

/* NUL anywhere, and any other byte anywhere: a table can't hold these. */
static void nul_everywhere(void **state)
{
	(void)state;
	static const struct str HEAD = { GET "A: b\r\n\r\n", sizeof(GET "A: b\r\n\r\n") - 1 };
	for (size_t i = 0; i < HEAD.n; i++) {
		char bytes[128];
		memcpy(bytes, HEAD.p, HEAD.n);
		bytes[i] = '\0';
		assert_int_equal(parse_only(str_make(bytes, HEAD.n)), PARSE_BAD);
	}
}

/* The fuzz targets' seeds are heads, too. */
static void seeds(void **state)
{
	(void)state;
	glob_t g;
	assert_int_equal(glob("tests/fuzz/corpus/parse/*", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char bytes[8192];
		FILE *f = fopen(g.gl_pathv[i], "re");
		assert_non_null(f);
		struct str in = { bytes, fread(bytes, 1, sizeof bytes, f) };
		fclose(f);
		struct result r = parse(in, &LIMITS);
		if (r.parsed == PARSE_DONE)
			cut_everywhere(in);
		else if (r.parsed == PARSE_BAD)
			refused_from_some_byte_on(in, r.status);
		arena_fini(&r.arena);
	}
	assert_true(g.gl_pathc > 10);
	globfree(&g);
}

/* --- Limits. --- */

static void limit(size_t target_b, size_t value_b, size_t count, enum parsed parsed, unsigned status)
{
	static const struct parse_limits SMALL = { 200, 4 };
	struct buf head = {};
	buf_add(&head, STR("GET /"));
	while (target_b--)
		buf_add_char(&head, 'x');
	buf_add(&head, STR(" HTTP/1.1\r\n" H));
	for (size_t i = 0; i < count; i++)
		buf_add(&head, STR("A: b\r\n"));
	buf_add(&head, STR("V: "));
	while (value_b--)
		buf_add_char(&head, 'x');
	buf_add(&head, STR("\r\n\r\n"));
	struct result r = parse(buf_str(&head), &SMALL);
	if (r.parsed != parsed || r.status != status)
		fail_msg("%.*s\n%d, status %u", STR_F(buf_str(&head)), (int)r.parsed, r.status);
	/* However much follows, the answer is the same. */
	for (unsigned i = 0; i < 1000; i++)
		buf_add_char(&head, 'y');
	struct result more = parse(buf_str(&head), &SMALL);
	assert_int_equal(more.parsed, parsed);
	assert_int_equal(more.status, status);
	arena_fini(&r.arena);
	arena_fini(&more.arena);
	buf_fini(&head);
}

static void limits(void **state)
{
	(void)state;
	enum { REST_B = sizeof("GET / HTTP/1.1\r\n" H "V: \r\n\r\n") - 1, LINE_B = sizeof("GET / HTTP/1.1\r\n") - 1 };
	limit(0, 200 - REST_B, 0, PARSE_DONE, 0);
	limit(0, 200 - REST_B + 1, 0, PARSE_BAD, 431);
	limit(200 - REST_B, 0, 0, PARSE_DONE, 0);
	limit(200 - REST_B + 1, 0, 0, PARSE_BAD, 431);
	limit(200 - LINE_B, 0, 0, PARSE_BAD, 431);
	limit(200 - LINE_B + 1, 0, 0, PARSE_BAD, 414);
	limit(5000, 0, 0, PARSE_BAD, 414);
	limit(0, 0, 2, PARSE_DONE, 0);
	limit(0, 0, 3, PARSE_BAD, 431);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refused), cmocka_unit_test(accepted), cmocka_unit_test(fields),
		                            cmocka_unit_test(refused_strings_stay), cmocka_unit_test(pieces),
		                            cmocka_unit_test(nul_everywhere), cmocka_unit_test(seeds),
		                            cmocka_unit_test(limits) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

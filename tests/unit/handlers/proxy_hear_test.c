/* Answers of HTTP servers: what is understood, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "handlers/proxy.h"
#include "heard.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define FIVE "Content-Length: 5\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct heard_row ROWS[] = {
	/* Bodies: by length, by chunks, until the end, none. */
	{ "GET", OK FIVE "\r\nhello", "200 length=5 keep\n\nhello", NULL },
	{ "GET", OK "Content-Length: 0\r\n\r\n", "200 length=0 keep\n\n", NULL },
	{ "GET", OK FIVE "\r\nhello and what is not asked for", "200 length=5 keep\n\nhello", NULL },
	{ "GET", OK CHUNKED "\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nA: b\r\n\r\n", "200 keep\n\nhello!", NULL },
	{ "GET", OK "transfer-encoding: Chunked\r\n\r\n0\r\n\r\n", "200 keep\n\n", NULL },
	{ "GET", OK "\r\nhello", "200\n\nhello", NULL },
	{ "GET", OK "\r\n", "200\n\n", NULL },
	{ "GET", "HTTP/1.0 200 OK\r\n" FIVE "\r\nhello", "200 length=5\n\nhello", NULL },
	{ "GET", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" FIVE "\r\nhello", "200 length=5 keep\n\nhello", NULL },
	{ "GET", OK "Connection: close\r\n" FIVE "\r\nhello", "200 length=5\n\nhello", NULL },
	{ "GET", OK "Connection: x, Close\r\n" FIVE "\r\nhello", "200 length=5\n\nhello", NULL },
	{ "HEAD", OK FIVE "\r\n", "200 length=5 keep\n\n", NULL },
	{ "HEAD", OK CHUNKED "\r\n", "200 keep\n\n", NULL },
	{ "HEAD", OK "\r\n", "200 keep\n\n", NULL },
	{ "GET", "HTTP/1.1 204 No Content\r\n\r\n", "204 keep\n\n", NULL },
	{ "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "204 length=0 keep\n\n", NULL },
	{ "GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n" FIVE "\r\n", "304 length=5 keep\nETag: \"a\"\n\n", NULL },
	/* Status lines. */
	{ "GET", "HTTP/1.1 404 \r\n" FIVE "\r\nhello", "404 length=5 keep\n\nhello", NULL },
	{ "GET", "HTTP/1.1 599\r\n" FIVE "\r\nhello", "599 length=5 keep\n\nhello", NULL },
	{ "GET", "HTTP/1.9 200 a b \x80\r\n" FIVE "\r\nhello", "200 length=5 keep\n\nhello", NULL },
	/* Interim answers. */
	{ "GET", "HTTP/1.1 100 Continue\r\n\r\n" OK FIVE "\r\nhello", "200 length=5 keep\n\nhello", NULL },
	{ "GET", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 x\r\n\r\n" OK FIVE "\r\nhello",
	  "200 length=5 keep\n\nhello", NULL },
	/* Fields of the hop, and of the framing, go; the others stay in their order. */
	{ "GET", OK "A: 1\r\nKeep-Alive: 5\r\nb:2\r\nConnection: keep-alive, a\r\nTrailer: x\r\nProxy-Authenticate: x\r\n"
	  "Upgrade: h2c\r\nTE: x\r\nProxy-Connection: x\r\n" FIVE "C: \t 3 \r\nConnection: d\r\nD: 4\r\nb: 5\r\n\r\nhello",
	  "200 length=5 keep\nb: 2\nC: 3\nb: 5\n\nhello", NULL },
	/* What is not HTTP. */
	{ "GET", "", NULL, "without an answer" },
	{ "GET", "\r\n" OK FIVE "\r\nhello", NULL, "does not begin" },
	{ "GET", "ICY 200 OK\r\n\r\n", NULL, "does not begin" },
	{ "GET", "http/1.1 200 OK\r\n\r\n", NULL, "does not begin" },
	{ "GET", "HTTP/2.0 200 OK\r\n\r\n", NULL, "spoken" },
	{ "GET", "HTTP/11 200 OK\r\n\r\n", NULL, "version" },
	{ "GET", "HTTP/1.1  200 OK\r\n\r\n", NULL, "three digits" },
	{ "GET", "HTTP/1.1\t200 OK\r\n\r\n", NULL, "blank" },
	{ "GET", "HTTP/1.1 20 OK\r\n\r\n", NULL, "three digits" },
	{ "GET", "HTTP/1.1 2000 OK\r\n\r\n", NULL, "three digits" },
	{ "GET", "HTTP/1.1 099 OK\r\n\r\n", NULL, "range" },
	{ "GET", "HTTP/1.1 600 OK\r\n\r\n", NULL, "range" },
	{ "GET", "HTTP/1.1 200 O\vK\r\n\r\n", NULL, "control" },
	{ "GET", "HTTP/1.1 200 OK\n\n", NULL, "LF without CR" },
	{ "GET", OK "A: b\n\r\n", NULL, "LF without CR" },
	{ "GET", OK "A: b\r\n\n", NULL, "LF without CR" },
	{ "GET", OK "A: b\rc: d\r\n\r\n", NULL, "CR is not followed" },
	{ "GET", OK "A: b\r\n c\r\n\r\n", NULL, "folding" },
	{ "GET", OK " A: b\r\n\r\n", NULL, "folding" },
	{ "GET", OK "A : b\r\n\r\n", NULL, "before a field's colon" },
	{ "GET", OK ": b\r\n\r\n", NULL, "no name" },
	{ "GET", OK "A\r\n\r\n", NULL, "name holds" },
	{ "GET", OK "A: \x01\r\n\r\n", NULL, "control" },
	/* What could be read in two ways. */
	{ "GET", OK FIVE CHUNKED "\r\n0\r\n\r\n", NULL, "both" },
	{ "GET", OK FIVE FIVE "\r\nhello", NULL, "more than one" },
	{ "GET", OK FIVE "Content-Length: 6\r\n\r\nhello!", NULL, "more than one" },
	{ "GET", OK "Content-Length: 5, 5\r\n\r\nhello", NULL, "not a number" },
	{ "GET", OK "Content-Length: +5\r\n\r\nhello", NULL, "not a number" },
	{ "GET", OK "Content-Length: 0x5\r\n\r\nhello", NULL, "not a number" },
	{ "GET", OK "Content-Length: \r\n\r\nhello", NULL, "not a number" },
	{ "GET", OK "Content-Length: 99999999999999999999\r\n\r\nhello", NULL, "not a number" },
	{ "GET", OK CHUNKED CHUNKED "\r\n0\r\n\r\n", NULL, "more than one" },
	{ "GET", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", NULL, "coding other" },
	{ "GET", OK "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", NULL, "coding other" },
	{ "GET", OK "Transfer-Encoding: identity\r\n\r\nhello", NULL, "coding other" },
	{ "GET", OK "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", NULL, "control" },
	{ "GET", "HTTP/1.0 200 OK\r\n" CHUNKED "\r\n0\r\n\r\n", NULL, "HTTP/1.0" },
	{ "GET", "HTTP/1.1 204 No Content\r\n" FIVE "\r\nhello", NULL, "announce" },
	{ "GET", "HTTP/1.1 204 No Content\r\n" CHUNKED "\r\n", NULL, "announce" },
	{ "GET", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" OK "\r\n", NULL, "announce" },
	{ "GET", "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", NULL, "not asked" },
	/* Bodies that end too early, or not as they should. */
	{ "GET", OK FIVE "\r\nhell", "200 length=5 keep\n\nhell", "in the middle of its answer" },
	{ "GET", OK FIVE "\r\n", "200 length=5 keep\n\n", "in the middle of its answer" },
	{ "GET", OK CHUNKED "\r\n5\r\nhello\r\n", "200 keep\n\nhello", "in the middle of its answer" },
	{ "GET", OK CHUNKED "\r\n5\r\nhello\r\n0\r\n", "200 keep\n\nhello", "in the middle of its answer" },
	{ "GET", OK CHUNKED "\r\n5\r\nhello!", "200 keep\n\nhello", "chunks" },
	{ "GET", OK CHUNKED "\r\n-1\r\n", "200 keep\n\n", "chunks" },
	{ "GET", OK CHUNKED "\r\n5\nhello\n", "200 keep\n\n", "chunks" },
	{ "GET", OK FIVE, NULL, "answer's head" },
	{ "GET", "HTTP/1.1 100 Continue\r\n\r\n", NULL, "without an answer" },
	{ "GET", "H", NULL, "answer's head" },
};

static void rows(void **state)
{
	(void)state;
	struct proxy v = {};
	for (size_t i = 0; i < countof(ROWS); i++)
		heard_row(&PROXY_CODEC, &v, &ROWS[i], str_of(ROWS[i].answer));
}

#define LAST OK CHUNKED "\r\n1\r\nx\r\n0\r\n"
#define X "200 keep\n\nx"

/* To a client that wants trailers. */
static const struct heard_row TRAILERS[] = {
	{ "GET", LAST "\r\n", X, NULL },
	{ "GET", LAST "A: 1\r\ngrpc-status:0 \r\nA: \r\n\r\n", X "\n[]\nA: 1\r\ngrpc-status: 0\r\nA: \r\n", NULL },
	{ "GET", LAST "A: 1\r\n\r\nHTTP/1.1 200 OK\r\n", X "\n[]\nA: 1\r\n", NULL },
	{ "GET", OK CHUNKED "Trailer: A, Content-Length, b c, ,\tD\r\nTrailer: X-Sum,Host\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
	  "200 keep\n\n\n[A, D, X-Sum]\nX-Sum: 1\r\n", NULL },
	/* Announced, and then there is none. */
	{ "GET", OK CHUNKED "Trailer: A\r\n\r\n0\r\n\r\n", "200 keep\n\n\n[A]\n", NULL },
	{ "GET", OK FIVE "Trailer: A\r\n\r\nhello", "200 length=5 keep\n\nhello", NULL },
	{ "HEAD", OK CHUNKED "Trailer: A\r\n\r\n", "200 keep\n\n", NULL },
	/* What could change how the message is read, or what is done with it. */
	{ "GET", LAST "Content-Length: 7\r\nTransfer-Encoding: chunked\r\nTransfer_Encoding: x\r\nHost: b\r\nA: 1\r\n"
	  "Set-Cookie: a=b\r\nAuthorization: x\r\nCache-Control: public\r\nContent-Type: text/html\r\nTE: x\r\n"
	  "Connection: close\r\nTrailer: x\r\nKeep-Alive: 1\r\nX_Forwarded_For: 1\r\nX-Accel-Redirect: /x\r\n"
	  "content_length: 7\r\nIf-Match: *\r\nLocation: /\r\nContent-Digest: d\r\n\r\n",
	  X "\n[]\nA: 1\r\nContent-Digest: d\r\n", NULL },
	/* Of the hop, by the head's word. */
	{ "GET", OK CHUNKED "Connection: a\r\nTrailer: A, b\r\n\r\n0\r\nA: 1\r\nB: 2\r\n\r\n",
	  "200 keep\n\n\n[b]\nB: 2\r\n", NULL },
	/* What could be read in two ways. */
	{ "GET", LAST "A: 1\n\r\n", X, "LF without CR" },
	{ "GET", LAST "A: 1\r\n\n", X, "LF without CR" },
	{ "GET", LAST "A: 1\r\n b\r\n\r\n", X, "folding" },
	{ "GET", LAST " A: 1\r\n\r\n", X, "folding" },
	{ "GET", LAST "A : 1\r\n\r\n", X, "before a field's colon" },
	{ "GET", LAST "A\r\n\r\n", X, "name holds" },
	{ "GET", LAST ": 1\r\n\r\n", X, "no name" },
	{ "GET", LAST "A: b\rc\r\n\r\n", X, "CR is not followed" },
	{ "GET", LAST "A: \x01\r\n\r\n", X, "control" },
	{ "GET", LAST "HTTP/1.1 200 OK\r\n\r\n", X, "name holds" },
	{ "GET", LAST "5\r\nhello\r\n0\r\n\r\n", X, "name holds" },
	{ "GET", LAST "A: 1\r\n", X, "in the middle of its answer" },
	{ "GET", LAST "A: 1", X, "in the middle of its answer" },
};

static void trailers(void **state)
{
	(void)state;
	struct proxy v = {};
	for (size_t i = 0; i < countof(TRAILERS); i++)
		heard_row_to(&PROXY_CODEC, &v, &TRAILERS[i], str_of(TRAILERS[i].answer), "TE: deflate;q=0.5, trailers\r\n");
}

/* To everyone else: checked, and gone. */
static void dropped_trailers(void **state)
{
	(void)state;
	struct proxy v = {};
	static const struct heard_row FINE = { "GET", OK CHUNKED "Trailer: A\r\n\r\n1\r\nx\r\n0\r\nA: 1\r\n\r\n", X, NULL };
	static const struct heard_row BAD = { "GET", LAST "A: 1\n\r\n", X, "LF without CR" };
	static const char *const FIELDS[] = { "", "TE: gzip\r\n", "TE: trailers;q=1\r\n", "X-TE: trailers\r\n" };
	for (size_t i = 0; i < countof(FIELDS); i++) {
		heard_row_to(&PROXY_CODEC, &v, &FINE, str_of(FINE.answer), FIELDS[i]);
		heard_row_to(&PROXY_CODEC, &v, &BAD, str_of(BAD.answer), FIELDS[i]);
	}
}

/* Bounded as heads are: in bytes and in number. */
static void many_trailers(void **state)
{
	(void)state;
	struct proxy v = {};
	static const struct { struct str line; const char *why; } ROWS_OF_MANY[] = {
		{ { "A:\r\n", 4 }, "too many" },
		{ { "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 75 }, "too large" },
	};
	for (size_t i = 0; i < countof(ROWS_OF_MANY); i++) {
		struct called t;
		struct buf many = {};
		buf_add(&many, STR(LAST));
		for (int k = 0; k < 500; k++)
			buf_add(&many, ROWS_OF_MANY[i].line);
		assert_true(called_init(&t, &PROXY_CODEC, &v, STR("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")));
		called_hear(&t, buf_str(&many), 0, 100);
		assert_int_equal(t.heard, HEARD_BAD);
		assert_non_null(strstr(t.c.why, ROWS_OF_MANY[i].why));
		called_fini(&t);
		buf_fini(&many);
	}
}

/* What the operator took out of the head, or set there, does not come behind the body. */
static void removed_trailers(void **state)
{
	(void)state;
	struct proxy v = {};
	struct called t;
	assert_true(called_init(&t, &PROXY_CODEC, &v, STR("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")));
	called_hear(&t, STR(OK CHUNKED "Trailer: A, x-secret\r\n\r\n0\r\nA: 1\r\nX-Secret: 1\r\nX_Secret: 2\r\n\r\n"), 0, 1000);
	assert_int_equal(t.heard, HEARD_END);
	t.r.answer.trailers = t.c.reply.trailers;
	for (int i = 0; i < 20; i++)
		answer_remove(&t.r, STR("X-Other"));
	answer_remove(&t.r, STR("X-Secret"));
	assert_true(str_eq(trailers_names(t.c.reply.trailers, t.c.arena), STR("A")));
	buf_clear(&t.told);
	trailers_print(t.c.reply.trailers, &t.told);
	assert_true(str_eq(buf_str(&t.told), STR("A: 1\r\n")));
	called_fini(&t);
}

static void a_nul(void **state)
{
	(void)state;
	struct proxy v = {};
	static const struct heard_row ROW = { "GET", "A: \\0", NULL, "control" };
	heard_row(&PROXY_CODEC, &v, &ROW, STR(OK "A: \0\r\n\r\n"));
}

static void a_websocket(void **state)
{
	(void)state;
	struct proxy v = {};
	struct called t;
	static const char ANSWER[] = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
				     "Sec-WebSocket-Accept: x\r\n\r\n\x81\x05hello";
	assert_true(called_init(&t, &PROXY_CODEC, &v, STR("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
	                                                  "Upgrade: WebSocket\r\n\r\n")));
	called_hear(&t, str_of(ANSWER), 0, 1);
	assert_int_equal(t.heard, HEARD_END);
	assert_true(str_eq(buf_str(&t.told), STR("101\nUpgrade: websocket\nSec-WebSocket-Accept: x\n\n\x81\x05hello")));
	called_fini(&t);
}

static void interim_answers_end(void **state)
{
	(void)state;
	struct proxy v = {};
	struct called t;
	struct buf many = {};
	for (int i = 0; i < 100; i++)
		buf_add(&many, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	assert_true(called_init(&t, &PROXY_CODEC, &v, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
	called_hear(&t, buf_str(&many), 0, many.n);
	assert_int_equal(t.heard, HEARD_BAD);
	assert_int_equal(t.interims, 64);
	called_fini(&t);
	buf_fini(&many);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(rows), cmocka_unit_test(a_nul), cmocka_unit_test(a_websocket),
		cmocka_unit_test(interim_answers_end), cmocka_unit_test(trailers), cmocka_unit_test(dropped_trailers),
		cmocka_unit_test(many_trailers), cmocka_unit_test(removed_trailers),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

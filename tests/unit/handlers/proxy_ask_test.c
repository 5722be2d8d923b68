/* What an HTTP server is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxied.h"

#define GET "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n"
#define POST "POST /app/ HTTP/1.1\r\nHost: h\r\n"
/* What is told of the client by default, and nothing of it. */
#define CLIENT                                                                                                          \
	"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: Example.org:81\r\n"                 \
	"Forwarded: for=192.0.2.1;host=\"Example.org:81\";proto=http\r\n"
#define QUIET "forwarded off; via off; "
#define CLAIMS "X-Forwarded-For: 1\r\nx-forwarded-for: 2, 3\r\nForwarded: for=a\r\nX_Forwarded_For: 4\r\n"

static const struct {
	const char *inner;
	const char *head;
	const char *body;
	const char *request;
} ROWS[] = {
	{ "", GET "\r\n", "", "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n" CLIENT "Via: 1.1 petrel\r\n\r\n" },
	/* Targets. */
	{ QUIET, "GET http://h/app/../app//%78?y HTTP/1.1\r\nHost: h\r\n\r\n", "",
	  "GET /app/../app//%78?y HTTP/1.1\r\nHost: h\r\n\r\n" },
	{ QUIET "path /v2/$1;", "GET /app/a%20%3Fb?y HTTP/1.1\r\nHost: h\r\n\r\n", "",
	  "GET /v2/a%20%3Fb?y HTTP/1.1\r\nHost: h\r\n\r\n" },
	{ QUIET "path $1;", "GET /app/a HTTP/1.1\r\nHost: h\r\n\r\n", "", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n" },
	{ QUIET "path /z?$1;", "GET /app/a?b HTTP/1.1\r\nHost: h\r\n\r\n", "", "GET /z?a HTTP/1.1\r\nHost: h\r\n\r\n" },
	/* Hosts. */
	{ QUIET "host server;", GET "\r\n", "", "GET /app/x?y HTTP/1.1\r\nHost: 10.0.0.1:9000\r\n\r\n" },
	{ QUIET "host api.$host;", GET "\r\n", "", "GET /app/x?y HTTP/1.1\r\nHost: api.example.org\r\n\r\n" },
	{ QUIET, "GET /app/ HTTP/1.0\r\n\r\n", "", "GET /app/ HTTP/1.1\r\nHost: 10.0.0.1:9000\r\n\r\n" },
	/* Fields of the hop. */
	{ QUIET, GET "A: 1\r\nConnection: close, a, B\r\nb: 2\r\nTE: trailers\r\nTrailer: x\r\nKeep-Alive: 1\r\n"
	         "Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nC:3\r\n"
	         "Cookie: \r\nC: 4\r\n\r\n",
	  "", "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\nC: 3\r\nCookie: \r\nC: 4\r\nTE: trailers\r\n"
	  "Connection: TE\r\n\r\n" },
	{ QUIET, GET "TE: gzip, deflate;q=0.5\r\n\r\n", "", "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n\r\n" },
	{ QUIET, GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "",
	  "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n\r\n" },
	{ QUIET, GET "Upgrade: websocket\r\n\r\n", "", "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n\r\n" },
	{ QUIET, GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n", "",
	  "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\n"
	  "Upgrade: websocket\r\n\r\n" },
	/* Own fields. */
	{ QUIET "set_field X-A $method; set_field b \"\";", GET "x_a: evil\r\nB: 2\r\nC: 3\r\n\r\n", "",
	  "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\nC: 3\r\nX-A: GET\r\n\r\n" },
	/* Who the client is. */
	{ "via off;", GET CLAIMS "\r\n", "", "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n" CLIENT "\r\n" },
	{ QUIET, GET CLAIMS "\r\n", "", "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n\r\n" },
	{ "forwarded pass; via off;", GET CLAIMS "\r\n", "",
	  "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\n" CLAIMS "\r\n" },
	{ "forwarded append; via off;", GET CLAIMS "X-Forwarded-Proto: https\r\n\r\n", "",
	  "GET /app/x?y HTTP/1.1\r\nHost: Example.org:81\r\nX-Forwarded-For: 1, 2, 3, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
	  "X-Forwarded-Host: Example.org:81\r\nForwarded: for=a, for=192.0.2.1;host=\"Example.org:81\";proto=http\r\n\r\n" },
	/* Bodies. */
	{ QUIET, POST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", "hello",
	  "POST /app/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" },
	{ QUIET, POST "Content-Length: 5\r\nContent_Length: 0\r\ntransfer_Encoding: chunked\r\nX_Y: 1\r\n\r\n", "hello",
	  "POST /app/ HTTP/1.1\r\nHost: h\r\nX_Y: 1\r\nContent-Length: 5\r\n\r\nhello" },
	{ QUIET, POST "\r\n", "", "POST /app/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" },
	{ QUIET, POST "Transfer-Encoding: chunked\r\n\r\n", "hello",
	  "POST /app/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" },
	{ QUIET, POST "Transfer-Encoding: chunked\r\n\r\n", "",
	  "POST /app/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct proxied p;
		struct buf out = {};
		proxied_init(&p, ROWS[i].inner, ROWS[i].head);
		assert_int_equal(called_ask(&p.t, str_of(ROWS[i].body), 3, &out), 0);
		if (!str_eq(buf_str(&out), str_of(ROWS[i].request)))
			fail_msg("%s gave\n%.*s", ROWS[i].request, STR_F(buf_str(&out)));
		buf_fini(&out);
		proxied_fini(&p);
	}
}

static void other_clients(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct proxied p;
		struct buf out = {};
		proxied_init(&p, "", "GET /app/ HTTP/1.0\r\n\r\n");
		p.t.r.peer = (struct ip){ .family = v6 ? AF_INET6 : AF_UNIX, .bytes = { [15] = 1 } };
		assert_int_equal(called_ask(&p.t, STR(""), 3, &out), 0);
		buf_add_char(&out, '\0');
		assert_non_null(strstr(out.p, v6 ? "X-Forwarded-For: ::1\r\nX-Forwarded-Proto: http\r\nForwarded: "
		                                   "for=\"[::1]\";proto=http\r\n"
		                                 : "X-Forwarded-For: unknown\r\nX-Forwarded-Proto: http\r\nForwarded: "
		                                   "for=unknown;proto=http\r\n"));
		buf_fini(&out);
		proxied_fini(&p);
	}
}

/* A request that was routed anew asks for its new path. */
static void again(void **state)
{
	(void)state;
	struct proxied p;
	struct buf out = {};
	proxied_init(&p, QUIET, "GET /app/old?q HTTP/1.1\r\nHost: h\r\n\r\n");
	p.t.r.again = 1;
	p.t.r.ask.path = STR("/app/new one");
	assert_int_equal(called_ask(&p.t, STR(""), 3, &out), 0);
	assert_true(str_starts(buf_str(&out), STR("GET /app/new%20one?q HTTP/1.1\r\n")));
	buf_fini(&out);
	proxied_fini(&p);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(rows), cmocka_unit_test(other_clients), cmocka_unit_test(again),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

/* CGI's variables of a request, and the heads that programs answer with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../handlers/called.h"
#include "http/cgi.h"

/* --- Variables. --- */

struct listed {
	struct cgi_sink sink;
	struct buf text;      /* "\nNAME=value\n…" */
};

static void put(struct cgi_sink *sink, struct str name, struct str value)
{
	struct buf *out = &container_of(sink, struct listed, sink)->text;
	buf_addf(out, "%.*s=%.*s\n", STR_F(name), STR_F(value));
}

#define HOST "Host: example.org\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"
#define WITH(fields) "GET / HTTP/1.1\r\n" HOST fields "\r\n\r\n"
#define PHP { .split = { ".php", 4 }, .index = { "index.php", 9 } }
#define APP(at) { .mount = { at, sizeof(at) - 1 }, .mounted = true }

static const struct {
	struct cgi_conf conf;
	const char *head;
	const char *has, *has_too;   /* lines */
	const char *lacks;           /* a part */
} VARS_ROWS[] = {
	{ PHP, GET("/a.php?b=c"), "GATEWAY_INTERFACE=CGI/1.1", "SERVER_PROTOCOL=HTTP/1.1", "PATH_INFO" },
	{ PHP, GET("/a.php?b=c"), "REQUEST_METHOD=GET", "REQUEST_URI=/a.php?b=c", "PATH_TRANSLATED" },
	{ PHP, GET("/a.php?b=c"), "QUERY_STRING=b=c", "DOCUMENT_URI=/a.php", "CONTENT_LENGTH" },
	{ PHP, GET("/a.php"), "QUERY_STRING=", "SCRIPT_NAME=/a.php", "CONTENT_TYPE" },
	{ PHP, GET("/a.php?"), "QUERY_STRING=", "REQUEST_URI=/a.php?", "AUTH_TYPE" },
	{ PHP, GET("/a.php"), "SCRIPT_FILENAME=/srv/www/a.php", "DOCUMENT_ROOT=/srv/www", "REMOTE_USER" },
	{ PHP, GET("/a.php"), "SERVER_NAME=example.org", "SERVER_PORT=80", "HTTPS" },
	{ PHP, GET("/a.php"), "REMOTE_ADDR=192.0.2.1", "REMOTE_PORT=4711", NULL },
	{ PHP, GET("/a.php"), "REDIRECT_STATUS=200", "REQUEST_ID=1234567890abcdef", NULL },
	{ PHP, GET("/a.php"), "REQUEST_SCHEME=http", "HTTP_HOST=example.org", NULL },
	{ PHP, "GET http://h:81?x HTTP/1.1\r\nHost: h:81\r\n\r\n", "REQUEST_URI=/?x", "SERVER_PORT=81", NULL },
	{ PHP, "GET / HTTP/1.0\r\n\r\n", "SERVER_NAME=", "SERVER_PROTOCOL=HTTP/1.0", "HTTP_HOST" },
	/* Which part is the script. */
	{ PHP, GET("/"), "SCRIPT_NAME=/index.php", "DOCUMENT_URI=/index.php", "PATH_INFO" },
	{ PHP, GET("/a/"), "SCRIPT_FILENAME=/srv/www/a/index.php", "REQUEST_URI=/a/", "PATH_INFO" },
	{ PHP, GET("/a.php/b/c"), "SCRIPT_NAME=/a.php", "PATH_INFO=/b/c", NULL },
	{ PHP, GET("/a.php/b/c"), "PATH_TRANSLATED=/srv/www/b/c", "DOCUMENT_URI=/a.php/b/c", NULL },
	{ PHP, GET("/a.php/b.php/c"), "SCRIPT_NAME=/a.php", "PATH_INFO=/b.php/c", NULL },
	{ PHP, GET("/a.phps/b"), "SCRIPT_NAME=/a.phps/b", NULL, "PATH_INFO" },
	{ PHP, GET("/x/a.php/"), "SCRIPT_NAME=/x/a.php", "PATH_INFO=/", NULL },
	{ PHP, GET("/%61.php/%62%3Fc"), "SCRIPT_NAME=/a.php", "PATH_INFO=/b?c", NULL },
	{ { .split = { "", 0 } }, GET("/a.php/b/"), "SCRIPT_NAME=/a.php/b/", NULL, "PATH_INFO" },
	{ APP(""), GET("/a/b"), "SCRIPT_NAME=", "PATH_INFO=/a/b", "SCRIPT_FILENAME" },
	{ APP("/app"), GET("/app/a/b/"), "SCRIPT_NAME=/app", "PATH_INFO=/a/b/", "PATH_TRANSLATED" },
	{ APP("/app"), GET("/app"), "SCRIPT_NAME=/app", "PATH_INFO=", NULL },
	{ APP("/app"), GET("/apple"), "SCRIPT_NAME=", "PATH_INFO=/apple", NULL },
	/* Bodies. */
	{ PHP, "POST / HTTP/1.1\r\n" HOST "Content-Type: a/b\r\nContent-Length: 5\r\n\r\n", "CONTENT_LENGTH=5",
	  "CONTENT_TYPE=a/b", "HTTP_CONTENT" },
	{ PHP, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "CONTENT_LENGTH=0", NULL, "CONTENT_TYPE" },
	{ PHP, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "REQUEST_METHOD=POST", NULL, "CONTENT_LENGTH" },
	{ PHP, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "HTTP_HOST=example.org", NULL, "TRANSFER" },
	/* Fields. */
	{ PHP, WITH("X-a1-B: c"), "HTTP_X_A1_B=c", NULL, NULL },
	{ PHP, WITH("A: 1\r\nB: 2\r\na: 3\r\nA: 4"), "HTTP_A=1, 3, 4", "HTTP_B=2", "HTTP_A=3" },
	{ PHP, WITH("Cookie: a=b\r\nCookie: c=d"), "HTTP_COOKIE=a=b; c=d", NULL, NULL },
	{ PHP, WITH("Authorization: Basic x"), "HTTP_AUTHORIZATION=Basic x", NULL, NULL },
	{ PHP, WITH("Proxy: evil\r\nPROXY: evil"), "REQUEST_METHOD=GET", NULL, "evil" },
	{ PHP, WITH("X_Real-IP: evil\r\nA.B: evil\r\nA!: evil"), "REQUEST_METHOD=GET", NULL, "evil" },
	{ PHP, WITH("Keep-Alive: x\r\nTE: x\r\nUpgrade: x\r\nConnection: x"), "REQUEST_METHOD=GET", NULL, "=x" },
};

static void variables(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(VARS_ROWS); i++) {
		struct called t;
		struct listed l = { .sink = { put } };
		char line[256];
		assert_true(called_init(&t, NULL, NULL, str_of(VARS_ROWS[i].head)));
		buf_add_char(&l.text, '\n');
		cgi_vars(&t.r, &VARS_ROWS[i].conf, t.c.body_b, &l.sink);
		buf_add_char(&l.text, '\0');
		for (int k = 0; k < 2; k++) {
			const char *has = k ? VARS_ROWS[i].has_too : VARS_ROWS[i].has;
			snprintf(line, sizeof line, "\n%s\n", has ? has : "");
			if (has && !strstr(l.text.p, line))
				fail_msg("no %s in%s", has, l.text.p);
		}
		if (VARS_ROWS[i].lacks && strstr(l.text.p, VARS_ROWS[i].lacks))
			fail_msg("%s in%s", VARS_ROWS[i].lacks, l.text.p);
		buf_fini(&l.text);
		called_fini(&t);
	}
}

static void without_a_root(void **state)
{
	(void)state;
	struct called t;
	struct listed l = { .sink = { put } };
	const struct cgi_conf conf = PHP;
	assert_true(called_init(&t, NULL, NULL, STR(GET("/a.php/b"))));
	t.core.root = (struct str){};
	cgi_vars(&t.r, &conf, 0, &l.sink);
	buf_add_char(&l.text, '\0');
	assert_non_null(strstr(l.text.p, "SCRIPT_FILENAME=/a.php\n"));
	assert_non_null(strstr(l.text.p, "DOCUMENT_ROOT=\n"));
	buf_fini(&l.text);
	called_fini(&t);
}

static void parameters_replace(void **state)
{
	(void)state;
	struct called t;
	struct listed l = { .sink = { put } };
	struct cgi_param params[] = { { STR("SERVER_NAME"), {} }, { STR("HTTP_A"), {} }, { STR("OWN"), {} } };
	struct cgi_conf conf = { .params = { params, countof(params) } };
	struct type_in in = {};
	assert_true(called_init(&t, NULL, NULL, STR("GET /p HTTP/1.1\r\nHost: h\r\nA: evil\r\n\r\n")));
	in.arena = &t.r.arena;
	assert_int_equal(tmpl_parse(&in, STR("name$path"), &params[0].value), 0);
	assert_int_equal(tmpl_parse(&in, STR("b"), &params[1].value), 0);
	assert_int_equal(tmpl_parse(&in, STR(""), &params[2].value), 0);
	cgi_vars(&t.r, &conf, 0, &l.sink);
	buf_add_char(&l.text, '\0');
	assert_non_null(strstr(l.text.p, "\nSERVER_NAME=name/p\nHTTP_A=b\nOWN=\n"));
	assert_null(strstr(l.text.p, "SERVER_NAME=h\n"));
	assert_null(strstr(l.text.p, "evil"));
	buf_fini(&l.text);
	called_fini(&t);
}

/* --- Heads. --- */

static const struct {
	const char *head;
	bool status_line;
	unsigned status;     /* 0: refused */
	const char *fields;  /* or a part of the sentence */
} HEADS[] = {
	{ "Content-Type: a/b\n\n", false, 200, "Content-Type: a/b\n" },
	{ "Content-Type: a/b\r\nX: y\n\r\n", false, 200, "Content-Type: a/b\nX: y\n" },
	{ "Status: 404 Not Found\nA: b\n\n", false, 404, "A: b\n" },
	{ "status: 599\n\n", false, 599, "" },
	{ "Location: http://a/b\n\n", false, 302, "Location: http://a/b\n" },
	{ "Status: 301\nLocation: http://a/b\n\n", false, 301, "Location: http://a/b\n" },
	{ "Location: //a/b\n\n", false, 302, "Location: //a/b\n" },
	{ "Location: /a\nA: b\n\n", false, 302, "Location: /a\nA: b\n" },
	{ "Status: 302 Found\nLocation: /a\n\n", false, 302, "Location: /a\n" },
	{ "Location: a\n\n", false, 302, "Location: a\n" },
	{ "Location: /a\n\n", false, 302, "again /a" },
	{ "Location: /a?b\nContent-Length: 0\n\n", false, 302, "again /a?b" },
	{ "Connection: x\nKeep-Alive: 5\nX: y\nA: b\n\n", false, 200, "A: b\n" },
	{ "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n", true, 404, "A: b\n" },
	{ "HTTP/1.0 200 OK\n\n", true, 200, "" },
	{ "HTTP/1.1 404 x\nStatus: 404 y\nA: b\n\n", true, 404, "A: b\n" },
	{ "HTTP/1.1 404 x\nStatus: 200\n\n", true, 0, "differs" },
	{ "HTTP/1.1 404 x\nLocation: /a\n\n", true, 404, "Location: /a\n" },
	{ "HTTP/1.1 101 x\nUpgrade: y\n\n", true, 0, "below 200" },
	{ "HTTP/2.0 200 OK\n\n", true, 0, "spoken" },
	{ "HTTP/1.1 200 OK\n\n", false, 0, "NPH" },
	{ "HTTPS: on\n\n", false, 200, "HTTPS: on\n" },
	{ "\n", false, 0, "no field" },
	{ "Status: 20\n\n", false, 0, "Status is not" },
	{ "Status: 199\n\n", false, 0, "Status is not" },
	{ "Status: 600\n\n", false, 0, "Status is not" },
	{ "Status: 2000\n\n", false, 0, "Status is not" },
	{ "Status: 200\tOK\n\n", false, 0, "Status is not" },
	{ "Status:\n\n", false, 0, "Status is not" },
	{ "Status: 200\nStatus: 200\n\n", false, 0, "twice" },
	{ "Location: /a\nLocation: /a\n\n", false, 0, "twice" },
	{ "Content-Type: a/b\nContent-Type: a/b\n\n", false, 0, "more than one" },
	{ "Content-Length: 1\nContent-Length: 1\n\n", false, 0, "more than one" },
	{ "Content-Length: -1\n\n", false, 0, "not a number" },
	{ "Transfer-Encoding: chunked\n\n", false, 0, "Transfer-Encoding" },
	{ "A: b\n c\n\n", false, 0, "folding" },
	{ "A: b\rc\n\n", false, 0, "CR is not" },
	{ "A : b\n\n", false, 0, "colon" },
	{ "PHP Warning: x\n\n", false, 0, "colon" },
	{ "<html>\n\n", false, 0, "name" },
};

static void heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(HEADS); i++) {
		struct arena a;
		struct reply reply = {};
		struct buf fields = {};
		struct str head = str_of(HEADS[i].head);
		size_t head_b = 0;
		const char *why = NULL;
		arena_init(&a, NULL, 0);
		enum parsed p = cgi_head_parse(&a, head, HEADS[i].status_line, &reply, &head_b, &why);
		assert_int_equal(p, HEADS[i].status ? PARSE_DONE : PARSE_BAD);
		if (p == PARSE_BAD && !strstr(why, HEADS[i].fields))
			fail_msg("%s: %s", HEADS[i].head, why);
		if (reply.again.p)
			buf_addf(&fields, "again %.*s", STR_F(reply.again));
		for (size_t k = 0; k < reply.field_count && !reply.again.p; k++)
			buf_addf(&fields, "%.*s: %.*s\n", STR_F(reply.fields[k].name), STR_F(reply.fields[k].value));
		if (p == PARSE_DONE && (reply.status != HEADS[i].status || head_b != head.n ||
		                        !str_eq(buf_str(&fields), str_of(HEADS[i].fields))))
			fail_msg("%s: %u %.*s", HEADS[i].head, reply.status, STR_F(buf_str(&fields)));
		buf_fini(&fields);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(variables), cmocka_unit_test(without_a_root), cmocka_unit_test(parameters_replace),
		cmocka_unit_test(heads),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

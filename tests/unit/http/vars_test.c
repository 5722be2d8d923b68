/* Templates: what they stand for, and what is no template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "http/vars.h"

static const struct {
	const char *text, *means;   /* NULL: refused */
	const char *error;          /* a part of what is said then */
} ROWS[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "$method $host$path", "GET example.org/a b" },
	{ "$query|$query_string", "?c=d|c=d" },
	{ "$target", "/a%20b?c=d" },
	{ "$request", "GET /a%20b?c=d HTTP/1.1" },
	{ "$client:$client_port", "192.0.2.7:1234" },
	{ "$id", "1234567890abcdef" },
	{ "$protocol $scheme", "HTTP/1.1 http" },
	{ "$field_user_agent", "x/1" },
	{ "$field_User_Agent", "x/1" },
	{ "[$field_nothing]", "[]" },
	{ "$field_x_a", "1, 2" },
	{ "$cookie_a|$cookie_b|$cookie_c|$cookie_A|$cookie_d", "1||x=y, 2||" },
	{ "$cookie_", NULL, "no variable $cookie_" },
	{ "$sent_content_type", "text/plain" },
	{ "$status $bytes_out $body_bytes $bytes_in", "404 300 200 100" },
	{ "$time_first $time_total", "0.001500 2.000001" },
	{ "$end", "min_rate" },
	{ "[$site][$route]", "[][]" },
	{ "$1-$2-$9", "one--" },
	{ "$11", "one1" },
	{ "${1}1", "one1" },
	{ "${path}s", "/a bs" },
	{ "$$", "$" },
	{ "$$path", "$path" },
	{ "$$$path", "$/a b" },
	{ "a$$b$$$$c", "a$b$$c" },
	{ "$path$path", "/a b/a b" },
	{ "$path.$path-x", "/a b./a b-x" },
	{ "$", NULL, "$$" },
	{ "a$", NULL, "$$" },
	{ "$$$", NULL, "$$" },
	{ "$ path", NULL, "$$" },
	{ "$-", NULL, "$$" },
	{ "${", NULL, "$$" },
	{ "${}", NULL, "$$" },
	{ "${path", NULL, "$$" },
	{ "${path x}", NULL, "$$" },
	{ "$0", NULL, "$1 to $9" },
	{ "$pth", NULL, "did you mean $path?" },
	{ "$field_", NULL, "no variable $field_" },
	{ "$nothingatall", NULL, "petrel help variables" },
	{ "$paths", NULL, "$path?" },
};

static void ask(struct asked *a)
{
	struct req *r = asked_init(a, METHOD_GET, "User-Agent: x/1\nX-A: 1\nx-a: 2\nCookie: a=1; b=; c=x=y; d\nCookie:c=2");
	r->ask.method_name = STR("GET");
	r->ask.host = STR("example.org");
	r->ask.path = STR("/a b");
	r->ask.query = STR("c=d");
	r->ask.target = STR("/a%20b?c=d");
	r->ask.minor = 1;
	static const uint8_t IP[] = { 192, 0, 2, 7 };
	r->peer.family = AF_INET;
	memcpy(r->peer.bytes, IP, sizeof IP);
	r->peer.port = 1234;
	r->captures = (struct captures){ 1, { STR("one") } };
	r->answer.status = 404;
	r->sent_b = 300;
	r->sent_body_b = 200;
	r->received_b = 100;
	r->begin_ns = 1000000;
	r->first_ns = 2500000;
	r->done_ns = 2001001000;
	r->end = END_MIN_RATE;
	answer_add(r, STR("Content-Type"), STR("text/plain"));
}

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asked a;
		struct tmpl t;
		struct str text = str_of(ROWS[i].text), means = {};
		ask(&a);
		struct type_in in = { .arena = &a.r.arena };
		char *exact = mem_new(text.n);
		memcpy(exact, text.p, text.n);
		int err = tmpl_parse(&in, str_make(exact, text.n), &t);
		mem_free(exact);
		if (!err)
			means = tmpl_str(&t, &a.r);
		bool fine = err ? !ROWS[i].means && strstr(in.error, ROWS[i].error)
		                : ROWS[i].means && str_eq(means, str_of(ROWS[i].means)) && str_eq(t.text, text);
		if (!fine)
			fail_msg("%s: %.*s (%s)", ROWS[i].text, STR_F(means), err ? in.error : "");
		asked_fini(&a);
	}
}

/* Each variable prints something sane for a request of which nothing is known but that it was refused. */
static void nothing_known(void **state)
{
	(void)state;
	struct asked a;
	asked_init(&a, METHOD_OTHER, "");
	for (const struct var *v = VARS; v->name; v++) {
		struct buf out = {};
		v->print(&out, &a.r, STR("x"));
		assert_true(v->doc && v->doc[0] && out.n < 64);
		buf_fini(&out);
	}
	asked_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(nothing_known) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* FastCGI: the records of a request, and those of an answer in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heard.h"
#include "http/gateway.h"

/* Records are written "O…|": a letter and the content, which is padded by as many bytes as the record's number.
 * O output, E error output, X end with this protocol status; what no server sends: see below. */
static const struct {
	char letter;
	unsigned char version, type, id;
} LETTERS[] = {
	{ 'O', 1, 6, 1 }, { 'E', 1, 7, 1 }, { 'X', 1, 3, 1 },
	{ 'M', 1, 11, 0 },  /* unknown type: about the connection */
	{ 'G', 1, 10, 0 },  /* values: the same */
	{ 'm', 1, 11, 1 },  /* … about a request */
	{ 'V', 2, 6, 1 },   /* another version */
	{ 'I', 1, 6, 2 },   /* another request's */
	{ 'Z', 1, 6, 0 },   /* output of the connection */
	{ 'S', 1, 5, 1 },   /* input, from the application */
	{ 'L', 1, 3, 1 },   /* an end of the wrong length */
	{ 'B', 1, 1, 1 },   /* begin of a request */
};

static void add_record(struct buf *out, struct str text, unsigned padding)
{
	size_t i = 0;
	char end[8] = {};
	struct str content = str_from(text, 1);
	while (LETTERS[i].letter != text.p[0])
		assert_true(++i < countof(LETTERS));
	if (text.p[0] == 'X') {
		end[4] = (char)(content.p[0] - '0');
		content = str_make(end, sizeof end);
	}
	unsigned char header[8] = { LETTERS[i].version, LETTERS[i].type, 0, LETTERS[i].id, (unsigned char)(content.n >> 8),
		                    (unsigned char)content.n, (unsigned char)padding, 0 };
	buf_add(out, str_make((const char *)header, sizeof header));
	buf_add(out, content);
	while (padding--)
		buf_add_char(out, 'p');
}

static void add_records(struct buf *out, struct str text)
{
	unsigned padding = 0;
	while (text.n)
		add_record(out, str_cut(&text, '|'), padding++);
}

static const struct heard_row ROWS[] = {
	{ "GET", "OStatus: 404 x\nA: b\n\nhello|X0|", "404 keep\nA: b\n\nhello", NULL },
	{ "GET", "OA: b\r\n\r\nhello|O|X0|", "200 keep\nA: b\n\nhello", NULL },
	{ "GET", "O|OA: b\n\n|X0|", NULL, "after its end" },
	{ "GET", "OA|O: b\r|O\n\r|O\nhel|Olo|O|X0|", "200 keep\nA: b\n\nhello", NULL },
	{ "GET", "Eerror|OA: b\n\nhel|Eanother|Olo|E|O|X0|", "200 keep\nA: b\n\nhello", NULL },
	{ "GET", "M12345678|OA: b\n\nhel|G|Olo|X0|", "200 keep\nA: b\n\nhello", NULL },
	{ "GET", "OContent-Length: 5\n\nhello|X0|", "200 length=5 keep\n\nhello", NULL },
	{ "HEAD", "OA: b\n\nhello|X0|", "200 keep\nA: b\n\n", NULL },
	{ "HEAD", "OContent-Length: 5\n\n|X0|", "200 length=5 keep\n\n", NULL },
	{ "GET", "OStatus: 304\n\nhello|X0|", "304 keep\n\n", NULL },
	{ "GET", "OLocation: /other?a=b\n\n|X0|", "302 again=/other?a=b keep\nLocation: /other?a=b\n\n", NULL },
	{ "GET", "OA: b\n\nhello|X0|OA: b\n\n", "200 keep\nA: b\n\nhello", NULL },
	/* An overloaded server is as good as a 503. */
	{ "GET", "X2|", "503 length=0 keep\n\n", NULL },
	{ "GET", "X1|", NULL, "refuses" },
	{ "GET", "X3|", NULL, "refuses" },
	{ "GET", "OA: b\n\nhello|X2|", "200 keep\nA: b\n\nhello", "overloaded" },
	/* Ends too early. */
	{ "GET", "", NULL, "without an answer" },
	{ "GET", "X0|", NULL, "did not answer" },
	{ "GET", "OA: b\n|X0|", NULL, "ends in its head" },
	{ "GET", "OA: b\n\nhello|", "200 keep\nA: b\n\nhello", "in the middle" },
	{ "GET", "OA: b\n\nhello|O|", "200 keep\nA: b\n\nhello", "in the middle" },
	{ "GET", "OContent-Length: 5\n\nhell|X0|", "200 length=5 keep\n\nhell", "shorter" },
	{ "GET", "OContent-Length: 5\n\nhello!|X0|", "200 length=5 keep\n\nhello", "longer" },
	{ "GET", "OContent-Length: 0\n\n|O!|X0|", "200 length=0 keep\n\n", "longer" },
	/* Records that are none. */
	{ "GET", "Vx|", NULL, "version" },
	{ "GET", "Ix|", NULL, "number" },
	{ "GET", "Zx|", NULL, "number" },
	{ "GET", "mx|", NULL, "number" },
	{ "GET", "Sx|", NULL, "type" },
	{ "GET", "Bx|", NULL, "type" },
	{ "GET", "L1234567|", NULL, "length" },
	{ "GET", "L|", NULL, "length" },
	{ "GET", "OA: b\n\nhello|E|Ex|X0|", "200 keep\nA: b\n\nhello", "after its end" },
	/* Heads. */
	{ "GET", "O\n\nhello|X0|", NULL, "no field" },
	{ "GET", "OHTTP/1.1 200 OK\r\nA: b\r\n\r\n|X0|", NULL, "NPH" },
	{ "GET", "OA b\n\n|X0|", NULL, "before a field's colon" },
	{ "GET", "O<html>\n\n|X0|", NULL, "name holds" },
};

static void rows(void **state)
{
	(void)state;
	struct gateway g = {};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf answer = {};
		add_records(&answer, str_of(ROWS[i].answer));
		heard_row(&FASTCGI_CODEC, &g, &ROWS[i], buf_str(&answer));
		buf_fini(&answer);
	}
}

static void error_output_goes_aside(void **state)
{
	(void)state;
	struct gateway g = {};
	struct called t;
	struct buf answer = {};
	add_records(&answer, STR("Eone |OA: b\n\n|Etwo|X0|"));
	assert_true(called_init(&t, &FASTCGI_CODEC, &g, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
	for (size_t piece = 1; piece <= answer.n; piece++) {
		called_hear(&t, buf_str(&answer), 0, piece);
		assert_int_equal(t.heard, HEARD_END);
		assert_int_equal(t.used, answer.n);
		assert_true(str_eq(buf_str(&t.aside), STR("one two")));
	}
	called_fini(&t);
	buf_fini(&answer);
}

/* Heads up to the backend's bound, and not a byte more, in records of any size. */
static void large_heads(void **state)
{
	(void)state;
	struct gateway g = {};
	for (size_t surplus = 0; surplus < 2; surplus++)
		for (size_t record_b = 1; record_b < 5000; record_b += 611) {
			struct called t;
			struct buf head = {}, answer = {};
			assert_true(called_init(&t, &FASTCGI_CODEC, &g, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
			buf_add(&head, STR("A: "));
			while (head.n < t.backend.header_b - 2 + surplus)
				buf_add_char(&head, 'x');
			buf_add(&head, STR("\n\nhello"));
			for (struct str rest = buf_str(&head); rest.n; rest = str_from(rest, record_b)) {
				struct buf text = {};
				buf_add_char(&text, 'O');
				buf_add(&text, str_head(rest, record_b));
				add_record(&answer, buf_str(&text), 0);
				buf_fini(&text);
			}
			add_record(&answer, STR("X0"), 0);
			called_hear(&t, buf_str(&answer), 0, answer.n);
			assert_int_equal(t.heard, surplus ? HEARD_BAD : HEARD_END);
			if (surplus)
				assert_non_null(strstr(t.c.why, "too large"));
			called_fini(&t);
			buf_fini(&head);
			buf_fini(&answer);
		}
}

/* --- Requests. --- */

struct record {
	unsigned type;
	struct str content;
};

static struct record next_record(struct str *in)
{
	const unsigned char *p = (const unsigned char *)in->p;
	assert_true(in->n >= 8 && p[0] == 1 && p[2] == 0 && p[3] == 1 && p[6] == 0 && p[7] == 0);
	struct record r = { p[1], str_head(str_from(*in, 8), (size_t)p[4] << 8 | p[5]) };
	assert_int_equal(r.content.n, (size_t)p[4] << 8 | p[5]);
	*in = str_from(*in, 8 + r.content.n);
	return r;
}

static size_t next_length(struct str *in)
{
	const unsigned char *p = (const unsigned char *)in->p;
	assert_true(in->n > 0);
	bool four = p[0] & 0x80;
	assert_true(!four || in->n >= 4);
	size_t n = four ? (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3] : p[0];
	*in = str_from(*in, four ? 4 : 1);
	return n;
}

/* The value of a variable; .p NULL where there is none. */
static struct str variable(struct str pairs, struct str wanted)
{
	while (pairs.n) {
		size_t name_b = next_length(&pairs), value_b = next_length(&pairs);
		assert_true(name_b + value_b <= pairs.n);
		if (str_eq(str_head(pairs, name_b), wanted))
			return str_head(str_from(pairs, name_b), value_b);
		pairs = str_from(pairs, name_b + value_b);
	}
	return (struct str){};
}

static void join_stream(struct str *in, unsigned type, struct buf *out)
{
	for (;;) {
		struct record r = next_record(in);
		assert_int_equal(r.type, type);
		if (!r.content.n)
			return;
		buf_add(out, r.content);
	}
}

/* With a field and a body of these sizes. */
static void asked(size_t field_b, size_t body_b)
{
	struct gateway g = { .cgi.split = STR(".php") };
	struct called t;
	struct buf head = {}, body = {}, out = {}, params = {}, input = {};
	buf_addf(&head, "POST /a.php/b?c=d HTTP/1.1\r\nHost: example.org:81\r\nContent-Length: %zu\r\nX-Large: x", body_b);
	for (size_t i = 1; i < field_b; i++)
		buf_add_char(&head, 'x');
	buf_add(&head, STR("\r\n\r\n"));
	for (size_t i = 0; i < body_b; i++)
		buf_add_char(&body, (char)i);
	assert_true(called_init(&t, &FASTCGI_CODEC, &g, buf_str(&head)));
	assert_int_equal(called_ask(&t, buf_str(&body), SIZE_MAX, &out), 0);
	struct str rest = buf_str(&out);
	struct record begin = next_record(&rest);
	assert_int_equal(begin.type, 1);
	assert_true(str_eq(begin.content, STR("\0\1\1\0\0\0\0\0")));
	join_stream(&rest, 4, &params);
	join_stream(&rest, 5, &input);
	assert_int_equal(rest.n, 0);
	assert_true(str_eq(buf_str(&input), buf_str(&body)));
	assert_true(str_eq(variable(buf_str(&params), STR("SCRIPT_FILENAME")), STR("/srv/www/a.php")));
	assert_true(str_eq(variable(buf_str(&params), STR("PATH_INFO")), STR("/b")));
	assert_int_equal(variable(buf_str(&params), STR("HTTP_X_LARGE")).n, field_b);
	assert_null(variable(buf_str(&params), STR("NONE")).p);
	called_fini(&t);
	buf_fini(&head);
	buf_fini(&body);
	buf_fini(&out);
	buf_fini(&params);
	buf_fini(&input);
}

static void requests(void **state)
{
	(void)state;
	asked(1, 0);
	asked(127, 1);
	asked(128, 65535);
	asked(60000, 65536);
	asked(65535, 200000);
	asked(200000, 3);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(rows), cmocka_unit_test(error_output_goes_aside), cmocka_unit_test(large_heads),
		cmocka_unit_test(requests),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

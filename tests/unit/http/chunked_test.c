/* The chunked coding: what it decodes to, whole and byte by byte, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/chunked.h"

static const struct {
	const char *in;
	enum chunked_got got;
	const char *data, *rest;
} ROWS[] = {
	{ "0\r\n\r\n", CHUNKED_OVER, "", "" },
	{ "000\r\n\r\nGET /", CHUNKED_OVER, "", "GET /" },
	{ "5\r\nhello\r\n0\r\n\r\n", CHUNKED_OVER, "hello", "" },
	{ "5\r\nhello\r\n00002\r\n, \r\na\r\nwide world\r\n0\r\n\r\n\r\n", CHUNKED_OVER, "hello, wide world", "\r\n" },
	{ "A\r\n0123456789\r\n0\r\n\r\n", CHUNKED_OVER, "0123456789", "" },
	{ "2\r\n\r\n\r\n0\r\n\r\n", CHUNKED_OVER, "\r\n", "" },
	/* Extensions. */
	{ "1;a\r\nx\r\n0\r\n\r\n", CHUNKED_OVER, "x", "" },
	{ "1;a=b\r\nx\r\n0;c\r\n\r\n", CHUNKED_OVER, "x", "" },
	{ "1;a=\"b; \\\" \\\\ c\";d;e=f\r\nx\r\n0\r\n\r\n", CHUNKED_OVER, "x", "" },
	{ "1;a=\"\"\r\nx\r\n0\r\n\r\n", CHUNKED_OVER, "x", "" },
	/* Trailers. */
	{ "0\r\nA: b\r\n\r\nrest", CHUNKED_OVER, "", "rest" },
	{ "1\r\nx\r\n0\r\nA:\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKED_OVER, "x", "" },
	/* Not yet. */
	{ "", CHUNKED_MORE, "", "" },
	{ "5", CHUNKED_MORE, "", "" },
	{ "5\r", CHUNKED_MORE, "", "" },
	{ "5\r\nhel", CHUNKED_MORE, "hel", "" },
	{ "5\r\nhello", CHUNKED_MORE, "hello", "" },
	{ "5\r\nhello\r\n0\r\n\r", CHUNKED_MORE, "hello", "" },
	{ "5\r\nhello\r\n0\r\nA: b\r\n", CHUNKED_MORE, "hello", "" },
	{ "fffffffffffffff\r\nx", CHUNKED_MORE, "x", "" },
	/* Refused: sizes. */
	{ "\r\n", CHUNKED_BAD, "", NULL },
	{ "g\r\n", CHUNKED_BAD, "", NULL },
	{ "-1\r\n", CHUNKED_BAD, "", NULL },
	{ "+1\r\n", CHUNKED_BAD, "", NULL },
	{ " 1\r\n", CHUNKED_BAD, "", NULL },
	{ "1 \r\nx\r\n", CHUNKED_BAD, "", NULL },
	{ "1\t\r\nx\r\n", CHUNKED_BAD, "", NULL },
	{ "0x1\r\nx\r\n", CHUNKED_BAD, "", NULL },
	{ "1h\r\n", CHUNKED_BAD, "", NULL },
	{ "1_0\r\n", CHUNKED_BAD, "", NULL },
	{ "1,0\r\n", CHUNKED_BAD, "", NULL },
	{ "1000000000000000\r\n", CHUNKED_BAD, "", NULL },
	{ "0000000000000001\r\n", CHUNKED_BAD, "", NULL },
	{ "10000000000000001\r\n", CHUNKED_BAD, "", NULL },
	/* Terminators. */
	{ "1\nx\r\n0\r\n\r\n", CHUNKED_BAD, "", NULL },
	{ "1\rx", CHUNKED_BAD, "", NULL },
	{ "1\r\r\nx", CHUNKED_BAD, "", NULL },
	{ "1\r\nxy\r\n", CHUNKED_BAD, "x", NULL },
	{ "1\r\nx\n", CHUNKED_BAD, "x", NULL },
	{ "1\r\nx\rx", CHUNKED_BAD, "x", NULL },
	{ "1\r\nx0\r\n\r\n", CHUNKED_BAD, "x", NULL },
	{ "2\r\nx\r\n0\r\n\r\n", CHUNKED_BAD, "x\r", NULL },
	{ "0\n\r\n", CHUNKED_BAD, "", NULL },
	{ "0\r\n\n", CHUNKED_BAD, "", NULL },
	{ "0\r\n\rx", CHUNKED_BAD, "", NULL },
	{ "0\r\n0\r\n\r\n", CHUNKED_BAD, "", NULL },
	/* Extensions. */
	{ "1;\r\n", CHUNKED_BAD, "", NULL },
	{ "1;=b\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a=\r\n", CHUNKED_BAD, "", NULL },
	{ "1; a\r\n", CHUNKED_BAD, "", NULL },
	{ "1 ;a\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a b\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a=b=c\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a;\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a\nx", CHUNKED_BAD, "", NULL },
	{ "1;a\x01\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a=\"b\n\"\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a=\"b\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a=\"b\"c\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a=b\"c\"\r\n", CHUNKED_BAD, "", NULL },
	{ "1;a=\"\\\r\"\r\n", CHUNKED_BAD, "", NULL },
	/* Trailers. */
	{ "0\r\nA\r\n\r\n", CHUNKED_BAD, "", NULL },
	{ "0\r\n: b\r\n\r\n", CHUNKED_BAD, "", NULL },
	{ "0\r\nA : b\r\n\r\n", CHUNKED_BAD, "", NULL },
	{ "0\r\nA: b\r\n c\r\n\r\n", CHUNKED_BAD, "", NULL },
	{ "0\r\nA: b\n\r\n", CHUNKED_BAD, "", NULL },
	{ "0\r\nA: b\rc\r\n\r\n", CHUNKED_BAD, "", NULL },
	{ "0\r\nA: \x01\r\n\r\n", CHUNKED_BAD, "", NULL },
};

/* Reads in pieces of `piece` bytes, each in memory of its own size; data in runs of at most want_b. */
static enum chunked_got decode(struct str in, size_t piece, uint64_t want_b, struct buf *data, struct str *rest)
{
	struct chunked c = {};
	enum chunked_got got = CHUNKED_MORE;
	while (got == CHUNKED_MORE && in.n) {
		struct str head = str_head(in, piece), run;
		char *exact = mem_new(head.n);
		memcpy(exact, head.p, head.n);
		struct str left = { exact, head.n };
		while ((got = chunked_read(&c, &left, want_b, &run)) == CHUNKED_SOME) {
			assert_true(run.n >= 1 && run.n <= want_b);
			buf_add(data, run);
		}
		if (got == CHUNKED_MORE)
			assert_int_equal(left.n, 0);
		in = str_from(in, head.n - left.n);
		mem_free(exact);
	}
	*rest = in;
	return got;
}

static void rows(void **state)
{
	(void)state;
	static const size_t PIECES[] = { 10000, 1, 2, 3, 5 };
	for (size_t i = 0; i < countof(ROWS); i++) {
		for (size_t k = 0; k < countof(PIECES) * 2; k++) {
			struct buf data = {};
			struct str rest;
			enum chunked_got got = decode(str_of(ROWS[i].in), PIECES[k / 2], k % 2 ? 1 : UINT64_MAX, &data, &rest);
			if (got != ROWS[i].got || !str_eq(buf_str(&data), str_of(ROWS[i].data)) ||
			    (ROWS[i].rest && !str_eq(rest, str_of(ROWS[i].rest))))
				fail_msg("%s\nin pieces of %zu: %d, %.*s", ROWS[i].in, PIECES[k / 2], (int)got,
				         STR_F(buf_str(&data)));
			buf_fini(&data);
		}
	}
}

static void nul(void **state)
{
	(void)state;
	static const struct str IN = { "1;a=\"b\"\r\nx\r\n0\r\nA: b\r\n\r\n", 23 };
	for (size_t i = 0; i < IN.n; i++) {
		char bytes[32];
		struct buf data = {};
		struct str rest;
		memcpy(bytes, IN.p, IN.n);
		bytes[i] = '\0';
		bool in_data = IN.p[i] == 'x';
		assert_int_equal(decode(str_make(bytes, IN.n), 100, 100, &data, &rest), in_data ? CHUNKED_OVER : CHUNKED_BAD);
		buf_fini(&data);
	}
}

/* What is not data is bounded: the extensions of a chunk, and all trailers together. */
static void endless(void **state)
{
	(void)state;
	static const struct { struct str begin, more; } ENDLESS[] = {
		{ { "1;", 2 }, { "a", 1 } },
		{ { "1", 1 }, { ";a=b", 4 } },
		{ { "0\r\n", 3 }, { "A: b\r\n", 6 } },
		{ { "0\r\nA:", 5 }, { " ", 1 } },
	};
	for (size_t i = 0; i < countof(ENDLESS); i++) {
		struct chunked c = {};
		struct str data, in = ENDLESS[i].begin;
		assert_int_equal(chunked_read(&c, &in, 1, &data), CHUNKED_MORE);
		size_t fed = 0;
		enum chunked_got got = CHUNKED_MORE;
		for (; got == CHUNKED_MORE && fed < 2 * CHUNKED_OVERHEAD_B; fed += ENDLESS[i].more.n) {
			in = ENDLESS[i].more;
			got = chunked_read(&c, &in, 1, &data);
		}
		assert_int_equal(got, CHUNKED_BAD);
		assert_true(fed > CHUNKED_OVERHEAD_B / 2);
	}
	/* But there may be as many chunks as there are. */
	struct chunked c = {};
	struct str data;
	for (unsigned i = 0; i < CHUNKED_OVERHEAD_B; i++) {
		struct str in = STR("1;a\r\nx\r\n");
		assert_int_equal(chunked_read(&c, &in, 100, &data), CHUNKED_SOME);
		assert_int_equal(chunked_read(&c, &in, 100, &data), CHUNKED_MORE);
	}
}

/* Trailers that somebody else reads. */
static void left(void **state)
{
	(void)state;
	static const struct str IN = { "1;a\r\nx\r\n0\r\nA: b\r\n\r\nrest", 23 };
	struct chunked c = { .leaves_trailers = true };
	struct str in = IN, data;
	assert_int_equal(chunked_read(&c, &in, 100, &data), CHUNKED_SOME);
	assert_int_equal(chunked_read(&c, &in, 100, &data), CHUNKED_LEFT);
	assert_true(str_eq(in, str_from(IN, 11)));
	in.n = 0;
	assert_int_equal(chunked_read(&c, &in, 100, &data), CHUNKED_LEFT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(nul), cmocka_unit_test(endless),
		                             cmocka_unit_test(left) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

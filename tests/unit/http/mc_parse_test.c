/* Lines of memcached servers, and streams of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/mc_parse.h"

static const struct row {
	const char *text;
	int err;
	struct mc_answer answer;
} ROWS[] = {
	{ "HD\r\n", 0, { .code = MC_HD } },
	{ "HD O17\r\n", 0, { .code = MC_HD, .marks = MC_OPAQUE, .opaque = 17 } },
	{ "VA 5 s5 O1 kab t-1 f7 c9 W\r\n", 0,
	  { MC_VA, MC_OPAQUE | MC_TTL | MC_CAS | MC_WON, .size_b = 5, .flags = 7, .cas = 9, .opaque = 1,
	    .stored_b = 5, .ttl_s = -1 } },
	{ "VA 0 X Z t30\r\n", 0, { MC_VA, MC_STALE | MC_SENT | MC_TTL, .ttl_s = 30 } },
	{ "VA 0 Z X t30\r\n", 0, { MC_VA, MC_STALE | MC_SENT | MC_TTL, .ttl_s = 30 } },
	{ "VA 1 kYSBi b\r\n", 0, { .code = MC_VA, .size_b = 1 } },
	{ "EN\r\n", 0, { .code = MC_EN } },
	{ "EN O3 ka\r\n", 0, { .code = MC_EN, .marks = MC_OPAQUE, .opaque = 3 } },
	{ "NF O3\r\n", 0, { .code = MC_NF, .marks = MC_OPAQUE, .opaque = 3 } },
	{ "NS\r\n", 0, { .code = MC_NS } },
	{ "EX\r\n", 0, { .code = MC_EX } },
	{ "MN\r\n", 0, { .code = MC_MN } },
	{ "SERVER_ERROR object too large for cache\r\n", 0, { .code = MC_SERVER_ERROR } },
	{ "CLIENT_ERROR bad command line format\r\n", 0, { .code = MC_CLIENT_ERROR } },
	{ "ERROR\r\n", 0, { .code = MC_ERROR } },
	{ "", -EAGAIN, {} },
	{ "HD O1", -EAGAIN, {} },
	{ "HD O1\r", -EAGAIN, {} },
	{ "HD O1\n", -EBADMSG, {} },
	{ "\r\n", -EBADMSG, {} },
	{ "\n", -EBADMSG, {} },
	{ "HD \r\n", -EBADMSG, {} },
	{ "hd\r\n", -EBADMSG, {} },
	{ "HD  O1\r\n", -EBADMSG, {} },
	{ "HD O1 \r\n", -EBADMSG, {} },
	{ "HD O\r\n", -EBADMSG, {} },
	{ "HD Oabc\r\n", -EBADMSG, {} },
	{ "HD W1\r\n", -EBADMSG, {} },
	{ "HD t-2\r\n", -EBADMSG, {} },
	{ "HD t\r\n", -EBADMSG, {} },
	{ "HD c-1\r\n", -EBADMSG, {} },
	{ "HD Q\r\n", -EBADMSG, {} },
	{ "VA\r\n", -EBADMSG, {} },
	{ "VA O1\r\n", -EBADMSG, {} },
	{ "VA 99999999999 O1\r\n", -EBADMSG, {} },
	{ "MN O1\r\n", -EBADMSG, {} },
	{ "VALUE a 0 1\r\n", -EBADMSG, {} },
	{ "STORED\r\n", -EBADMSG, {} },
};

static void lines_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct mc_answer a;
		size_t used = 0;
		print_message("%s\n", ROWS[i].text);
		assert_int_equal(mc_parse(str_of(ROWS[i].text), &a, &used), ROWS[i].err);
		if (ROWS[i].err)
			continue;
		assert_int_equal(used, strlen(ROWS[i].text));
		assert_memory_equal(&a, &ROWS[i].answer, sizeof a);
	}
}

static void a_line_without_an_end_is_nonsense(void **state)
{
	static char text[MC_LINE_MOST_B];
	struct mc_answer a;
	size_t used;
	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(mc_parse(str_make(text, sizeof text - 1), &a, &used), -EAGAIN);
	assert_int_equal(mc_parse(str_make(text, sizeof text), &a, &used), -EBADMSG);
	struct mc_reader r = {};
	enum mc_heard heard = MC_MORE;
	for (unsigned i = 0; i < MC_LINE_MOST_B && heard == MC_MORE; i++) {
		struct str in = STR("x");
		heard = mc_read(&r, &in, 10);
	}
	assert_int_equal(heard, MC_NONSENSE);
	mc_reader_fini(&r);
}

static void values_come_in_pieces(void **state)
{
	static const char TEXT[] = "VA 4 O1\r\n\r\nab\r\nEN O2\r\nVA 11 O3\r\n01234567890\r\nVA 0 O4 W\r\n\r\n";
	(void)state;
	for (size_t piece = 1; piece < sizeof TEXT; piece++) {
		struct mc_reader r = {};
		unsigned n = 0;
		for (struct str all = str_make(TEXT, sizeof TEXT - 1); all.n;) {
			struct str in = str_head(all, piece);
			all = str_from(all, in.n);
			while (in.n) {
				enum mc_heard heard = mc_read(&r, &in, 10);
				assert_int_not_equal(heard, MC_NONSENSE);
				if (heard != MC_HEARD)
					continue;
				assert_int_equal(r.answer.opaque, ++n);
				if (n == 1)
					assert_memory_equal(r.value, "\r\nab", 4);
				/* More than was allowed is skipped. */
				if (n == 3)
					assert_null(r.value);
			}
		}
		assert_int_equal(n, 4);
		mc_reader_fini(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_strictly), cmocka_unit_test(a_line_without_an_end_is_nonsense),
		cmocka_unit_test(values_come_in_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

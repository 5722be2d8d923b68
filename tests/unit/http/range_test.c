/* Byte ranges: the field, and the bodies of 206. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "asked.h"
#include "http/range.h"

static const struct {
	const char *field;
	uint64_t size_b;
	enum ranged ranged;
	const char *ranges;  /* "from+length …" */
} ROWS[] = {
	{ "", 100, RANGED_WHOLE, "" },
	{ "bytes=0-0", 100, RANGED_PARTS, "0+1 " },
	{ "bytes=0-", 100, RANGED_PARTS, "0+100 " },
	{ "bytes=99-", 100, RANGED_PARTS, "99+1 " },
	{ "bytes=100-", 100, RANGED_NONE, "" },
	{ "bytes=50-1000", 100, RANGED_PARTS, "50+50 " },
	{ "bytes=-1", 100, RANGED_PARTS, "99+1 " },
	{ "bytes=-100", 100, RANGED_PARTS, "0+100 " },
	{ "bytes=-1000", 100, RANGED_PARTS, "0+100 " },
	{ "bytes=-0", 100, RANGED_NONE, "" },
	{ "Bytes=1-2", 100, RANGED_PARTS, "1+2 " },
	{ "bytes= 1-2 , 5-6", 100, RANGED_PARTS, "1+2 5+2 " },
	{ "bytes=5-6,1-2", 100, RANGED_PARTS, "5+2 1+2 " },
	{ "bytes=,1-2,,", 100, RANGED_PARTS, "1+2 " },
	{ "bytes=1-2,200-300", 100, RANGED_PARTS, "1+2 " },
	{ "bytes=200-300,400-", 100, RANGED_NONE, "" },
	{ "bytes=0-18446744073709551616", 100, RANGED_PARTS, "0+100 " },
	{ "bytes=99999999999999999999-", 100, RANGED_NONE, "" },
	{ "bytes=-99999999999999999999", 100, RANGED_PARTS, "0+100 " },
	/* Together: overlapping, touching, one that spans others. */
	{ "bytes=0-9,5-14", 100, RANGED_PARTS, "0+15 " },
	{ "bytes=0-9,10-14", 100, RANGED_PARTS, "0+15 " },
	{ "bytes=0-9,11-14", 100, RANGED_PARTS, "0+10 11+4 " },
	{ "bytes=50-59,0-9,20-29,5-25", 100, RANGED_PARTS, "50+10 0+30 " },
	{ "bytes=50-59,0-9,20-29,0-", 100, RANGED_PARTS, "0+100 " },
	{ "bytes=20-29,0-9,8-21,60-", 100, RANGED_PARTS, "0+30 60+40 " },
	{ "bytes=0-0,0-0,0-0", 100, RANGED_PARTS, "0+1 " },
	/* Malformed or of another unit: as if it were not there. */
	{ "bytes=", 100, RANGED_WHOLE, "" },
	{ "bytes", 100, RANGED_WHOLE, "" },
	{ "bytes =0-1", 100, RANGED_WHOLE, "" },
	{ "lines=0-1", 100, RANGED_WHOLE, "" },
	{ "bytes=-", 100, RANGED_WHOLE, "" },
	{ "bytes=1", 100, RANGED_WHOLE, "" },
	{ "bytes=2-1", 100, RANGED_WHOLE, "" },
	{ "bytes=a-b", 100, RANGED_WHOLE, "" },
	{ "bytes=1 -2", 100, RANGED_WHOLE, "" },
	{ "bytes=1-2-3", 100, RANGED_WHOLE, "" },
	{ "bytes=+1-2", 100, RANGED_WHOLE, "" },
	{ "bytes=0-1,x", 100, RANGED_WHOLE, "" },
	{ "bytes=0-1", 0, RANGED_WHOLE, "" },
	{ "bytes=-1", 0, RANGED_WHOLE, "" },
	{ "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", 100, RANGED_PARTS, "0+100 " },
	{ "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", 100, RANGED_WHOLE, "" },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct ranges ranges;
		struct buf got = {};
		enum ranged ranged = ranges_parse(str_of(ROWS[i].field), ROWS[i].size_b, &ranges);
		for (size_t k = 0; ranged == RANGED_PARTS && k < ranges.count; k++)
			buf_addf(&got, "%llu+%llu ", (unsigned long long)ranges.at[k].from_b,
			         (unsigned long long)ranges.at[k].length_b);
		if (ranged != ROWS[i].ranged || !str_eq(buf_str(&got), str_of(ROWS[i].ranges)))
			fail_msg("%s: %d, %.*s", ROWS[i].field, (int)ranged, STR_F(buf_str(&got)));
		buf_fini(&got);
	}
}

static const struct str TEXT = { "0123456789abcdefghijklmnopqrstuvwxyz", 36 };

static struct body *part(struct req *r, void *arg, struct range at)
{
	assert_ptr_equal(arg, &TEXT);
	return body_of_str(&r->arena, str_head(str_from(TEXT, at.from_b), at.length_b));
}

static void answer(struct asked *a, const char *field)
{
	struct ranges ranges;
	struct req *r = asked_init(a, METHOD_GET, "");
	assert_int_equal(ranges_parse(str_of(field), TEXT.n, &ranges), RANGED_PARTS);
	answer_add(r, STR("Content-Type"), STR("text/plain"));
	answer_ranges(r, TEXT.n, &ranges, part, (void *)(uintptr_t)&TEXT);
	assert_int_equal(r->answer.status, 206);
}

static void single(void **state)
{
	(void)state;
	struct asked a;
	struct buf got = {};
	answer(&a, "bytes=10-12");
	assert_int_equal(asked_read(&a, &got, 2), BODY_END);
	assert_true(str_eq(buf_str(&got), STR("abc")));
	assert_int_equal(a.r.answer.length_b, 3);
	assert_true(str_eq(answer_field(&a.r, STR("content-range")), STR("bytes 10-12/36")));
	assert_true(str_eq(answer_field(&a.r, STR("content-type")), STR("text/plain")));
	buf_fini(&got);
	asked_fini(&a);
}

static void multi(void **state)
{
	(void)state;
	for (uint64_t want_b = 1; want_b < 200; want_b += 33) {
		struct asked a;
		struct buf got = {}, expected = {};
		answer(&a, "bytes=10-12,-2");
		assert_int_equal(asked_read(&a, &got, want_b), BODY_END);
		struct str type = answer_field(&a.r, STR("Content-Type"));
		assert_true(str_starts(type, STR("multipart/byteranges; boundary=")));
		struct str boundary = str_from(type, str_find(type, '=') + 1);
		buf_addf(&expected,
		         "--%.*s\r\nContent-Type: text/plain\r\nContent-Range: bytes 10-12/36\r\n\r\nabc\r\n"
		         "--%.*s\r\nContent-Type: text/plain\r\nContent-Range: bytes 34-35/36\r\n\r\nyz\r\n--%.*s--\r\n",
		         STR_F(boundary), STR_F(boundary), STR_F(boundary));
		assert_true(str_eq(buf_str(&got), buf_str(&expected)));
		assert_int_equal(a.r.answer.length_b, got.n);
		assert_null(answer_field(&a.r, STR("Content-Range")).p);
		buf_fini(&got);
		buf_fini(&expected);
		asked_fini(&a);
	}
}

static void none(void **state)
{
	(void)state;
	struct asked a;
	struct req *r = asked_init(&a, METHOD_GET, "");
	answer_no_range(r, 36);
	assert_int_equal(r->answer.status, 416);
	assert_true(str_eq(answer_field(r, STR("Content-Range")), STR("bytes */36")));
	asked_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(single), cmocka_unit_test(multi),
		                            cmocka_unit_test(none) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* HTTP dates: printed, and read in all three forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "base/mem.h"
#include "http/date.h"

enum { NOW_S = 1732100000, NONE = -1 };  /* 20 November 2024 */

static const struct {
	const char *text;
	int64_t seconds;
} ROWS[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
	{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
	{ "Sun Nov  6 08:49:37 1994", 784111777 },
	{ "Sun Nov 06 08:49:37 1994", 784111777 },
	{ "Wed Nov 16 08:49:37 1994", 784975777 },
	{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
	{ "Thu, 29 Feb 2024 12:00:00 GMT", 1709208000 },
	{ "Tue, 31 Dec 2024 23:59:59 GMT", 1735689599 },
	{ "Tue, 31 Dec 2024 23:59:60 GMT", 1735689599 },
	{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
	/* Two digits of a year: at most fifty years ahead. */
	{ "Tuesday, 01-Jan-74 00:00:00 GMT", 3281990400 },
	{ "Wednesday, 01-Jan-75 00:00:00 GMT", 157766400 },
	{ "Saturday, 01-Jan-00 00:00:00 GMT", 946684800 },
	/* Not dates. */
	{ "", NONE },
	{ "0", NONE },
	{ "yesterday", NONE },
	{ "784111777", NONE },
	{ "1994-11-06T08:49:37Z", NONE },
	{ "Sun, 06 Nov 1994 08:49:37", NONE },
	{ "Sun, 06 Nov 1994 08:49:37 UTC", NONE },
	{ "Sun, 06 Nov 1994 08:49:37 +0000", NONE },
	{ "Sun, 06 nov 1994 08:49:37 GMT", NONE },
	{ "Sun, 6 Nov 1994 08:49:37 GMT", NONE },
	{ "Sun, 06 Nov 1994 08:49:37 GMT ", NONE },
	{ " Sun, 06 Nov 1994 08:49:37 GMT", NONE },
	{ "Sun; 06 Nov 1994 08:49:37 GMT", NONE },
	{ "Sun, 06-Nov-1994 08:49:37 GMT", NONE },
	{ "Sun, 06 Nov 1994 8:49:37 GMT", NONE },
	{ "Sun, 06 Nov 1994 08.49.37 GMT", NONE },
	{ "Sun, 00 Nov 1994 08:49:37 GMT", NONE },
	{ "Sun, 31 Nov 1994 08:49:37 GMT", NONE },
	{ "Sun, 32 Dec 1994 08:49:37 GMT", NONE },
	{ "Wed, 29 Feb 2023 00:00:00 GMT", NONE },
	{ "Sun, 06 Nov 1994 24:00:00 GMT", NONE },
	{ "Sun, 06 Nov 1994 08:60:37 GMT", NONE },
	{ "Sun, 06 Nov 1994 08:49:61 GMT", NONE },
	{ "Sun, 06 Nov -994 08:49:37 GMT", NONE },
	{ "Sun, -6 Nov 1994 08:49:37 GMT", NONE },
	{ "Sunday, 06-Nov-1994 08:49:37 GMT", NONE },
	{ "Sunday, 06-Nov-xx 08:49:37 GMT", NONE },
	{ "Sunday 06-Nov-94 08:49:37 GMT", NONE },
	{ "Sun Nov  x 08:49:37 1994", NONE },
	{ "Sun Nov 6 08:49:37 1994", NONE },
	{ "Sun Nov 31 08:49:37 1994", NONE },
	{ "Sun Nov  6 08:49:37 94", NONE },
	{ "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", NONE },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct str text = str_of(ROWS[i].text);
		char *exact = mem_new(text.n);
		int64_t seconds = NONE;
		memcpy(exact, text.p, text.n);
		int err = date_parse(str_make(exact, text.n), NOW_S, &seconds);
		if (err != (ROWS[i].seconds == NONE ? -EINVAL : 0) || seconds != ROWS[i].seconds)
			fail_msg("%s: %d, %lld", ROWS[i].text, err, (long long)seconds);
		mem_free(exact);
	}
}

/* Every day of some centuries, at a time that moves on. */
static void round_trip(void **state)
{
	(void)state;
	for (int64_t s = -11644473600; s < 253402300800; s += 86400 * 13 + 3661) {
		char text[DATE_B];
		int64_t again = NONE;
		date_print(text, s);
		if (date_parse(str_make(text, DATE_B), NOW_S, &again))
			fail_msg("%lld: %.*s", (long long)s, DATE_B, text);
		assert_int_equal(again, s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(round_trip) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

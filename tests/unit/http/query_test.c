/* Queries: values by name, decoded; malformed ones stand for themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "http/query.h"

static const struct {
	const char *query, *name, *value;   /* value NULL: there is none */
} ROWS[] = {
	{ "a=1&b=2", "b", "2" },
	{ "a=1&b=2&b=3", "b", "2" },
	{ "a=1", "c", NULL },
	{ "", "a", NULL },
	{ "keep", "keep", "" },
	{ "q=x+y%20z%2F", "q", "x y z/" },
	{ "q=100%", "q", "100%" },
	{ "q=%zz%4", "q", "%zz%4" },
	{ "%61=1", "a", "1" },
	{ "&&=&a==b", "a", "=b" },
};

static void values_are_found_and_decoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf got = {};
		bool found = query_get(str_of(ROWS[i].query), str_of(ROWS[i].name), &got);
		assert_int_equal(found, ROWS[i].value != NULL);
		if (found)
			assert_true(str_eq(buf_str(&got), str_of(ROWS[i].value)));
		buf_fini(&got);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_and_decoded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

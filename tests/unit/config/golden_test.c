/* Messages as a person sees them, of every kind of mistake that the tables themselves find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "golden.h"
#include "table.h"

static void messages_are_as_expected(void **state)
{
	(void)state;
	golden_all("tests/golden/check/*.conf", T_MODULES, T_COUNT);
}

int main(void)
{
	setenv("PETREL_TEST_FOLDER", "/srv/from-env", 1);
	const struct CMUnitTest TESTS[] = { cmocka_unit_test(messages_are_as_expected) };
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

/* Ever: what was added is there, and little else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "share/ever.h"

enum { MANY = 100000 };

static uint64_t nth(uint64_t n)
{
	return hash_bytes(str_make((const char *)&n, sizeof n), 0);
}

static void what_was_added_is_there(void **state)
{
	(void)state;
	struct ever *s = ever_new();
	size_t wrong = 0;
	assert_false(ever_has(s, 0));
	assert_false(ever_has(s, UINT64_MAX));
	for (uint64_t i = 0; i < MANY; i++)
		ever_add(s, nth(i));
	ever_add(s, nth(7));
	for (uint64_t i = 0; i < MANY; i++)
		assert_true(ever_has(s, nth(i)));
	for (uint64_t i = MANY; i < 2 * MANY; i++)
		wrong += ever_has(s, nth(i));
	assert_true(wrong < MANY / 500);
	ever_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_added_is_there) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

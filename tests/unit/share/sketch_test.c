/* Sketches: what is asked for often is known from what is not, for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/hash.h"
#include "base/mem.h"
#include "share/sketch.h"

enum { THREADS = 4, EACH = 20000, MANY = 1 << 16 };

static uint64_t hash_of(uint64_t n)
{
	return hash_bytes(str_make((const char *)&n, sizeof n), 0);
}

static void it_counts(void **state)
{
	(void)state;
	struct sketch *s = sketch_new();
	for (unsigned i = 1; i <= 300; i++)
		assert_int_equal(sketch_add(s, hash_of(1)), i < 255 ? i : 255);
	assert_int_equal(sketch_add(s, hash_of(2)), 1);
	sketch_free(s);
}

static void it_forgets(void **state)
{
	(void)state;
	struct sketch *s = sketch_new();
	for (unsigned i = 0; i < 100; i++)
		sketch_add(s, 1);
	/* Half of a half; what fell together with it counted for it, too. */
	for (unsigned i = 0; i < 2 * MANY; i++)
		sketch_add(s, 2);
	assert_in_range(sketch_add(s, 1), 26, 30);
	sketch_free(s);
}

static void few_fall_together(void **state)
{
	(void)state;
	struct sketch *s = sketch_new();
	unsigned wrong = 0;
	for (uint64_t i = 0; i < MANY / 4; i++)
		wrong += sketch_add(s, hash_of(i)) > 1;
	/* Both of its counters have to have been hit: at most (1/4)² of the last ones. */
	assert_in_range(wrong, 0, MANY / 4 / 16);
	sketch_free(s);
}

static void *add_all(void *arg)
{
	for (uint64_t i = 0; i < EACH; i++)
		sketch_add(arg, hash_of(i % 50));
	return NULL;
}

static void many_threads_count(void **state)
{
	(void)state;
	struct sketch *s = sketch_new();
	pthread_t threads[THREADS];
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, add_all, s);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(sketch_add(s, hash_of(7)), 2, 255);
	sketch_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_counts), cmocka_unit_test(it_forgets), cmocka_unit_test(few_fall_together),
		cmocka_unit_test(many_threads_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

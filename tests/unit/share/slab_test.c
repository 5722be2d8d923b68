/* Slabs: blocks are apart, are used again, by other sizes too, and go home from any thread. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "share/slab.h"

enum { BLOCKS = 20000, THREADS = 4 };

static size_t size_of(unsigned i)
{
	static const size_t SIZES[] = { 1, 16, 17, 200, 460, 1024, 1025, 1152, 1153, 5000, 16384, 40000, SLAB_MOST_B };
	return SIZES[i % countof(SIZES)];
}

static void sizes_cost_little_more_than_they_are(void **state)
{
	(void)state;
	for (size_t n = 1; n <= SLAB_MOST_B; n++) {
		size_t cost_b = slab_cost_b(n);
		assert_true(cost_b >= n);
		assert_true(cost_b <= n + 15 || cost_b <= n + n / 8 + 1);
		assert_int_equal(cost_b % 16, 0);
	}
}

static void blocks_are_apart(void **state)
{
	struct slab *s = slab_new(false);
	unsigned char *blocks[BLOCKS / 10];
	(void)state;
	for (unsigned i = 0; i < countof(blocks); i++) {
		blocks[i] = slab_get(s, size_of(i));
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], (int)(i & 255), size_of(i));
	}
	for (unsigned i = 0; i < countof(blocks); i++)
		for (size_t k = 0; k < size_of(i); k++)
			assert_int_equal(blocks[i][k], i & 255);
	for (unsigned i = 0; i < countof(blocks); i++)
		slab_put(blocks[i]);
	slab_free(s);
}

static void what_was_freed_is_used_by_other_sizes(void **state)
{
	struct slab *s = slab_new(true);
	void **blocks = mem_new(BLOCKS * sizeof *blocks);
	uint64_t held_b = 0;
	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		size_t size = 256 + 100 * round;
		for (unsigned i = 0; i < BLOCKS; i++)
			blocks[i] = slab_get(s, size);
		if (round == 7)
			held_b = slab_held_b(s);
		for (unsigned i = 0; i < BLOCKS; i++)
			slab_put(blocks[i * 7919u % BLOCKS]);
	}
	assert_true(held_b <= (uint64_t)BLOCKS * 1024 + 64 * 1024 * 1024);
	assert_int_equal(slab_held_b(s), held_b);
	mem_free(blocks);
	slab_free(s);
}

static void a_slab_lives_as_long_as_its_last_block(void **state)
{
	struct slab *s = slab_new(false);
	char *block = slab_get(s, 100);
	(void)state;
	slab_free(s);
	memset(block, 1, 100);
	slab_put(block);
}

static void *churn(void *arg)
{
	struct slab *s = arg;
	void *mine[64] = {};
	for (unsigned i = 0; i < BLOCKS; i++) {
		unsigned k = i * 31 % countof(mine);
		if (mine[k])
			slab_put(mine[k]);
		mine[k] = slab_get(s, size_of(i));
		memset(mine[k], (int)k, size_of(i) < 64 ? size_of(i) : 64);
	}
	for (unsigned k = 0; k < countof(mine); k++)
		if (mine[k])
			slab_put(mine[k]);
	return NULL;
}

static void any_thread_may(void **state)
{
	struct slab *s = slab_new(false);
	pthread_t threads[THREADS];
	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, s), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	slab_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_cost_little_more_than_they_are),
		cmocka_unit_test(blocks_are_apart),
		cmocka_unit_test(what_was_freed_is_used_by_other_sizes),
		cmocka_unit_test(a_slab_lives_as_long_as_its_last_block),
		cmocka_unit_test(any_thread_may),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

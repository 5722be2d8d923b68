/* Nothing is freed while a loop may look at it, and all is freed once none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/mem.h"
#include "share/epoch.h"

struct thing {
	struct retired retired;
	_Atomic uint64_t alive;
	struct epoch *again;  /* retire another one when freed */
};

static _Atomic unsigned freed;

static void thing_free(struct retired *r)
{
	struct thing *t = container_of(r, struct thing, retired);
	atomic_fetch_add(&freed, 1);
	if (t->again) {
		struct thing *more = MEM_NEW(struct thing);
		epoch_retire(t->again, &more->retired, thing_free);
	}
	atomic_store(&t->alive, 0);
	mem_free(t);
}

static void retire_one(struct epoch *e)
{
	struct thing *t = MEM_NEW(struct thing);
	epoch_retire(e, &t->retired, thing_free);
}

static unsigned reap(struct epoch *e)
{
	freed = 0;
	epoch_reap(e);
	return freed;
}

static void what_a_loop_may_look_at_stays(void **state)
{
	(void)state;
	struct epoch *e = epoch_new();
	assert_int_equal(reap(e), 0);
	retire_one(e);
	assert_int_equal(reap(e), 1);  /* nobody looks */
	epoch_enter(e, 0);
	epoch_enter(e, EPOCH_LOOPS - 1);
	retire_one(e);
	assert_int_equal(reap(e), 0);
	epoch_enter(e, 0);  /* a new turn: knows nothing of it */
	assert_int_equal(reap(e), 0);
	epoch_leave(e, EPOCH_LOOPS - 1);
	assert_int_equal(reap(e), 1);
	retire_one(e);
	epoch_enter(e, 5);  /* came later */
	retire_one(e);
	epoch_leave(e, 0);
	assert_int_equal(reap(e), 1);
	epoch_leave(e, 5);
	assert_int_equal(reap(e), 1);
	epoch_free(e);
}

static void the_end_frees_all(void **state)
{
	(void)state;
	struct epoch *e = epoch_new();
	freed = 0;
	epoch_enter(e, 3);
	struct thing *t = MEM_NEW(struct thing);
	t->again = e;
	epoch_retire(e, &t->retired, thing_free);
	retire_one(e);
	epoch_free(e);
	assert_int_equal(freed, 3);
}

/* --- Loops that read one shared pointer while others replace it. --- */

enum { READERS = 3, WRITERS = 2, SWAPS = 10000 };

static struct epoch *epoch;
static _Atomic(struct thing *) current;
static _Atomic bool stop;
static _Atomic unsigned bad;

static struct thing *thing_new(void)
{
	struct thing *t = MEM_NEW(struct thing);
	atomic_init(&t->alive, 1);
	return t;
}

static void *look(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;
	while (!stop) {
		epoch_enter(epoch, index);
		struct thing *t = atomic_load(&current);
		for (int i = 0; i < 20; i++)
			if (!atomic_load(&t->alive))
				bad++;
		if (index % 2)
			epoch_leave(epoch, index);
		epoch_reap(epoch);
	}
	epoch_leave(epoch, index);
	return NULL;
}

static void *swap(void *arg)
{
	(void)arg;
	for (int i = 0; i < SWAPS; i++) {
		struct thing *old = atomic_exchange(&current, thing_new());
		epoch_retire(epoch, &old->retired, thing_free);
		epoch_reap(epoch);
	}
	return NULL;
}

static void readers_never_see_what_is_freed(void **state)
{
	(void)state;
	pthread_t reader[READERS], writer[WRITERS];
	epoch = epoch_new();
	current = thing_new();
	freed = bad = 0;
	for (uintptr_t i = 0; i < READERS; i++)
		pthread_create(&reader[i], NULL, look, (void *)i);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&writer[i], NULL, swap, NULL);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writer[i], NULL);
	stop = true;
	for (int i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	epoch_reap(epoch);
	assert_int_equal(bad, 0);
	assert_int_equal(freed, WRITERS * SWAPS);
	mem_free(current);
	epoch_free(epoch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_loop_may_look_at_stays),
		cmocka_unit_test(the_end_frees_all),
		cmocka_unit_test(readers_never_see_what_is_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

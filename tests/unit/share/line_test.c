/* Lines: so many at a time, first come first served, on any thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/must.h"
#include "share/line.h"

enum { WAITERS = 5, THREADS = 4, ROUNDS = 3000, MOST = 2 };

struct waiter_place {
	struct line_place place;
	bool come;
};

static struct mailbox box;
static struct line *line;

static int setup(void **state)
{
	(void)state;
	line = line_new(MOST);
	return mailbox_init(&box);
}

static int teardown(void **state)
{
	(void)state;
	line_free(line);
	mailbox_fini(&box);
	return 0;
}

static void come(struct mail *m)
{
	container_of(m, struct waiter_place, place.mail)->come = true;
}

static bool enter(struct waiter_place *p, struct mailbox *to)
{
	*p = (struct waiter_place){ .place = { .mail.deliver = come, .to = to } };
	return line_enter(line, &p->place);
}

static void assert_line(uint64_t inside, uint64_t waiting)
{
	struct line_stats stats = line_stats(line);
	assert_int_equal(stats.inside, inside);
	assert_int_equal(stats.waiting, waiting);
}

/* Who is in by now, as bits. */
static unsigned who(const struct waiter_place *places)
{
	unsigned bits = 0;
	mailbox_open(&box);
	for (unsigned i = 0; i < WAITERS; i++)
		bits |= (unsigned)places[i].come << i;
	return bits;
}

static void first_come_first_served(void **state)
{
	(void)state;
	struct waiter_place p[WAITERS];
	for (size_t i = 0; i < WAITERS; i++)
		assert_int_equal(enter(&p[i], &box), i < MOST);
	assert_line(2, 3);
	assert_int_equal(who(p), 0);
	line_leave(line);
	assert_int_equal(who(p), 1 << 2);
	line_leave(line);
	line_leave(line);
	assert_int_equal(who(p), 7 << 2);
	assert_line(2, 0);
	line_leave(line);
	line_leave(line);
	assert_line(0, 0);
}

static void a_new_bound_counts_at_once(void **state)
{
	(void)state;
	struct waiter_place p[WAITERS];
	for (size_t i = 0; i < WAITERS; i++)
		enter(&p[i], &box);
	line_bound(line, 4);
	assert_int_equal(who(p), 3 << 2);
	line_bound(line, 1);
	for (unsigned left = 4; left > 1; left--) {
		line_leave(line);
		assert_int_equal(who(p), 3 << 2);
	}
	line_leave(line);
	assert_int_equal(who(p), 7 << 2);
	line_leave(line);
	assert_line(0, 0);
}

static void who_quits_is_passed_over(void **state)
{
	(void)state;
	struct waiter_place p[WAITERS];
	for (size_t i = 0; i < WAITERS; i++)
		enter(&p[i], &box);
	assert_true(line_quit(line, &p[2].place));
	assert_line(2, 2);
	line_leave(line);
	/* Its mail is on its way: it is inside, whatever it thinks of that. */
	assert_false(line_quit(line, &p[3].place));
	assert_int_equal(who(p), 1 << 3);
	assert_true(line_quit(line, &p[4].place));
	assert_line(2, 0);
	line_leave(line);
	line_leave(line);
	assert_line(0, 0);
}

/* --- By several threads. --- */

static _Atomic int inside, most;

static void work(void)
{
	int now = atomic_fetch_add(&inside, 1) + 1, seen = atomic_load(&most);
	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	sched_yield();
	atomic_fetch_sub(&inside, 1);
	line_leave(line);
}

static void *enter_again_and_again(void *arg)
{
	struct mailbox mine;
	must(mailbox_init(&mine) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct waiter_place p;
		bool in = enter(&p, &mine);
		/* Some have not the patience. */
		if (!in && i % 5 == (uintptr_t)arg && line_quit(line, &p.place))
			continue;
		for (; !in && !p.come; mailbox_open(&mine))
			sched_yield();
		work();
	}
	mailbox_fini(&mine);
	return NULL;
}

static void never_more_than_so_many(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, enter_again_and_again, (void *)i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_line(0, 0);
	assert_in_range(most, 1, MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_come_first_served, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_bound_counts_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(who_quits_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(never_more_than_so_many, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lines: so many at a time for each name, first come first served, on any thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "share/line.h"

enum { WAITERS = 5, THREADS = 4, ROUNDS = 3000, MOST = 2 };

struct waiter_place {
	struct line_place place;
	bool come;
};

static struct mailbox box;
static struct lines *lines;

static int setup(void **state)
{
	(void)state;
	lines = lines_new(MOST);
	return mailbox_init(&box);
}

static int teardown(void **state)
{
	(void)state;
	lines_free(lines);
	mailbox_fini(&box);
	return 0;
}

static void come(struct mail *m)
{
	container_of(m, struct waiter_place, place.mail)->come = true;
}

static bool enter_as(struct waiter_place *p, struct mailbox *to, struct str name)
{
	*p = (struct waiter_place){ .place = { .mail.deliver = come, .to = to } };
	return line_enter(lines, name, &p->place);
}

static bool enter(struct waiter_place *p, struct mailbox *to)
{
	return enter_as(p, to, STR("php"));
}

static void leave(struct waiter_place *p)
{
	line_leave(lines, &p->place);
}

static void assert_line(uint64_t inside, uint64_t waiting)
{
	struct line_stats stats = lines_sum(lines);
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
	leave(&p[0]);
	assert_int_equal(who(p), 1 << 2);
	leave(&p[1]);
	leave(&p[2]);
	assert_int_equal(who(p), 7 << 2);
	assert_line(2, 0);
	leave(&p[3]);
	leave(&p[4]);
	assert_line(0, 0);
}

static void a_new_bound_counts_at_once(void **state)
{
	(void)state;
	struct waiter_place p[WAITERS];
	for (size_t i = 0; i < WAITERS; i++)
		enter(&p[i], &box);
	lines_bound(lines, 4);
	assert_int_equal(who(p), 3 << 2);
	lines_bound(lines, 1);
	for (unsigned i = 0; i < 3; i++) {
		leave(&p[i]);
		assert_int_equal(who(p), 3 << 2);
	}
	leave(&p[3]);
	assert_int_equal(who(p), 7 << 2);
	leave(&p[4]);
	assert_line(0, 0);
}

static void who_quits_is_passed_over(void **state)
{
	(void)state;
	struct waiter_place p[WAITERS];
	for (size_t i = 0; i < WAITERS; i++)
		enter(&p[i], &box);
	assert_true(line_quit(lines, &p[2].place));
	assert_line(2, 2);
	leave(&p[0]);
	/* Its mail is on its way: it is inside, whatever it thinks of that. */
	assert_false(line_quit(lines, &p[3].place));
	assert_int_equal(who(p), 1 << 3);
	assert_true(line_quit(lines, &p[4].place));
	assert_line(2, 0);
	leave(&p[1]);
	leave(&p[3]);
	assert_line(0, 0);
}

static void assert_named(const char *as)
{
	size_t count;
	struct line_stats *all = lines_stats(lines, &count);
	struct buf text = {};
	for (size_t i = 0; i < count; i++)
		buf_addf(&text, "%s%.*s %d+%d", i ? ", " : "", STR_F(all[i].name), (int)all[i].inside, (int)all[i].waiting);
	if (!str_eq(buf_str(&text), str_of(as)))
		fail_msg("%.*s, not %s", STR_F(buf_str(&text)), as);
	buf_fini(&text);
	mem_free(all);
}

/* Who hangs has a line of his own. */
static void names_do_not_wait_for_each_other(void **state)
{
	(void)state;
	struct waiter_place p[WAITERS], q[WAITERS], own;
	for (size_t i = 0; i < WAITERS; i++)
		assert_int_equal(enter_as(&p[i], &box, STR("slow")), i < MOST);
	for (size_t i = 0; i < WAITERS; i++)
		assert_int_equal(enter_as(&q[i], &box, STR("quick")), i < MOST);
	assert_true(enter_as(&own, &box, STR("")));
	assert_named(" 1+0, quick 2+3, slow 2+3");
	assert_line(5, 6);
	for (size_t i = 0; i < WAITERS; i++)
		leave(&q[i]);
	assert_int_equal(who(q), 7 << 2);
	assert_int_equal(who(p), 0);
	leave(&own);
	for (size_t i = 0; i < WAITERS; i++)
		leave(&p[i]);
	assert_int_equal(who(p), 7 << 2);
	assert_named(" 0+0, quick 0+0, slow 0+0");
}

/* As many names as there may be pools: those where nobody is are forgotten at the next reload, and no others. */
static void a_reload_forgets_names_that_nobody_uses(void **state)
{
	(void)state;
	struct waiter_place gone[1000], in, out[MOST + 1];
	char name[16];
	for (int i = 0; i < (int)countof(gone); i++)
		assert_true(enter_as(&gone[i], &box, str_make(name, (size_t)snprintf(name, sizeof name, "%d", i))));
	assert_true(enter_as(&in, &box, STR("in")));
	for (size_t i = 0; i < countof(out); i++)
		assert_int_equal(enter_as(&out[i], &box, STR("out")), i < MOST);
	for (size_t i = 0; i < countof(gone); i++)
		leave(&gone[i]);
	assert_line(1 + MOST, 1);
	lines_bound(lines, MOST);
	assert_named("in 1+0, out 2+1");
	/* A bound of 1: who waits stays, though nobody can go on for a while. */
	lines_bound(lines, 1);
	leave(&in);
	leave(&out[0]);
	lines_bound(lines, 1);
	assert_named("out 1+1");
	leave(&out[1]);
	mailbox_open(&box);
	assert_true(out[MOST].come);
	leave(&out[MOST]);
	lines_bound(lines, 1);
	assert_named("");
}

/* --- By several threads. --- */

static _Atomic int inside, most;

static void work(struct waiter_place *p)
{
	int now = atomic_fetch_add(&inside, 1) + 1, seen = atomic_load(&most);
	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	sched_yield();
	atomic_fetch_sub(&inside, 1);
	leave(p);
}

static void *enter_again_and_again(void *arg)
{
	struct mailbox mine;
	must(mailbox_init(&mine) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct waiter_place p;
		bool in = enter(&p, &mine);
		/* Some have not the patience. */
		if (!in && i % 5 == (uintptr_t)arg && line_quit(lines, &p.place))
			continue;
		for (; !in && !p.come; mailbox_open(&mine))
			sched_yield();
		work(&p);
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
		cmocka_unit_test_setup_teardown(names_do_not_wait_for_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reload_forgets_names_that_nobody_uses, setup, teardown),
		cmocka_unit_test_setup_teardown(never_more_than_so_many, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

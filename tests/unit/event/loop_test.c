/* Turns that are kept apart: what comes in between is found together, nothing is lost, and a loop that has something to do
 * does not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/loop.h"

enum { MS = 1000000, LETTERS = 40 };

struct letter {
	struct mail mail;
	struct probe *to;
};

struct probe {
	struct loop loop;
	struct task task;
	struct timer timer;
	unsigned left, delivered, turns;
	uint64_t before_ns, least_ns;   /* the turn before began then; the least distance of two */
	struct letter letters[LETTERS];
};

static void turn_over(struct loop *l)
{
	struct probe *p = l->owner;
	if (p->turns++ && l->now_ns - p->before_ns < p->least_ns)
		p->least_ns = l->now_ns - p->before_ns;
	p->before_ns = l->now_ns;
}

static void setup(struct probe *p, uint64_t gap_ns)
{
	*p = (struct probe){ .least_ns = UINT64_MAX };
	assert_int_equal(loop_init(&p->loop, 0), 0);
	p->loop.owner = p;
	p->loop.asleep = turn_over;
	p->loop.gap_ns = gap_ns;
}

static void run_again(struct task *t)
{
	struct probe *p = container_of(t, struct probe, task);
	if (--p->left)
		loop_queue(&p->loop, t);
	else
		loop_stop(&p->loop);
}

static void a_loop_that_has_tasks_does_not_wait(void **state)
{
	(void)state;
	struct probe p;
	setup(&p, 1000ull * MS);
	p.left = 100;
	task_init(&p.task, run_again);
	loop_queue(&p.loop, &p.task);
	uint64_t begin_ns = clock_ns();
	loop_run(&p.loop);
	assert_true(clock_ns() - begin_ns < 50000ull * MS);
	loop_fini(&p.loop);
}

static void fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);
	if (--p->left)
		timer_set(&p->loop.wheel, t, p->loop.now_ms + 1);
	else
		loop_stop(&p->loop);
}

static void turns_begin_apart(void **state)
{
	(void)state;
	struct probe p;
	setup(&p, 20 * MS);
	p.left = 10;
	timer_init(&p.timer, fire);
	timer_set(&p.loop.wheel, &p.timer, p.loop.now_ms + 1);
	loop_run(&p.loop);
	assert_true(p.turns >= 10 && p.least_ns >= 20 * MS);
	loop_fini(&p.loop);
}

static void deliver(struct mail *m)
{
	struct probe *p = container_of(m, struct letter, mail)->to;
	if (++p->delivered == LETTERS)
		loop_stop(&p->loop);
}

static void *post_all(void *arg)
{
	struct probe *p = arg;
	for (size_t i = 0; i < LETTERS; i++) {
		p->letters[i] = (struct letter){ .mail.deliver = deliver, .to = p };
		mailbox_post(&p->loop.mailbox, &p->letters[i].mail);
		nanosleep(&(struct timespec){ .tv_nsec = MS }, NULL);
	}
	return NULL;
}

/* The loop would sleep for ever if it missed the last one. */
static void mail_that_comes_meanwhile_is_found(void **state)
{
	(void)state;
	struct probe p;
	pthread_t sender;
	setup(&p, 5 * MS);
	pthread_create(&sender, NULL, post_all, &p);
	loop_run(&p.loop);
	pthread_join(sender, NULL);
	assert_int_equal(p.delivered, LETTERS);
	loop_fini(&p.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_that_has_tasks_does_not_wait),
		cmocka_unit_test(turns_begin_apart),
		cmocka_unit_test(mail_that_comes_meanwhile_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

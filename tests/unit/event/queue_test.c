/* The bounded queue: what is refused and when, what is under way, and that nothing is lost between threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/queue.h"

static void past_the_bound_is_refused(void **state)
{
	(void)state;
	struct queue *q = queue_new(2, 3, -1);
	struct mail mail[6];
	for (int i = 0; i < 5; i++)
		assert_int_equal(queue_push(q, &mail[i]), 0);
	assert_int_equal(queue_push(q, &mail[5]), -EBUSY);
	assert_ptr_equal(queue_take(q), &mail[0]);
	assert_ptr_equal(queue_take(q), &mail[1]);
	assert_null(queue_try(q));
	assert_int_equal(queue_push(q, &mail[5]), -EBUSY);
	queue_done(q, false);
	assert_int_equal(queue_push(q, &mail[5]), 0);
	struct queue_stats s = queue_stats(q);
	assert_int_equal(s.waiting, 4);
	assert_int_equal(s.under_way, 1);
	assert_int_equal(s.finished, 1);
	assert_int_equal(s.refused, 2);
	queue_done(q, false);
	struct mail *left = queue_close(q);
	assert_ptr_equal(left, &mail[2]);
	assert_ptr_equal(left->next->next->next, &mail[5]);
	assert_int_equal(queue_push(q, &mail[0]), -EBUSY);
	assert_null(queue_take(q));
	queue_free(q);
}

static void new_bounds_hold_at_once(void **state)
{
	(void)state;
	struct queue *q = queue_new(1, 1, -1);
	struct mail mail[4];
	assert_int_equal(queue_push(q, &mail[0]), 0);
	assert_int_equal(queue_push(q, &mail[1]), 0);
	assert_int_equal(queue_push(q, &mail[2]), -EBUSY);
	queue_bounds(q, 2, 2);
	assert_int_equal(queue_push(q, &mail[2]), 0);
	assert_ptr_equal(queue_try(q), &mail[0]);
	assert_ptr_equal(queue_try(q), &mail[1]);
	queue_bounds(q, 1, 0);
	assert_null(queue_try(q));
	queue_done(q, false);
	assert_null(queue_try(q));
	queue_done(q, false);
	assert_ptr_equal(queue_try(q), &mail[2]);
	queue_done(q, false);
	assert_null(queue_close(q));
	queue_free(q);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static void a_ring_is_woken_once(void **state)
{
	(void)state;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct queue *q = queue_new(4, 4, fd);
	struct mail mail[3];
	uint64_t count;
	assert_int_equal(queue_push(q, &mail[0]), 0);
	assert_false(readable(fd));
	assert_ptr_equal(queue_try(q), &mail[0]);
	assert_null(queue_try(q));
	assert_int_equal(queue_push(q, &mail[1]), 0);
	assert_int_equal(queue_push(q, &mail[2]), 0);
	assert_int_equal(read(fd, &count, sizeof count), sizeof count);
	assert_int_equal(count, 1);
	assert_ptr_equal(queue_try(q), &mail[1]);
	assert_ptr_equal(queue_try(q), &mail[2]);
	assert_null(queue_try(q));
	assert_null(queue_close(q));
	assert_true(readable(fd));
	for (int i = 0; i < 3; i++)
		queue_done(q, false);
	queue_free(q);
	close(fd);
}

enum { WORKERS = 3, PUSHERS = 2, EACH = 5000 };

static struct queue *shared;
static struct mail mails[PUSHERS][EACH];
static _Atomic unsigned taken;

static void *work(void *arg)
{
	(void)arg;
	while (queue_take(shared)) {
		atomic_fetch_add(&taken, 1);
		queue_done(shared, false);
	}
	return NULL;
}

static void *push(void *arg)
{
	struct mail *m = arg;
	for (int i = 0; i < EACH; i++)
		while (queue_push(shared, &m[i]))
			sched_yield();
	return NULL;
}

static void each_is_taken_once(void **state)
{
	(void)state;
	shared = queue_new(WORKERS, 50, -1);
	pthread_t worker[WORKERS], pusher[PUSHERS];
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&worker[i], NULL, work, NULL);
	for (int i = 0; i < PUSHERS; i++)
		pthread_create(&pusher[i], NULL, push, mails[i]);
	for (int i = 0; i < PUSHERS; i++)
		pthread_join(pusher[i], NULL);
	struct mail *left = queue_close(shared);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(worker[i], NULL);
	unsigned count = taken;
	for (; left; left = left->next)
		count++;
	assert_int_equal(count, PUSHERS * EACH);
	assert_int_equal(queue_stats(shared).finished, taken);
	queue_free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(past_the_bound_is_refused),
		cmocka_unit_test(new_bounds_hold_at_once),
		cmocka_unit_test(a_ring_is_woken_once),
		cmocka_unit_test(each_is_taken_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

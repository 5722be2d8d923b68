/* The store: what is found, what has to go and what stays, who does a job; and all of it by several threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "share/store.h"

struct thing {
	struct object object;
	unsigned number;   /* of the key */
	_Atomic bool alive;
	char key[16];
};

static struct epoch *epoch;
static struct store *store;
static _Atomic long living;

static int setup(void **state)
{
	(void)state;
	epoch = epoch_new();
	store = NULL;
	living = 0;
	return 0;
}

/* Whatever a test did, all memory comes back. */
static int teardown(void **state)
{
	(void)state;
	store_free(store);
	epoch_free(epoch);
	return living == 0 ? 0 : -1;
}

static struct str key_print(char *key, unsigned number)
{
	return str_make(key, (size_t)snprintf(key, 16, "/%u.html", number));
}

static void thing_free(struct object *o)
{
	struct thing *t = container_of(o, struct thing, object);
	t->alive = false;
	living--;
	mem_free(t);
}

static struct thing *thing_new(unsigned number, size_t cost_b)
{
	struct thing *t = MEM_NEW(struct thing);
	t->number = number;
	t->alive = true;
	t->object.key = key_print(t->key, number);
	t->object.hash = store_hash(store, t->object.key);
	t->object.cost_b = cost_b;
	t->object.free = thing_free;
	atomic_init(&t->object.refs, 1);
	living++;
	return t;
}

static bool put(unsigned number, size_t cost_b)
{
	return store_put(store, &thing_new(number, cost_b)->object);
}

static struct thing *find(unsigned number)
{
	char bytes[16];
	struct str key = key_print(bytes, number);
	struct object *o = store_find(store, key, store_hash(store, key));
	return o ? container_of(o, struct thing, object) : NULL;
}

static bool drop(unsigned number)
{
	char bytes[16];
	struct str key = key_print(bytes, number);
	return store_drop(store, key, store_hash(store, key));
}

static void found_by_key(void **state)
{
	(void)state;
	store = store_new(epoch, 1 << 20);
	assert_null(find(1));
	assert_true(put(1, 100));
	assert_true(put(2, 100));
	assert_int_equal(find(1)->number, 1);
	assert_int_equal(find(2)->number, 2);
	assert_null(find(3));
	struct store_stats s = store_stats(store);
	assert_int_equal(s.objects, 2);
	assert_int_equal(s.bytes, 200);
	assert_int_equal(s.hits, 2);
	assert_int_equal(s.misses, 2);
	assert_int_equal(s.bound_b, 1 << 20);
	assert_true(drop(1));
	assert_false(drop(1));
	assert_null(find(1));
	assert_int_equal(store_stats(store).bytes, 100);
}

static void a_new_one_takes_the_old_ones_place(void **state)
{
	(void)state;
	store = store_new(epoch, 1 << 20);
	put(1, 100);
	struct thing *old = find(1);
	put(1, 300);
	assert_ptr_not_equal(find(1), old);
	assert_int_equal(store_stats(store).objects, 1);
	assert_int_equal(store_stats(store).bytes, 300);
	epoch_reap(epoch);
	assert_int_equal(living, 1);
}

static void a_loop_may_look_until_its_turn_ends(void **state)
{
	(void)state;
	store = store_new(epoch, 1 << 20);
	put(1, 100);
	epoch_enter(epoch, 0);
	struct thing *t = find(1);
	drop(1);
	epoch_reap(epoch);
	assert_true(t->alive);
	object_get(&t->object);  /* even now */
	epoch_enter(epoch, 0);
	epoch_reap(epoch);
	assert_true(t->alive);
	object_put(epoch, &t->object);
	epoch_reap(epoch);
	assert_true(t->alive);   /* the turn goes on */
	epoch_leave(epoch, 0);
	epoch_reap(epoch);
	assert_int_equal(living, 0);
}

static void a_reference_outlives_the_store(void **state)
{
	(void)state;
	store = store_new(epoch, 1 << 20);
	put(1, 100);
	struct thing *t = find(1);
	object_get(&t->object);
	store_free(store);
	store = NULL;
	assert_true(t->alive);
	object_put(epoch, &t->object);
}

static void many_are_found_while_the_tables_grow(void **state)
{
	(void)state;
	enum { MANY = 20000 };
	store = store_new(epoch, 256 << 20);
	for (unsigned i = 0; i < MANY; i++)
		put(i, 1000);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(find(i)->number, i);
	assert_int_equal(store_stats(store).objects, MANY);
	assert_int_equal(store_stats(store).evicted, 0);
}

/* --- The bound. --- */

static void never_past_the_bound(void **state)
{
	(void)state;
	static const struct { size_t bound_b, cost_b; } ROWS[] = {
		{ 10000, 100 }, { 10000, 9999 }, { 10000, 10000 }, { 64 << 20, 700000 }, { 64 << 20, 40 << 20 }, { 16 << 20, 5000 },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		store_free(store);
		store = store_new(epoch, ROWS[i].bound_b);
		for (unsigned n = 0; n < 4000; n++) {
			assert_true(put(n, ROWS[i].cost_b));
			assert_non_null(find(n));
			assert_true(store_stats(store).bytes <= ROWS[i].bound_b);
		}
		/* … and not far below it either. */
		assert_true(store_stats(store).bytes > ROWS[i].bound_b - ROWS[i].cost_b);
		epoch_reap(epoch);
	}
}

static void too_big_is_refused_and_the_old_one_gone(void **state)
{
	(void)state;
	store = store_new(epoch, 1000);
	put(1, 500);
	put(2, 400);
	assert_false(put(1, 1001));
	assert_null(find(1));
	assert_non_null(find(2));
}

static void a_big_one_pushes_small_ones_out(void **state)
{
	(void)state;
	store = store_new(epoch, 32 << 20);
	for (unsigned i = 0; i < 8000; i++)
		put(i, 4096);
	assert_true(put(9999, 30 << 20));
	assert_non_null(find(9999));
	assert_true(store_stats(store).bytes <= 32 << 20);
}

static void a_smaller_bound_holds_at_once(void **state)
{
	(void)state;
	store = store_new(epoch, 32 << 20);
	for (unsigned i = 0; i < 4000; i++)
		put(i, 4096);
	store_bound(store, 1 << 20);
	assert_true(store_stats(store).bytes <= 1 << 20);
	assert_true(store_stats(store).bytes > (1 << 20) - 3 * 4096);
	store_bound(store, 0);
	assert_int_equal(store_stats(store).objects, 0);
	assert_false(put(1, 10));
	store_bound(store, 100);
	assert_true(put(1, 10));
}

/* --- What stays. --- */

/* Hot ones fill `part` percent of the store; a scan of ten times the bound comes by.  How many hot ones are left? */
static unsigned left_by_a_scan(size_t bound_b, size_t cost_b, unsigned part, bool hot_in_between)
{
	unsigned fit = (unsigned)(bound_b / cost_b), hot = fit * part / 100, left = 0;
	store_free(store);
	store = store_new(epoch, bound_b);
	for (unsigned i = 0; i < hot; i++)
		put(i, cost_b);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < hot; i++)
			find(i);
	for (unsigned i = 0; i < 10 * fit; i++) {
		if (!find(1000000 + i))
			put(1000000 + i, cost_b);
		if (hot_in_between)
			find(i % hot);
		if (i % 100 == 0)
			epoch_reap(epoch);
	}
	for (unsigned i = 0; i < hot; i++)
		left += find(i) != NULL;
	return left * 100 / hot;
}

static void a_scan_leaves_what_is_hot(void **state)
{
	(void)state;
	/* In one shard exactly; over many shards, whose shares differ by chance, nearly. */
	assert_int_equal(left_by_a_scan(1 << 20, 1 << 10, 80, false), 100);
	assert_int_equal(left_by_a_scan(1 << 20, 1 << 10, 80, true), 100);
	assert_in_range(left_by_a_scan(64 << 20, 16 << 10, 70, false), 99, 100);
}

static void who_comes_back_soon_stays(void **state)
{
	(void)state;
	store = store_new(epoch, 100000);
	for (unsigned i = 0; i < 100; i++)
		put(i, 1000);  /* full, all newcomers */
	put(100, 1000);
	assert_null(find(0));
	put(0, 1000);          /* known as a ghost: goes to the main queue */
	for (unsigned i = 200; i < 280; i++)
		put(i, 1000);
	assert_non_null(find(0));
	assert_null(find(5));
}

struct seen {
	unsigned count, hot_before_cold;
	bool cold_seen;
};

static void see(void *arg, const struct object *o)
{
	struct seen *s = arg;
	bool hot = strtoul(o->key.p + 1, NULL, 10) < 50;
	s->count++;
	s->cold_seen |= !hot;
	s->hot_before_cold += hot && !s->cold_seen;
}

static void each_is_seen_hottest_first(void **state)
{
	(void)state;
	struct seen s = {};
	store = store_new(epoch, 100000);
	for (unsigned i = 0; i < 50; i++)
		put(i, 1000);
	for (unsigned i = 0; i < 100; i++)
		find(i % 50);
	for (unsigned i = 0; i < 100; i++)
		put(1000 + i, 1000);
	store_each(store, see, &s);
	assert_int_equal(s.count, 100);
	assert_int_equal(s.hot_before_cold, 50);
}

/* --- One job per key. --- */

static struct mailbox box;
static unsigned arrived;

static void arrive(struct mail *m)
{
	assert_int_equal(container_of(m, struct waiter, mail)->err, -7);
	arrived++;
}

static void one_job_and_mail_for_the_others(void **state)
{
	(void)state;
	store = store_new(epoch, 1000);
	struct waiter w[3] = {};
	struct str key = STR("/a"), other = STR("/b");
	uint64_t hash = store_hash(store, key);
	assert_int_equal(mailbox_init(&box), 0);
	for (int i = 0; i < 3; i++) {
		w[i] = (struct waiter){ .mail.deliver = arrive, .to = &box };
		assert_int_equal(store_join(store, key, hash, &w[i]), i ? FLIGHT_JOINED : FLIGHT_MINE);
	}
	assert_int_equal(store_join(store, other, hash, &w[0]), FLIGHT_MINE);  /* same hash, another key */
	arrived = 0;
	store_land(store, key, hash, -7, NULL);
	mailbox_open(&box);
	assert_int_equal(arrived, 2);
	assert_null(w[1].object);
	assert_int_equal(store_join(store, key, hash, &w[0]), FLIGHT_MINE);
	store_land(store, key, hash, -7, NULL);
	store_land(store, other, hash, -7, NULL);
	mailbox_open(&box);
	assert_int_equal(arrived, 2);
	mailbox_fini(&box);
}

static void keep(struct mail *m)
{
	(void)m;
}

static void who_waits_gets_what_the_store_has_no_room_for(void **state)
{
	(void)state;
	store = store_new(epoch, 100);
	struct waiter w = { .mail.deliver = keep, .to = &box };
	struct thing *t = thing_new(1, 1000);
	assert_int_equal(mailbox_init(&box), 0);
	assert_int_equal(store_join(store, t->object.key, t->object.hash, &w), FLIGHT_MINE);
	assert_int_equal(store_join(store, t->object.key, t->object.hash, &w), FLIGHT_JOINED);
	object_get(&t->object);
	assert_false(store_put(store, &t->object));
	store_land(store, t->object.key, t->object.hash, 0, &t->object);
	object_put(epoch, &t->object);
	epoch_reap(epoch);
	assert_ptr_equal(w.object, &t->object);
	assert_true(t->alive);
	object_put(epoch, w.object);
	mailbox_fini(&box);
}

/* --- All at once. --- */

enum { THREADS = 4, TURNS = 400, KEYS = 200, PERMANENT = 30, BOUND_B = 16 << 20 };

static _Atomic unsigned jobs_under_way[KEYS];
static _Atomic unsigned bad;

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void check(struct thing *t, unsigned number)
{
	if (t && (!t->alive || t->number != number))
		bad++;
}

struct reader {
	unsigned index;
	unsigned seed;
	struct mailbox box;
	unsigned waiting, mail;
	struct thing *kept;
};

struct wait {
	struct waiter waiter;
	struct reader *reader;
	unsigned number;
};

static void wait_over(struct mail *m)
{
	struct wait *w = container_of(container_of(m, struct waiter, mail), struct wait, waiter);
	struct thing *t = container_of(w->waiter.object, struct thing, object);
	check(t, w->number);
	object_put(epoch, &t->object);
	w->reader->mail++;
	mem_free(w);
}

/* As a request would: find, else join; who has to, makes it. */
static void ask(struct reader *r, unsigned number)
{
	char bytes[16];
	struct str key = key_print(bytes, number);
	uint64_t hash = store_hash(store, key);
	if (store_find(store, key, hash))
		return;
	struct wait *w = MEM_NEW(struct wait);
	w->waiter = (struct waiter){ .mail.deliver = wait_over, .to = &r->box };
	w->reader = r;
	w->number = number;
	if (store_join(store, key, hash, &w->waiter) == FLIGHT_JOINED) {
		r->waiting++;
		return;
	}
	mem_free(w);
	if (atomic_fetch_add(&jobs_under_way[number], 1) != 0)
		bad++;
	struct thing *t = thing_new(number, 100000 + next_random(&r->seed) % 100000);
	object_get(&t->object);
	store_put(store, &t->object);
	atomic_fetch_sub(&jobs_under_way[number], 1);
	store_land(store, key, hash, 0, &t->object);
	object_put(epoch, &t->object);
}

static void turn(struct reader *r)
{
	unsigned number = next_random(&r->seed) % KEYS;
	struct thing *t = find(number);
	check(t, number);
	if (t && !r->kept) {
		object_get(&t->object);
		r->kept = t;
	} else if (r->kept && next_random(&r->seed) % 4 == 0) {
		check(r->kept, r->kept->number);
		object_put(epoch, &r->kept->object);
		r->kept = NULL;
	}
	ask(r, number);
	if (next_random(&r->seed) % 8 == 0)
		drop(number);
	if (next_random(&r->seed) % 8 == 0)
		put(number, 1000);
	check(t, number);  /* still this turn */
}

static void *read_and_write(void *arg)
{
	struct reader *r = arg;
	for (int i = 0; i < TURNS; i++) {
		epoch_enter(epoch, r->index);
		for (int k = 0; k < 10; k++)
			turn(r);
		mailbox_open(&r->box);
		epoch_leave(epoch, r->index);
		epoch_reap(epoch);
	}
	while (r->mail < r->waiting) {
		struct pollfd p = { .fd = r->box.event_fd, .events = POLLIN };
		poll(&p, 1, -1);
		mailbox_clear(&r->box);
		mailbox_open(&r->box);
	}
	if (r->kept)
		object_put(epoch, &r->kept->object);
	return NULL;
}

static void threads_agree(void **state)
{
	(void)state;
	pthread_t thread[THREADS];
	struct reader readers[THREADS] = {};
	store = store_new(epoch, BOUND_B);
	bad = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		readers[i].index = i;
		readers[i].seed = i + 1;
		assert_int_equal(mailbox_init(&readers[i].box), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, read_and_write, &readers[i]);
	for (int i = 0; i < 50; i++)
		store_bound(store, i % 2 ? BOUND_B : BOUND_B / 4);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned i = 0; i < THREADS; i++)
		mailbox_fini(&readers[i].box);
	assert_int_equal(bad, 0);
	assert_true(store_stats(store).bytes <= BOUND_B);
}

static _Atomic bool stop_reading;

static void *read_permanent(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;
	while (!stop_reading) {
		epoch_enter(epoch, index);
		for (unsigned i = 0; i < PERMANENT; i++) {
			struct thing *t = find(i);
			if (!t)
				bad++;
			check(t, i);
		}
	}
	epoch_leave(epoch, index);
	return NULL;
}

/* Growing, replacing a neighbour in the chain, dropping one: no reader misses what is there. */
static void readers_miss_nothing_while_it_grows(void **state)
{
	(void)state;
	pthread_t thread[2];
	store = store_new(epoch, 4 << 20);  /* one shard */
	stop_reading = false;
	bad = 0;
	for (unsigned i = 0; i < PERMANENT; i++)
		put(i, 10);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, read_permanent, (void *)i);
	for (unsigned i = PERMANENT; i < 20000; i++) {
		put(i, 10);
		put(i % PERMANENT, 10);
		if (i % 3 == 1 && i > PERMANENT)
			drop(i - 1);
		if (i % 64 == 0)
			epoch_reap(epoch);
	}
	stop_reading = true;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(found_by_key),
		TEST(a_new_one_takes_the_old_ones_place),
		TEST(a_loop_may_look_until_its_turn_ends),
		TEST(a_reference_outlives_the_store),
		TEST(many_are_found_while_the_tables_grow),
		TEST(never_past_the_bound),
		TEST(too_big_is_refused_and_the_old_one_gone),
		TEST(a_big_one_pushes_small_ones_out),
		TEST(a_smaller_bound_holds_at_once),
		TEST(a_scan_leaves_what_is_hot),
		TEST(who_comes_back_soon_stays),
		TEST(each_is_seen_hottest_first),
		TEST(one_job_and_mail_for_the_others),
		TEST(who_waits_gets_what_the_store_has_no_room_for),
		TEST(threads_agree),
		TEST(readers_miss_nothing_while_it_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

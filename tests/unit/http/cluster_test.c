/* Pages that machines share, beside a real server: who is told what; and values that are damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/cluster.h"
#include "http/cluster_key.h"
#include "http/cluster_value.h"
#include "http/memcached.h"
#include "real_memcached.h"

static struct home home;
static struct log *log_of_all;
static struct memcacheds *all;
static struct memcached *pool;
static struct store *store;
static pid_t server;

static void stop_at(struct timer *t)
{
	(void)t;
	loop_stop(&home.loop);
}

static void stop_task(struct task *t)
{
	(void)t;
	loop_stop(&home.loop);
}

static void run_ms(uint64_t ms)
{
	struct timer t;
	home.loop.stopping = false;
	timer_init(&t, stop_at);
	timer_set(&home.loop.wheel, &t, home.loop.now_ms + ms);
	loop_run(&home.loop);
	timer_stop(&t);
}

/* --- Until all is done that was told. --- */

static struct memcached_server_stats stats(void)
{
	struct memcached_server_stats s;
	memcached_stats(pool, 0, &s);
	return s;
}

static bool is_answered(struct home *h)
{
	struct task task;
	struct mc_op op = { .task = &task };
	struct mc_request nothing = { .verb = "mg", .key = STR("nothing") };
	task_init(&task, stop_task);
	if (!memcached_ask(pool, h, &nothing, &op, 10000))
		return false;
	home.loop.stopping = false;
	loop_run(&home.loop);
	mc_cancel(&op);
	return op.got == MC_ANSWERED;
}

/* A connection's answers come in their order, so the last one is behind all; NULL: the control thread's. */
static void settle(struct home *h)
{
	for (unsigned i = 0; i < 2000; i++) {
		run_ms(2);
		if (!stats().kept && is_answered(h) && !stats().kept)
			return;
	}
	fail_msg("memcached does not answer");
}

static int setup(void **state)
{
	char text[32];
	uint16_t port = free_port();
	(void)state;
	server = real_up(port);
	snprintf(text, sizeof text, "127.0.0.1:%u", port);
	struct memcached_server_conf one = { str_of(text), 1 };
	struct memcached_conf conf = { .name = STR("test"), .servers = { &one, 1 }, .timeout_ms = 1000 };
	home = (struct home){};
	if (loop_init(&home.loop, 0) || log_new(&log_of_all, 1 << 16))
		return -1;
	home.epoch = epoch_new();
	store = store_new(home.epoch, 1 << 26);
	all = memcacheds_new(&home.loop, 1, log_of_all);
	memcacheds_loop(all, 0, &home.loop);
	pool = memcached_get(all, &conf);
	settle(&home);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memcached_put(pool);
	/* Word goes to the loop and back, a turn each; on a busy machine a run may be one turn long. */
	for (unsigned i = 0; i < 4; i++)
		run_ms(5);
	memcacheds_free(all);
	store_free(store);
	epoch_free(home.epoch);
	log_free(log_of_all);
	loop_fini(&home.loop);
	real_end(server);
	return 0;
}

/* --- Pages. --- */

static struct page *page_like(const char *key, const char *body, uint32_t fresh_s, uint64_t tag)
{
	uint64_t now_ms = clock_wall_ms();
	struct image image = { .asked_ms = now_ms, .came_ms = now_ms, .body_b = strlen(body), .base = page_hash(str_of(key)),
		               .key_b = (uint32_t)strlen(key), .fresh_s = fresh_s, .revalidate_s = 60, .status = 200,
		               .tag_count = tag != 0 };
	struct page *p = page_new(store, &image, PAGE_INLINE);
	if (tag)
		memcpy(page_tags_at(p), &tag, sizeof tag);
	memcpy(page_key_at(p), key, strlen(key));
	memcpy(page_body_at(p), body, strlen(body));
	page_ready(p, store);
	return p;
}

static void drop(struct page *p)
{
	object_put(home.epoch, &p->object);
}

/* --- Asking. --- */

struct asker {
	struct cluster_ask ask;
	struct task task;
};

static void begin(struct asker *a, const char *key)
{
	*a = (struct asker){ .ask = { .home = &home, .store = store, .task = &a->task, .site = STR("pages"), .key = str_of(key),
		                      .fill_ms = 5000 } };
	task_init(&a->task, stop_task);
	assert_false(cluster_ask(pool, &a->ask));
}

static enum cluster_got ask(struct asker *a, const char *key)
{
	begin(a, key);
	/* Another one that was over meanwhile stops the loop, too. */
	for (unsigned i = 0; i < 10 && !a->ask.over; i++) {
		home.loop.stopping = false;
		loop_run(&home.loop);
	}
	assert_true(a->ask.over);
	return a->ask.got;
}

static void expect_page(struct asker *a, const char *body)
{
	assert_non_null(a->ask.page);
	assert_memory_equal(page_body_at(a->ask.page), body, strlen(body));
	drop(a->ask.page);
}

/* First its generation numbers are asked for, then it goes out. */
static void put(const struct asker *won, const char *key, const char *body, uint32_t fresh_s, uint64_t tag)
{
	struct page *p = page_like(key, body, fresh_s, tag);
	uint64_t before = stats().sets;
	cluster_put(pool, &home, STR("pages"), p, won ? &won->ask : NULL);
	for (unsigned i = 0; i < 2000 && stats().sets < before + value_generations(p) + 1; i++)
		run_ms(2);
	drop(p);
	settle(&home);
}

static void one_fetches_and_all_have_it(void **state)
{
	struct asker a, b;
	(void)state;
	assert_int_equal(ask(&a, "k"), CLUSTER_OURS);
	/* The other one waits, and finds it when it is there. */
	begin(&b, "k");
	run_ms(40);
	assert_false(b.ask.over);
	put(&a, "k", "hello", 60, 0);
	for (unsigned i = 0; i < 2000 && !b.ask.over; i++)
		run_ms(2);
	assert_true(b.ask.over);
	assert_int_equal(b.ask.got, CLUSTER_FRESH);
	expect_page(&b, "hello");
	assert_int_equal(ask(&a, "k"), CLUSTER_FRESH);
	expect_page(&a, "hello");
}

static void nobody_waits_for_ever(void **state)
{
	struct asker a, b;
	(void)state;
	assert_int_equal(ask(&a, "k"), CLUSTER_OURS);
	uint64_t from_ms = clock_ms();
	assert_int_equal(ask(&b, "k"), CLUSTER_NOTHING);
	assert_in_range(clock_ms() - from_ms, 290, 2000);
	cluster_give_up(pool, &a.ask);
	run_ms(20);
	assert_int_equal(ask(&b, "k"), CLUSTER_OURS);
}

static void who_leaves_is_not_told(void **state)
{
	struct asker a, b;
	(void)state;
	begin(&a, "k");
	cluster_leave(&a.ask);
	run_ms(20);
	assert_false(a.ask.over);
	begin(&b, "k");
	run_ms(30);
	cluster_leave(&b.ask);
	cluster_leave(&b.ask);
	run_ms(20);
}

static void a_stale_page_one_fetches_anew(void **state)
{
	struct asker a, b;
	(void)state;
	put(NULL, "k", "old", 0, 0);
	assert_int_equal(ask(&a, "k"), CLUSTER_RENEW);
	expect_page(&a, "old");
	assert_int_equal(ask(&b, "k"), CLUSTER_STALE);
	expect_page(&b, "old");
	put(&a, "k", "new", 60, 0);
	assert_int_equal(ask(&b, "k"), CLUSTER_FRESH);
	expect_page(&b, "new");
	/* What could not be fetched another one may try. */
	put(NULL, "l", "old", 0, 0);
	assert_int_equal(ask(&a, "l"), CLUSTER_RENEW);
	expect_page(&a, "old");
	cluster_give_up(pool, &a.ask);
	run_ms(20);
	assert_int_equal(ask(&b, "l"), CLUSTER_RENEW);
	expect_page(&b, "old");
}

static void nothing(void *arg, struct purge *what)
{
	(void)arg;
	(void)what;
}

static struct cluster *opened(void)
{
	struct cluster *c = cluster_open(pool, &home.loop, STR("pages"), log_ring_new(log_of_all), nothing, NULL);
	settle(NULL);
	return c;
}

static void purge(struct cluster *c, enum purge_kind kind, const char *text, bool soft)
{
	struct purge what = { .kind = kind, .soft = soft, .at_ms = clock_wall_ms(), .mark = page_hash(str_of(text)),
		              .match = str_of(text) };
	cluster_purge(c, &what, str_of(text));
	settle(NULL);
}

static void a_purge_takes_it_away(void **state)
{
	struct cluster *c = opened();
	struct asker a, b;
	(void)state;
	put(NULL, "k", "one", 60, 0);
	purge(c, PURGE_URL, "k", false);
	assert_int_equal(ask(&a, "k"), CLUSTER_OURS);
	put(&a, "k", "two", 60, 0);
	purge(c, PURGE_URL, "k", true);
	assert_int_equal(ask(&a, "k"), CLUSTER_RENEW);
	expect_page(&a, "two");
	assert_int_equal(ask(&b, "k"), CLUSTER_STALE);
	expect_page(&b, "two");
	/* Who was late can't bring back what was purged since. */
	put(&a, "k", "three", 60, 0);
	assert_int_equal(ask(&a, "k"), CLUSTER_FRESH);
	expect_page(&a, "three");
	put(&b, "l", "x", 0, 0);
	assert_int_equal(ask(&b, "l"), CLUSTER_RENEW);
	expect_page(&b, "x");
	purge(c, PURGE_URL, "l", false);
	put(&b, "l", "late", 60, 0);
	assert_int_equal(ask(&a, "l"), CLUSTER_OURS);
	cluster_close(c);
}

static void a_tag_takes_them_all_away(void **state)
{
	struct cluster *c = opened();
	struct asker a;
	uint64_t tag = page_hash(STR("news"));
	(void)state;
	put(NULL, "k", "one", 60, tag);
	put(NULL, "l", "one", 60, tag);
	put(NULL, "m", "other", 60, page_hash(STR("sports")));
	assert_int_equal(ask(&a, "k"), CLUSTER_FRESH);
	expect_page(&a, "one");
	purge(c, PURGE_TAG, "news", true);
	assert_int_equal(ask(&a, "k"), CLUSTER_RENEW);
	expect_page(&a, "one");
	purge(c, PURGE_TAG, "news", false);
	assert_int_equal(ask(&a, "l"), CLUSTER_OURS);
	assert_null(a.ask.page);
	put(&a, "l", "two", 60, tag);
	assert_int_equal(ask(&a, "l"), CLUSTER_FRESH);
	expect_page(&a, "two");
	assert_int_equal(ask(&a, "m"), CLUSTER_FRESH);
	expect_page(&a, "other");
	cluster_close(c);
}

/* --- The journal. --- */

static unsigned heard;
static struct purge last;

static void hear(void *arg, struct purge *what)
{
	(void)arg;
	heard++;
	last = *what;
}

/* And nothing is heard twice by those who look for longer. */
static void wait_heard(unsigned count)
{
	for (unsigned i = 0; i < 1000 && heard < count; i++)
		run_ms(10);
	run_ms(1100);
	assert_int_equal(heard, count);
}

static void purges_are_heard_once(void **state)
{
	struct cluster *a = opened();
	struct cluster *b = cluster_open(pool, &home.loop, STR("pages"), log_ring_new(log_of_all), hear, NULL);
	(void)state;
	heard = 0;
	run_ms(1200);
	for (unsigned i = 0; i < 3; i++)
		purge(a, PURGE_TAG, &"news"[i], i % 2);
	purge(a, PURGE_MATCH, "http://a/*", false);
	wait_heard(4);
	assert_int_equal(last.kind, PURGE_MATCH);
	for (unsigned i = 0; i < 1000 && cluster_stats(a).waiting; i++)
		run_ms(10);
	assert_int_equal(cluster_stats(a).waiting, 0);
	assert_int_equal(cluster_stats(a).told, 4);
	assert_int_equal(cluster_stats(b).heard, 4);
	cluster_close(a);
	cluster_close(b);
}

/* A URL that changes a hundred times a second is told of ten times: each line is read by all machines. */
static void what_is_about_to_be_told_is_told_once(void **state)
{
	static const struct purge ALL = { .kind = PURGE_ALL, .at_ms = 1 };
	struct cluster *a = opened();
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct str url = i % 2 ? STR("a/1") : STR("a/2");
		struct purge what = { .kind = PURGE_URL, .soft = i % 4 > 1, .at_ms = clock_wall_ms(), .mark = page_hash(url) };
		cluster_purge(a, &what, url);
	}
	assert_int_equal(cluster_stats(a).told, 4);
	cluster_purge(a, &ALL, STR(""));
	cluster_purge(a, &ALL, STR(""));
	assert_int_equal(cluster_stats(a).told, 6);
	/* What was told may have been heard before it changed again. */
	run_ms(300);
	purge(a, PURGE_URL, "a/1", false);
	assert_int_equal(cluster_stats(a).told, 7);
	run_ms(2500);
	assert_int_equal(cluster_stats(a).waiting, 0);
	cluster_close(a);
}

static void who_starts_reads_the_past(void **state)
{
	struct cluster *a = opened();
	(void)state;
	heard = 0;
	purge(a, PURGE_TAG, "news", false);
	run_ms(1200);
	struct cluster *b = cluster_open(pool, &home.loop, STR("pages"), log_ring_new(log_of_all), hear, NULL);
	wait_heard(1);
	/* Counted from when it was, and not from now. */
	assert_int_not_equal(last.at_ms, 0);
	cluster_close(a);
	cluster_close(b);
}

/* --- Values. --- */

static struct str flat(const struct value *v, char *to)
{
	size_t n = 0;
	for (size_t i = 0; i < v->part_count; i++) {
		memcpy(to + n, v->parts[i].p, v->parts[i].n);
		n += v->parts[i].n;
	}
	return str_make(to, n);
}

static void any_wrong_byte_is_no_page(void **state)
{
	static struct value v;
	static char bytes[1000];
	uint64_t numbers[VALUE_GENERATIONS_MOST] = { 7 }, now_ms = clock_wall_ms();
	struct page *p = page_like("http://a/", "hello", 60, 5);
	size_t count;
	(void)state;
	assert_int_equal(value_generations(p), 1);
	assert_int_equal(value_make(&v, p, numbers, 1), 0);
	struct str all_of_it = flat(&v, bytes);
	memset(numbers, 0, sizeof numbers);
	struct page *back = value_read(all_of_it, STR("http://a/"), now_ms, store, numbers, &count);
	assert_non_null(back);
	assert_int_equal(count, 1);
	assert_int_equal(numbers[0], 7);
	assert_memory_equal(&back->image, &p->image, sizeof p->image);
	assert_memory_equal(page_body_at(back), "hello", 5);
	drop(back);
	for (size_t i = 0; i < all_of_it.n; i++) {
		bytes[i] ^= 1;
		assert_null(value_read(all_of_it, STR("http://a/"), now_ms, store, numbers, &count));
		bytes[i] ^= 1;
		assert_null(value_read(str_head(all_of_it, i), STR("http://a/"), now_ms, store, numbers, &count));
	}
	assert_null(value_read(all_of_it, STR("http://b/"), now_ms, store, numbers, &count));
	/* From a machine whose clock is far ahead. */
	assert_null(value_read(all_of_it, STR("http://a/"), now_ms - 120000, store, numbers, &count));
	drop(p);
}

static void what_is_not_for_others_is_not_offered(void **state)
{
	struct page *p = page_like("k", "x", 60, 0);
	(void)state;
	assert_true(value_may(p));
	p->image.flags = IMAGE_ALONE;
	assert_false(value_may(p));
	p->image.flags = 0;
	p->image.tag_count = VALUE_TAGS_MOST + 1;
	assert_false(value_may(p));
	p->image.tag_count = 0;
	p->image.body_b = VALUE_MOST_B;
	assert_false(value_may(p));
	p->image.body_b = 1;
	drop(p);
}

static void generations_tell_soft_from_hard(void **state)
{
	uint64_t g = generation_first(1700000000000);
	(void)state;
	assert_int_equal(generation_purged(g, g), PURGED_NOT);
	assert_int_equal(generation_purged(g, g + 1), PURGED_SOFT);
	assert_int_equal(generation_purged(g, g + GENERATION_HARD), PURGED_HARD);
	assert_int_equal(generation_purged(g + 5, g + GENERATION_HARD + 1), PURGED_HARD);
	assert_true(generation_first(1700000001000) > g);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_fetches_and_all_have_it), T(nobody_waits_for_ever), T(who_leaves_is_not_told),
		T(a_stale_page_one_fetches_anew), T(a_purge_takes_it_away), T(a_tag_takes_them_all_away),
		T(purges_are_heard_once), T(what_is_about_to_be_told_is_told_once),
		T(who_starts_reads_the_past), T(any_wrong_byte_is_no_page),
		T(what_is_not_for_others_is_not_offered), T(generations_tell_soft_from_hard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

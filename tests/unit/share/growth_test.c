/* Growths: who fetches and who waits, what a state promises, who is woken and who is not; and all of it by several
 * threads at once. */
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
#include "share/growth.h"

enum { READERS = 3, ROUNDS = 400, BODY_B = 300 * 1000, RUN_B = 7777, FLOW_B = 64 * 1024 };

static struct epoch *epoch;
static struct growths *growths;
static struct mailbox box;
static _Atomic int living, woken;

static int setup(void **state)
{
	(void)state;
	epoch = epoch_new();
	growths = growths_new(epoch);
	living = woken = 0;
	return mailbox_init(&box);
}

/* Whatever a test did, all memory comes back. */
static int teardown(void **state)
{
	(void)state;
	growths_free(growths);
	mailbox_fini(&box);
	epoch_free(epoch);
	return living == 0 ? 0 : -1;
}

static void thing_free(struct object *o)
{
	living--;
	mem_free(o);
}

static struct object *thing_new(void)
{
	struct object *o = MEM_NEW(struct object);
	o->free = thing_free;
	atomic_init(&o->refs, 1);
	living++;
	return o;
}

static void wake(void *arg)
{
	atomic_fetch_add((_Atomic int *)arg, 1);
}

static struct growth_seat *seat_new(void)
{
	return growth_seat_new(&box, wake, &woken);
}

static int wakes(void)
{
	int before = woken;
	mailbox_open(&box);
	return woken - before;
}

static enum role join(const char *key, struct growth_seat *seat, struct growth **out)
{
	return growths_join(growths, str_of(key), 42, (unsigned char)key[0], seat, out);
}

static void end(struct growth *g, enum growing how)
{
	growth_end(g, how, NULL, 0, 0);
	growth_put(g);
}

static struct growth *begin(const char *key)
{
	struct growth *g;
	assert_int_equal(join(key, NULL, &g), ROLE_FILLER);
	return g;
}

/* --- Who joins. --- */

static void one_fetches_for_all(void **state)
{
	(void)state;
	struct growth *first = begin("a"), *second, *other;
	assert_int_equal(join("a", NULL, &second), ROLE_READER);
	assert_ptr_equal(first, second);
	/* Of the same hash, but something else. */
	other = begin("b");
	assert_ptr_not_equal(first, other);
	end(other, GROWTH_PASS);
	end(first, GROWTH_WHOLE);
	growth_put(second);
	/* What ended is looked for in the store. */
	end(begin("a"), GROWTH_FAILED);
}

static void close_one(struct growth *g)
{
	growth_close(g);
}

static void part_all(struct growth *g)
{
	(void)g;
	growths_part(growths, NULL);
}

static void forsake(struct growth *g)
{
	assert_true(growth_forsaken(g));
}

static void nobody_joins_any_more(void **state)
{
	static void (*const WAYS[])(struct growth *g) = { close_one, part_all, forsake };
	(void)state;
	for (size_t i = 0; i < countof(WAYS); i++) {
		struct growth *first = begin("a"), *second;
		WAYS[i](first);
		WAYS[i](first);
		second = begin("a");
		assert_ptr_not_equal(first, second);
		/* Its end takes nobody else's place away. */
		end(first, GROWTH_CUT);
		assert_int_equal(join("a", NULL, &first), ROLE_READER);
		assert_ptr_equal(first, second);
		growth_put(first);
		end(second, GROWTH_WHOLE);
	}
}

/* By what marks it, of whatever key: one that begins so is something else. */
static void what_bears_the_mark_is_parted(void **state)
{
	static const struct {
		const char *other;
		enum role role;
	} ROWS[] = { { "a", ROLE_FILLER }, { "ab", ROLE_FILLER }, { "b", ROLE_READER }, { "ba", ROLE_READER } };
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct growth *first = begin(ROWS[i].other), *second;
		growths_part(growths, &(uint64_t){ 'a' });
		assert_int_equal(join(ROWS[i].other, NULL, &second), ROWS[i].role);
		end(first, GROWTH_FAILED);
		if (ROWS[i].role == ROLE_FILLER)
			end(second, GROWTH_FAILED);
		else
			growth_put(second);
	}
}

static void who_sits_is_not_forsaken(void **state)
{
	(void)state;
	struct growth *g, *again;
	struct growth_seat *seat = seat_new();
	assert_int_equal(join("a", seat, &g), ROLE_FILLER);
	assert_false(growth_forsaken(g));
	assert_int_equal(join("a", NULL, &again), ROLE_READER);
	growth_put(again);
	growth_leave(seat);
	assert_true(growth_forsaken(g));
	end(g, GROWTH_FAILED);
}

/* --- What a state promises. --- */

static void states_and_what_they_promise(void **state)
{
	(void)state;
	int reason;
	struct growth *g = begin("a");
	struct object *head = thing_new(), *whole = thing_new();
	assert_int_equal(growth_state(g), GROWTH_ASKED);
	assert_null(growth_object(g));
	assert_null(growth_blob(g));
	growth_head(g, head, blob_new(0, NULL));
	assert_int_equal(growth_state(g), GROWTH_BYTES);
	assert_ptr_equal(growth_object(g), head);
	assert_non_null(growth_blob(g));
	growth_end(g, GROWTH_WHOLE, whole, 304, 7);
	assert_ptr_equal(growth_object(g), whole);
	assert_non_null(growth_blob(g));
	assert_int_equal(growth_status(g, &reason), 304);
	assert_int_equal(reason, 7);
	growth_put(g);
}

static void what_ends_without_bytes_has_none(void **state)
{
	static const enum growing ENDS[] = { GROWTH_WHOLE, GROWTH_AGAIN, GROWTH_PASS, GROWTH_FAILED };
	(void)state;
	for (size_t i = 0; i < countof(ENDS); i++) {
		struct growth *g = begin("a");
		struct object *o = ENDS[i] <= GROWTH_AGAIN ? thing_new() : NULL;
		growth_end(g, ENDS[i], o, 0, 0);
		assert_ptr_equal(growth_object(g), o);
		assert_null(growth_blob(g));
		growth_put(g);
	}
}

static void what_is_cut_keeps_its_head(void **state)
{
	(void)state;
	struct growth *g = begin("a");
	struct object *head = thing_new();
	growth_head(g, head, blob_new(0, NULL));
	growth_end(g, GROWTH_CUT, NULL, 502, 0);
	assert_ptr_equal(growth_object(g), head);
	growth_put(g);
}

/* --- Who is woken. --- */

static void who_waits_is_woken_once(void **state)
{
	(void)state;
	struct growth *g;
	struct growth_seat *seat = seat_new();
	join("a", seat, &g);
	/* Nobody waits yet. */
	growth_more(g);
	assert_int_equal(wakes(), 0);
	assert_true(growth_wait(seat, GROWTH_ASKED, 0));
	assert_true(growth_wait(seat, GROWTH_ASKED, 0));
	struct blob *blob = blob_new(0, NULL);
	growth_head(g, thing_new(), blob);
	growth_more(g);
	assert_int_equal(wakes(), 1);
	assert_false(growth_wait(seat, GROWTH_ASKED, 0));
	/* For bytes, and for more than there are. */
	assert_true(growth_wait(seat, GROWTH_BYTES, 0));
	assert_true(blob_add(blob, STR("12345")));
	growth_more(g);
	assert_int_equal(wakes(), 1);
	assert_false(growth_wait(seat, GROWTH_BYTES, 0));
	assert_true(growth_wait(seat, GROWTH_BYTES, 5));
	assert_int_equal(wakes(), 0);
	growth_end(g, GROWTH_CUT, NULL, 502, 0);
	assert_int_equal(wakes(), 1);
	growth_leave(seat);
	growth_put(g);
}

static void another_one_is_woken(void **state)
{
	(void)state;
	_Atomic int others = 0;
	struct growth *g;
	struct growth_seat *seat = seat_new();
	join("a", seat, &g);
	assert_true(growth_wait(seat, GROWTH_ASKED, 0));
	growth_end(g, GROWTH_PASS, NULL, 0, 0);
	/* Even for mail that is on its way. */
	growth_seat_for(seat, wake, &others);
	assert_int_equal(wakes(), 0);
	assert_int_equal(others, 1);
	growth_leave(seat);
	growth_put(g);
}

static void who_left_is_not_woken(void **state)
{
	(void)state;
	struct growth *g;
	struct growth_seat *early = seat_new(), *late = seat_new(), *stays = seat_new();
	struct growth *also;
	join("a", early, &g);
	join("a", late, &also);
	growth_put(also);
	join("a", stays, &also);
	growth_put(also);
	assert_true(growth_wait(early, GROWTH_ASKED, 0) && growth_wait(late, GROWTH_ASKED, 0) &&
	            growth_wait(stays, GROWTH_ASKED, 0));
	growth_leave(early);
	growth_end(g, GROWTH_FAILED, NULL, 502, 0);
	growth_put(g);
	/* Its mail is on its way, which is what holds its seat, and that the growth. */
	growth_leave(late);
	assert_int_equal(wakes(), 1);
	growth_leave(stays);
}

static void who_waits_is_known_to_have_read(void **state)
{
	(void)state;
	struct growth *g, *also;
	struct growth_seat *one = seat_new(), *two = seat_new();
	struct blob *blob = blob_new(0, NULL);
	join("a", one, &g);
	join("a", two, &also);
	growth_put(also);
	growth_head(g, thing_new(), blob);
	assert_true(blob_add(blob, STR("1234567890")));
	assert_int_equal(growth_slowest_b(g), 0);
	assert_true(growth_wait(one, GROWTH_BYTES, 10));
	assert_int_equal(growth_slowest_b(g), 0);
	assert_false(growth_wait(two, GROWTH_BYTES, 7));
	assert_int_equal(growth_slowest_b(g), 7);
	growth_leave(two);
	assert_int_equal(growth_slowest_b(g), 10);
	growth_leave(one);
	assert_int_equal(growth_slowest_b(g), UINT64_MAX);
	end(g, GROWTH_CUT);
}

/* --- By several threads: one after the other fetches, all read, some leave early. --- */

static char byte_at(uint64_t at_b)
{
	return (char)(at_b % 251);
}

struct player {
	struct mailbox box;
	pthread_t thread;
	unsigned number, round;
	_Atomic int woken;           /* not read by others */
	bool fine;
	uint64_t filled, whole, left;
};

/* What all have read is forgotten. */
static void flow(struct growth *g, struct blob *blob)
{
	growth_close(g);
	uint64_t slowest_b = growth_slowest_b(g), size_b = blob_size_b(blob);
	blob_trim(blob, slowest_b < size_b ? slowest_b : size_b);
}

/* Fetches it; turns out to be too large, or does not. */
static void fill(struct growth *g, bool large)
{
	char run[RUN_B];
	struct blob *blob = blob_new(0, NULL);
	blob_get(blob);
	growth_head(g, thing_new(), blob);
	for (uint64_t at_b = 0; at_b < BODY_B; at_b += RUN_B) {
		for (size_t i = 0; i < RUN_B; i++)
			run[i] = byte_at(at_b + i);
		must(blob_add(blob, str_make(run, at_b + RUN_B < BODY_B ? RUN_B : (size_t)(BODY_B - at_b))));
		growth_more(g);
		if (large && at_b > FLOW_B)
			flow(g, blob);
	}
	blob_put(blob);
	growth_end(g, GROWTH_WHOLE, thing_new(), 0, 0);
}

static void wait_for(struct player *p, struct growth_seat *seat, enum growing seen, uint64_t seen_b)
{
	int before = p->woken;
	if (growth_wait(seat, seen, seen_b))
		for (; p->woken == before; mailbox_open(&p->box))
			sched_yield();
}

/* All of it, or until it has had enough. */
static void read_on(struct player *p, struct growth *g, struct growth_seat *seat, uint64_t enough_b)
{
	uint64_t at_b = 0;
	for (;;) {
		enum growing state = growth_state(g);
		struct blob *blob = growth_blob(g);
		while (blob && at_b < blob_size_b(blob) && at_b < enough_b) {
			struct str s = blob_at(blob, at_b);
			p->fine &= s.p[0] == byte_at(at_b) && s.p[s.n - 1] == byte_at(at_b + s.n - 1);
			at_b += s.n;
		}
		if (state == GROWTH_WHOLE || at_b >= enough_b)
			break;
		wait_for(p, seat, state, at_b);
	}
	p->fine &= at_b == BODY_B || at_b >= enough_b;
	p->whole += at_b == BODY_B;
}

static void play_one(struct player *p)
{
	struct growth *g;
	struct growth_seat *seat = growth_seat_new(&p->box, wake, &p->woken);
	bool leaves = (p->round + p->number) % 3 == 0;
	if (growths_join(growths, STR("it"), 1, 7, seat, &g) == ROLE_FILLER) {
		growth_leave(seat);
		seat = NULL;
		fill(g, p->round % 2);
		p->filled++;
	} else if (leaves && growth_wait(seat, growth_state(g), UINT64_MAX)) {
		/* While its mail may be on its way. */
		p->left++;
	} else {
		read_on(p, g, seat, leaves ? FLOW_B : UINT64_MAX);
	}
	if (seat)
		growth_leave(seat);
	growth_put(g);
	if (p->round % 50 == 0)
		growths_part(growths, &(uint64_t){ 7 });
}

static void *play(void *arg)
{
	struct player *p = arg;
	for (p->round = 0; p->round < ROUNDS; p->round++) {
		play_one(p);
		mailbox_open(&p->box);
	}
	return NULL;
}

static void many_threads_fetch_and_read(void **state)
{
	(void)state;
	struct player players[READERS] = {};
	for (unsigned i = 0; i < READERS; i++) {
		players[i].number = i;
		players[i].fine = true;
		assert_int_equal(mailbox_init(&players[i].box), 0);
		pthread_create(&players[i].thread, NULL, play, &players[i]);
	}
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(players[i].thread, NULL);
	uint64_t filled = 0;
	for (unsigned i = 0; i < READERS; i++) {
		/* Mail to seats that were left. */
		mailbox_open(&players[i].box);
		mailbox_fini(&players[i].box);
		assert_true(players[i].fine);
		filled += players[i].filled;
	}
	assert_in_range(filled, 1, READERS * ROUNDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_fetches_for_all), TEST(nobody_joins_any_more), TEST(what_bears_the_mark_is_parted),
		TEST(who_sits_is_not_forsaken), TEST(states_and_what_they_promise), TEST(what_ends_without_bytes_has_none),
		TEST(what_is_cut_keeps_its_head), TEST(who_waits_is_woken_once), TEST(another_one_is_woken),
		TEST(who_left_is_not_woken), TEST(who_waits_is_known_to_have_read), TEST(many_threads_fetch_and_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

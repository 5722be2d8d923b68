/* A pool's queue: who waits and how he is served; and all of a pool by several threads at once while its servers change. */
#include "pooled.h"

/* --- The queue. --- */

struct guest {
	struct pool_waiter w;
	bool served;
};

static void guest_served(struct mail *m)
{
	struct pool_waiter *w = container_of(m, struct pool_waiter, mail);
	container_of(w, struct guest, w)->served = true;
}

static enum waits guest_wait(struct guest *g, unsigned class)
{
	*g = (struct guest){ .w = { .mail.deliver = guest_served, .to = &box, .class = class, .pick = g->w.pick } };
	g->w.pick.now_ms = NOW_MS;
	return pool_wait(pool, &g->w);
}

static bool guest_is_served(struct guest *g)
{
	mailbox_clear(&box);
	mailbox_open(&box);
	return g->served;
}

static void a_freed_slot_goes_to_who_waits(void **state)
{
	struct guest g[4] = {};
	(void)state;
	rules((struct pool_rules){ .queue = 3 });
	peers("a/1");
	struct peer *p = pick((struct pick){});
	assert_int_equal(try_pick(), PICK_WAIT);
	assert_int_equal(guest_wait(&g[0], 1), WAITS_QUEUED);
	assert_int_equal(guest_wait(&g[1], 1), WAITS_QUEUED);
	assert_int_equal(guest_wait(&g[2], 0), WAITS_QUEUED);
	assert_int_equal(guest_wait(&g[3], 0), WAITS_FULL);
	assert_int_equal(pool_stats(pool).waiting, 3);
	/* The class first, then who came first. */
	static const int ORDER[] = { 2, 0, 1 };
	for (size_t i = 0; i < countof(ORDER); i++) {
		struct guest *next = &g[ORDER[i]];
		assert_false(guest_is_served(next));
		leave(p);
		assert_int_equal(try_pick(), PICK_WAIT);    /* nobody goes past */
		assert_true(guest_is_served(next));
		assert_false(pool_unwait(pool, &next->w));
		p = next->w.peer;
		assert_int_equal(p->busy, 1);
	}
	assert_int_equal(try_pick(), PICK_WAIT);
	leave(p);
	assert_int_equal(try_pick(), PICKED);
	struct pool_stats s = pool_stats(pool);
	assert_int_equal(s.queued, 3);
	assert_int_equal(s.queue_full, 1);
	assert_int_equal(s.requests, 5);
	assert_int_equal(s.waiting, 0);
}

static void who_gives_up_is_out(void **state)
{
	struct guest g[2] = {};
	(void)state;
	rules((struct pool_rules){ .queue = 3 });
	peers("a/1");
	struct peer *p = pick((struct pick){});
	guest_wait(&g[0], 1);
	guest_wait(&g[1], 1);
	assert_true(pool_unwait(pool, &g[0].w));
	assert_false(pool_unwait(pool, &g[0].w));
	leave(p);
	assert_false(guest_is_served(&g[0]));
	assert_true(guest_is_served(&g[1]));
	leave(g[1].w.peer);
	assert_int_equal(pool_stats(pool).queue_late, 1);
	assert_int_equal(peer("a")->busy, 0);
}

static void a_queue_without_places(void **state)
{
	struct guest g = {};
	(void)state;
	peers("a/1");
	struct peer *p = pick((struct pick){});
	assert_int_equal(guest_wait(&g, 0), WAITS_FULL);
	leave(p);
	rules((struct pool_rules){ .queue = 1 });
	assert_int_equal(guest_wait(&g, 0), WAITS_PICKED);
	leave(g.w.peer);
	state_set("a", PEER_DOWN, 0);
	assert_int_equal(guest_wait(&g, 0), WAITS_NONE);
}

/* Each row makes room without anybody leaving. */
static void room_is_made(int how)
{
	switch (how) {
	case 0: peers("a/1 b/1"); break;
	case 1: peer_set_connections(pool, peer("a"), 2); break;
	case 2: state_set("c", 0, PEER_DOWN); break;
	case 3: state_set("a", PEER_SICK, 0); break;     /* then the backup's turn has come */
	default: break;
	}
}

static void whoever_becomes_ready_gets_what_waits(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		struct guest g = {};
		rules((struct pool_rules){ .queue = 1 });
		peers("a/1 c/1 z/1!");
		state_set("c", PEER_DOWN, 0);
		struct peer *p = pick((struct pick){});
		assert_int_equal(guest_wait(&g, 0), WAITS_QUEUED);
		room_is_made(how);
		assert_true(guest_is_served(&g));
		leave(g.w.peer);
		leave(p);
		peers("");
	}
}

static void fewer_connections_than_under_way(void **state)
{
	struct guest g = {};
	(void)state;
	rules((struct pool_rules){ .queue = 1 });
	peers("a/2");
	struct peer *p = pick((struct pick){}), *q = pick((struct pick){});
	guest_wait(&g, 0);
	peer_set_connections(pool, peer("a"), 1);
	leave(p);
	assert_false(guest_is_served(&g));
	leave(q);
	assert_true(guest_is_served(&g));
	leave(g.w.peer);
}

/* A retry does not get a slot of the server that just failed it while there is another. */
static void who_tried_waits_for_another(void **state)
{
	struct guest first = {}, second = {};
	(void)state;
	rules((struct pool_rules){ .queue = 2 });
	peers("a/1 b/1");
	struct peer *a = pick((struct pick){}), *b = pick((struct pick){});
	first.w.pick = (struct pick){ .tried = { a }, .tried_count = 1 };
	guest_wait(&first, 0);
	guest_wait(&second, 0);
	leave(a);
	assert_false(guest_is_served(&first));
	assert_true(second.served);
	leave(second.w.peer);
	assert_int_equal(guest_wait(&second, 0), WAITS_PICKED);   /* a, which the first does not want */
	leave(second.w.peer);
	leave(b);
	assert_true(guest_is_served(&first));
	assert_ptr_equal(first.w.peer, b);
	leave(b);
}

static void ejecting_frees_who_waited_for_it(void **state)
{
	struct guest g = {};
	(void)state;
	rules((struct pool_rules){ .queue = 1, .eject_after = 1, .eject_ms = 1000 });
	peers("a/2 z!");
	struct peer *p = pick((struct pick){}), *q = pick((struct pick){});
	guest_wait(&g, 0);
	failed(p, NOW_MS);
	assert_true(guest_is_served(&g));
	assert_ptr_equal(g.w.peer, peer("z"));
	leave(g.w.peer);
	leave(q);
}

struct wish {
	struct mail mail;
	unsigned count;
};

static void wish_deliver(struct mail *m)
{
	container_of(m, struct wish, mail)->count++;
}

static void a_queue_that_begins_is_a_wish(void **state)
{
	struct wish wish = { .mail.deliver = wish_deliver };
	struct guest g[2] = {};
	(void)state;
	rules((struct pool_rules){ .queue = 2 });
	assert_int_equal(try_pick(), PICK_NONE);
	pool_on_demand(pool, &box, &wish.mail);
	assert_int_equal(try_pick(), PICK_WAIT);
	assert_int_equal(guest_wait(&g[0], 0), WAITS_QUEUED);
	assert_int_equal(guest_wait(&g[1], 0), WAITS_QUEUED);
	assert_false(guest_is_served(&g[0]));
	assert_int_equal(wish.count, 1);
	peers("a/1");
	assert_true(guest_is_served(&g[0]));
	leave(g[0].w.peer);
	assert_true(guest_is_served(&g[1]));
	pool_on_demand(pool, &box, &wish.mail);
	assert_int_equal(guest_wait(&g[0], 0), WAITS_QUEUED);
	guest_is_served(&g[0]);
	assert_int_equal(wish.count, 2);
	leave(g[1].w.peer);
	assert_true(guest_is_served(&g[0]));
	leave(g[0].w.peer);
	pool_on_demand(pool, NULL, NULL);
	peers("");
	assert_int_equal(try_pick(), PICK_NONE);
}

/* --- Threads. --- */

enum { THREADS = 3, ROUNDS = 10000, HELD = 6 };

/* A loop with several requests under way, each of which picks or waits, and leaves. */
struct crowd {
	pthread_t thread;
	unsigned index;
	struct mailbox box;
	struct peer *held[HELD];
	size_t held_count;
	size_t waiting;
	uint64_t seed, done;
	struct member {
		struct pool_waiter w;
		struct crowd *crowd;
		bool waits;
	} members[HELD];
};

static _Atomic bool stopped;
static _Atomic uint64_t given_up;

static uint64_t chance(struct crowd *c)
{
	return c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
}

static void hold(struct crowd *c, struct peer *p)
{
	c->held[c->held_count++] = p;
}

static void member_served(struct mail *m)
{
	struct pool_waiter *w = container_of(m, struct pool_waiter, mail);
	struct member *e = container_of(w, struct member, w);
	e->waits = false;
	e->crowd->waiting--;
	hold(e->crowd, w->peer);
}

static void member_begin(struct crowd *c)
{
	struct member *e = c->members;
	while (e->waits)
		e++;
	e->w = (struct pool_waiter){ .mail.deliver = member_served, .to = &c->box, .class = (unsigned)(chance(c) >> 40) % 3,
	                             .pick = { .loop = c->index, .now_ms = clock_ms(), .hash = chance(c) } };
	struct peer *p;
	enum picked how = pool_pick(pool, &e->w.pick, &p);
	if (how == PICKED) {
		hold(c, p);
	} else if (how == PICK_WAIT) {
		enum waits waits = pool_wait(pool, &e->w);
		e->waits = waits == WAITS_QUEUED;
		c->waiting += e->waits;
		if (waits == WAITS_PICKED)
			hold(c, e->w.peer);
	}
}

static void member_end(struct crowd *c)
{
	struct peer *p = c->held[--c->held_count];
	uint32_t most = p->connections;
	must(!most || p->busy <= 8);
	peer_leave(pool, p, chance(c) >> 60 ? OUTCOME_GOOD : OUTCOME_FAILED, 100, clock_ms());
	c->done++;
}

static void give_up(struct crowd *c)
{
	for (size_t i = 0; i < HELD; i++) {
		struct member *e = &c->members[i];
		if (e->waits && pool_unwait(pool, &e->w)) {
			e->waits = false;
			c->waiting--;
			given_up++;
		}
	}
}

/* All that is left ends: who waits is served at last, or there is a lost wake-up, and the test hangs. */
static void finish(struct crowd *c)
{
	while (c->waiting || c->held_count) {
		epoch_enter(epoch, c->index);
		mailbox_open(&c->box);
		while (c->held_count)
			member_end(c);
		epoch_leave(epoch, c->index);
		if (c->waiting)
			poll(NULL, 0, 1);
	}
}

static void *crowd_run(void *arg)
{
	struct crowd *c = arg;
	c->seed = c->index + 1;
	while (c->done < ROUNDS) {
		epoch_enter(epoch, c->index);
		mailbox_open(&c->box);
		uint64_t what = chance(c) >> 33;
		if (c->held_count + c->waiting < HELD && what % 3)
			member_begin(c);
		else if (c->held_count)
			member_end(c);
		if (what % 97 == 0)
			give_up(c);
		epoch_leave(epoch, c->index);
		epoch_reap(epoch);
		if (c->waiting && !c->held_count)
			poll(&(struct pollfd){ .fd = c->box.event_fd, .events = POLLIN }, 1, 1);
	}
	finish(c);
	return NULL;
}

/* One server is always there, so that whoever waits has somebody to wait for. */
static void *change_all_the_time(void *arg)
{
	static const char *const LISTS[] = { "a/2 b/2 c/2!", "a/1 b/3", "a/2", "d/1 a=3/2 b/2", "a/2 c/1! d/2" };
	unsigned *changes = arg;
	while (!stopped) {
		unsigned i = ++*changes;
		peers(LISTS[i % countof(LISTS)]);
		rules((struct pool_rules){ .balance = (enum balance)(i / 3 % 4), .queue = 12, .eject_after = 4, .eject_ms = 2 });
		struct peer *b = pool_find(pool, STR("b"));
		if (b) {
			peer_set_state(pool, b, PEER_SICK, 0, clock_ms());
			peer_set_state(pool, b, 0, PEER_SICK | PEER_EJECTED, clock_ms());
			peer_set_weight(pool, b, i % 5 + 1);
			peer_set_connections(pool, b, i % 3 + 1);
		}
		epoch_reap(epoch);
		poll(NULL, 0, 1);
	}
	peers("a/2");
	return NULL;
}

static void nothing_is_lost_among_threads(void **state)
{
	static struct crowd crowds[THREADS];
	pthread_t changer;
	unsigned changes = 0;
	(void)state;
	stopped = false;
	given_up = 0;
	rules((struct pool_rules){ .queue = 12 });
	peers("a/2");
	pthread_create(&changer, NULL, change_all_the_time, &changes);
	for (unsigned i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){ .index = i };
		for (size_t k = 0; k < HELD; k++)
			crowds[i].members[k].crowd = &crowds[i];
		assert_int_equal(mailbox_init(&crowds[i].box), 0);
		pthread_create(&crowds[i].thread, NULL, crowd_run, &crowds[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(crowds[i].thread, NULL);
	stopped = true;
	pthread_join(changer, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		mailbox_fini(&crowds[i].box);
	assert_int_equal(peer("a")->busy, 0);
	assert_int_equal(pool_stats(pool).waiting, 0);
	struct pool_stats s = pool_stats(pool);
	printf("%llu requests, %llu queued, %llu full, %llu gave up, %u changes\n", (unsigned long long)s.requests,
	       (unsigned long long)s.queued, (unsigned long long)s.queue_full, (unsigned long long)given_up, changes);
	assert_true(s.requests >= THREADS * ROUNDS);
	assert_int_equal(s.queue_late, given_up);
	assert_true(s.queued > 100);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_freed_slot_goes_to_who_waits),
		T(who_gives_up_is_out),
		T(a_queue_without_places),
		T(whoever_becomes_ready_gets_what_waits),
		T(fewer_connections_than_under_way),
		T(who_tried_waits_for_another),
		T(ejecting_frees_who_waited_for_it),
		T(a_queue_that_begins_is_a_wish),
		T(nothing_is_lost_among_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pools: who is chosen, who is ejected, and what stays when servers come and go. */
#include "pooled.h"

/* The names of the next n, each given back at once. */
static const char *names(size_t n, struct pick k)
{
	static char out[256];
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		struct peer *p = pick(k);
		at += (size_t)snprintf(out + at, sizeof out - at, "%.*s", STR_F(p ? p->name : STR("-")));
		if (p)
			leave(p);
	}
	return out;
}

/* How often each of a, b, c, d was chosen of n. */
static void counted(size_t n, struct pick k, unsigned out[4])
{
	memset(out, 0, 4 * sizeof *out);
	for (size_t i = 0; i < n; i++) {
		struct peer *p = pick(k);
		assert_non_null(p);
		out[p->name.p[0] - 'a']++;
		leave(p);
	}
}

/* --- Round robin. --- */

static void turns_follow_weights(void **state)
{
	static const struct {
		const char *peers, *turns;
	} ROWS[] = {
		{ "a b c", "abcabcabc" },
		{ "a=2 b=2", "abababab" },
		{ "a=5 b=1 c=1", "aaabaca" },
		{ "a=3 b=1", "aabaaaba" },
		{ "a=256 b=256", "abab" },
		{ "a", "aaa" },
		{ "a b!", "aaa" },
		{ "a! b!", "abab" },
		{ "", "--" },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		pool_put(pool);
		pool = pool_get(pools, STR("api"));
		peers(ROWS[i].peers);
		assert_string_equal(names(strlen(ROWS[i].turns), (struct pick){}), ROWS[i].turns);
	}
}

static void who_is_not_well_is_left_out_evenly(void **state)
{
	static const uint32_t STATES[] = { PEER_DRAINING, PEER_DOWN, PEER_SICK, PEER_UNRESOLVED, PEER_SICK | PEER_DOWN };
	unsigned n[4];
	(void)state;
	peers("a b c d");
	for (size_t i = 0; i < countof(STATES); i++) {
		state_set("b", STATES[i], 0);
		counted(300, (struct pick){}, n);
		assert_int_equal(n[0], 100);
		assert_int_equal(n[1], 0);
		assert_int_equal(n[2], 100);
		assert_int_equal(n[3], 100);
		state_set("b", 0, STATES[i]);
	}
	counted(400, (struct pick){}, n);
	assert_int_equal(n[1], 100);
}

static void backups_serve_where_no_other_can(void **state)
{
	(void)state;
	peers("a b c! d!");
	assert_string_equal(names(4, (struct pick){}), "abab");
	state_set("a", PEER_SICK, 0);
	assert_string_equal(names(2, (struct pick){}), "bb");
	state_set("b", PEER_DOWN, 0);
	assert_string_equal(names(4, (struct pick){}), "cdcd");
	state_set("c", PEER_DOWN, 0);
	state_set("d", PEER_DOWN, 0);
	assert_string_equal(names(1, (struct pick){}), "-");
	assert_int_equal(try_pick(), PICK_NONE);
	assert_int_equal(pool_stats(pool).none, 2);
}

static void tried_ones_come_last(void **state)
{
	(void)state;
	peers("a b c!");
	struct pick k = { .tried = { peer("a") }, .tried_count = 1 };
	assert_string_equal(names(3, k), "bbb");
	k.tried[k.tried_count++] = peer("b");
	assert_string_equal(names(3, k), "ccc");
	k.tried[k.tried_count++] = peer("c");
	assert_string_equal(names(2, k), "ba");
}

static void weights_change_at_once(void **state)
{
	unsigned n[4];
	(void)state;
	peers("a b");
	peer_set_weight(pool, peer("b"), 3);
	counted(400, (struct pick){}, n);
	assert_int_equal(n[0], 100);
	assert_int_equal(n[1], 300);
}

/* --- The other ways of balancing. --- */

static void the_least_busy_for_its_weight(void **state)
{
	unsigned held[4] = {};
	struct peer *all[30];
	(void)state;
	rules((struct pool_rules){ .balance = BALANCE_LEAST_CONNECTIONS });
	peers("a=1 b=2 c=3");
	for (size_t i = 0; i < countof(all); i++) {
		all[i] = pick((struct pick){});
		held[all[i]->name.p[0] - 'a']++;
	}
	assert_int_equal(held[0], 5);
	assert_int_equal(held[1], 10);
	assert_int_equal(held[2], 15);
	for (size_t i = 0; i < countof(all); i++)
		leave(all[i]);
	assert_int_equal(peer("a")->busy, 0);
}

static void among_equals_an_idle_connection_decides(void **state)
{
	(void)state;
	rules((struct pool_rules){ .balance = BALANCE_LEAST_CONNECTIONS });
	peers("a/1 b/1 c/1");
	peer("c")->here[2].idle_count = 1;
	atomic_store(&peer("c")->open, 1);
	assert_string_equal(names(4, (struct pick){ .loop = 2 }), "cccc");
	/* For another loop c has no room for a connection; a and b have. */
	unsigned n[4];
	counted(30, (struct pick){ .loop = 1 }, n);
	assert_int_equal(n[2], 0);
	assert_true(n[0] >= 10 && n[1] >= 10);
}

static void of_two_the_less_busy(void **state)
{
	unsigned held[4] = {};
	struct peer *all[400];
	(void)state;
	rules((struct pool_rules){ .balance = BALANCE_RANDOM_TWO });
	peers("a b c=2 d");
	state_set("d", PEER_DOWN, 0);
	for (size_t i = 0; i < countof(all); i++) {
		all[i] = pick((struct pick){});
		held[all[i]->name.p[0] - 'a']++;
	}
	assert_in_range(held[0], 90, 110);
	assert_in_range(held[1], 90, 110);
	assert_in_range(held[2], 180, 220);
	assert_int_equal(held[3], 0);
	for (size_t i = 0; i < countof(all); i++)
		leave(all[i]);
}

static char key_owner(unsigned key)
{
	struct peer *p = pick((struct pick){ .hash = hash_bytes(str_make((const char *)&key, sizeof key), 7) });
	assert_non_null(p);
	char name = p->name.p[0];
	leave(p);
	return name;
}

static void keys_stay_where_they_are(void **state)
{
	enum { KEYS = 3000 };
	static char owners[KEYS];
	unsigned n[4] = {}, moved = 0, strange = 0;
	(void)state;
	rules((struct pool_rules){ .balance = BALANCE_HASH });
	peers("a b c");
	for (unsigned i = 0; i < KEYS; i++) {
		owners[i] = key_owner(i);
		assert_int_equal(owners[i], key_owner(i));
		n[owners[i] - 'a']++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(n[i], KEYS / 3 - KEYS / 10, KEYS / 3 + KEYS / 10);
	peers("a b c d");
	for (unsigned i = 0; i < KEYS; i++) {
		char owner = key_owner(i);
		moved += owner != owners[i];
		strange += owner != owners[i] && owner != 'd';
	}
	assert_in_range(moved, KEYS / 4 - KEYS / 12, KEYS / 4 + KEYS / 12);
	assert_int_equal(strange, 0);
	state_set("d", PEER_SICK, 0);
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(key_owner(i), owners[i]);
}

static void one_key_does_not_drown_a_server(void **state)
{
	struct peer *all[100];
	(void)state;
	rules((struct pool_rules){ .balance = BALANCE_HASH });
	peers("a b c d");
	for (size_t i = 0; i < countof(all); i++)
		assert_non_null(all[i] = pick((struct pick){ .hash = 42 }));
	uint32_t most = 0;
	for (const char *z = "a\0b\0c\0d\0"; *z; z += 2)
		if (peer(z)->busy > most)
			most = peer(z)->busy;
	assert_in_range(most, 25, 32);
	for (size_t i = 0; i < countof(all); i++)
		leave(all[i]);
}

static void cookies_stick(void **state)
{
	(void)state;
	peers("a b/1 c!");
	struct pick k = { .sticky = peer("b")->id };
	assert_string_equal(names(3, k), "bbb");
	state_set("b", PEER_DRAINING, 0);
	assert_string_equal(names(3, (struct pick){}), "aaa");
	assert_string_equal(names(3, k), "bbb");
	struct peer *held = pick(k);
	assert_string_equal(names(2, k), "aa");   /* full */
	leave(held);
	state_set("b", PEER_SICK, 0);
	assert_string_equal(names(3, k), "aaa");
	k.sticky = peer("c")->id;
	assert_string_equal(names(2, k), "cc");
	k.sticky = 12345;
	assert_string_equal(names(2, k), "aa");
	/* An id is its name's, for good. */
	assert_int_equal(peer("a")->id, hash_bytes(STR("a"), 0));
}

static void who_just_came_begins_slowly(void **state)
{
	static const struct {
		enum balance balance;
		uint64_t after_ms;
		unsigned least, most;     /* of 1000 */
	} ROWS[] = {
		{ BALANCE_ROUND_ROBIN, 0, 30, 100 },
		{ BALANCE_ROUND_ROBIN, 5000, 290, 370 },
		{ BALANCE_ROUND_ROBIN, 10000, 500, 500 },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		unsigned n[4];
		rules((struct pool_rules){ .balance = ROWS[i].balance, .slow_start_ms = 10000 });
		peers("a b");
		state_set("b", PEER_SICK, 0);
		state_set("b", 0, PEER_SICK);
		counted(1000, (struct pick){ .now_ms = NOW_MS + ROWS[i].after_ms }, n);
		assert_in_range(n[1], ROWS[i].least, ROWS[i].most);
	}
}

static void a_slow_start_counts_against_the_least_busy(void **state)
{
	struct peer *all[34];
	(void)state;
	rules((struct pool_rules){ .balance = BALANCE_LEAST_CONNECTIONS, .slow_start_ms = 10000 });
	peers("a b");
	state_set("b", PEER_SICK, 0);
	state_set("b", 0, PEER_SICK);
	for (size_t i = 0; i < countof(all); i++)
		all[i] = pick((struct pick){});
	assert_int_equal(peer("b")->busy, 2);     /* 1/16 of a's */
	for (size_t i = 0; i < countof(all); i++)
		leave(all[i]);
}

/* --- Ejecting. --- */

static void failures_in_a_row_eject(void **state)
{
	(void)state;
	rules((struct pool_rules){ .eject_after = 3, .eject_ms = 5000 });
	peers("a b");
	for (int i = 0; i < 5; i++) {   /* never three in a row */
		struct pick k = { .tried = { peer("b") }, .tried_count = 1 };
		failed(pick(k), NOW_MS);
		failed(pick(k), NOW_MS);
		leave(pick(k));
	}
	assert_int_equal(peer("a")->state, 0);
	for (int i = 0; i < 3; i++)
		failed(pick((struct pick){ .tried = { peer("b") }, .tried_count = 1 }), NOW_MS);
	assert_int_equal(peer("a")->state, PEER_EJECTED);
	assert_int_equal(peer("a")->failed, 13);
	assert_string_equal(names(3, (struct pick){}), "bbb");
	/* It comes back by itself; the first failure then is enough. */
	unsigned n[4];
	counted(10, (struct pick){ .now_ms = NOW_MS + 5000 }, n);
	assert_int_equal(n[0], 5);
	for (int i = 0; i < 3; i++)
		failed(pick((struct pick){ .now_ms = NOW_MS + 5000, .tried = { peer("b") }, .tried_count = 1 }), NOW_MS + 5000);
	assert_string_equal(names(3, (struct pick){ .now_ms = NOW_MS + 9999 }), "bbb");
	state_set("a", 0, PEER_EJECTED);
	assert_int_equal(peer("a")->failures, 0);
	counted(10, (struct pick){}, n);
	assert_int_equal(n[0], 5);
}

static void a_whole_pool_is_never_ejected(void **state)
{
	(void)state;
	rules((struct pool_rules){ .eject_after = 1, .eject_ms = 5000 });
	peers("a b c");
	state_set("c", PEER_DOWN, 0);
	failed(pick((struct pick){}), NOW_MS);
	failed(pick((struct pick){}), NOW_MS);
	assert_int_equal(peer("a")->state, PEER_EJECTED);
	assert_int_equal(peer("b")->state, PEER_EJECTED);
	unsigned n[4];
	counted(10, (struct pick){}, n);
	assert_int_equal(n[0], 5);
	assert_int_equal(n[1], 5);
}

static void retries_have_a_budget(void **state)
{
	unsigned may = 0;
	(void)state;
	unsigned n[4];
	peers("a");
	counted(1, (struct pick){}, n);
	rules((struct pool_rules){ .retry_percent = 0 });
	assert_false(pool_may_retry(pool));
	rules((struct pool_rules){ .retry_percent = 20 });
	while (pool_may_retry(pool))
		may++;
	assert_int_equal(may, 30);            /* little traffic may, too */
	counted(999, (struct pick){}, n);
	while (pool_may_retry(pool))
		may++;
	assert_int_equal(may, 230);
	assert_int_equal(pool_stats(pool).retries, 230);
	/* Two windows later all that is forgotten. */
	counted(1, (struct pick){ .now_ms = NOW_MS + 10000 }, n);
	assert_false(pool_may_retry(pool));
	counted(1, (struct pick){ .now_ms = NOW_MS + 20000 }, n);
	for (may = 0; pool_may_retry(pool);)
		may++;
	assert_int_equal(may, 30);
}

static void latency_is_an_average(void **state)
{
	(void)state;
	peers("a");
	peer_leave(pool, pick((struct pick){}), OUTCOME_GOOD, 8000, NOW_MS);
	assert_int_equal(peer("a")->latency_us, 8000);
	peer_leave(pool, pick((struct pick){}), OUTCOME_GOOD, 16000, NOW_MS);
	assert_int_equal(peer("a")->latency_us, 9000);
	peer_leave(pool, pick((struct pick){}), OUTCOME_GOOD, 0, NOW_MS);
	assert_int_equal(peer("a")->latency_us, 9000);
}

/* --- Servers come and go. --- */

static void who_stays_keeps_its_counts(void **state)
{
	(void)state;
	peers("a b");
	struct peer *a = pick((struct pick){}), *b = pick((struct pick){});
	state_set("a", PEER_SICK, 0);
	peers("a=7/9 c");
	assert_ptr_equal(peer("a"), a);
	assert_int_equal(a->state, PEER_SICK);
	assert_int_equal(a->weight, 7);
	assert_int_equal(a->connections, 9);
	assert_int_equal(a->busy, 1);
	assert_int_equal(peer("c")->state, 0);
	assert_null(pool_find(pool, STR("b")));
	assert_int_equal(b->state, PEER_RETIRED);
	epoch_reap(epoch);
	leave(b);      /* what was under way ended as if nothing had happened */
	leave(a);
	/* The same name at another address is another server. */
	struct peer_spec moved = spec_of(STR("a"), 1);
	moved.addr_b = 0;
	pool_set_peers(pool, &moved, 1);
	assert_ptr_not_equal(peer("a"), a);
	assert_int_equal(peer("a")->state, PEER_UNRESOLVED);
}

static void see_pool(void *arg, struct pool *p)
{
	(void)p;
	++*(unsigned *)arg;
}

static void pools_are_found_by_name(void **state)
{
	unsigned count = 0;
	(void)state;
	struct pool *other = pool_get(pools, STR("other"));
	assert_ptr_not_equal(other, pool);
	assert_ptr_equal(pool_get(pools, STR("api")), pool);
	pools_each(pools, see_pool, &count);
	assert_int_equal(count, 2);
	pool_put(other);
	pool_put(pool);
	assert_true(str_eq(pool_name(pool), STR("api")));
	pools_loop(pools, 3, &box);
	assert_ptr_equal(pools_mailbox(pools, 3), &box);
	assert_null(pools_mailbox(pools, 0));
	assert_int_equal(pools_loops(pools), LOOPS);
}

static void a_peer_outlives_its_pool(void **state)
{
	(void)state;
	struct pool *other = pool_get(pools, STR("other"));
	struct peer_spec spec = spec_of(STR("x"), 1);
	struct peer *p;
	pool_set_peers(other, &spec, 1);
	assert_int_equal(pool_pick(other, &(struct pick){ .now_ms = NOW_MS }, &p), PICKED);
	pool_put(other);
	epoch_reap(epoch);
	assert_ptr_not_equal(pool_get(pools, STR("other")), other);
	assert_int_equal(p->state, PEER_RETIRED);
	peer_leave(p->pool, p, OUTCOME_GOOD, 0, NOW_MS);
	pool_put(pool_get(pools, STR("other")));
	struct pool *again = pool_get(pools, STR("other"));
	pool_put(again);
	pool_put(again);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(turns_follow_weights),
		T(who_is_not_well_is_left_out_evenly),
		T(backups_serve_where_no_other_can),
		T(tried_ones_come_last),
		T(weights_change_at_once),
		T(the_least_busy_for_its_weight),
		T(among_equals_an_idle_connection_decides),
		T(of_two_the_less_busy),
		T(keys_stay_where_they_are),
		T(one_key_does_not_drown_a_server),
		T(cookies_stick),
		T(who_just_came_begins_slowly),
		T(a_slow_start_counts_against_the_least_busy),
		T(failures_in_a_row_eject),
		T(a_whole_pool_is_never_ejected),
		T(retries_have_a_budget),
		T(latency_is_an_average),
		T(who_stays_keeps_its_counts),
		T(pools_are_found_by_name),
		T(a_peer_outlives_its_pool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

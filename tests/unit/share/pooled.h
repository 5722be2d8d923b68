/* A pool with servers, for its tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "share/pool.h"

enum { LOOPS = 4, PEERS = 8, NOW_MS = 1000000 };

static struct epoch *epoch;
static struct pools *pools;
static struct pool *pool;
static struct mailbox box;

static int setup(void **state)
{
	(void)state;
	epoch = epoch_new();
	pools = pools_new(epoch, LOOPS);
	pool = pool_get(pools, STR("api"));
	return mailbox_init(&box);
}

/* Under the address sanitizer, what did not come back is a leak. */
static int teardown(void **state)
{
	(void)state;
	pool_put(pool);
	pools_free(pools);
	epoch_free(epoch);
	mailbox_fini(&box);
	return 0;
}

static struct peer_spec spec_of(struct str name, unsigned weight)
{
	struct peer_spec spec = { .name = name, .addr_b = sizeof(struct sockaddr_in), .weight = weight };
	struct sockaddr_in *in = (struct sockaddr_in *)&spec.addr;
	in->sin_family = AF_INET;
	in->sin_port = (in_port_t)hash_bytes(name, 0);
	return spec;
}

/* "a=2/1 b=1! c": weight 2 and one connection; a backup. */
static void peers(const char *text)
{
	struct peer_spec specs[PEERS];
	size_t count = 0;
	for (struct str rest = str_of(text); rest.p && rest.n;) {
		struct str word = str_cut(&rest, ' ');
		bool backup = str_ends(word, STR("!"));
		word.n -= backup;
		struct str most = word, weight = str_cut(&most, '/');
		struct str name = str_cut(&weight, '=');
		uint64_t n = 1;
		if (weight.p)
			assert_int_equal(num_parse(weight, POOL_WEIGHT_MAX, &n), 0);
		specs[count] = spec_of(name, (unsigned)n);
		n = 0;
		if (most.p)
			assert_int_equal(num_parse(most, 1000, &n), 0);
		specs[count].connections = (unsigned)n;
		specs[count++].backup = backup;
	}
	pool_set_peers(pool, specs, count);
}

static struct peer *peer(const char *name)
{
	struct peer *p = pool_find(pool, str_of(name));
	assert_non_null(p);
	return p;
}

static void rules(struct pool_rules r)
{
	pool_set_rules(pool, &r);
}

static void state_set(const char *name, uint32_t set, uint32_t clear)
{
	peer_set_state(pool, peer(name), set, clear, NOW_MS);
}

static struct peer *pick(struct pick k)
{
	struct peer *p = NULL;
	k.now_ms = k.now_ms ? k.now_ms : NOW_MS;
	return pool_pick(pool, &k, &p) == PICKED ? p : NULL;
}

static void leave(struct peer *p)
{
	peer_leave(pool, p, OUTCOME_GOOD, 0, NOW_MS);
}

static void failed(struct peer *p, uint64_t now_ms)
{
	peer_leave(pool, p, OUTCOME_FAILED, 0, now_ms);
}

static enum picked try_pick(void)
{
	struct peer *p;
	enum picked how = pool_pick(pool, &(struct pick){ .now_ms = NOW_MS }, &p);
	if (how == PICKED)
		leave(p);
	return how;
}

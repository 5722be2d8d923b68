/* Where keys are placed: fixed vectors, and libmemcached itself over ten thousand keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libmemcached/memcached.h>
#include <stdio.h>

#include "base/mem.h"
#include "net/ketama.h"

enum { KEYS = 10000 };

static const struct point_row {
	const char *host;
	uint16_t port;
	uint32_t points[4];
} POINTS[] = {
	{ "10.0.1.1", 11211, { 2383802539, 488362977, 2185284489, 383925769 } },
	{ "10.0.1.2", 11212, { 811425674, 2166097311, 1911690777, 378887151 } },
	{ "cache3.example.net", 11211, { 1225823259, 2058809824, 87121935, 3741679913 } },
};

static void points_of_servers(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(POINTS); i++) {
		struct ketama_server s = { str_of(POINTS[i].host), POINTS[i].port, 1 };
		uint32_t points[4];
		ketama_points(&s, 0, points);
		for (unsigned h = 0; h < 4; h++)
			assert_int_equal(points[h], POINTS[i].points[h]);
	}
}

static void hashes_of_keys(void **state)
{
	(void)state;
	assert_int_equal(ketama_hash(STR("key:0")), 2192279263);
	assert_int_equal(ketama_hash(STR("key:1")), 1018217594);
	assert_int_equal(ketama_hash(STR("key:2")), 3156782594);
	assert_int_equal(ketama_hash(STR("key:3")), 1567583651);
}

static void keys_of_servers(void **state)
{
	static const struct {
		uint32_t weights[3];
		unsigned servers[8];
	} ROWS[] = {
		{ { 1, 1, 1 }, { 0, 2, 1, 0, 2, 0, 0, 2 } },
		{ { 1, 2, 3 }, { 1, 2, 1, 2, 2, 0, 2, 2 } },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		const uint32_t *w = ROWS[i].weights;
		struct ketama_server servers[] = {
			{ STR("10.0.1.1"), 11211, w[0] }, { STR("10.0.1.2"), 11212, w[1] }, { STR("cache3.example.net"), 11211, w[2] },
		};
		struct ketama *k = ketama_new(servers, countof(servers));
		for (unsigned n = 0; n < 8; n++) {
			char key[16];
			snprintf(key, sizeof key, "key:%u", n);
			assert_int_equal(ketama_pick(k, str_of(key)), ROWS[i].servers[n]);
		}
		ketama_free(k);
	}
}

/* --- libmemcached. --- */

static const struct pool {
	const char *what;
	unsigned count;
	uint16_t port;           /* of the first; each next one has the next */
	unsigned weights;        /* w of server i is 1 + i % weights */
	bool local;              /* Unix sockets */
} POOLS[] = {
	{ "one server", 1, 11211, 1, false },
	{ "three, on several ports", 3, 11211, 1, false },
	{ "five with weights", 5, 11211, 5, false },
	{ "25, where single precision shows", 25, 12000, 1, false },
	{ "100, the same", 100, 11000, 1, false },
	{ "four Unix sockets with weights", 4, 0, 2, true },
	{ "ten, very unequal", 10, 11300, 200, false },
	{ "61, the same as 25", 61, 11211, 1, false },
};

static void add(const struct pool *p, memcached_st *theirs, struct ketama_server *s, unsigned i, char *host)
{
	*s = (struct ketama_server){ .weight = p->weights == 200 ? 1 + i * i * 20 : 1 + i % p->weights };
	if (p->local) {
		sprintf(host, "/run/memcached/%u.sock", i);
		assert_int_equal(memcached_server_add_unix_socket_with_weight(theirs, host, s->weight), MEMCACHED_SUCCESS);
	} else {
		s->port = (uint16_t)(p->port + i);
		sprintf(host, i % 3 == 2 ? "cache%u.example.net" : "10.0.1.%u", i);
		assert_int_equal(memcached_server_add_with_weight(theirs, host, s->port, s->weight), MEMCACHED_SUCCESS);
	}
	s->host = str_of(host);
}

/* The same pool for both, and how many keys they place otherwise. */
static unsigned differences(const struct pool *p)
{
	struct ketama_server servers[100];
	char hosts[100][64];
	unsigned n = 0;
	memcached_st *theirs = memcached_create(NULL);
	memcached_behavior_set(theirs, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);
	for (unsigned i = 0; i < p->count; i++)
		add(p, theirs, &servers[i], i, hosts[i]);
	struct ketama *ours = ketama_new(servers, p->count);
	for (unsigned i = 0; i < KEYS; i++) {
		char key[64];
		int length = snprintf(key, sizeof key, "%s:%u:%x", i % 2 ? "session" : "page", i, i * 2654435761u);
		n += ketama_pick(ours, str_make(key, (size_t)length)) != memcached_generate_hash(theirs, key, (size_t)length);
	}
	ketama_free(ours);
	memcached_free(theirs);
	return n;
}

static void libmemcached_places_them_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(POOLS); i++) {
		print_message("%s\n", POOLS[i].what);
		assert_int_equal(differences(&POOLS[i]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_of_servers), cmocka_unit_test(hashes_of_keys), cmocka_unit_test(keys_of_servers),
		cmocka_unit_test(libmemcached_places_them_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

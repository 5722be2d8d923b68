/* struct ketama: which server of a pool has a key, as libmemcached's KETAMA_WEIGHTED places it, bit for bit:
 * applications in other languages, which share the pool, have to find what petrel stored, and the other way round.
 *
 * Immutable once made; any thread. */
#pragma once

#include "base/str.h"

struct ketama_server {
	struct str host;     /* as configured, byte for byte; a Unix socket's path, with port 0 */
	uint16_t port;
	uint32_t weight;     /* at least 1 */
};

enum { KETAMA_SERVERS_MOST = 1024 };

struct ketama;

struct ketama *ketama_new(const struct ketama_server *servers, size_t count);
void ketama_free(struct ketama *k);
/* The index of the server that has this key. */
unsigned ketama_pick(const struct ketama *k, struct str key);
/* Where on the ring a key is. */
uint32_t ketama_hash(struct str key);
/* The four points of a server's k-th string, h = 0 … 3: for tests. */
void ketama_points(const struct ketama_server *s, unsigned k, uint32_t points[4]);

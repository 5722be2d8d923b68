/* The ring of libmemcached's MEMCACHED_DISTRIBUTION_CONSISTENT_KETAMA with weights and MD5.  See docs/why/memcached.md for
 * where its numbers come from.  Immutable once made; any thread. */
#include "net/ketama.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/md5.h"
#include "base/mem.h"
#include "base/must.h"

enum {
	POINTS_PER_SERVER = 160,   /* where all weights are equal */
	POINTS_PER_HASH = 4,
	DEFAULT_PORT = 11211,      /* not in the string that is hashed */
};

struct point {
	uint32_t value, server;
};

struct ketama {
	size_t count;
	struct point points[];
};

static uint32_t point_of(const uint8_t d[MD5_B], unsigned h)
{
	return (uint32_t)d[3 + 4 * h] << 24 | (uint32_t)d[2 + 4 * h] << 16 | (uint32_t)d[1 + 4 * h] << 8 | d[4 * h];
}

uint32_t ketama_hash(struct str key)
{
	uint8_t d[MD5_B];
	md5(key, d);
	return point_of(d, 0);
}

void ketama_points(const struct ketama_server *s, unsigned k, uint32_t points[4])
{
	struct buf text = {};
	uint8_t d[MD5_B];
	if (s->port == DEFAULT_PORT)
		buf_addf(&text, "%.*s-%u", STR_F(s->host), k);
	else
		buf_addf(&text, "%.*s:%u-%u", STR_F(s->host), (unsigned)s->port, k);
	md5(buf_str(&text), d);
	for (unsigned h = 0; h < POINTS_PER_HASH; h++)
		points[h] = point_of(d, h);
	buf_fini(&text);
}

/* How many strings of a server are hashed.  Single precision throughout: with equal weights that makes 39 of 40 for some
 * numbers of servers (25, 47, 50 …), and the others' clients do it so. */
static unsigned strings_of(uint32_t weight, uint32_t sum, size_t count)
{
	volatile float share = (float)weight / (float)sum;
	volatile float points = share * POINTS_PER_SERVER / POINTS_PER_HASH;
	volatile float all = points * (float)count;
	volatile float nearly = all + 0.0000000001F;
	return (unsigned)floorf(nearly);
}

static int order(const void *a, const void *b)
{
	const struct point *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->server < y->server ? -1 : x->server > y->server;
}

struct ketama *ketama_new(const struct ketama_server *servers, size_t count)
{
	uint32_t sum = 0;
	size_t strings = 0;
	must(count && count <= KETAMA_SERVERS_MOST);
	for (size_t i = 0; i < count; i++)
		sum += servers[i].weight;
	for (size_t i = 0; i < count; i++)
		strings += strings_of(servers[i].weight, sum, count);
	struct ketama *k = mem_new(sizeof *k + (strings + 1) * POINTS_PER_HASH * sizeof *k->points);
	for (size_t i = 0; i < count; i++) {
		unsigned most = strings_of(servers[i].weight, sum, count);
		for (unsigned s = 0; s < most; s++) {
			uint32_t points[POINTS_PER_HASH];
			ketama_points(&servers[i], s, points);
			for (unsigned h = 0; h < POINTS_PER_HASH; h++)
				k->points[k->count++] = (struct point){ points[h], (uint32_t)i };
		}
	}
	qsort(k->points, k->count, sizeof *k->points, order);
	return k;
}

void ketama_free(struct ketama *k)
{
	mem_free(k);
}

/* The first point at or behind the key's, around the ring. */
unsigned ketama_pick(const struct ketama *k, struct str key)
{
	uint32_t hash = ketama_hash(key);
	size_t from = 0, to = k->count;
	while (from < to) {
		size_t middle = (from + to) / 2;
		if (k->points[middle].value < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return k->count ? k->points[from < k->count ? from : 0].server : 0;
}

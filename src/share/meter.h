/* struct meter: what is counted of the requests of one route, or of one pool: how many, how they were answered, how long
 * they took.
 *
 * Each loop has a meter of its own for each name, which it alone writes (share/counter.h); whoever wants to know adds them
 * up.  Names are those of routes and pools, and stay over reloads; there are at most METERS_MOST of them, and what comes
 * after those is counted in meter 0, "the rest". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "share/counter.h"

enum {
	HISTOGRAM_BUCKETS = 96,   /* four for each doubling, from 16 µs to 268 s */
	METERS_MOST = 1024,
	METER_CLASSES = 6,        /* of answers: 1xx … 5xx; [0]: ended without an answer */
	METER_REST = 0,
};

struct histogram {
	struct counter sum_us;
	struct counter bucket[HISTOGRAM_BUCKETS];
};

/* The loop's. */
void histogram_add(struct histogram *h, uint64_t us);

enum meter_kind { METER_ROUTE, METER_POOL };

struct meter {
	struct counter by_class[METER_CLASSES];
	struct counter in_b, out_b;
	struct counter shed;
	struct histogram time;    /* a route's: from the request's head to the answer's last byte; a pool's: to the head of a
	                           * server's answer, from the connection on */
	struct histogram wait;    /* a pool's: in its queue, of those that had to */
};

struct meters;

struct meters *meters_new(unsigned loops);
void meters_free(struct meters *m);
/* The control thread's: the number of this name, found or given; METER_REST where there are too many.  site is empty
 * where kind is METER_POOL.  A loop may count under the number once it heard of it by mail. */
unsigned meters_number(struct meters *m, enum meter_kind kind, struct str site, struct str name);
/* The loop's own. */
struct meter *meters_at(struct meters *m, unsigned loop, unsigned number);

/* --- What they say, added up over all loops.  The control thread's. --- */

struct distribution {
	uint64_t count, sum_us;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

struct meter_sum {
	enum meter_kind kind;
	struct str site, name;        /* as long as the meters live; number METER_REST: both are empty */
	uint64_t by_class[METER_CLASSES];
	uint64_t requests;            /* of all classes */
	uint64_t in_b, out_b, shed;
	struct distribution time, wait;
};

/* How many numbers were given; METER_REST is one. */
unsigned meters_count(const struct meters *m);
void meters_sum(const struct meters *m, unsigned number, struct meter_sum *out);

/* The bucket's upper bound, exclusive; UINT64_MAX: the last one has none. */
uint64_t histogram_bound_us(unsigned bucket);
/* Sums and differences of distributions: into->x += or -= of->x. */
void distribution_add(struct distribution *into, const struct distribution *of);
void distribution_sub(struct distribution *from, const struct distribution *of);
/* So much that a share of q (0 … 1) took at most as long: interpolated within its bucket, and so up to a fifth off.  0
 * where nothing was counted. */
uint64_t distribution_quantile_us(const struct distribution *d, double q);

/* struct sample: what all counters of the worker said at one moment.  Taken on the control thread, from what others count,
 * without asking them; immutable then.
 *
 * struct observer takes one each second, keeps some of them, and a line of points for charts. */
#pragma once

#include "control/cache_sample.h"
#include "event/disk.h"
#include "share/log.h"
#include "share/meter.h"
#include "share/store.h"

struct home;
struct loop;

/* One loop. */
struct loop_sample {
	uint64_t connections, accepted, refused, requests, in_b, out_b;
	uint64_t idle, busy, tunnels;    /* of its connections: between requests, with one under way, tunnels */
	uint64_t turns, busy_ns;         /* since it began: turns, and the time that they took */
	uint64_t longest_us;             /* turn of the last minute */
};

struct sample {
	uint64_t at_ms;                  /* monotonic */
	uint64_t wall_ms;
	unsigned generation;             /* of the configuration in effect: how often there was a new one */
	size_t snapshots;                /* configurations that some request still uses */
	uint64_t started_ms;             /* wall clock: when the worker began */
	struct loop_sample *loops;
	unsigned loop_count;
	struct loop_sample all;          /* the loops added up; longest_us: the longest */
	uint64_t by_class[METER_CLASSES];
	uint64_t shed;
	struct distribution time;        /* of all requests */
	struct meter_sum *meters;        /* by number: METER_REST first */
	unsigned meter_count;
	struct cache_sample *caches;     /* by name */
	unsigned cache_count;
	struct store_stats hot;
	enum disk_kind disk_kind;
	struct disk_stats disk;
	struct log_stats log;
	uint64_t rss_b, cpu_ms;          /* of the worker */
	uint64_t descriptors, descriptors_most;
};

/* One point of the charts: what happened since the one before it. */
struct point {
	uint64_t wall_ms;
	float requests_ps, out_bps;
	float by_class_ps[METER_CLASSES];
	float p50_ms, p90_ms, p99_ms;    /* 0 where there was no request */
	float connections;               /* open at its end */
	float busy;                      /* 0 … 1: of the busiest loop */
};

enum { POINTS = 150, POINT_MS = 2000, SAMPLES_KEPT = 7, SAMPLES_MS = 10000 };

struct observer;

/* What the observer looks at, by way of the worker: fill() sets what is known of the snapshots, the loops, the meters, the
 * caches, the hot set, the disk engine and the log; loops, meters and caches are from mem_new(). */
struct observed {
	void (*fill)(void *worker, struct sample *out);
	void *worker;
};
void sample_loop(struct loop_sample *out, const struct home *h, uint64_t now_ms);

struct observer *observer_new(struct loop *control, const struct observed *of);
void observer_free(struct observer *o);
/* The newest, at most a second old; never NULL.  Borrowed until the loop's next turn. */
const struct sample *observer_now(struct observer *o);
/* The same, taken now: for who was asked for it once. */
const struct sample *observer_look(struct observer *o);
/* One taken about so long ago, at most SAMPLES_KEPT * SAMPLES_MS; where there is none so old, the oldest, which may be the
 * newest. */
const struct sample *observer_before(struct observer *o, uint64_t ms);
/* Oldest first; at most POINTS. */
unsigned observer_points(const struct observer *o, struct point out[POINTS]);
/* see(arg) is called after each new sample, each second, on the control thread. */
void observer_each(struct observer *o, void (*see)(void *arg), void *arg);

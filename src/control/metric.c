/* The table of metrics.  The control thread; no state. */
#include "control/metric.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/admin.h"
#include "control/alert.h"
#include "control/app.h"
#include "control/apps.h"
#include "http/memcached.h"

static const char *const CLASSES[METER_CLASSES] = { "unanswered", "1xx", "2xx", "3xx", "4xx", "5xx" };

/* --- Telling a series. --- */

static void put(struct metric_out *out, double value)
{
	out->number(out, &(struct labels){}, value);
}

static void put_by(struct metric_out *out, const char *name, struct str is, double value)
{
	out->number(out, &(struct labels){ { { name, is } }, 1 }, value);
}

static void put_by_two(struct metric_out *out, struct label first, struct label second, double value)
{
	out->number(out, &(struct labels){ { first, second }, 2 }, value);
}

static double seconds(uint64_t ms)
{
	return (double)ms / 1000;
}

/* --- The whole server. --- */

#define EACH(name) static void name(struct metric_out *out, const struct control *c, const struct sample *now)
/* One number of the sample. */
#define ONE(name, value)                                                                                                \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		(void)c;                                                                                                        \
		put(out, (double)(value));                                                                                      \
	}

EACH(build)
{
	(void)c;
	(void)now;
	put_by(out, "version", STR(PETREL_VERSION), 1);
}

ONE(started, seconds(now->started_ms))
ONE(generation, now->generation)
ONE(snapshots, now->snapshots)
ONE(accepted, now->all.accepted)
ONE(refused, now->all.refused)
ONE(shed, now->shed)
ONE(received, now->all.in_b)
ONE(sent, now->all.out_b)
ONE(hot_objects, now->hot.objects)
ONE(hot_bytes, now->hot.bytes)
ONE(hot_bound, now->hot.bound_b)
ONE(hot_hits, now->hot.hits)
ONE(hot_misses, now->hot.misses)
ONE(hot_evicted, now->hot.evicted)
ONE(disk_waiting, now->disk.waiting)
ONE(disk_under_way, now->disk.under_way)
ONE(disk_finished, now->disk.finished)
ONE(disk_refused, now->disk.refused)
ONE(disk_failed, now->disk.failed)
ONE(log_written, now->log.written)
ONE(log_dropped, now->log.dropped)
ONE(log_errors, now->log.write_errors)
ONE(cpu, seconds(now->cpu_ms))
ONE(rss, now->rss_b)
ONE(descriptors, now->descriptors)
ONE(descriptors_most, now->descriptors_most)

EACH(connections)
{
	(void)c;
	put_by(out, "state", STR("idle"), (double)now->all.idle);
	put_by(out, "state", STR("busy"), (double)now->all.busy);
	put_by(out, "state", STR("tunnel"), (double)now->all.tunnels);
}

EACH(requests)
{
	(void)c;
	for (unsigned i = 0; i < METER_CLASSES; i++)
		put_by(out, "class", str_of(CLASSES[i]), (double)now->by_class[i]);
}

EACH(times)
{
	(void)c;
	out->histogram(out, &(struct labels){}, &now->time);
}

/* --- Loops. --- */

static void each_loop(struct metric_out *out, const struct sample *now, double (*value)(const struct loop_sample *l))
{
	for (unsigned i = 0; i < now->loop_count; i++) {
		char number[12];
		snprintf(number, sizeof number, "%u", i);
		put_by(out, "loop", str_of(number), value(&now->loops[i]));
	}
}

#define PER_LOOP(name, expression)                                                                                      \
	static double name##_of(const struct loop_sample *l)                                                                \
	{                                                                                                                   \
		return expression;                                                                                              \
	}                                                                                                                   \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		(void)c;                                                                                                        \
		each_loop(out, now, name##_of);                                                                                 \
	}

PER_LOOP(loop_connections, (double)l->connections)
PER_LOOP(loop_turns, (double)l->turns)
PER_LOOP(loop_busy, (double)l->busy_ns / 1e9)
PER_LOOP(loop_longest, (double)l->longest_us / 1e6)

/* --- Routes and pools, as they are metered. --- */

static struct labels labels_of(const struct meter_sum *m)
{
	if (m->kind == METER_POOL)
		return (struct labels){ { { "pool", m->name } }, 1 };
	return (struct labels){ { { "site", m->site }, { "route", m->name } }, 2 };
}

static void each_class(struct metric_out *out, const struct meter_sum *m)
{
	struct labels labels = labels_of(m);
	struct label *class = &labels.p[labels.count++];
	for (unsigned i = 0; i < METER_CLASSES; i++) {
		*class = (struct label){ "class", str_of(CLASSES[i]) };
		out->number(out, &labels, (double)m->by_class[i]);
	}
}

static void each_meter(struct metric_out *out, const struct sample *now, enum meter_kind kind,
                       void (*tell)(struct metric_out *out, const struct meter_sum *m))
{
	for (unsigned i = 0; i < now->meter_count; i++)
		if (now->meters[i].kind == kind)
			tell(out, &now->meters[i]);
}

#define PER_METER(name, kind, statement)                                                                                \
	static void name##_tell(struct metric_out *out, const struct meter_sum *m)                                          \
	{                                                                                                                   \
		struct labels labels = labels_of(m);                                                                            \
		statement;                                                                                                      \
	}                                                                                                                   \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		(void)c;                                                                                                        \
		each_meter(out, now, kind, name##_tell);                                                                        \
	}

EACH(route_requests)
{
	(void)c;
	each_meter(out, now, METER_ROUTE, each_class);
}

EACH(pool_answers)
{
	(void)c;
	each_meter(out, now, METER_POOL, each_class);
}

PER_METER(route_received, METER_ROUTE, out->number(out, &labels, (double)m->in_b))
PER_METER(route_sent, METER_ROUTE, out->number(out, &labels, (double)m->out_b))
PER_METER(route_shed, METER_ROUTE, out->number(out, &labels, (double)m->shed))
PER_METER(route_times, METER_ROUTE, out->histogram(out, &labels, &m->time))
PER_METER(pool_times, METER_POOL, out->histogram(out, &labels, &m->time))
PER_METER(pool_waits, METER_POOL, out->histogram(out, &labels, &m->wait))

/* --- Pools and servers, as they are now. --- */

struct telling {
	struct metric_out *out;
	double (*pool)(const struct pool_stats *s);
	double (*server)(const struct peer *p);
	double (*app)(struct app *a);
	unsigned ready, ill;
};

static void tell_pool(void *arg, struct backend *b)
{
	const struct telling *t = arg;
	struct pool_stats s = pool_stats(b->pool);
	put_by(t->out, "pool", b->name, t->pool(&s));
}

#define PER_POOL(name, expression)                                                                                      \
	static double name##_of(const struct pool_stats *s)                                                                 \
	{                                                                                                                   \
		return (double)(expression);                                                                                    \
	}                                                                                                                   \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		struct telling t = { .out = out, .pool = name##_of };                                                           \
		(void)now;                                                                                                      \
		backends_each(c->conf, tell_pool, &t);                                                                          \
	}

PER_POOL(pool_requests, s->requests)
PER_POOL(pool_retries, s->retries)
PER_POOL(pool_none, s->none)
PER_POOL(pool_waiting, s->waiting)
PER_POOL(pool_waited, s->queued)
PER_POOL(pool_full, s->queue_full)
PER_POOL(pool_late, s->queue_late)

static void tell_server(void *arg, struct pool *pool, struct peer *peer)
{
	const struct telling *t = arg;
	put_by_two(t->out, (struct label){ "pool", pool_name(pool) }, (struct label){ "server", peer->name },
	           t->server(peer));
}

/* An app's processes come and go, and their names with them: they are counted by app alone. */
static void tell_servers(void *arg, struct backend *b)
{
	if (!b->is_app)
		pool_each(b->pool, tell_server, arg);
}

#define PER_SERVER(name, expression)                                                                                    \
	static double name##_of(const struct peer *p)                                                                       \
	{                                                                                                                   \
		return (double)(expression);                                                                                    \
	}                                                                                                                   \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		struct telling t = { .out = out, .server = name##_of };                                                         \
		(void)now;                                                                                                      \
		backends_each(c->conf, tell_servers, &t);                                                                       \
	}

PER_SERVER(server_up, p->state == 0)
PER_SERVER(server_busy, p->busy)
PER_SERVER(server_open, p->open)
PER_SERVER(server_requests, p->requests)
PER_SERVER(server_failed, p->failed)
PER_SERVER(server_latency, (double)p->latency_us / 1e6)

static void count_ready(void *arg, struct pool *pool, struct peer *peer)
{
	struct telling *t = arg;
	(void)pool;
	*(peer->state ? &t->ill : &t->ready) += 1;
}

static void tell_ready(void *arg, struct backend *b)
{
	struct telling t = *(struct telling *)arg;
	pool_each(b->pool, count_ready, &t);
	put_by_two(t.out, (struct label){ "pool", b->name }, (struct label){ "state", STR("ready") }, t.ready);
	put_by_two(t.out, (struct label){ "pool", b->name }, (struct label){ "state", STR("other") }, t.ill);
}

EACH(pool_servers)
{
	struct telling t = { .out = out };
	(void)now;
	backends_each(c->conf, tell_ready, &t);
}

/* --- Applications. --- */

static void tell_app(void *arg, struct app *a)
{
	const struct telling *t = arg;
	put_by(t->out, "app", buf_str(&a->name), t->app(a));
}

static double processes_of(struct app *a)
{
	double n = 0;
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next)
		n += process_serves(container_of(l, struct process, link));
	return n;
}

static double memory_of(struct app *a)
{
	double b = 0;
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next)
		b += (double)container_of(l, struct process, link)->memory_b;
	return b;
}

static double wanted_of(struct app *a)
{
	return (double)a->wanted;
}

static double restarts_of(struct app *a)
{
	return (double)a->restarts;
}

#define PER_APP(name, of)                                                                                               \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		struct telling t = { .out = out, .app = of };                                                                   \
		(void)now;                                                                                                      \
		apps_each(c->apps, tell_app, &t);                                                                               \
	}

PER_APP(app_processes, processes_of)
PER_APP(app_wanted, wanted_of)
PER_APP(app_restarts, restarts_of)
PER_APP(app_memory, memory_of)

/* --- memcached. --- */

struct telling_memcached {
	struct metric_out *out;
	double (*value)(const struct memcached_server_stats *s);
};

static void tell_memcached(void *arg, const struct memcached_conf *m)
{
	const struct telling_memcached *t = arg;
	struct memcached_server_stats s;
	for (size_t i = 0; m->memcached && i < memcached_server_count(m->memcached); i++) {
		memcached_stats(m->memcached, i, &s);
		put_by_two(t->out, (struct label){ "memcached", m->name }, (struct label){ "server", s.name }, t->value(&s));
	}
}

#define PER_MEMCACHED(name, expression)                                                                                 \
	static double name##_of(const struct memcached_server_stats *s)                                                     \
	{                                                                                                                   \
		return (double)(expression);                                                                                    \
	}                                                                                                                   \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		struct telling_memcached t = { out, name##_of };                                                                \
		(void)now;                                                                                                      \
		memcached_confs_each(c->conf, tell_memcached, &t);                                                              \
	}

PER_MEMCACHED(memcached_up, s->state != BREAKER_OPEN)
PER_MEMCACHED(memcached_opened, s->opened)
PER_MEMCACHED(memcached_hits, s->hits)
PER_MEMCACHED(memcached_misses, s->misses)
PER_MEMCACHED(memcached_late, s->late)
PER_MEMCACHED(memcached_lost, s->lost)
PER_MEMCACHED(memcached_errors, s->errors)
PER_MEMCACHED(memcached_skipped, s->skipped + s->full)
PER_MEMCACHED(memcached_sets, s->sets)
PER_MEMCACHED(memcached_deletes, s->deletes)
PER_MEMCACHED(memcached_kept, s->kept)
PER_MEMCACHED(memcached_kept_lost, s->kept_lost)

/* --- Caches. --- */

static void each_cache(struct metric_out *out, const struct sample *now, bool disk,
                       double (*value)(const struct cache_sample *s))
{
	for (unsigned i = 0; i < now->cache_count; i++)
		if (!disk || now->caches[i].has_disk)
			put_by(out, "cache", str_of(now->caches[i].name), value(&now->caches[i]));
}

#define OF_CACHE(name, only_disk, expression)                                                                           \
	static double name##_of(const struct cache_sample *s)                                                               \
	{                                                                                                                   \
		return (double)(expression);                                                                                    \
	}                                                                                                                   \
	EACH(name)                                                                                                          \
	{                                                                                                                   \
		(void)c;                                                                                                        \
		each_cache(out, now, only_disk, name##_of);                                                                     \
	}
#define PER_CACHE(name, expression) OF_CACHE(name, false, expression)
#define PER_SHELF(name, expression) OF_CACHE(name, true, expression)

EACH(cache_requests)
{
	(void)c;
	for (unsigned i = 0; i < now->cache_count; i++)
		for (unsigned k = CACHED_HIT; k <= CACHED_BYPASS; k++)
			put_by_two(out, (struct label){ "cache", str_of(now->caches[i].name) },
			           (struct label){ "result", cached_name(k) }, (double)now->caches[i].got[k]);
}

struct telling_lines {
	struct metric_out *out;
	bool waiting;
};

static void tell_lines(void *arg, struct cache *cache)
{
	const struct telling_lines *t = arg;
	size_t count;
	struct line_stats *lines = lines_stats(cache->lines, &count);
	for (size_t i = 0; i < count; i++)
		put_by_two(t->out, (struct label){ "cache", cache->name }, (struct label){ "pool", lines[i].name },
		           (double)(t->waiting ? lines[i].waiting : lines[i].inside));
	mem_free(lines);
}

EACH(cache_filling)
{
	struct telling_lines t = { out, false };
	(void)now;
	caches_each(c->caches, tell_lines, &t);
}

EACH(cache_waiting)
{
	struct telling_lines t = { out, true };
	(void)now;
	caches_each(c->caches, tell_lines, &t);
}

PER_CACHE(cache_hit_bytes, s->hit_b)
PER_CACHE(cache_objects, s->memory.objects)
PER_CACHE(cache_bytes, s->memory.bytes)
PER_CACHE(cache_bound, s->memory.bound_b)
PER_CACHE(cache_evicted, s->memory.evicted)
PER_CACHE(cache_fills, s->fills)
PER_CACHE(cache_validations, s->validations)
PER_CACHE(cache_late, s->waits_late)
PER_CACHE(cache_stored, s->stored)
PER_CACHE(cache_not_stored, s->not_stored)
PER_CACHE(cache_invalidated, s->invalidated)
PER_CACHE(cache_purges, s->purges.added)
PER_SHELF(cache_disk_bytes, s->disk.bytes)
PER_SHELF(cache_disk_bound, s->disk.bound_b)
PER_SHELF(cache_disk_hits, s->disk.hits)
PER_SHELF(cache_disk_misses, s->disk.misses)
PER_SHELF(cache_disk_written, s->disk.written)
PER_SHELF(cache_disk_written_bytes, s->disk.written_b)
PER_SHELF(cache_disk_dropped, s->disk.dropped)
PER_SHELF(cache_disk_bad, s->disk.bad)
PER_SHELF(cache_disk_errors, s->disk.errors)
PER_SHELF(cache_disk_off, s->disk.off)

/* --- Alerts. --- */

struct counting {
	struct metric_out *out;
	struct str name;             /* of the rule whose alerts are counted; empty: none yet */
	unsigned firing;
};

static void tell_rule(const struct counting *c)
{
	if (c->name.n)
		put_by(c->out, "alert", c->name, c->firing);
}

/* Those of a rule come one after the other. */
static void count_alert(void *arg, const struct alert_seen *seen)
{
	struct counting *c = arg;
	if (!str_eq(c->name, seen->name)) {
		tell_rule(c);
		*c = (struct counting){ c->out, seen->name, 0 };
	}
	c->firing++;
}

EACH(alerts_firing)
{
	struct counting counting = { .out = out };
	(void)now;
	if (c->alerts)
		alerts_each(c->alerts, count_alert, &counting);
	tell_rule(&counting);
}

/* --- The table. --- */

const struct metric METRICS[] = {
	{ "petrel_build_info", "Which petrel this is; always 1.", METRIC_GAUGE, "version", build },
	{ "petrel_config_generation", "How often a configuration came into effect since the worker began.", METRIC_GAUGE, "",
	  generation },
	{ "petrel_config_snapshots", "Configurations that some request still uses.", METRIC_GAUGE, "", snapshots },
	{ "petrel_connections", "Connections of clients that are open.", METRIC_GAUGE, "state", connections },
	{ "petrel_connections_accepted_total", "Connections that were accepted.", METRIC_COUNTER, "", accepted },
	{ "petrel_connections_refused_total", "Connections that were refused by limits.", METRIC_COUNTER, "", refused },
	{ "petrel_requests_total", "Requests that are over, by the class of their answers.", METRIC_COUNTER, "class",
	  requests },
	{ "petrel_request_duration_seconds", "From a request's head to the last byte of its answer.", METRIC_HISTOGRAM, "",
	  times },
	{ "petrel_shed_total", "Requests that were refused for load.", METRIC_COUNTER, "", shed },
	{ "petrel_received_bytes_total", "Bytes that came from clients.", METRIC_COUNTER, "", received },
	{ "petrel_sent_bytes_total", "Bytes that were sent to clients.", METRIC_COUNTER, "", sent },
	{ "petrel_loop_connections", "Open connections of an event loop.", METRIC_GAUGE, "loop", loop_connections },
	{ "petrel_loop_turns_total", "Turns that an event loop made.", METRIC_COUNTER, "loop", loop_turns },
	{ "petrel_loop_busy_seconds_total", "Time that an event loop did not wait.", METRIC_COUNTER, "loop", loop_busy },
	{ "petrel_loop_longest_turn_seconds", "The longest turn of the last minute.", METRIC_GAUGE, "loop", loop_longest },
	{ "petrel_route_requests_total", "Requests of a route that are over, by the class of their answers.", METRIC_COUNTER,
	  "site route class", route_requests },
	{ "petrel_route_duration_seconds", "From the head of a route's request to the last byte of its answer.",
	  METRIC_HISTOGRAM, "site route", route_times },
	{ "petrel_route_received_bytes_total", "Bytes of bodies that came with a route's requests.", METRIC_COUNTER,
	  "site route", route_received },
	{ "petrel_route_sent_bytes_total", "Bytes of a route's answers.", METRIC_COUNTER, "site route", route_sent },
	{ "petrel_route_shed_total", "Requests of a route that were refused for load.", METRIC_COUNTER, "site route",
	  route_shed },
	{ "petrel_pool_requests_total", "Requests that were given to a pool.", METRIC_COUNTER, "pool", pool_requests },
	{ "petrel_pool_retries_total", "Attempts that were repeated.", METRIC_COUNTER, "pool", pool_retries },
	{ "petrel_pool_answers_total", "Attempts that are over, by the class of the server's answer.", METRIC_COUNTER,
	  "pool class", pool_answers },
	{ "petrel_pool_answer_seconds", "From the choice of a server to the head of its answer.", METRIC_HISTOGRAM, "pool",
	  pool_times },
	{ "petrel_pool_queue_seconds", "Time in the queue, of those requests that had to wait.", METRIC_HISTOGRAM, "pool",
	  pool_waits },
	{ "petrel_pool_queue_waiting", "Requests that wait for a server.", METRIC_GAUGE, "pool", pool_waiting },
	{ "petrel_pool_queue_waited_total", "Requests that had to wait for a server.", METRIC_COUNTER, "pool", pool_waited },
	{ "petrel_pool_queue_full_total", "Requests that found the queue full.", METRIC_COUNTER, "pool", pool_full },
	{ "petrel_pool_queue_late_total", "Requests that left the queue without a server.", METRIC_COUNTER, "pool",
	  pool_late },
	{ "petrel_pool_no_server_total", "Requests for which no server was well.", METRIC_COUNTER, "pool", pool_none },
	{ "petrel_pool_servers", "Servers of a pool: those that get requests, and all others.", METRIC_GAUGE, "pool state",
	  pool_servers },
	{ "petrel_server_up", "1 where a server gets new requests, else 0.", METRIC_GAUGE, "pool server", server_up },
	{ "petrel_server_busy", "Requests under way on a server.", METRIC_GAUGE, "pool server", server_busy },
	{ "petrel_server_connections", "Connections to a server.", METRIC_GAUGE, "pool server", server_open },
	{ "petrel_server_requests_total", "Requests that a server was given.", METRIC_COUNTER, "pool server",
	  server_requests },
	{ "petrel_server_failed_total", "Requests that a server failed.", METRIC_COUNTER, "pool server", server_failed },
	{ "petrel_server_latency_seconds", "To the head of a server's answer, a moving average.", METRIC_GAUGE, "pool server",
	  server_latency },
	{ "petrel_app_processes", "Processes of an application that take requests.", METRIC_GAUGE, "app", app_processes },
	{ "petrel_app_processes_wanted", "Processes that there should be.", METRIC_GAUGE, "app", app_wanted },
	{ "petrel_app_restarts_total", "Processes that were started in place of one that ended by itself.", METRIC_COUNTER,
	  "app", app_restarts },
	{ "petrel_app_memory_bytes", "Memory of all processes of an application.", METRIC_GAUGE, "app", app_memory },
	{ "petrel_cache_requests_total",
	  "Requests that came to a cache, by what they got: hit, stale, renewed and joined were answered from what is kept or "
	  "was fetched for another one.", METRIC_COUNTER, "cache result", cache_requests },
	{ "petrel_cache_hit_bytes_total", "Bytes of bodies that a cache served from what it keeps.", METRIC_COUNTER, "cache",
	  cache_hit_bytes },
	{ "petrel_cache_objects", "Pages that a cache has in memory.", METRIC_GAUGE, "cache", cache_objects },
	{ "petrel_cache_bytes", "Memory of a cache.", METRIC_GAUGE, "cache", cache_bytes },
	{ "petrel_cache_limit_bytes", "Memory that a cache may take.", METRIC_GAUGE, "cache", cache_bound },
	{ "petrel_cache_evicted_total", "Pages that had to make room.", METRIC_COUNTER, "cache", cache_evicted },
	{ "petrel_cache_fills_total", "Pages that a cache asked origins for.", METRIC_COUNTER, "cache", cache_fills },
	{ "petrel_cache_fills_under_way",
	  "Pages that are being fetched, by the pool that is asked; none where petrel answers by itself.", METRIC_GAUGE,
	  "cache pool", cache_filling },
	{ "petrel_cache_fills_waiting", "Pages that wait until fewer are being fetched from the same pool.", METRIC_GAUGE,
	  "cache pool", cache_waiting },
	{ "petrel_cache_validations_total", "Pages that an origin was asked about with a condition.", METRIC_COUNTER, "cache",
	  cache_validations },
	{ "petrel_cache_waits_late_total", "Requests that waited too long for another one's fill.", METRIC_COUNTER, "cache",
	  cache_late },
	{ "petrel_cache_stored_total", "Answers that were stored.", METRIC_COUNTER, "cache", cache_stored },
	{ "petrel_cache_not_stored_total", "Answers that could not be stored.", METRIC_COUNTER, "cache", cache_not_stored },
	{ "petrel_cache_invalidated_total", "Requests that changed something, and made what was stored of it out of date.",
	  METRIC_COUNTER, "cache", cache_invalidated },
	{ "petrel_cache_purges_total", "Purges of a cache, those by a journal, other machines and invalidation included.",
	  METRIC_COUNTER, "cache", cache_purges },
	{ "petrel_cache_disk_bytes", "What a cache has on disk.", METRIC_GAUGE, "cache", cache_disk_bytes },
	{ "petrel_cache_disk_limit_bytes", "What it may have there.", METRIC_GAUGE, "cache", cache_disk_bound },
	{ "petrel_cache_disk_hits_total", "Pages that were found on disk.", METRIC_COUNTER, "cache", cache_disk_hits },
	{ "petrel_cache_disk_misses_total", "Pages that were not.", METRIC_COUNTER, "cache", cache_disk_misses },
	{ "petrel_cache_disk_written_total", "Pages that were written to disk.", METRIC_COUNTER, "cache", cache_disk_written },
	{ "petrel_cache_disk_written_bytes_total", "Bytes that were written for them.", METRIC_COUNTER, "cache",
	  cache_disk_written_bytes },
	{ "petrel_cache_disk_dropped_total", "Pages that were not written because too much waited to be.", METRIC_COUNTER,
	  "cache", cache_disk_dropped },
	{ "petrel_cache_disk_bad_total", "Records on disk that were damaged, and counted as misses.", METRIC_COUNTER, "cache",
	  cache_disk_bad },
	{ "petrel_cache_disk_errors_total", "Reads and writes of a cache's disk tier that failed.", METRIC_COUNTER, "cache",
	  cache_disk_errors },
	{ "petrel_cache_disk_off", "1 while nothing is written to a cache's disk tier because it is full or failing, else 0.",
	  METRIC_GAUGE, "cache", cache_disk_off },
	{ "petrel_memcached_up",
	  "1 where a memcached server is asked, 0 where it is not because its breaker is open.",
	  METRIC_GAUGE, "memcached server", memcached_up },
	{ "petrel_memcached_opened_total", "How often it began not to be asked.", METRIC_COUNTER, "memcached server",
	  memcached_opened },
	{ "petrel_memcached_hits_total", "Gets that it answered with a value.", METRIC_COUNTER, "memcached server",
	  memcached_hits },
	{ "petrel_memcached_misses_total", "Gets that it answered without one.", METRIC_COUNTER, "memcached server",
	  memcached_misses },
	{ "petrel_memcached_late_total", "Requests that it did not answer in time.", METRIC_COUNTER, "memcached server",
	  memcached_late },
	{ "petrel_memcached_lost_total",
	  "Requests that a connection took along when it broke.",
	  METRIC_COUNTER, "memcached server", memcached_lost },
	{ "petrel_memcached_errors_total", "Requests that it answered with an error.", METRIC_COUNTER, "memcached server",
	  memcached_errors },
	{ "petrel_memcached_skipped_total",
	  "Requests that it was not asked, since its breaker was open, or there was no connection, or too much waited.",
	  METRIC_COUNTER, "memcached server", memcached_skipped },
	{ "petrel_memcached_sets_total", "Values that it was told to store.", METRIC_COUNTER, "memcached server",
	  memcached_sets },
	{ "petrel_memcached_deletes_total",
	  "Keys that it was told to forget, and purges of tags.",
	  METRIC_COUNTER, "memcached server", memcached_deletes },
	{ "petrel_memcached_kept",
	  "Of these, those that it will be told when it is back.",
	  METRIC_GAUGE, "memcached server", memcached_kept },
	{ "petrel_memcached_kept_lost_total", "And those for which there was no room.", METRIC_COUNTER, "memcached server",
	  memcached_kept_lost },
	{ "petrel_hot_objects", "Files and folders in the hot set.", METRIC_GAUGE, "", hot_objects },
	{ "petrel_hot_bytes", "Memory of the hot set.", METRIC_GAUGE, "", hot_bytes },
	{ "petrel_hot_limit_bytes", "Memory that the hot set may take.", METRIC_GAUGE, "", hot_bound },
	{ "petrel_hot_hits_total", "Files that were found in the hot set.", METRIC_COUNTER, "", hot_hits },
	{ "petrel_hot_misses_total", "Files that were not.", METRIC_COUNTER, "", hot_misses },
	{ "petrel_hot_evicted_total", "Files that had to make room.", METRIC_COUNTER, "", hot_evicted },
	{ "petrel_disk_waiting", "Jobs in the disk engine's queue.", METRIC_GAUGE, "", disk_waiting },
	{ "petrel_disk_under_way", "Jobs that the disk engine works on.", METRIC_GAUGE, "", disk_under_way },
	{ "petrel_disk_jobs_total", "Jobs that the disk engine has done.", METRIC_COUNTER, "", disk_finished },
	{ "petrel_disk_refused_total", "Jobs that found the disk engine's queue full.", METRIC_COUNTER, "", disk_refused },
	{ "petrel_disk_errors_total", "Jobs that ended in an input/output error.", METRIC_COUNTER, "", disk_failed },
	{ "petrel_log_lines_total", "Lines that were written to logs.", METRIC_COUNTER, "", log_written },
	{ "petrel_log_dropped_total", "Lines for which there was no room.", METRIC_COUNTER, "", log_dropped },
	{ "petrel_log_write_errors_total", "Writes to logs that failed.", METRIC_COUNTER, "", log_errors },
	{ "petrel_alerts_firing", "Alerts that have begun and not ended, by their rule.", METRIC_GAUGE, "alert",
	  alerts_firing },
	{ "process_start_time_seconds", "When the worker began, in seconds since 1970.", METRIC_GAUGE, "", started },
	{ "process_cpu_seconds_total", "CPU time of the worker.", METRIC_COUNTER, "", cpu },
	{ "process_resident_memory_bytes", "Memory of the worker.", METRIC_GAUGE, "", rss },
	{ "process_open_fds", "Descriptors that the worker has open.", METRIC_GAUGE, "", descriptors },
	{ "process_max_fds", "Descriptors that it may have open.", METRIC_GAUGE, "", descriptors_most },
	{},
};

const struct metric *metric_find(struct str name)
{
	for (const struct metric *m = METRICS; m->name; m++)
		if (str_eq(name, str_of(m->name)))
			return m;
	return NULL;
}

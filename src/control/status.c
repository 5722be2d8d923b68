/* A sample as JSON.  The control thread. */
#include "control/status.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/mem.h"

enum { LATELY_MS = 60000 };

static const char *const CLASSES[METER_CLASSES] = { "unanswered", "1xx", "2xx", "3xx", "4xx", "5xx" };

static void print_classes(struct buf *out, const uint64_t by_class[METER_CLASSES])
{
	for (unsigned i = 0; i < METER_CLASSES; i++)
		buf_addf(out, ",\"%s\":%" PRIu64, CLASSES[i], by_class[i]);
}

static double ms_of(const struct distribution *d, double q)
{
	return (double)distribution_quantile_us(d, q) / 1000;
}

static void print_quantiles(struct buf *out, const struct distribution *d)
{
	buf_addf(out, "\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f", ms_of(d, 0.5), ms_of(d, 0.9), ms_of(d, 0.99));
}

static void print_all(struct buf *out, const struct sample *s)
{
	const struct loop_sample *l = &s->all;
	buf_addf(out,
	         "\"connections\":{\"open\":%" PRIu64 ",\"idle\":%" PRIu64 ",\"busy\":%" PRIu64 ",\"tunnels\":%" PRIu64
	         ",\"accepted\":%" PRIu64 ",\"refused\":%" PRIu64 "},\n\"requests\":{\"all\":%" PRIu64 ",\"shed\":%" PRIu64,
	         l->connections, l->idle, l->busy, l->tunnels, l->accepted, l->refused, l->requests, s->shed);
	print_classes(out, s->by_class);
	buf_addf(out, "},\n\"bytes\":{\"in\":%" PRIu64 ",\"out\":%" PRIu64 "},\n", l->in_b, l->out_b);
}

/* Of the last two seconds. */
static void print_now(struct buf *out, const struct observer *o)
{
	struct point points[POINTS] = {};
	unsigned count = observer_points(o, points);
	const struct point *p = &points[count ? count - 1 : 0];
	buf_addf(out,
	         "\"now\":{\"requests_ps\":%.1f,\"out_bps\":%.0f,\"errors_ps\":%.1f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,"
	         "\"p99_ms\":%.3f,\"busy\":%.3f},\n", (double)p->requests_ps, (double)p->out_bps,
	         (double)(p->by_class_ps[5] + p->by_class_ps[0]), (double)p->p50_ms, (double)p->p90_ms, (double)p->p99_ms,
	         (double)p->busy);
}

static void print_loops(struct buf *out, const struct sample *s)
{
	buf_add(out, STR("\"loops\":["));
	for (unsigned i = 0; i < s->loop_count; i++) {
		const struct loop_sample *l = &s->loops[i];
		buf_addf(out,
		         "%s\n {\"connections\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"turns\":%" PRIu64 ",\"busy_s\":%.3f,"
		         "\"longest_ms\":%.3f}", i ? "," : "", l->connections, l->requests, l->turns, (double)l->busy_ns / 1e9,
		         (double)l->longest_us / 1000);
	}
	buf_add(out, STR("],\n"));
}

/* Counts since the worker began; rate and percentiles of the last minute. */
static void print_route(struct buf *out, const struct meter_sum *m, const struct meter_sum *before, uint64_t ms)
{
	struct distribution d = m->time;
	uint64_t requests = m->requests;
	if (before) {
		distribution_sub(&d, &before->time);
		requests -= before->requests;
	}
	buf_add(out, STR("\n {"));
	buf_add_member(out, "site", m->site);
	buf_add_char(out, ',');
	buf_add_member(out, "route", m->name);
	buf_addf(out, ",\"requests\":%" PRIu64 ",\"shed\":%" PRIu64, m->requests, m->shed);
	print_classes(out, m->by_class);
	buf_addf(out, ",\"in\":%" PRIu64 ",\"out\":%" PRIu64 ",\"requests_ps\":%.2f,", m->in_b, m->out_b,
	         ms ? (double)requests * 1000 / (double)ms : 0);
	print_quantiles(out, &d);
	buf_add_char(out, '}');
}

static void print_routes(struct buf *out, const struct sample *s, const struct sample *before)
{
	bool any = false;
	buf_add(out, STR("\"routes\":["));
	for (unsigned i = 0; i < s->meter_count; i++) {
		const struct meter_sum *m = &s->meters[i];
		if (m->kind != METER_ROUTE || (!m->requests && !m->name.n))
			continue;
		if (any)
			buf_add_char(out, ',');
		any = true;
		print_route(out, m, i < before->meter_count ? &before->meters[i] : NULL, s->at_ms - before->at_ms);
	}
	buf_add(out, STR("],\n"));
}

static void print_shared(struct buf *out, const struct sample *s)
{
	buf_add(out, STR("\"caches\":"));
	cache_samples_print(out, s->caches, s->cache_count);
	buf_add(out, STR(",\n"));
	buf_addf(out,
	         "\"hot\":{\"objects\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bound\":%" PRIu64 ",\"hits\":%" PRIu64
	         ",\"misses\":%" PRIu64 ",\"evicted\":%" PRIu64 "},\n",
	         s->hot.objects, s->hot.bytes, s->hot.bound_b, s->hot.hits, s->hot.misses, s->hot.evicted);
	buf_addf(out,
	         "\"disk\":{\"engine\":\"%s\",\"waiting\":%" PRIu64 ",\"under_way\":%" PRIu64 ",\"finished\":%" PRIu64
	         ",\"refused\":%" PRIu64 ",\"failed\":%" PRIu64 "},\n",
	         s->disk_kind == DISK_URING ? "io_uring" : "threads", s->disk.waiting, s->disk.under_way, s->disk.finished,
	         s->disk.refused, s->disk.failed);
	buf_addf(out, "\"log\":{\"written\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"write_errors\":%" PRIu64 "},\n",
	         s->log.written, s->log.dropped, s->log.write_errors);
	buf_addf(out,
	         "\"process\":{\"pid\":%d,\"memory\":%" PRIu64 ",\"cpu_s\":%.3f,\"descriptors\":%" PRIu64
	         ",\"descriptors_most\":%" PRIu64 "}}\n",
	         (int)getpid(), s->rss_b, (double)s->cpu_ms / 1000, s->descriptors, s->descriptors_most);
}

void status_print(struct buf *out, struct observer *o)
{
	const struct sample *s = observer_look(o);
	buf_addf(out,
	         "{\"version\":\"%s\",\"time\":%" PRIu64 ",\"uptime_s\":%.1f,"
	         "\"configuration\":{\"generation\":%u,\"snapshots\":%zu},\n", PETREL_VERSION, s->wall_ms / 1000,
	         (double)(s->wall_ms - s->started_ms) / 1000, s->generation, s->snapshots);
	print_all(out, s);
	print_now(out, o);
	print_loops(out, s);
	print_routes(out, s, observer_before(o, LATELY_MS));
	print_shared(out, s);
}

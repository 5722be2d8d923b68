/* The observer: takes samples, keeps those that others compare with, and makes the charts' points.  The control thread. */
#include "control/sample.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "event/loop.h"
#include "http/home.h"

enum { TICK_MS = 1000, WATCHERS = 8, COUNT_MS = 10000 };

struct watcher {
	void (*see)(void *arg);
	void *arg;
};

struct observer {
	struct loop *loop;
	struct observed of;
	struct timer tick;
	uint64_t started_ms;
	struct sample now;
	struct sample kept[SAMPLES_KEPT];   /* number n stands at n % SAMPLES_KEPT */
	uint64_t kept_count;
	struct sample charted;              /* at the newest point; its meters are not kept */
	struct point points[POINTS];        /* number n stands at n % POINTS */
	uint64_t point_count;
	uint64_t descriptors, counted_ms;   /* when they were counted */
	struct watcher watchers[WATCHERS];
	unsigned watcher_count;
};

/* --- The process. --- */

static uint64_t rss_b(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_entries(const char *folder)
{
	uint64_t n = 0;
	DIR *d = opendir(folder);
	if (!d)
		return 0;
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	closedir(d);
	return n ? n - 1 : 0;  /* without the folder's own */
}

/* Newer kernels say it at once; elsewhere it is a walk over all of them, and not done every second. */
static uint64_t descriptors(struct observer *o)
{
	static const char FOLDER[] = "/proc/self/fd";
	struct stat st;
	uint64_t now_ms = o->loop->now_ms;
	if (!stat(FOLDER, &st) && st.st_size > 0)
		return (uint64_t)st.st_size;
	if (!o->counted_ms || now_ms >= o->counted_ms + COUNT_MS) {
		o->descriptors = count_entries(FOLDER);
		o->counted_ms = now_ms;
	}
	return o->descriptors;
}

static void sample_process(struct observer *o, struct sample *s)
{
	struct rusage used;
	struct rlimit most;
	s->rss_b = rss_b();
	s->descriptors = descriptors(o);
	if (!getrlimit(RLIMIT_NOFILE, &most))
		s->descriptors_most = most.rlim_cur;
	if (!getrusage(RUSAGE_SELF, &used))
		s->cpu_ms = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
		            (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/* --- A sample. --- */

/* The loop keeps the longest of this minute of its clock, and of the one before. */
static uint64_t longest_us(const struct home_stats *s, uint64_t now_ms)
{
	uint64_t minute = counter_get(&s->minute), now = now_ms / 60000;
	uint64_t newest_us = counter_get(&s->longest_us), before_us = counter_get(&s->longest_before_us);
	if (minute + 1 < now)
		return 0;
	return minute == now && before_us > newest_us ? before_us : newest_us;
}

void sample_loop(struct loop_sample *out, const struct home *h, uint64_t now_ms)
{
	const struct home_stats *s = &h->stats;
	*out = (struct loop_sample){
		.accepted = counter_get(&s->accepted), .refused = counter_get(&s->refused),
		.requests = counter_get(&s->requests), .in_b = counter_get(&s->bytes_in), .out_b = counter_get(&s->bytes_out),
		.turns = counter_get(&s->turns), .busy_ns = counter_get(&s->busy_ns), .longest_us = longest_us(s, now_ms),
	};
	for (unsigned i = 0; i < CONN_STATES; i++) {
		uint64_t n = counter_get(&s->by_state[i]);
		out->connections += n;
		*(i == CONN_REQ ? &out->busy : i == CONN_TUNNEL ? &out->tunnels : &out->idle) += n;
	}
}

static void add_loop(struct loop_sample *all, const struct loop_sample *l)
{
	all->connections += l->connections;
	all->accepted += l->accepted;
	all->refused += l->refused;
	all->requests += l->requests;
	all->in_b += l->in_b;
	all->out_b += l->out_b;
	all->idle += l->idle;
	all->busy += l->busy;
	all->tunnels += l->tunnels;
	all->turns += l->turns;
	all->busy_ns += l->busy_ns;
	if (l->longest_us > all->longest_us)
		all->longest_us = l->longest_us;
}

static void add_meters(struct sample *s)
{
	for (unsigned i = 0; i < s->meter_count; i++) {
		const struct meter_sum *m = &s->meters[i];
		if (m->kind != METER_ROUTE)
			continue;
		for (unsigned class = 0; class < METER_CLASSES; class++)
			s->by_class[class] += m->by_class[class];
		s->shed += m->shed;
		distribution_add(&s->time, &m->time);
	}
}

static void sample_fini(struct sample *s)
{
	mem_free(s->loops);
	mem_free(s->meters);
	mem_free(s->caches);
	*s = (struct sample){};
}

static void sample_take(struct observer *o, struct sample *out)
{
	sample_fini(out);
	out->at_ms = o->loop->now_ms;
	out->wall_ms = clock_wall_ms();
	out->started_ms = o->started_ms;
	o->of.fill(o->of.worker, out);
	for (unsigned i = 0; i < out->loop_count; i++)
		add_loop(&out->all, &out->loops[i]);
	add_meters(out);
	sample_process(o, out);
}

/* --- Points. --- */

static double per_second(uint64_t now, uint64_t before, uint64_t ms)
{
	return now > before && ms ? (double)(now - before) * 1000 / (double)ms : 0;
}

static float busiest(const struct sample *now, const struct sample *before)
{
	double most = 0, ns = (double)(now->at_ms - before->at_ms) * 1e6;
	for (unsigned i = 0; i < now->loop_count && i < before->loop_count && ns > 0; i++) {
		double share = (double)(now->loops[i].busy_ns - before->loops[i].busy_ns) / ns;
		most = share > most ? share : most;
	}
	return (float)(most < 1 ? most : 1);
}

static struct point point_of(const struct sample *now, const struct sample *before)
{
	uint64_t ms = now->at_ms - before->at_ms;
	struct distribution d = now->time;
	distribution_sub(&d, &before->time);
	struct point p = {
		.wall_ms = now->wall_ms,
		.requests_ps = (float)per_second(d.count, 0, ms),
		.out_bps = (float)per_second(now->all.out_b, before->all.out_b, ms),
		.p50_ms = (float)distribution_quantile_us(&d, 0.5) / 1000,
		.p90_ms = (float)distribution_quantile_us(&d, 0.9) / 1000,
		.p99_ms = (float)distribution_quantile_us(&d, 0.99) / 1000,
		.connections = (float)now->all.connections,
		.busy = busiest(now, before),
	};
	for (unsigned i = 0; i < METER_CLASSES; i++)
		p.by_class_ps[i] = (float)per_second(now->by_class[i], before->by_class[i], ms);
	return p;
}

/* What a point is compared with: all but the meters and the caches. */
static void chart_from(struct observer *o, const struct sample *now)
{
	struct loop_sample *loops = mem_grow(o->charted.loops, now->loop_count * sizeof *loops);
	memcpy(loops, now->loops, now->loop_count * sizeof *loops);
	o->charted = *now;
	o->charted.loops = loops;
	o->charted.meters = NULL;
	o->charted.meter_count = 0;
	o->charted.caches = NULL;
	o->charted.cache_count = 0;
}

static void chart(struct observer *o)
{
	if (o->now.at_ms < o->charted.at_ms + POINT_MS - TICK_MS / 2)
		return;
	o->points[o->point_count++ % POINTS] = point_of(&o->now, &o->charted);
	chart_from(o, &o->now);
}

/* --- The observer. --- */

/* The same once more, and not another one: of two samples the older one must not have counted further. */
static void sample_copy(struct sample *to, const struct sample *from)
{
	size_t loops_b = from->loop_count * sizeof *from->loops, meters_b = from->meter_count * sizeof *from->meters;
	size_t caches_b = from->cache_count * sizeof *from->caches;
	sample_fini(to);
	*to = *from;
	to->loops = memcpy(mem_new(loops_b + 1), from->loops, loops_b);
	to->meters = memcpy(mem_new(meters_b + 1), from->meters, meters_b);
	to->caches = mem_new(caches_b + 1);
	if (caches_b)
		memcpy(to->caches, from->caches, caches_b);
}

static void keep(struct observer *o)
{
	const struct sample *last = &o->kept[(o->kept_count + SAMPLES_KEPT - 1) % SAMPLES_KEPT];
	if (!o->kept_count || o->now.at_ms >= last->at_ms + SAMPLES_MS - TICK_MS / 2)
		sample_copy(&o->kept[o->kept_count++ % SAMPLES_KEPT], &o->now);
}

static void tick(struct timer *t)
{
	struct observer *o = container_of(t, struct observer, tick);
	timer_set(&o->loop->wheel, &o->tick, o->loop->now_ms + TICK_MS);
	sample_take(o, &o->now);
	keep(o);
	chart(o);
	for (unsigned i = 0; i < o->watcher_count; i++)
		o->watchers[i].see(o->watchers[i].arg);
}

struct observer *observer_new(struct loop *control, const struct observed *of)
{
	struct observer *o = MEM_NEW(struct observer);
	o->loop = control;
	o->of = *of;
	o->started_ms = clock_wall_ms();
	timer_init(&o->tick, tick);
	timer_set(&control->wheel, &o->tick, control->now_ms + TICK_MS);
	sample_take(o, &o->now);
	keep(o);
	chart_from(o, &o->now);
	return o;
}

void observer_free(struct observer *o)
{
	if (!o)
		return;
	timer_stop(&o->tick);
	sample_fini(&o->now);
	sample_fini(&o->charted);
	for (unsigned i = 0; i < SAMPLES_KEPT; i++)
		sample_fini(&o->kept[i]);
	mem_free(o);
}

const struct sample *observer_now(struct observer *o)
{
	return &o->now;
}

const struct sample *observer_look(struct observer *o)
{
	sample_take(o, &o->now);
	return &o->now;
}

const struct sample *observer_before(struct observer *o, uint64_t ms)
{
	uint64_t held = o->kept_count < SAMPLES_KEPT ? o->kept_count : SAMPLES_KEPT;
	const struct sample *found = &o->kept[(o->kept_count - held) % SAMPLES_KEPT];
	for (uint64_t n = o->kept_count - held; n < o->kept_count; n++) {
		const struct sample *s = &o->kept[n % SAMPLES_KEPT];
		if (s->at_ms + ms <= o->now.at_ms)
			found = s;
	}
	return found;
}

unsigned observer_points(const struct observer *o, struct point out[POINTS])
{
	uint64_t held = o->point_count < POINTS ? o->point_count : POINTS;
	for (uint64_t n = 0; n < held; n++)
		out[n] = o->points[(o->point_count - held + n) % POINTS];
	return (unsigned)held;
}

void observer_each(struct observer *o, void (*see)(void *arg), void *arg)
{
	must(o->watcher_count < WATCHERS);
	o->watchers[o->watcher_count++] = (struct watcher){ see, arg };
}

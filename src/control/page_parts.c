/* The parts of the status page that say what goes on: the head, tiles, routes, changes; and the list of all parts.  No
 * state; the control thread. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/mem.h"
#include "control/alert.h"
#include "control/page_in.h"

const struct part PARTS[] = {
	{ "head", part_head },     { "alerts", part_alerts }, { "tiles", part_tiles }, { "charts", part_charts },
	{ "routes", part_routes }, { "pools", part_pools },   { "apps", part_apps },   { "caches", part_caches },
	{ "inside", part_inside }, { "changes", part_changes }, {},
};

/* --- The head. --- */

void part_head(struct buf *out, const struct view *v)
{
	char name[65] = "";
	gethostname(name, sizeof name - 1);
	buf_add(out, STR("<b><svg viewBox=\"0 0 24 14\" aria-hidden=\"true\"><path d=\"M0 4C5 .5 9 2 12 7 15 2 19 .5 24 4 "
	                 "19 3.5 15.5 6 13.5 10.5L12 14 10.5 10.5C8.5 6 5 3.5 0 4Z\"/></svg>"));
	html_text(out, str_of(name));
	buf_add(out, STR("</b> <span>up "));
	add_age(out, v->now->wall_ms > v->now->started_ms ? v->now->wall_ms - v->now->started_ms : 0);
	buf_addf(out, "</span> <span>configuration %u", v->now->generation);
	if (v->now->snapshots > 1)
		buf_addf(out, ", %zu older in use", v->now->snapshots - 1);
	buf_addf(out, "</span> <span>petrel %s</span>", PETREL_VERSION);
}

/* --- Alerts. --- */

enum { ALERTS_SHOWN = 20 };

struct alerts_listed {
	struct buf *out;
	unsigned count;
};

static void see_alert(void *arg, const struct alert_seen *a)
{
	struct alerts_listed *l = arg;
	struct buf *out = l->out;
	if (l->count++ >= ALERTS_SHOWN)
		return;
	buf_addf(out, "%s<li%s><b>", l->count == 1 ? "<ul>" : "", a->silenced ? " class=\"silenced\"" : "");
	html_text(out, a->name);
	if (a->label) {
		buf_addf(out, " <i>%s</i> ", a->label);
		html_text(out, a->label_value);
	}
	buf_add(out, STR("</b> <span>"));
	html_text(out, a->text.n ? a->text : a->when);
	buf_add(out, STR("</span> <small>"));
	html_text(out, a->value);
	buf_add(out, STR(", for "));
	add_age(out, a->since_ms);
	buf_addf(out, "%s</small></li>", a->silenced ? ", silenced" : "");
}

/* What is wrong; nothing where nothing is. */
void part_alerts(struct buf *out, const struct view *v)
{
	struct alerts_listed l = { out, 0 };
	if (!v->control->alerts)
		return;
	alerts_each(v->control->alerts, see_alert, &l);
	if (l.count > ALERTS_SHOWN)
		buf_addf(out, "<li>and %u more</li>", l.count - ALERTS_SHOWN);
	if (l.count)
		buf_add(out, STR("</ul>"));
}

/* --- Tiles. --- */

static void tile_begin(struct buf *out, const char *title, bool bad)
{
	buf_addf(out, "<div class=\"tile%s\"><h2>%s</h2><b>", bad ? " bad" : "", title);
}

/* What stands small below the number. */
static void tile_more(struct buf *out)
{
	buf_add(out, STR("</b><small>"));
}

static void tile_end(struct buf *out)
{
	buf_add(out, STR("</small></div>"));
}

static void tile_requests(struct buf *out, const struct view *v, const struct point *last)
{
	tile_begin(out, "Requests", false);
	add_count(out, (double)last->requests_ps);
	buf_add(out, STR("<i>/s</i>"));
	tile_more(out);
	add_count(out, (double)v->now->all.requests);
	buf_add(out, STR(" in all"));
	tile_end(out);
}

static void tile_time(struct buf *out, const struct point *last)
{
	tile_begin(out, "Time to answer", false);
	add_time(out, (double)last->p50_ms);
	tile_more(out);
	if (last->p99_ms > 0) {
		buf_add(out, STR("99 % within "));
		add_time(out, (double)last->p99_ms);
	} else {
		buf_add(out, STR("no request just now"));
	}
	tile_end(out);
}

static void tile_sent(struct buf *out, const struct view *v, const struct point *last)
{
	tile_begin(out, "Sent", false);
	add_size(out, (double)last->out_bps);
	buf_add(out, STR("<i>/s</i>"));
	tile_more(out);
	add_size(out, (double)v->now->all.out_b);
	buf_add(out, STR(" in all"));
	tile_end(out);
}

static void tile_errors(struct buf *out, const struct view *v)
{
	const struct sample *now = v->now, *then = v->minute;
	uint64_t errors = now->by_class[5] - then->by_class[5], shed = now->shed - then->shed;
	uint64_t all = now->all.requests - then->all.requests;
	tile_begin(out, "Errors, last minute", errors > 0);
	add_count(out, (double)errors);
	tile_more(out);
	add_percent(out, all ? (double)errors / (double)all : 0);
	buf_add(out, STR(" of all, "));
	add_count(out, (double)shed);
	buf_add(out, STR(" shed"));
	tile_end(out);
}

static void tile_connections(struct buf *out, const struct view *v)
{
	const struct loop_sample *all = &v->now->all;
	tile_begin(out, "Connections", false);
	add_count(out, (double)all->connections);
	tile_more(out);
	add_count(out, (double)all->busy);
	buf_add(out, STR(" busy, "));
	add_count(out, (double)all->idle);
	buf_add(out, STR(" idle, "));
	add_count(out, (double)all->tunnels);
	buf_add(out, STR(" tunnels"));
	tile_end(out);
}

static void tile_worker(struct buf *out, const struct view *v)
{
	double cores = (double)(v->now->cpu_ms - v->minute->cpu_ms) / 1000 / seconds_between(v);
	tile_begin(out, "Memory", false);
	add_size(out, (double)v->now->rss_b);
	tile_more(out);
	add_percent(out, cores);
	buf_add(out, STR(" of a CPU core"));
	tile_end(out);
}

void part_tiles(struct buf *out, const struct view *v)
{
	static const struct point NONE;
	const struct point *last = v->point_count ? &v->points[v->point_count - 1] : &NONE;
	tile_requests(out, v, last);
	tile_time(out, last);
	tile_sent(out, v, last);
	tile_errors(out, v);
	tile_connections(out, v);
	tile_worker(out, v);
}

/* --- Routes. --- */

enum { ROUTES_SHOWN = 30 };

struct ranked {
	unsigned number;
	uint64_t lately, ever;       /* requests */
};

static int by_requests(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->lately != y->lately)
		return x->lately < y->lately ? 1 : -1;
	if (x->ever != y->ever)
		return x->ever < y->ever ? 1 : -1;
	return x->number < y->number ? -1 : 1;
}

/* Those that were asked for at all, those asked for most lately first.  From mem_new(). */
static struct ranked *routes_ranked(const struct view *v, unsigned *count)
{
	const struct sample *now = v->now, *then = v->minute;
	struct ranked *list = mem_new((now->meter_count + 1) * sizeof *list);
	*count = 0;
	for (unsigned i = 0; i < now->meter_count; i++) {
		const struct meter_sum *m = &now->meters[i];
		uint64_t before = i < then->meter_count ? then->meters[i].requests : 0;
		if (m->kind == METER_ROUTE && m->requests)
			list[(*count)++] = (struct ranked){ i, m->requests - before, m->requests };
	}
	qsort(list, *count, sizeof *list, by_requests);
	return list;
}

static void route_row(struct buf *out, const struct view *v, unsigned number)
{
	const struct meter_sum *m = &v->now->meters[number];
	struct rates r;
	rates_of(v, number, &r);
	buf_add(out, STR("<tr>"));
	cell_begin(out, "name");
	html_text(out, number == METER_REST ? STR("all others") : m->name);
	if (m->site.n && !str_eq(m->site, STR("*"))) {
		buf_add(out, STR(" <small>"));
		html_text(out, m->site);
		buf_add(out, STR("</small>"));
	}
	cell_end(out);
	cell_count(out, r.requests_ps);
	cell_time(out, quantile_ms(&r.time, 0.5));
	cell_time(out, quantile_ms(&r.time, 0.99));
	cell_size(out, r.out_bps);
	cell_count(out, r.by_class_ps[4] * seconds_between(v));
	cell_bad(out, r.by_class_ps[5] * seconds_between(v));
	cell_bad(out, r.shed_ps * seconds_between(v));
	cell_count(out, (double)m->requests);
	buf_add(out, STR("</tr>"));
}

void part_routes(struct buf *out, const struct view *v)
{
	unsigned count;
	struct ranked *list = routes_ranked(v, &count);
	buf_add(out, STR("<h2>Routes <small>in the last minute</small></h2>"));
	if (!count)
		buf_add(out, STR("<p class=\"none\">No request has come yet.</p>"));
	else
		table_begin(out, "routes", "Route|>req/s|>p50|>p99|>sent/s|>4xx|>5xx|>shed|>in all");
	for (unsigned i = 0; i < count && i < ROUTES_SHOWN; i++)
		route_row(out, v, list[i].number);
	if (count)
		table_end(out);
	if (count > ROUTES_SHOWN)
		buf_addf(out, "<p class=\"none\">and %u more that are asked for less</p>", count - ROUTES_SHOWN);
	mem_free(list);
}

/* --- Changes. --- */

enum { CHANGES_SHOWN = 8 };

static void change_row(struct buf *out, const struct change *c)
{
	char text[48];
	size_t n = civil_print(text, (int64_t)(c->wall_ms / 1000));
	buf_addf(out, "<li><time>%.*s UTC</time> ", (int)(n > 11 ? n - 11 : 0), text + 11);
	html_text(out, c->what);
	if (ip_length(&c->who.from))
		buf_addf(out, " <small>by %.*s</small>", (int)ip_print(text, &c->who.from), text);
	else if (c->who.pid)
		buf_addf(out, " <small>by user %u</small>", (unsigned)c->who.uid);
	buf_add(out, STR("</li>"));
}

void part_changes(struct buf *out, const struct view *v)
{
	const struct changes *c = &v->control->changes;
	if (!c->count)
		return;
	buf_add(out, STR("<h2>Changes <small>the newest first</small></h2><ul class=\"changes\">"));
	for (uint64_t i = 0; i < c->count && i < CHANGES_SHOWN; i++)
		change_row(out, &c->kept[(c->count - 1 - i) % CHANGES_KEPT]);
	buf_add(out, STR("</ul>"));
}

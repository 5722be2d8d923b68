/* The parts of the status page that say how those do whom petrel asks: pools and their servers, apps and their processes.
 * No state; the control thread. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/app.h"
#include "control/apps.h"
#include "control/errand.h"
#include "control/keeper.h"
#include "control/page_in.h"

enum { SHOWN_MOST = 64 };   /* pools, apps; servers of each, processes of each */

struct listing {
	struct buf *out;
	const struct view *v;
	const struct backend *pool;
	unsigned shown, left_out;
};

/* Whether there is room for one more. */
static bool take(struct listing *l)
{
	if (l->shown < SHOWN_MOST)
		return l->shown++, true;
	l->left_out++;
	return false;
}

static void add_left_out(const struct listing *l, const char *what)
{
	if (l->left_out)
		buf_addf(l->out, "<p class=\"none\">and %u more %s</p>", l->left_out, what);
}

/* class: "good", "warn" or "bad". */
static void add_badge(struct buf *out, const char *class, const char *word)
{
	buf_addf(out, "<span class=\"badge %s\">%s</span>", class, word);
}

static void add_field(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	html_value(out, value);
	buf_add(out, STR("\">"));
}

static void add_button(struct buf *out, const char *word)
{
	buf_addf(out, "<button name=\"do\" value=\"%s\">%s</button>", word, word);
}

/* "3 of 4 ready" */
static void add_ready(struct buf *out, uint64_t ready, uint64_t wanted)
{
	buf_addf(out, "<span%s>%" PRIu64 "<i> of %" PRIu64 " ready</i></span> ",
	         ready >= wanted ? "" : ready ? " class=\"warn\"" : " class=\"bad\"", ready, wanted);
}

/* "12.3/s, p50 3 ms, p99 12 ms": of the last minute. */
static void add_pace(struct buf *out, const struct rates *r)
{
	buf_add(out, STR("<span>"));
	add_count(out, r->requests_ps);
	buf_add(out, STR("<i>/s</i></span> "));
	if (!r->time.count)
		return;
	buf_add(out, STR("<span><i>p50</i> "));
	add_time(out, quantile_ms(&r->time, 0.5));
	buf_add(out, STR("</span> <span><i>p99</i> "));
	add_time(out, quantile_ms(&r->time, 0.99));
	buf_add(out, STR("</span> "));
}

/* --- A pool's servers. --- */

static const char *state_class(uint32_t state)
{
	return !state ? "good" : state & (PEER_RETIRED | PEER_DOWN | PEER_DRAINING) ? "warn" : "bad";
}

static void server_buttons(struct listing *l, const struct peer *peer)
{
	uint32_t state = peer->state;
	cell_begin(l->out, "do");
	buf_add(l->out, STR("<form method=\"post\">"));
	add_field(l->out, "pool", l->pool->name);
	add_field(l->out, "server", peer->name);
	if (state & (PEER_DRAINING | PEER_DOWN | PEER_EJECTED))
		add_button(l->out, "ready");
	if (!(state & (PEER_DRAINING | PEER_DOWN)))
		add_button(l->out, "drain");
	if (!(state & PEER_DOWN))
		add_button(l->out, "down");
	buf_add(l->out, STR("</form>"));
	cell_end(l->out);
}

static void server_name(struct listing *l, const struct peer *peer)
{
	struct str why = peer->state ? keeper_why(l->v->control->keeper, l->pool->name, peer->name) : STR("");
	cell_begin(l->out, "name");
	html_text(l->out, peer->name);
	if (peer->backup)
		buf_add(l->out, STR(" <i>backup</i>"));
	if (why.n) {
		buf_add(l->out, STR("<small class=\"bad\">"));
		html_text(l->out, why);
		buf_add(l->out, STR("</small>"));
	}
	cell_end(l->out);
}

static void busy_cell(struct buf *out, uint32_t busy, uint64_t most)
{
	cell_begin(out, busy ? "n" : "n zero");
	add_count(out, busy);
	if (most)
		buf_addf(out, "<i>/%" PRIu64 "</i>", most);
	cell_end(out);
}

static void see_server(void *arg, struct pool *pool, struct peer *peer)
{
	struct listing *l = arg;
	struct buf *out = l->out;
	(void)pool;
	if (!take(l))
		return;
	buf_add(out, STR("<tr>"));
	server_name(l, peer);
	cell_begin(out, "");
	add_badge(out, state_class(peer->state), peer_state_name(peer->state));
	cell_end(out);
	cell_count(out, peer->weight);
	busy_cell(out, peer->busy, peer->connections);
	cell_count(out, peer->open);
	cell_count(out, (double)peer->requests);
	cell_bad(out, (double)peer->failed);
	cell_time(out, peer->latency_us / 1000.0);
	if (l->v->buttons)
		server_buttons(l, peer);
	buf_add(out, STR("</tr>"));
}

static void add_queue(struct buf *out, const struct pool_stats *s, uint64_t length)
{
	buf_addf(out, "<span%s><i>queue</i> ", s->waiting ? " class=\"warn\"" : "");
	add_count(out, (double)s->waiting);
	if (length)
		buf_addf(out, "<i>/%" PRIu64 "</i>", length);
	buf_add(out, STR("</span>"));
	if (s->queue_full + s->queue_late)
		buf_addf(out, " <span class=\"bad\"><i>found it full</i> %" PRIu64 " <i>waited too long</i> %" PRIu64 "</span>",
		         s->queue_full, s->queue_late);
	if (s->retries)
		buf_addf(out, " <span><i>retries</i> %" PRIu64 "</span>", s->retries);
	if (s->none)
		buf_addf(out, " <span class=\"bad\"><i>no server</i> %" PRIu64 "</span>", s->none);
}

struct readiness {
	uint64_t ready, all;
};

static void see_ready(void *arg, struct pool *pool, struct peer *peer)
{
	struct readiness *r = arg;
	(void)pool;
	r->ready += !peer->state;
	r->all++;
}

static void see_pool(void *arg, struct backend *b)
{
	struct listing *l = arg;
	struct buf *out = l->out;
	struct rates r;
	if (b->is_app || !take(l))
		return;
	struct listing servers = { .out = out, .v = l->v, .pool = b };
	struct pool_stats s = pool_stats(b->pool);
	struct readiness ready = {};
	rates_of_pool(l->v, b->name, &r);
	pool_each(b->pool, see_ready, &ready);
	buf_add(out, STR("<article class=\"card pool\"><header><h3>"));
	html_text(out, b->name);
	buf_addf(out, "</h3><span class=\"kind\">%.*s, %.*s</span><p>", STR_F(backend_protocol(b)),
	         STR_F(backend_balance(b)));
	add_ready(out, ready.ready, ready.all);
	add_pace(out, &r);
	add_queue(out, &s, b->queue);
	buf_add(out, STR("</p></header>"));
	table_begin(out, "servers", l->v->buttons ? "Server|State|>weight|>busy|>open|>requests|>failed|>latency|"
	                                          : "Server|State|>weight|>busy|>open|>requests|>failed|>latency");
	pool_each(b->pool, see_server, &servers);
	table_end(out);
	add_left_out(&servers, "servers");
	buf_add(out, STR("</article>"));
}

void part_pools(struct buf *out, const struct view *v)
{
	struct listing l = { .out = out, .v = v };
	size_t begin = out->n;
	if (!v->control->conf)
		return;
	buf_add(out, STR("<h2>Pools</h2><div class=\"cards\">"));
	backends_each(v->control->conf, see_pool, &l);
	buf_add(out, STR("</div>"));
	add_left_out(&l, "pools");
	out->n = l.shown ? out->n : begin;
}

/* --- Apps. --- */

static const char *process_class(const struct process *p)
{
	if (p->state == PROCESS_READY)
		return process_due(p).n ? "warn" : "good";
	return p->state == PROCESS_BACKOFF || p->state == PROCESS_KILLED ? "bad" : "warn";
}

static void process_row(struct buf *out, struct process *p)
{
	uint64_t now_ms = p->app->ways->loop->now_ms;
	struct str due = process_due(p);
	process_count(p);
	buf_add(out, STR("<tr>"));
	cell_begin(out, "name");
	html_text(out, str_of(p->name));
	if (p->pid)
		buf_addf(out, " <i>%d</i>", (int)p->pid);
	cell_end(out);
	cell_begin(out, "");
	add_badge(out, process_class(p), process_state_name(p));
	if (due.n)
		buf_addf(out, " <i>due: %.*s</i>", STR_F(due));
	cell_end(out);
	cell_begin(out, "n");
	add_age(out, now_ms - p->asked_ms);
	cell_end(out);
	busy_cell(out, p->peer ? p->peer->busy : 0, 0);
	cell_count(out, (double)process_requests(p));
	cell_size(out, (double)p->memory_b);
	cell_count(out, (double)p->descriptors);
	buf_add(out, STR("</tr>"));
}

static void print_processes(struct buf *out, struct app *a)
{
	struct listing l = { .out = out };
	table_begin(out, "processes", "Process|State|>age|>busy|>requests|>memory|>files");
	for (struct link *at = a->processes.next; at != &a->processes; at = at->next)
		if (take(&l))
			process_row(out, container_of(at, struct process, link));
	table_end(out);
	add_left_out(&l, "processes");
}

/* How a process ended last that was not meant to, and what it said. */
static void print_last_end(struct buf *out, const struct app *a)
{
	const struct last_end *last = &a->last;
	if (!last->text.n)
		return;
	uint64_t now_ms = clock_wall_ms();
	buf_add(out, STR("<details class=\"last\"><summary>"));
	html_text(out, buf_str(&last->text));
	buf_add(out, STR(", <time>"));
	add_age(out, now_ms > last->wall_ms ? now_ms - last->wall_ms : 0);
	buf_add(out, STR(" ago</time></summary>"));
	if (!last->lines.count)
		buf_add(out, STR("<p class=\"none\">It said nothing.</p>"));
	buf_add(out, STR("<ol>"));
	for (unsigned i = 0; i < last->lines.count; i++) {
		buf_add(out, STR("<li>"));
		html_text(out, tail_get(&last->lines, i));
		buf_add(out, STR("</li>"));
	}
	buf_add(out, STR("</ol></details>"));
}

static uint64_t count_ready(const struct app *a)
{
	uint64_t ready = 0;
	for (struct link *at = a->processes.next; at != &a->processes; at = at->next)
		ready += container_of(at, struct process, link)->state == PROCESS_READY;
	return ready;
}

static void app_head(struct buf *out, const struct view *v, const struct app *a)
{
	uint64_t ready = count_ready(a);
	struct pool_stats s = pool_stats(a->pool);
	const struct backend *b = v->control->conf ? backend_find(v->control->conf, buf_str(&a->name)) : NULL;
	struct rates r;
	rates_of_pool(v, buf_str(&a->name), &r);
	buf_add(out, STR("<header><h3>"));
	html_text(out, buf_str(&a->name));
	buf_addf(out, "</h3><span class=\"kind\">%.*s</span><p>", STR_F(b ? backend_protocol(b) : STR("removed")));
	add_ready(out, ready, a->wanted);
	add_pace(out, &r);
	add_queue(out, &s, b ? b->queue : 0);
	if (a->restarts)
		buf_addf(out, " <span class=\"warn\"><i>started again</i> %" PRIu64 "</span>", a->restarts);
	buf_add(out, STR("</p>"));
}

static void see_app(void *arg, struct app *a)
{
	struct listing *l = arg;
	struct buf *out = l->out;
	if (!take(l))
		return;
	buf_add(out, STR("<article class=\"card app\">"));
	app_head(out, l->v, a);
	if (l->v->buttons) {
		buf_add(out, STR("<form method=\"post\">"));
		add_field(out, "app", buf_str(&a->name));
		add_button(out, "restart");
		buf_add(out, STR("</form>"));
	}
	buf_add(out, STR("</header>"));
	print_processes(out, a);
	print_last_end(out, a);
	buf_add(out, STR("</article>"));
}

void part_apps(struct buf *out, const struct view *v)
{
	struct listing l = { .out = out, .v = v };
	size_t begin = out->n;
	if (!v->control->apps)
		return;
	buf_add(out, STR("<h2>Apps</h2><div class=\"cards\">"));
	apps_each(v->control->apps, see_app, &l);
	buf_add(out, STR("</div>"));
	add_left_out(&l, "apps");
	out->n = l.shown ? out->n : begin;
}

/* The tables of `petrel top`, from JSON: routes, servers, processes, loops.  What happened in a second is the difference
 * of two answers, unless the server says it itself.  One thread. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "main/show_in.h"
#include "main/top.h"

const char *const TOP_PATHS[TOP_ASKED] = {
	[TOP_STATUS] = "/status.json",
	[TOP_POOLS] = "/pools",
	[TOP_APPS] = "/apps",
	[TOP_ALERTS] = "/alerts",
};

void top_round_fini(struct top_round *r)
{
	for (size_t i = 0; i < TOP_ASKED; i++)
		json_decref(r->answer[i]);
	*r = (struct top_round){};
}

/* --- Members and numbers. --- */

const char *json_text(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

double json_number(const json_t *json, const char *name)
{
	double n = json_number_value(json_object_get(json, name));
	return isfinite(n) && n > 0 ? n : 0;
}

void time_add(struct buf *out, double ms)
{
	if (ms <= 0)
		buf_add_char(out, '-');
	else if (ms < 1)
		buf_addf(out, "%.0f us", ms * 1000);
	else if (ms < 1000)
		buf_addf(out, "%.*f ms", ms < 9.95 ? 1 : 0, ms);
	else
		buf_addf(out, "%.*f s", ms < 9950 ? 1 : 0, ms / 1000);
}

void rate_add(struct buf *out, double n)
{
	if (n >= 99.95 || n == floor(n))
		count_add(out, (uint64_t)llround(n));
	else
		buf_addf(out, "%.1f", n);
}

/* --- Rows. --- */

void top_rows_fini(struct top_rows *rows)
{
	arena_fini(&rows->arena);
	mem_free(rows->p);
}

static struct top_row *row_new(struct top_rows *rows)
{
	if (rows->count == rows->cap) {
		rows->cap = rows->cap ? 2 * rows->cap : 64;
		rows->p = mem_grow(rows->p, rows->cap * sizeof *rows->p);
	}
	struct top_row *row = &rows->p[rows->count++];
	*row = (struct top_row){};
	return row;
}

struct cell {
	struct top_rows *rows;
	struct top_row *row;
	unsigned at;
};

static void cell_done(struct cell *c, struct buf *text, double key)
{
	c->row->cell[c->at] = arena_str(&c->rows->arena, buf_str(text));
	c->row->key[c->at++] = key;
	buf_fini(text);
}

static void cell_text(struct cell *c, const char *text)
{
	struct buf b = {};
	buf_add(&b, str_of(text));
	cell_done(c, &b, 0);
}

static void cell_count(struct cell *c, double n)
{
	struct buf b = {};
	count_add(&b, (uint64_t)n);
	cell_done(c, &b, n);
}

static void cell_time(struct cell *c, double ms)
{
	struct buf b = {};
	time_add(&b, ms);
	cell_done(c, &b, ms);
}

static void cell_rate(struct cell *c, double n)
{
	struct buf b = {};
	if (n >= 0)
		rate_add(&b, n);
	else
		buf_add_char(&b, '-');
	cell_done(c, &b, n);
}

/* --- Routes. --- */

static void collect_routes(const struct top *t, struct top_rows *rows)
{
	const json_t *route;
	size_t i;
	json_array_foreach(json_object_get(t->now.answer[TOP_STATUS], "routes"), i, route) {
		struct cell c = { rows, row_new(rows), 0 };
		const char *site = json_text(route, "site"), *name = json_text(route, "route");
		struct buf text = {};
		buf_addf(&text, "%s%s%s", *name ? name : "all others", *site && strcmp(site, "*") != 0 ? "  " : "",
		         strcmp(site, "*") != 0 ? site : "");
		cell_done(&c, &text, 0);
		cell_rate(&c, json_number(route, "requests_ps"));
		cell_time(&c, json_number(route, "p50_ms"));
		cell_time(&c, json_number(route, "p99_ms"));
		cell_count(&c, json_number(route, "4xx"));
		cell_count(&c, json_number(route, "5xx"));
		cell_count(&c, json_number(route, "shed"));
		cell_count(&c, json_number(route, "requests"));
		c.row->colour = json_number(route, "5xx") > 0 ? COLOUR_BAD : COLOUR_NONE;
	}
}

/* --- Servers. --- */

/* The member of this name in a list of objects, by another member's text. */
static const json_t *find(const json_t *list, const char *member, const char *text)
{
	const json_t *one;
	size_t i;
	json_array_foreach(list, i, one)
		if (!strcmp(json_text(one, member), text))
			return one;
	return NULL;
}

/* Of a count that had this value a round ago; -1: nobody knows. */
static double rate_of(const struct top *t, const json_t *now, const json_t *before, const char *member)
{
	double ms = (double)(t->now.at_ms - t->before.at_ms), n = json_number(now, member) - json_number(before, member);
	return before && ms > 0 && n >= 0 ? n * 1000 / ms : -1;
}

static void server_row(const struct top *t, struct top_rows *rows, const json_t *pool, const json_t *s,
                       const json_t *before)
{
	struct cell c = { rows, row_new(rows), 0 };
	struct buf busy = {};
	count_add(&busy, (uint64_t)json_number(s, "busy"));
	if (json_number(s, "connections") > 0)
		buf_addf(&busy, "/%.0f", json_number(s, "connections"));
	cell_text(&c, json_text(pool, "name"));
	cell_text(&c, json_text(s, "server"));
	cell_text(&c, server_state(s));
	cell_done(&c, &busy, json_number(s, "busy"));
	cell_count(&c, json_number(json_object_get(pool, "queue"), "waiting"));
	cell_rate(&c, rate_of(t, s, before, "requests"));
	cell_count(&c, json_number(s, "failed"));
	cell_time(&c, json_number(s, "latency_ms"));
	c.row->colour = server_colour(server_state(s));
	cell_text(&c, c.row->colour == COLOUR_BAD ? json_text(s, "why") : "");
	c.row->trouble = c.row->colour != COLOUR_GOOD;
}

static void collect_servers(const struct top *t, struct top_rows *rows)
{
	const json_t *pool, *s, *before = json_object_get(t->before.answer[TOP_POOLS], "pools");
	size_t i, k;
	json_array_foreach(json_object_get(t->now.answer[TOP_POOLS], "pools"), i, pool) {
		if (!strcmp(json_text(pool, "kind"), "app"))
			continue;
		const json_t *servers = json_object_get(find(before, "name", json_text(pool, "name")), "servers");
		json_array_foreach(json_object_get(pool, "servers"), k, s)
			server_row(t, rows, pool, s, find(servers, "server", json_text(s, "server")));
	}
}

/* --- Processes. --- */

static void process_row(const struct top *t, struct top_rows *rows, const json_t *p, const json_t *before)
{
	const char *state = json_text(p, "state"), *due = json_text(p, "due");
	struct cell c = { rows, row_new(rows), 0 };
	struct buf pid = {}, age = {}, memory = {}, text = {};
	buf_addf(&pid, json_number(p, "pid") > 0 ? "%.0f" : "-", json_number(p, "pid"));
	buf_add_age(&age, (uint64_t)json_number(p, "age_ms"));
	size_add(&memory, (uint64_t)json_number(p, "memory"));
	buf_addf(&text, "%s%s%s", state, *due ? ", due: " : "", due);
	cell_text(&c, json_text(p, "id"));
	cell_done(&c, &pid, json_number(p, "pid"));
	cell_done(&c, &text, 0);
	cell_done(&c, &age, json_number(p, "age_ms"));
	cell_count(&c, json_number(p, "busy"));
	cell_rate(&c, rate_of(t, p, before, "requests"));
	cell_count(&c, json_number(p, "requests"));
	cell_done(&c, &memory, json_number(p, "memory"));
	cell_count(&c, json_number(p, "descriptors"));
	c.row->colour = !strcmp(state, "ready") ? COLOUR_GOOD : !strcmp(state, "backoff") ? COLOUR_BAD : COLOUR_WARN;
	c.row->trouble = c.row->colour != COLOUR_GOOD;
}

static void collect_processes(const struct top *t, struct top_rows *rows)
{
	const json_t *app, *p, *before = json_object_get(t->before.answer[TOP_APPS], "apps");
	size_t i, k;
	json_array_foreach(json_object_get(t->now.answer[TOP_APPS], "apps"), i, app) {
		const json_t *processes = json_object_get(find(before, "name", json_text(app, "name")), "processes");
		json_array_foreach(json_object_get(app, "processes"), k, p)
			process_row(t, rows, p, find(processes, "id", json_text(p, "id")));
	}
}

/* --- Caches. --- */

/* Of what was asked since the last round, else since ever. */
static void cell_hits(struct cell *c, const json_t *now, const json_t *before)
{
	double asked = json_number(now, "asked"), hits = json_number(now, "hits");
	double lately = asked - json_number(before, "asked");
	struct buf text = {};
	if (before && lately > 0) {
		hits -= json_number(before, "hits");
		asked = lately;
	}
	buf_addf(&text, asked > 0 ? "%.1f %%" : "-", 100 * hits / asked);
	cell_done(c, &text, asked > 0 ? hits / asked : 0);
}

static void cell_size(struct cell *c, const json_t *tier)
{
	struct buf text = {};
	if (json_is_object(tier))
		size_add(&text, (uint64_t)json_number(tier, "bytes"));
	else
		buf_add_char(&text, '-');
	cell_done(c, &text, json_number(tier, "bytes"));
}

static void collect_caches(const struct top *t, struct top_rows *rows)
{
	const json_t *cache, *before = json_object_get(t->before.answer[TOP_STATUS], "caches");
	size_t i;
	json_array_foreach(json_object_get(t->now.answer[TOP_STATUS], "caches"), i, cache) {
		struct cell c = { rows, row_new(rows), 0 };
		const json_t *last = find(before, "name", json_text(cache, "name"));
		const json_t *memory = json_object_get(cache, "memory"), *disk = json_object_get(cache, "disk");
		const json_t *fills = json_object_get(cache, "fills");
		bool off = json_is_true(json_object_get(disk, "off"));
		cell_text(&c, json_text(cache, "name"));
		cell_text(&c, off ? "disk off" : "ready");
		cell_hits(&c, cache, last);
		cell_rate(&c, rate_of(t, cache, last, "asked"));
		cell_count(&c, json_number(memory, "objects"));
		cell_size(&c, memory);
		cell_size(&c, disk);
		cell_count(&c, json_number(fills, "under_way"));
		cell_count(&c, json_number(fills, "waiting"));
		c.row->colour = off ? COLOUR_BAD : COLOUR_GOOD;
		c.row->trouble = off;
	}
}

/* --- Loops. --- */

static void collect_loops(const struct top *t, struct top_rows *rows)
{
	const json_t *l, *before = json_object_get(t->before.answer[TOP_STATUS], "loops");
	size_t i;
	json_array_foreach(json_object_get(t->now.answer[TOP_STATUS], "loops"), i, l) {
		struct cell c = { rows, row_new(rows), 0 };
		const json_t *last = json_array_get(before, i);
		double busy = rate_of(t, l, last, "busy_s");
		struct buf text = {};
		buf_addf(&text, busy >= 0 ? "%.1f %%" : "-", 100 * busy);
		cell_count(&c, (double)i);
		cell_done(&c, &text, busy);
		cell_time(&c, json_number(l, "longest_ms"));
		cell_rate(&c, rate_of(t, l, last, "requests"));
		cell_rate(&c, rate_of(t, l, last, "turns"));
		cell_count(&c, json_number(l, "connections"));
		c.row->colour = busy >= 0.9 ? COLOUR_BAD : busy >= 0.7 ? COLOUR_WARN : COLOUR_NONE;
	}
}

const struct top_table TOP_TABLES[TOP_VIEWS] = {
	[TOP_OVERVIEW] = { .name = "overview" },
	[TOP_ROUTES] = { "routes", { { "ROUTE", false, true }, { "REQ/S", true }, { "P50", true }, { "P99", true },
	                             { "4XX", true }, { "5XX", true }, { "SHED", true }, { "REQUESTS", true } },
	                 5, 1, 0, collect_routes },
	[TOP_SERVERS] = { "servers", { { "POOL", false, true }, { "SERVER", false, true }, { "STATE" }, { "BUSY", true },
	                               { "QUEUE", true }, { "REQ/S", true }, { "FAILED", true }, { "LATENCY", true },
	                               { "WHY", false, true } },
	                  2, 0, 8, collect_servers },
	[TOP_PROCESSES] = { "processes", { { "PROCESS", false, true }, { "PID", true }, { "STATE", false, true },
	                                   { "AGE", true }, { "BUSY", true }, { "REQ/S", true }, { "REQUESTS", true },
	                                   { "MEMORY", true }, { "FILES", true } },
	                    2, 0, 0, collect_processes },
	[TOP_CACHES] = { "caches", { { "CACHE", false, true }, { "STATE" }, { "HITS", true }, { "REQ/S", true },
	                             { "PAGES", true }, { "MEMORY", true }, { "DISK", true }, { "FILLS", true },
	                             { "WAIT", true } },
	                 1, 0, 0, collect_caches },
	[TOP_LOOPS] = { "loops", { { "LOOP", true }, { "BUSY", true }, { "LONGEST", true }, { "REQ/S", true },
	                           { "TURNS/S", true }, { "CONNECTIONS", true } },
	                1, 1, 0, collect_loops },
};

/* The screen of `petrel top`: a few lines on the whole server, then the tables that the view has.  One thread. */
#include "main/top.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* --- Lines. --- */

struct screen {
	struct buf *out;
	const struct top *top;
	unsigned lines, most;
};

static bool is_full(const struct screen *s)
{
	return s->lines >= s->most;
}

/* How many bytes the first `width` characters take, colours between them not counted. */
static size_t fitting(struct str line, unsigned width)
{
	size_t i = 0;
	while (i < line.n) {
		if (line.p[i] == '\033') {
			i += str_find(str_from(line, i), 'm') + 1;
			continue;
		}
		if (((unsigned char)line.p[i] & 0xc0) != 0x80 && !width--)
			break;
		i++;
	}
	return i < line.n ? i : line.n;
}

static void add_line(struct screen *s, struct str line)
{
	if (is_full(s))
		return;
	size_t n = fitting(line, s->top->width);
	buf_add(s->out, str_head(line, n));
	if (n < line.n && s->top->colour)
		buf_add(s->out, STR("\033[0m"));
	buf_add_char(s->out, '\n');
	s->lines++;
}

static void add_lines(struct screen *s, const struct buf *text)
{
	struct str rest = buf_str(text);
	while (rest.n)
		add_line(s, str_cut(&rest, '\n'));
}

/* --- The whole server. --- */

static void add_head(struct screen *s, struct buf *line)
{
	const struct top *t = s->top;
	const json_t *status = t->now.answer[TOP_STATUS], *conf = json_object_get(status, "configuration");
	colour_add(line, t->colour, COLOUR_HEAD, STR("petrel "));
	plain_add(line, str_of(json_text(status, "version")));
	buf_add(line, STR("   up "));
	buf_add_age(line, (uint64_t)(json_number(status, "uptime_s") * 1000));
	buf_addf(line, "   configuration %.0f   ", json_number(conf, "generation"));
	if (t->trouble)
		colour_add(line, t->colour, COLOUR_BAD, str_of(t->trouble));
	else
		plain_add(line, str_of(t->where));
	buf_add_char(line, '\n');
}

static void add_word(struct buf *line, const struct top *t, const char *word)
{
	struct buf text = {};
	buf_addf(&text, "%-12s", word);
	colour_add(line, t->colour, COLOUR_HEAD, buf_str(&text));
	buf_fini(&text);
}

/* A count of what should not happen. */
static void add_bad(struct buf *line, const struct top *t, double n, const char *word)
{
	struct buf text = {};
	rate_add(&text, n);
	buf_addf(&text, " %s", word);
	colour_add(line, t->colour, n > 0 ? COLOUR_BAD : COLOUR_NONE, buf_str(&text));
	buf_fini(&text);
}

static void add_traffic(struct screen *s, struct buf *line)
{
	const json_t *status = s->top->now.answer[TOP_STATUS], *now = json_object_get(status, "now");
	const json_t *all = json_object_get(status, "requests");
	add_word(line, s->top, "requests");
	rate_add(line, json_number(now, "requests_ps"));
	buf_add(line, STR("/s, "));
	count_add(line, (uint64_t)json_number(all, "all"));
	buf_add(line, STR(" in all, "));
	size_add(line, (uint64_t)json_number(now, "out_bps"));
	buf_add(line, STR("/s out, "));
	add_bad(line, s->top, json_number(now, "errors_ps"), "errors/s, ");
	add_bad(line, s->top, json_number(all, "shed"), "shed\n");
	add_word(line, s->top, "time");
	buf_add(line, STR("p50 "));
	time_add(line, json_number(now, "p50_ms"));
	buf_add(line, STR(", p90 "));
	time_add(line, json_number(now, "p90_ms"));
	buf_add(line, STR(", p99 "));
	time_add(line, json_number(now, "p99_ms"));
	buf_addf(line, "; busiest loop %.1f %%\n", 100 * json_number(now, "busy"));
}

static void add_connections(struct screen *s, struct buf *line)
{
	const json_t *status = s->top->now.answer[TOP_STATUS], *c = json_object_get(status, "connections");
	const json_t *process = json_object_get(status, "process");
	add_word(line, s->top, "connections");
	count_add(line, (uint64_t)json_number(c, "open"));
	buf_addf(line, " open: %.0f busy, %.0f idle, %.0f tunnels; ", json_number(c, "busy"), json_number(c, "idle"),
	         json_number(c, "tunnels"));
	size_add(line, (uint64_t)json_number(process, "memory"));
	buf_addf(line, ", %.0f descriptors\n", json_number(process, "descriptors"));
}

static void add_stores(struct screen *s, struct buf *line)
{
	const json_t *status = s->top->now.answer[TOP_STATUS], *hot = json_object_get(status, "hot");
	const json_t *disk = json_object_get(status, "disk");
	double hits = json_number(hot, "hits"), asked = hits + json_number(hot, "misses");
	add_word(line, s->top, "hot, disk");
	count_add(line, (uint64_t)json_number(hot, "objects"));
	buf_add(line, STR(" files, "));
	size_add(line, (uint64_t)json_number(hot, "bytes"));
	buf_addf(line, ", %.0f %% hits; ", asked > 0 ? 100 * hits / asked : 0);
	plain_add(line, str_of(json_text(disk, "engine")));
	buf_addf(line, ": %.0f wait, %.0f run, ", json_number(disk, "waiting"), json_number(disk, "under_way"));
	add_bad(line, s->top, json_number(disk, "refused"), "refused\n");
}

/* --- Alerts. --- */

enum { ALERTS_SHOWN = 3 };

/* Of which series it is: "php", the value of its label. */
static const char *series_name(const json_t *series)
{
	static const char *const OTHERS[] = { "state", "value_text", "since" };
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)series, name, value) {
		size_t i = 0;
		while (i < countof(OTHERS) && strcmp(name, OTHERS[i]) != 0)
			i++;
		if (i == countof(OTHERS) && json_is_string(value))
			return json_string_value(value);
	}
	return "";
}

static void add_alert(struct screen *s, const json_t *alert, const json_t *series)
{
	struct buf text = {}, plain = {}, line = {};
	const char *name = series_name(series), *what = json_text(alert, "text");
	buf_addf(&text, "%s%s%s: %s, %s, for ", json_text(alert, "name"), *name ? " " : "", name,
	         *what ? what : json_text(alert, "when"), json_text(series, "value_text"));
	buf_add_age(&text, (uint64_t)json_number(series, "for_ms"));
	plain_add(&plain, buf_str(&text));
	add_word(&line, s->top, "alert");
	colour_add(&line, s->top->colour, COLOUR_BAD, buf_str(&plain));
	add_line(s, buf_str(&line));
	buf_fini(&text);
	buf_fini(&plain);
	buf_fini(&line);
}

/* Those that are firing; nothing where none is. */
static void add_alerts(struct screen *s)
{
	const json_t *alert, *series;
	unsigned count = 0;
	struct buf more = {};
	size_t i, k;
	json_array_foreach(json_object_get(s->top->now.answer[TOP_ALERTS], "alerts"), i, alert)
		json_array_foreach(json_object_get(alert, "series"), k, series)
			if (!strcmp(json_text(series, "state"), "firing") && count++ < ALERTS_SHOWN)
				add_alert(s, alert, series);
	buf_addf(&more, "            and %u more alerts", count > ALERTS_SHOWN ? count - ALERTS_SHOWN : 0);
	if (count > ALERTS_SHOWN)
		add_line(s, buf_str(&more));
	buf_fini(&more);
}

static void add_server(struct screen *s)
{
	struct buf lines = {};
	add_head(s, &lines);
	add_traffic(s, &lines);
	add_connections(s, &lines);
	add_stores(s, &lines);
	add_lines(s, &lines);
	add_alerts(s);
	buf_fini(&lines);
}

/* --- Tables. --- */

struct order {
	unsigned column;
	bool falling;                /* the largest number first */
	bool trouble;                /* what is in trouble first */
};

static int by_order(const void *a, const void *b, void *arg)
{
	const struct top_row *x = a, *y = b;
	const struct order *o = arg;
	double p = x->key[o->column], q = y->key[o->column];
	int sign = o->falling ? -1 : 1;
	if (o->trouble && x->trouble != y->trouble)
		return x->trouble ? -1 : 1;
	if (p < q || p > q)
		return p < q ? -sign : sign;
	int text = str_cmp(x->cell[o->column], y->cell[o->column]);
	return text ? sign * text : str_cmp(x->cell[0], y->cell[0]);
}

/* The column that there is no room for beside the others; 0: there is. */
static unsigned aside_of(const struct top *t, enum top_view view)
{
	return t->width < TOP_NARROW ? TOP_TABLES[view].aside : 0;
}

static struct order order_of(const struct top *t, enum top_view view)
{
	const struct top_table *table = &TOP_TABLES[view];
	bool chosen = t->sort[view] != UINT_MAX && (!t->sort[view] || t->sort[view] != aside_of(t, view));
	unsigned column = chosen ? t->sort[view] : table->sort;
	return (struct order){ column, table->columns[column].right != t->reverse[view], !chosen };
}

/* The columns' titles, the one that is sorted by with a mark. */
static void titles_of(const struct top_table *table, unsigned aside, const struct order *o, struct arena *arena,
                      struct column *out)
{
	memcpy(out, table->columns, sizeof table->columns);
	if (aside)
		out[aside] = (struct column){};
	if (!o->trouble)
		out[o->column].title = arena_strf(arena, "%s%s", out[o->column].title, o->falling ? "▼" : "▲").p;
}

static void add_row(struct table *t, const struct top_row *row, unsigned coloured)
{
	for (unsigned k = 0; t->columns[k].title; k++) {
		table_add(t, "%.*s", STR_F(row->cell[k]));
		if (k == coloured)
			table_colour(t, row->colour);
	}
}

/* The rows of a view, in their order. */
static void collect(const struct top *t, enum top_view view, const struct order *o, struct top_rows *rows)
{
	arena_init(&rows->arena, NULL, 0);
	TOP_TABLES[view].collect(t, rows);
	if (rows->count)
		qsort_r(rows->p, rows->count, sizeof *rows->p, by_order, (void *)(uintptr_t)o);
}

static void print_table(struct screen *s, const struct top_rows *rows, enum top_view view, const struct order *o,
                        size_t first, size_t count)
{
	struct column columns[TOP_CELLS + 1];
	struct table table;
	struct buf text = {};
	struct arena arena;
	arena_init(&arena, NULL, 0);
	titles_of(&TOP_TABLES[view], aside_of(s->top, view), o, &arena, columns);
	table_init(&table, columns);
	for (size_t i = first; i < rows->count && i < first + count; i++)
		add_row(&table, &rows->p[i], TOP_TABLES[view].coloured);
	table_print(&table, s->top->width, s->top->colour, &text);
	add_lines(s, &text);
	table_fini(&table);
	arena_fini(&arena);
	buf_fini(&text);
}

/* --- The overview: of each table its first rows. --- */

static void add_overview(struct screen *s)
{
	struct top_rows rows[TOP_VIEWS] = {};
	struct order order[TOP_VIEWS] = {};
	unsigned left = s->most - s->lines, tables = 0;
	for (unsigned v = TOP_ROUTES; v <= TOP_CACHES; v++) {
		order[v] = order_of(s->top, v);
		collect(s->top, v, &order[v], &rows[v]);
		tables += rows[v].count > 0;
	}
	for (unsigned v = TOP_ROUTES; v <= TOP_CACHES; v++) {
		if (rows[v].count) {
			unsigned share = left / tables--, most = share > 2 ? share - 2 : 0;
			size_t shown = rows[v].count < most ? rows[v].count : most;
			add_line(s, STR(""));
			print_table(s, &rows[v], v, &order[v], 0, shown);
			left -= (unsigned)shown + 2 < left ? (unsigned)shown + 2 : left;
		}
		top_rows_fini(&rows[v]);
	}
}

/* What stands aside, a line each: "127.0.0.1:9000: can't be connected to". */
static void add_aside(struct screen *s, const struct top_rows *rows, unsigned aside)
{
	struct buf line = {};
	add_line(s, STR(""));
	for (size_t i = 0; aside && i < rows->count; i++) {
		buf_clear(&line);
		plain_add(&line, rows->p[i].cell[1]);
		buf_add(&line, STR(": "));
		plain_add(&line, rows->p[i].cell[aside]);
		if (rows->p[i].cell[aside].n)
			add_line(s, buf_str(&line));
	}
	buf_fini(&line);
}

static void add_view(struct screen *s, struct top *t)
{
	struct order order = order_of(t, t->view);
	struct top_rows rows = {};
	unsigned room = s->most > s->lines + 2 ? s->most - s->lines - 2 : 1;
	collect(t, t->view, &order, &rows);
	size_t most = rows.count > room ? rows.count - room : 0;
	t->scroll = t->scroll < most ? t->scroll : (unsigned)most;
	add_line(s, STR(""));
	print_table(s, &rows, t->view, &order, t->scroll, room);
	add_aside(s, &rows, aside_of(t, t->view));
	top_rows_fini(&rows);
}

/* --- All of it. --- */

static void add_keys(struct screen *s)
{
	static const struct {
		enum top_view view;
		const char *text;
	} KEYS[] = { { TOP_OVERVIEW, "o all" }, { TOP_ROUTES, "r routes" }, { TOP_SERVERS, "s servers" },
		     { TOP_PROCESSES, "p processes" }, { TOP_CACHES, "c caches" }, { TOP_LOOPS, "l loops" } };
	struct buf line = {};
	for (size_t i = 0; i < countof(KEYS); i++) {
		colour_add(&line, s->top->colour, s->top->view == KEYS[i].view ? COLOUR_HEAD : COLOUR_NONE,
		           str_of(KEYS[i].text));
		buf_add(&line, STR("  "));
	}
	buf_add(&line, STR("<> i sort  q quit"));
	while (!is_full(s))
		add_line(s, STR(""));
	s->most++;
	add_line(s, buf_str(&line));
	buf_fini(&line);
}

void top_draw(struct top *t, struct buf *out)
{
	struct screen s = { out, t, 0, t->height ? t->height - 1 : UINT_MAX };  /* the last line is that of the keys */
	if (!t->now.answer[TOP_STATUS]) {
		add_line(&s, str_of(t->trouble ? t->trouble : "asking ..."));
	} else {
		add_server(&s);
		if (t->view == TOP_OVERVIEW)
			add_overview(&s);
		else
			add_view(&s, t);
	}
	if (t->height)
		add_keys(&s);
}

/* From the admin socket's JSON to text.  No state. */
#include "main/show.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "main/show_in.h"
#include "main/table.h"

/* --- Members. --- */

const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

struct str text_str(const json_t *json, const char *name)
{
	const json_t *member = json_object_get(json, name);
	return json_is_string(member) ? str_make(json_string_value(member), json_string_length(member)) : STR("");
}

uint64_t number_of(const json_t *json, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(json, name));
	return n > 0 ? (uint64_t)n : 0;
}

void table_count(struct table *t, uint64_t n)
{
	struct buf text = {};
	count_add(&text, n);
	table_add(t, "%.*s", STR_F(buf_str(&text)));
	buf_fini(&text);
}

void add_wrapped(struct buf *out, size_t indent, struct str text)
{
	size_t width = TABLE_WIDTH - indent;
	while (text.n > width) {
		size_t cut = str_rfind(str_head(text, width + 1), ' ');
		cut = cut > width ? str_find(text, ' ') : cut;
		plain_add(out, str_head(text, cut));
		text = str_from(text, cut + 1);
		if (text.n)
			buf_addf(out, "\n%*s", (int)indent, "");
	}
	plain_add(out, text);
	buf_add_char(out, '\n');
}

void line_head(struct buf *out, bool colour, const char *name)
{
	char padded[32];
	snprintf(padded, sizeof padded, "%-14s", name);
	colour_add(out, colour, COLOUR_HEAD, str_of(padded));
}

void part(struct buf *out, const json_t *json, const char *name, const char *word, const char *after)
{
	count_add(out, number_of(json, name));
	buf_addf(out, " %s%s", word, after);
}

/* --- The whole server. --- */

static void show_requests(const json_t *r, bool colour, struct buf *out)
{
	static const char *const CLASSES[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
	bool any = false;
	line_head(out, colour, "requests");
	part(out, r, "all", "in all", ", ");
	part(out, r, "unanswered", "unanswered", ", ");
	part(out, r, "shed", "shed", "\n");
	line_head(out, colour, "answers");
	for (size_t i = 0; i < countof(CLASSES); i++) {
		if (!number_of(r, CLASSES[i]))
			continue;
		buf_addf(out, "%s%s: ", any ? ", " : "", CLASSES[i]);
		count_add(out, number_of(r, CLASSES[i]));
		any = true;
	}
	buf_add(out, any ? STR("\n") : STR("none\n"));
}

static void show_hot(const json_t *h, bool colour, struct buf *out)
{
	uint64_t hits = number_of(h, "hits"), asked = hits + number_of(h, "misses");
	line_head(out, colour, "hot files");
	part(out, h, "objects", "files", ", ");
	size_add(out, number_of(h, "bytes"));
	buf_add(out, STR(" of "));
	size_add(out, number_of(h, "bound"));
	if (asked)
		buf_addf(out, ", %.1f %% hits", 100.0 * (double)hits / (double)asked);
	buf_add_char(out, '\n');
}

static void show_disk(const json_t *d, bool colour, struct buf *out)
{
	line_head(out, colour, "disk");
	buf_addf(out, "%s: ", text_of(d, "engine"));
	part(out, d, "waiting", "waiting", ", ");
	part(out, d, "under_way", "under way", ", ");
	part(out, d, "finished", "finished", ", ");
	part(out, d, "refused", "refused", "\n");
}

static void show_open(const json_t *c, bool colour, struct buf *out)
{
	line_head(out, colour, "connections");
	part(out, c, "open", "open", ", ");
	part(out, c, "accepted", "accepted", ", ");
	part(out, c, "refused", "refused", "\n");
}

static void show_bytes(const json_t *b, bool colour, struct buf *out)
{
	line_head(out, colour, "bytes");
	size_add(out, number_of(b, "in"));
	buf_add(out, STR(" in, "));
	size_add(out, number_of(b, "out"));
	buf_add(out, STR(" out\n"));
}

static void show_log(const json_t *l, bool colour, struct buf *out)
{
	line_head(out, colour, "log");
	part(out, l, "written", "lines written", ", ");
	part(out, l, "dropped", "dropped", ", ");
	part(out, l, "write_errors", "write errors", "\n");
}

void show_status(const json_t *json, bool colour, struct buf *out)
{
	const json_t *conf = json_object_get(json, "configuration");
	line_head(out, colour, "petrel");
	buf_addf(out, "%s, configuration %llu", text_of(json, "version"), (unsigned long long)number_of(conf, "generation"));
	if (number_of(conf, "snapshots") > 1)
		buf_addf(out, ", %llu older in use", (unsigned long long)number_of(conf, "snapshots") - 1);
	buf_add_char(out, '\n');
	show_open(json_object_get(json, "connections"), colour, out);
	show_requests(json_object_get(json, "requests"), colour, out);
	show_bytes(json_object_get(json, "bytes"), colour, out);
	show_hot(json_object_get(json, "hot"), colour, out);
	show_disk(json_object_get(json, "disk"), colour, out);
	show_log(json_object_get(json, "log"), colour, out);
}

void show_connections(const json_t *json, bool colour, struct buf *out)
{
	show_open(json_object_get(json, "connections"), colour, out);
	show_requests(json_object_get(json, "requests"), colour, out);
	show_bytes(json_object_get(json, "bytes"), colour, out);
}

/* --- Pools. --- */

const char *server_state(const json_t *server)
{
	const char *state = json_string_value(json_array_get(json_object_get(server, "states"), 0));
	return state ? state : "";
}

enum colour server_colour(const char *state)
{
	if (!strcmp(state, "ready"))
		return COLOUR_GOOD;
	return !strcmp(state, "drain") || !strcmp(state, "down") || !strcmp(state, "retired") ? COLOUR_WARN : COLOUR_BAD;
}

static void pool_row(struct table *t, const json_t *pool)
{
	const json_t *servers = json_object_get(pool, "servers"), *queue = json_object_get(pool, "queue"), *s;
	size_t ready = 0, count = json_array_size(servers), i;
	uint64_t busy = 0;
	json_array_foreach(servers, i, s) {
		ready += !strcmp(server_state(s), "ready");
		busy += number_of(s, "busy");
	}
	table_add(t, "%s", text_of(pool, "name"));
	table_add(t, "%s", text_of(pool, "kind"));
	table_add(t, "%s", text_of(pool, "protocol"));
	table_add(t, "%zu of %zu", ready, count);
	table_colour(t, ready == count && ready ? COLOUR_GOOD : ready ? COLOUR_WARN : COLOUR_BAD);
	table_count(t, busy);
	table_count(t, number_of(queue, "waiting"));
	table_count(t, number_of(pool, "requests"));
	table_count(t, number_of(pool, "retries"));
}

void show_pools(const json_t *json, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "POOL", false, true }, { "KIND" }, { "PROTOCOL" }, { "READY", true }, { "BUSY", true }, { "QUEUED", true },
		{ "REQUESTS", true },    { "RETRIES", true },        {},
	};
	const json_t *pools = json_object_get(json, "pools"), *pool;
	struct table t;
	size_t i;
	if (!json_array_size(pools)) {
		buf_add(out, STR("no pools\n"));
		return;
	}
	table_init(&t, COLUMNS);
	json_array_foreach(pools, i, pool)
		pool_row(&t, pool);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
}

static void server_row(struct table *t, const json_t *s)
{
	struct buf busy = {};
	count_add(&busy, number_of(s, "busy"));
	if (number_of(s, "connections")) {
		buf_add_char(&busy, '/');
		count_add(&busy, number_of(s, "connections"));
	}
	table_add(t, "%s", text_of(s, "server"));
	table_add(t, "%s%s", server_state(s), json_is_true(json_object_get(s, "backup")) ? ", backup" : "");
	table_colour(t, server_colour(server_state(s)));
	table_count(t, number_of(s, "weight"));
	table_add(t, "%.*s", STR_F(buf_str(&busy)));
	table_count(t, number_of(s, "open"));
	table_count(t, number_of(s, "requests"));
	table_count(t, number_of(s, "failed"));
	double ms = json_number_value(json_object_get(s, "latency_ms"));
	if (ms > 0)
		table_add(t, "%.*f ms", ms < 100 ? 1 : 0, ms);
	else
		table_add(t, "-");
	buf_fini(&busy);
}

/* What keeps a server from being ready, as far as it is known. */
static void add_why(struct buf *out, const json_t *s)
{
	struct buf line = {};
	if (!*text_of(s, "why") || !strcmp(server_state(s), "ready"))
		return;
	buf_addf(&line, "%s: %s", text_of(s, "server"), text_of(s, "why"));
	add_wrapped(out, 0, buf_str(&line));
	buf_fini(&line);
}

static void show_rules(const json_t *pool, bool colour, struct buf *out)
{
	const json_t *queue = json_object_get(pool, "queue");
	line_head(out, colour, text_of(pool, "name"));
	buf_addf(out, "%s%s%s, %s\n", text_of(pool, "kind"), *text_of(pool, "protocol") ? ", " : "",
	         text_of(pool, "protocol"), text_of(pool, "balance"));
	line_head(out, colour, "requests");
	part(out, pool, "requests", "in all", ", ");
	part(out, pool, "retries", "retried", ", ");
	part(out, pool, "no_server", "without a server", "\n");
	line_head(out, colour, "queue");
	part(out, queue, "waiting", "of ", "");
	count_add(out, number_of(queue, "length"));
	buf_add(out, STR(" wait; "));
	part(out, queue, "waited", "have", ", ");
	part(out, queue, "late", "too long", ", ");
	part(out, queue, "full", "found it full", "\n");
}

void show_pool(const json_t *json, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "SERVER", false, true }, { "STATE" },          { "WEIGHT", true }, { "BUSY", true },
		{ "OPEN", true },          { "REQUESTS", true }, { "FAILED", true }, { "LATENCY", true }, {},
	};
	const json_t *servers = json_object_get(json, "servers"), *s;
	struct table t;
	size_t i;
	show_rules(json, colour, out);
	if (!json_array_size(servers))
		return;
	buf_add_char(out, '\n');
	table_init(&t, COLUMNS);
	json_array_foreach(servers, i, s)
		server_row(&t, s);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
	json_array_foreach(servers, i, s)
		add_why(out, s);
}

/* --- Apps. --- */

static size_t count_state(const json_t *processes, const char *state)
{
	size_t count = 0, i;
	const json_t *p;
	json_array_foreach(processes, i, p)
		count += !strcmp(text_of(p, "state"), state);
	return count;
}

static void app_row(struct table *t, const json_t *app)
{
	const json_t *processes = json_object_get(app, "processes"), *p;
	size_t ready = count_state(processes, "ready"), i;
	uint64_t busy = 0;
	json_array_foreach(processes, i, p)
		busy += number_of(p, "busy");
	table_add(t, "%s", text_of(app, "name"));
	table_add(t, "%zu of %llu", ready, (unsigned long long)number_of(app, "wanted"));
	table_colour(t, ready >= number_of(app, "wanted") ? COLOUR_GOOD : ready ? COLOUR_WARN : COLOUR_BAD);
	table_add(t, "%llu..%llu", (unsigned long long)number_of(app, "min"), (unsigned long long)number_of(app, "max"));
	table_count(t, busy);
	table_count(t, number_of(app, "waiting"));
	table_count(t, number_of(app, "requests"));
	table_count(t, number_of(app, "restarts"));
}

/* "php: was ended by signal 11, 5m ago"; nothing where there was no such end. */
static void add_end(struct buf *out, const char *name, const json_t *last)
{
	struct buf line = {};
	if (!json_is_object(last))
		return;
	buf_addf(&line, "%s: %s, ", name, text_of(last, "text"));
	buf_add_age(&line, number_of(last, "ago_ms"));
	buf_add(&line, STR(" ago"));
	add_wrapped(out, 0, buf_str(&line));
	buf_fini(&line);
}

void show_apps(const json_t *json, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "APP", false, true }, { "READY", true },    { "RANGE", true },    { "BUSY", true },
		{ "QUEUED", true },     { "REQUESTS", true }, { "RESTARTS", true }, {},
	};
	const json_t *apps = json_object_get(json, "apps"), *app;
	struct table t;
	size_t i;
	if (!json_array_size(apps)) {
		buf_add(out, STR("no apps\n"));
		return;
	}
	table_init(&t, COLUMNS);
	json_array_foreach(apps, i, app)
		app_row(&t, app);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
	json_array_foreach(apps, i, app)
		add_end(out, text_of(app, "name"), json_object_get(app, "last_end"));
}

static void process_row(struct table *t, const json_t *p)
{
	const char *state = text_of(p, "state"), *due = text_of(p, "due");
	struct buf memory = {}, age = {};
	buf_add_age(&age, number_of(p, "age_ms"));
	size_add(&memory, number_of(p, "memory"));
	table_add(t, "%s", text_of(p, "id"));
	if (number_of(p, "pid"))
		table_add(t, "%llu", (unsigned long long)number_of(p, "pid"));
	else
		table_add(t, "-");
	table_add(t, "%s%s%s", state, *due ? ", due: " : "", due);
	table_colour(t, !strcmp(state, "ready") ? COLOUR_GOOD : !strcmp(state, "backoff") ? COLOUR_BAD : COLOUR_WARN);
	table_add(t, "%.*s", STR_F(buf_str(&age)));
	table_count(t, number_of(p, "busy"));
	table_count(t, number_of(p, "requests"));
	table_add(t, "%.*s", STR_F(buf_str(&memory)));
	table_count(t, number_of(p, "descriptors"));
	buf_fini(&memory);
	buf_fini(&age);
}

/* What the process said before its end is what an operator wants to know. */
static void show_last_end(const json_t *json, struct buf *out)
{
	const json_t *last = json_object_get(json, "last_end"), *line;
	size_t i;
	add_end(out, text_of(json, "name"), last);
	json_array_foreach(json_object_get(last, "lines"), i, line) {
		buf_add(out, STR("  | "));
		plain_add(out, str_of(json_string_value(line)));
		buf_add_char(out, '\n');
	}
}

void show_app(const json_t *json, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "PROCESS", false, true }, { "PID", true },      { "STATE", false, true }, { "AGE", true },
		{ "BUSY", true },           { "REQUESTS", true }, { "MEMORY", true },       { "FILES", true }, {},
	};
	const json_t *processes = json_object_get(json, "processes"), *p;
	struct table t;
	size_t i;
	line_head(out, colour, text_of(json, "name"));
	buf_addf(out, "%zu of %llu processes ready, between %llu and %llu\n", count_state(processes, "ready"),
	         (unsigned long long)number_of(json, "wanted"), (unsigned long long)number_of(json, "min"),
	         (unsigned long long)number_of(json, "max"));
	line_head(out, colour, "requests");
	part(out, json, "requests", "in all", ", ");
	part(out, json, "waiting", "wait", "\n");
	buf_add_char(out, '\n');
	table_init(&t, COLUMNS);
	json_array_foreach(processes, i, p)
		process_row(&t, p);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
	if (json_is_object(json_object_get(json, "last_end")))
		buf_add_char(out, '\n');
	show_last_end(json, out);
}

/* --- Changes. --- */

static const char *caller_of(const json_t *change, char *text, size_t text_n)
{
	const json_t *uid = json_object_get(change, "uid");
	const char *address = json_string_value(json_object_get(change, "address"));
	const struct passwd *pw = uid ? getpwuid((uid_t)json_integer_value(uid)) : NULL;
	if (pw)
		return pw->pw_name;
	if (address)
		return address;
	if (!uid)
		return text_of(change, "address");
	snprintf(text, text_n, "uid %lld", (long long)json_integer_value(uid));
	return text;
}

/* The words last and whole, to be copied. */
void show_settings(const json_t *json, bool colour, struct buf *out)
{
	enum { WHO_N = 8, INDENT = 20 + 2 + WHO_N + 2 + 4 + 2 };
	const json_t *settings = json_object_get(json, "settings"), *s;
	char who[32];
	size_t i;
	(void)colour;
	if (!json_array_size(settings))
		buf_add(out, STR("nothing is set\n"));
	json_array_foreach(settings, i, s) {
		buf_addf(out, "%s  %-*s  %-4s  ", text_of(s, "time"), WHO_N, caller_of(s, who, sizeof who),
		         json_is_true(json_object_get(s, "keep")) ? "kept" : "");
		add_wrapped(out, INDENT, str_of(text_of(s, "set")));
	}
}

void show_changes(const json_t *json, bool colour, struct buf *out)
{
	enum { WHO_N = 8, INDENT = 20 + 2 + WHO_N + 2 };
	const json_t *changes = json_object_get(json, "changes"), *c;
	char who[32];
	size_t i;
	(void)colour;
	if (!json_array_size(changes))
		buf_add(out, STR("no changes\n"));
	json_array_foreach(changes, i, c) {
		struct str caller = str_of(caller_of(c, who, sizeof who));
		plain_add(out, str_of(text_of(c, "time")));
		buf_add(out, STR("  "));
		plain_add(out, caller);
		buf_addf(out, "%*s  ", caller.n < WHO_N ? (int)(WHO_N - caller.n) : 0, "");
		add_wrapped(out, INDENT, str_of(text_of(c, "did")));
	}
}

void show_did(const json_t *json, bool colour, struct buf *out)
{
	(void)colour;
	add_wrapped(out, 0, str_of(text_of(json, "did")));
}

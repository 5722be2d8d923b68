/* Alerts, and what became of messages about them, from JSON to text.  No state. */
#include <string.h>

#include "main/show.h"
#include "main/show_in.h"
#include "main/table.h"

static enum colour state_colour(const char *state)
{
	if (!strcmp(state, "firing"))
		return COLOUR_BAD;
	return !strcmp(state, "pending") ? COLOUR_WARN : COLOUR_GOOD;
}

/* "delivered by sms 5m ago", of the newest notice. */
static void add_notice(struct buf *out, const json_t *rule)
{
	const json_t *notices = json_object_get(rule, "notices"), *n, *newest = NULL;
	size_t i;
	json_array_foreach(notices, i, n)
		if (!newest || strcmp(text_of(n, "time"), text_of(newest, "time")) >= 0)
			newest = n;
	if (newest)
		buf_addf(out, "%s: %s", text_of(newest, "notify"),
		         json_is_true(json_object_get(newest, "ok")) ? "delivered" : "failed");
	else
		buf_add_char(out, '-');
}

static void print_labels(struct buf *out, const json_t *series)
{
	static const char *const KNOWN[] = { "state", "value", "value_text", "for_ms", "since", "told" };
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)series, name, value) {
		bool known = false;
		for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
			known |= !strcmp(name, KNOWN[i]);
		if (!known && json_is_string(value))
			buf_addf(out, " %s=%s", name, json_string_value(value));
	}
}

static void add_row(struct table *t, const json_t *rule, const json_t *series)
{
	struct buf name = {}, age = {}, notice = {};
	const char *state = text_of(series ? series : rule, "state");
	bool silenced = json_is_object(json_object_get(rule, "silence"));
	buf_addf(&name, "%s", text_of(rule, "name"));
	print_labels(&name, series);
	if (number_of(series, "for_ms") || strcmp(state, "fine"))
		buf_add_age(&age, number_of(series, "for_ms"));
	add_notice(&notice, rule);
	table_add(t, "%.*s", STR_F(buf_str(&name)));
	table_add(t, "%s%s", state, silenced ? ", silenced" : "");
	table_colour(t, state_colour(state));
	table_add(t, "%s", series ? text_of(series, "value_text") : "-");
	table_add(t, "%.*s", STR_F(buf_str(&age)));
	table_add(t, "%.*s", STR_F(buf_str(&notice)));
	buf_fini(&name);
	buf_fini(&age);
	buf_fini(&notice);
}

/* A rule with an alert for each of many series: those that are fine say nothing worth a line. */
static void add_rule(struct table *t, const json_t *rule)
{
	const json_t *all = json_object_get(rule, "series"), *series;
	size_t i, rows = 0;
	json_array_foreach(all, i, series) {
		if (json_array_size(all) > 1 && !strcmp(text_of(series, "state"), "fine"))
			continue;
		add_row(t, rule, series);
		rows++;
	}
	if (!rows)
		add_row(t, rule, NULL);
}

static void show_rules(const json_t *rules, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "ALERT", false, true }, { "STATE" }, { "VALUE", true }, { "SINCE", true }, { "LAST MESSAGE", false, true }, {},
	};
	const json_t *rule;
	struct table t;
	size_t i;
	table_init(&t, COLUMNS);
	json_array_foreach(rules, i, rule)
		add_rule(&t, rule);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
}

/* What is the matter, in the words of who wrote the rule. */
static void show_firing(const json_t *rules, struct buf *out)
{
	const json_t *rule;
	size_t i;
	json_array_foreach(rules, i, rule) {
		struct buf line = {};
		if (strcmp(text_of(rule, "state"), "firing"))
			continue;
		buf_addf(&line, "%s: %s%s%s", text_of(rule, "name"), text_of(rule, "when"), *text_of(rule, "text") ? ": " : "",
		         text_of(rule, "text"));
		add_wrapped(out, 0, buf_str(&line));
		buf_fini(&line);
	}
}

static void show_silences(const json_t *silences, struct buf *out)
{
	const json_t *s;
	size_t i;
	json_array_foreach(silences, i, s) {
		struct buf line = {};
		buf_addf(&line, "%s: silenced for another ", text_of(s, "alert"));
		buf_add_age(&line, number_of(s, "left_ms"));
		if (*text_of(s, "reason"))
			buf_addf(&line, ": %s", text_of(s, "reason"));
		add_wrapped(out, 0, buf_str(&line));
		buf_fini(&line);
	}
}

static void way_row(struct table *t, const json_t *w)
{
	const json_t *last = json_object_get(w, "last");
	table_add(t, "%s", text_of(w, "name"));
	table_add(t, "%s", text_of(w, "kind"));
	if (number_of(w, "waiting"))
		table_add(t, "%s, %llu wait", text_of(w, "state"), (unsigned long long)number_of(w, "waiting"));
	else
		table_add(t, "%s", text_of(w, "state"));
	table_add(t, "%llu", (unsigned long long)number_of(w, "delivered"));
	table_add(t, "%llu", (unsigned long long)number_of(w, "failed"));
	table_add(t, "%s", last ? text_of(last, "outcome") : "-");
	table_colour(t, !last ? COLOUR_NONE : json_is_true(json_object_get(last, "ok")) ? COLOUR_GOOD : COLOUR_BAD);
}

static void show_ways(const json_t *ways, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "NOTIFY", false, true }, { "BY" },           { "STATE" }, { "DELIVERED", true },
		{ "FAILED", true },        { "LAST", false, true }, {},
	};
	const json_t *w, *line;
	struct table t;
	size_t i, k;
	if (!json_array_size(ways)) {
		buf_add(out, STR("\nNobody is told: there is no notify block; begins and ends stand in the error log.\n"));
		return;
	}
	buf_add_char(out, '\n');
	table_init(&t, COLUMNS);
	json_array_foreach(ways, i, w)
		way_row(&t, w);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
	json_array_foreach(ways, i, w) {
		const json_t *last = json_object_get(w, "last");
		json_array_foreach(json_object_get(last, "lines"), k, line) {
			if (json_is_true(json_object_get(last, "ok")))
				continue;
			buf_addf(out, "  %s | ", text_of(w, "name"));
			add_wrapped(out, 4, str_of(json_string_value(line)));
		}
	}
}

void show_alerts(const json_t *json, bool colour, struct buf *out)
{
	const json_t *rules = json_object_get(json, "alerts"), *silences = json_object_get(json, "silences");
	if (json_array_size(rules))
		show_rules(rules, colour, out);
	else
		buf_add(out, STR("no alerts\n"));
	show_firing(rules, out);
	show_silences(silences, out);
	show_ways(json_object_get(json, "notify"), colour, out);
}

void show_tests(const json_t *json, bool colour, struct buf *out)
{
	const json_t *test;
	size_t i;
	json_array_foreach(json_object_get(json, "tests"), i, test) {
		bool fine = json_is_true(json_object_get(test, "ok"));
		struct buf line = {};
		buf_addf(out, "%s: ", text_of(test, "notify"));
		colour_add(out, colour, fine ? COLOUR_GOOD : COLOUR_BAD, fine ? STR("delivered") : STR("failed"));
		buf_addf(&line, ": %s", text_of(test, "outcome"));
		if (!fine || strcmp(text_of(test, "outcome"), "delivered"))
			add_wrapped(out, 2, buf_str(&line));
		else
			buf_add_char(out, '\n');
		buf_fini(&line);
	}
}

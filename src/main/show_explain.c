/* The answer of GET /explain as a person reads it: from the site down to the server.  No state. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "main/show.h"
#include "main/show_in.h"
#include "main/table.h"

enum { HEAD_N = 9 };

struct page {
	struct buf *out;
	bool colour;
};

static void head(struct page *p, const char *name)
{
	char padded[32];
	snprintf(padded, sizeof padded, "%-*s", HEAD_N, name);
	colour_add(p->out, p->colour, COLOUR_HEAD, str_of(padded));
}

static void indent(struct page *p, int more)
{
	buf_addf(p->out, "%*s", HEAD_N + more, "");
}

static void text(struct page *p, const json_t *json, const char *name)
{
	plain_add(p->out, text_str(json, name));
}

/* " (petrel.conf:12)", and the line's end. */
static void place(struct page *p, const json_t *json)
{
	if (number_of(json, "line")) {
		buf_add(p->out, STR("  ("));
		text(p, json, "file");
		buf_addf(p->out, ":%llu)", (unsigned long long)number_of(json, "line"));
	}
	buf_add_char(p->out, '\n');
}

static void show_site(struct page *p, const json_t *site)
{
	static const struct {
		const char *fits, *words;
	} WORDS[] = { { "exact", "" }, { "wildcard", ", which the host ends like" },
		      { "any", ", for all hosts that no site names" } };
	head(p, "site");
	if (!json_is_object(site)) {
		buf_add(p->out, STR("none of this name\n"));
		return;
	}
	text(p, site, "name");
	for (size_t i = 0; i < countof(WORDS); i++)
		if (!strcmp(text_of(site, "fits"), WORDS[i].fits))
			buf_add(p->out, str_of(WORDS[i].words));
	place(p, site);
}

static void show_route(struct page *p, const json_t *way)
{
	const json_t *passed = json_object_get(way, "passed"), *route = json_object_get(way, "route"), *one;
	size_t i;
	json_array_foreach(passed, i, one) {
		head(p, i ? "" : "not");
		buf_add(p->out, STR("route "));
		text(p, one, "route");
		buf_add(p->out, STR(": "));
		text(p, one, "why");
		place(p, one);
	}
	if (!route)
		return;
	head(p, "route");
	if (json_is_object(route))
		text(p, route, "pattern");
	else
		buf_add(p->out, STR("none that matches"));
	place(p, route);
	json_array_foreach(json_object_get(route, "captures"), i, one) {
		indent(p, 2);
		buf_addf(p->out, "$%zu is \"", i + 1);
		plain_add(p->out, str_make(json_string_value(one), json_string_length(one)));
		buf_add(p->out, STR("\"\n"));
	}
	if (number_of(way, "later")) {
		indent(p, 2);
		buf_addf(p->out, "%llu further down not looked at\n", (unsigned long long)number_of(way, "later"));
	}
}

/* A module's values, and where they were set. */
static void show_values(struct page *p, const json_t *module)
{
	const json_t *one;
	size_t i;
	json_array_foreach(json_object_get(module, "values"), i, one) {
		indent(p, 2);
		plain_add(p->out, str_make(json_string_value(one), json_string_length(one)));
		buf_add_char(p->out, '\n');
	}
	json_array_foreach(json_object_get(module, "from"), i, one) {
		indent(p, 2);
		text(p, one, "directive");
		buf_add(p->out, STR(" stands here:"));
		place(p, one);
	}
}

static void show_sentences(struct page *p, const json_t *list)
{
	const json_t *one;
	size_t i;
	json_array_foreach(list, i, one) {
		indent(p, 0);
		plain_add(p->out, str_make(json_string_value(one), json_string_length(one)));
		buf_add_char(p->out, '\n');
	}
}

static void show_gates(struct page *p, const json_t *gates)
{
	const json_t *gate;
	size_t i;
	json_array_foreach(gates, i, gate) {
		const char *says = text_of(gate, "says");
		head(p, "gate");
		text(p, gate, "module");
		if (!strcmp(says, "answers")) {
			char words[32];
			snprintf(words, sizeof words, " answers %llu", (unsigned long long)number_of(gate, "status"));
			colour_add(p->out, p->colour, COLOUR_BAD, str_of(words));
		} else if (!json_object_get(gate, "does")) {
			buf_add(p->out, !strcmp(says, "passes") ? STR(" lets it pass") : STR(" is asked when it comes"));
		}
		buf_add_char(p->out, '\n');
		show_sentences(p, json_object_get(gate, "does"));
		show_values(p, gate);
	}
}

static void show_handler(struct page *p, const json_t *handler)
{
	if (!handler)
		return;
	head(p, "handler");
	if (json_is_object(handler))
		text(p, handler, "module");
	else
		buf_add(p->out, STR("none: 404"));
	buf_add_char(p->out, '\n');
	show_sentences(p, json_object_get(handler, "does"));
	show_values(p, handler);
}

static void show_servers(struct page *p, const json_t *pool)
{
	const json_t *servers = json_object_get(pool, "servers"), *s;
	size_t i;
	head(p, json_is_true(json_object_get(pool, "app")) ? "app" : "pool");
	text(p, pool, "name");
	buf_add(p->out, STR(", "));
	text(p, pool, "balance");
	place(p, pool);
	json_array_foreach(servers, i, s) {
		bool picked = json_is_true(json_object_get(s, "picked"));
		indent(p, 2);
		text(p, s, "server");
		buf_add(p->out, STR(": "));
		if (picked)
			colour_add(p->out, p->colour, COLOUR_GOOD, STR("picked"));
		else
			text(p, s, "why");
		buf_add_char(p->out, '\n');
	}
	if (strcmp(text_of(pool, "outcome"), "picked") != 0) {
		indent(p, 2);
		buf_add(p->out, !strcmp(text_of(pool, "outcome"), "waits") ? STR("it waits in the queue\n")
		                                                           : STR("no server: 503\n"));
	}
}

void show_explain(const json_t *json, bool colour, struct buf *out)
{
	struct page p = { out, colour };
	const json_t *way;
	size_t i;
	head(&p, "request");
	text(&p, json, "method");
	buf_add_char(out, ' ');
	text(&p, json, "host");
	text(&p, json, "target");
	buf_add_char(out, '\n');
	json_array_foreach(json_object_get(json, "ways"), i, way) {
		if (i) {
			head(&p, "\nor else");
			text(&p, way, "path");
			buf_add_char(out, '\n');
		}
		show_site(&p, json_object_get(way, "site"));
		show_route(&p, way);
		if (number_of(way, "answered")) {
			head(&p, "answer");
			buf_addf(out, "%llu\n", (unsigned long long)number_of(way, "answered"));
		}
		show_gates(&p, json_object_get(way, "gates"));
		show_handler(&p, json_object_get(way, "handler"));
		if (json_object_get(way, "pool"))
			show_servers(&p, json_object_get(way, "pool"));
	}
}

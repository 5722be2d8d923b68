/* A line of GET /trace as a person reads it: a block for each request, in the order in which things happened.  '>' is what
 * came in, '<' what went out; '>>' what went to a server, '<<' what came from it.  No state. */
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/mem.h"
#include "main/show.h"
#include "main/show_in.h"
#include "main/table.h"

struct page {
	struct buf *out;
	bool colour;
};

enum { TIME_N = 13 };

static void time_add(struct page *p, const json_t *json, const char *name)
{
	char text[32];
	const json_t *at = json_object_get(json, name);
	if (at)
		snprintf(text, sizeof text, "%9.3f ms ", (double)json_integer_value(at) / 1000);
	else
		snprintf(text, sizeof text, "%*s", TIME_N, "");
	buf_add(p->out, str_of(text));
}

static void plain(struct page *p, const json_t *json, const char *name)
{
	plain_add(p->out, text_str(json, name));
}

static void mark(struct page *p, const char *marks)
{
	colour_add(p->out, p->colour, marks[0] == '>' ? COLOUR_WARN : COLOUR_GOOD, str_of(marks));
	buf_add_char(p->out, ' ');
}

/* Lines of text, each behind the mark. */
static void lines(struct page *p, const char *marks, struct str text)
{
	while (text.n) {
		struct str line = str_cut(&text, '\n');
		buf_addf(p->out, "%*s", TIME_N, "");
		mark(p, marks);
		buf_add(p->out, STR("  "));
		plain_add(p->out, line.n && line.p[line.n - 1] == '\r' ? str_head(line, line.n - 1) : line);
		buf_add_char(p->out, '\n');
	}
}

static void pairs(struct page *p, const char *marks, const char *between, const json_t *list)
{
	const json_t *pair;
	size_t i;
	json_array_foreach(list, i, pair) {
		const json_t *name = json_array_get(pair, 0), *value = json_array_get(pair, 1);
		buf_addf(p->out, "%*s", TIME_N, "");
		mark(p, marks);
		plain_add(p->out, str_make(json_string_value(name), json_string_length(name)));
		buf_add(p->out, str_of(between));
		plain_add(p->out, str_make(json_string_value(value), json_string_length(value)));
		buf_add_char(p->out, '\n');
	}
}

static void content(struct page *p, const char *marks, const json_t *json)
{
	if (json_object_get(json, "text"))
		lines(p, marks, text_str(json, "text"));
	else if (json_is_true(json_object_get(json, "binary")))
		lines(p, marks, STR("(no text)"));
	else if (json_is_true(json_object_get(json, "hidden")))
		lines(p, marks, STR("(a body: --secrets shows it)"));
}

static void records(struct page *p, const char *marks, const json_t *list)
{
	const json_t *r;
	size_t i;
	json_array_foreach(list, i, r) {
		time_add(p, r, "at_us");
		mark(p, marks);
		plain(p, r, "type");
		buf_addf(p->out, " %llu, %llu bytes", (unsigned long long)number_of(r, "id"),
		         (unsigned long long)number_of(r, "length"));
		if (json_object_get(r, "protocol_status"))
			buf_addf(p->out, ": application %llu, protocol %llu", (unsigned long long)number_of(r, "application_status"),
			         (unsigned long long)number_of(r, "protocol_status"));
		buf_add_char(p->out, '\n');
		pairs(p, marks, " = ", json_object_get(r, "params"));
		content(p, marks, r);
	}
}

static void flow(struct page *p, const char *marks, const json_t *f)
{
	if (!number_of(f, "bytes"))
		return;
	if (json_object_get(f, "records")) {
		records(p, marks, json_object_get(f, "records"));
		return;
	}
	time_add(p, f, "at_us");
	mark(p, marks);
	if (json_object_get(f, "line"))
		plain(p, f, "line");
	else
		buf_addf(p->out, "%llu bytes", (unsigned long long)number_of(f, "bytes"));
	buf_add_char(p->out, '\n');
	pairs(p, marks, " = ", json_object_get(f, "params"));
	pairs(p, marks, ": ", json_object_get(f, "fields"));
	content(p, marks, f);
	if (json_is_true(json_object_get(f, "cut")))
		lines(p, marks, STR("..."));
}

static void show_try(struct page *p, const json_t *t)
{
	time_add(p, t, json_object_get(t, "picked_us") ? "picked_us" : "begin_us");
	buf_add(p->out, STR("- "));
	if (*text_of(t, "server"))
		plain(p, t, "server");
	else
		buf_add(p->out, STR("no server"));
	buf_add(p->out, STR(" of "));
	plain(p, t, "pool");
	buf_addf(p->out, ", %s%s\n", text_of(t, "protocol"),
	         json_is_true(json_object_get(t, "reused")) ? ", a kept connection" : "");
	if (json_object_get(t, "connected_us") && !json_is_true(json_object_get(t, "reused"))) {
		time_add(p, t, "connected_us");
		buf_add(p->out, STR("- connected\n"));
	}
	flow(p, ">>", json_object_get(t, "out"));
	flow(p, "<<", json_object_get(t, "in"));
	if (!*text_of(t, "fault"))
		return;
	time_add(p, t, "over_us");
	buf_add(p->out, STR("- "));
	colour_add(p->out, p->colour, COLOUR_BAD, str_of(text_of(t, "fault")));
	buf_add_char(p->out, '\n');
}

static void show_way(struct page *p, const json_t *w)
{
	time_add(p, w, "at_us");
	buf_add(p->out, STR("- "));
	if (*text_of(w, "route")) {
		buf_add(p->out, STR("route "));
		plain(p, w, "route");
		buf_add(p->out, STR(" of "));
	} else {
		buf_add(p->out, STR("no route of "));
	}
	plain(p, w, "site");
	if (*text_of(w, "handler"))
		buf_addf(p->out, ": %s", text_of(w, "handler"));
	if (number_of(w, "line")) {
		buf_add(p->out, STR("  ("));
		plain(p, w, "file");
		buf_addf(p->out, ":%llu)", (unsigned long long)number_of(w, "line"));
	}
	buf_add_char(p->out, '\n');
}

/* "10:00:00.123  GET example.org/a  200  2.714 ms" */
static void show_first(struct page *p, const json_t *trace)
{
	const json_t *request = json_object_get(trace, "request"), *answer = json_object_get(trace, "answer");
	uint64_t ms = number_of(trace, "wall_ms"), status = number_of(answer, "status");
	char time[48], what[64];
	size_t n = civil_print(time, (int64_t)(ms / 1000));
	snprintf(time + n, sizeof time - n, ".%03u", (unsigned)(ms % 1000));
	colour_add(p->out, p->colour, COLOUR_HEAD, str_of(time + 11));
	buf_add(p->out, STR("  "));
	plain(p, request, "method");
	buf_add_char(p->out, ' ');
	plain(p, request, "host");
	plain(p, request, "target");
	snprintf(what, sizeof what, "%llu", (unsigned long long)status);
	buf_add(p->out, STR("  "));
	colour_add(p->out, p->colour, status >= 500 || !status ? COLOUR_BAD : status >= 400 ? COLOUR_WARN : COLOUR_GOOD,
	           status ? str_of(what) : STR("no answer"));
	buf_addf(p->out, "  %.3f ms\n", (double)number_of(trace, "total_us") / 1000);
}

/* "- cache pages: hit; petrel; hit; ttl=30" */
static void show_cache_got(struct page *p, const json_t *cache)
{
	if (!json_is_object(cache))
		return;
	buf_addf(p->out, "%*s- cache ", TIME_N, "");
	plain(p, cache, "name");
	buf_add(p->out, STR(": "));
	colour_add(p->out, p->colour, COLOUR_HEAD, str_of(text_of(cache, "got")));
	if (*text_of(cache, "why")) {
		buf_add(p->out, STR(", not stored: "));
		plain(p, cache, "why");
	}
	buf_add(p->out, STR(", key "));
	plain(p, cache, "key");
	buf_addf(p->out, "\n%*s  ", TIME_N, "");
	plain(p, cache, "status");
	buf_add_char(p->out, '\n');
}

static void show_end(struct page *p, const json_t *trace)
{
	time_add(p, trace, "total_us");
	buf_add(p->out, STR("- "));
	plain(p, trace, "end");
	buf_addf(p->out, ", %llu bytes", (unsigned long long)number_of(json_object_get(trace, "answer"), "bytes"));
	if (*text_of(trace, "hot"))
		buf_addf(p->out, ", hot %s", text_of(trace, "hot"));
	if (json_is_true(json_object_get(trace, "tunnel")))
		buf_add(p->out, STR(", a tunnel from here on"));
	buf_add(p->out, STR(", id "));
	plain(p, trace, *text_of(trace, "request_id") ? "request_id" : "id");
	buf_add(p->out, STR(", client "));
	plain(p, trace, "client");
	buf_addf(p->out, ":%llu\n\n", (unsigned long long)number_of(trace, "client_port"));
}

static void show_missing(struct page *p, const json_t *trace)
{
	if (json_object_get(trace, "left_out"))
		buf_addf(p->out, "... %llu left out so far: more than may be shown in a second (--max-rate)\n\n",
		         (unsigned long long)number_of(trace, "left_out"));
	if (json_object_get(trace, "dropped"))
		buf_addf(p->out, "... %llu lost so far: this terminal is slower than they come\n\n",
		         (unsigned long long)number_of(trace, "dropped"));
}

void show_trace(const json_t *trace, bool colour, struct buf *out)
{
	struct page p = { out, colour };
	const json_t *request = json_object_get(trace, "request"), *answer = json_object_get(trace, "answer"), *one;
	size_t i;
	show_missing(&p, trace);
	if (!request)
		return;
	show_first(&p, trace);
	pairs(&p, ">", ": ", json_object_get(request, "fields"));
	json_array_foreach(json_object_get(trace, "ways"), i, one)
		show_way(&p, one);
	json_array_foreach(json_object_get(trace, "tries"), i, one)
		show_try(&p, one);
	if (json_is_object(answer)) {
		time_add(&p, answer, "at_us");
		mark(&p, "<");
		plain(&p, answer, "line");
		buf_add_char(out, '\n');
		pairs(&p, "<", ": ", json_object_get(answer, "fields"));
	}
	show_cache_got(&p, json_object_get(trace, "cache"));
	show_end(&p, trace);
}

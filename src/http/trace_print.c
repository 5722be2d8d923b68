/* A trace as a line of JSON, decoded; what is secret is masked unless its tap asked for it.  Times are microseconds since
 * the request's head was complete. */
#include <inttypes.h>

#include "base/mem.h"
#include "http/ids.h"
#include "http/mask.h"
#include "http/trace.h"

enum { EXCERPT_B = 512 };

struct print {
	struct req *r;
	struct buf *out;
	bool secrets;
};

/* --- Members. --- */

static void add_string(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	buf_add_json(out, s);
	buf_add_char(out, '"');
}

static void add_text(struct buf *out, const char *name, struct str s)
{
	buf_addf(out, "\"%s\":", name);
	add_string(out, s);
}

/* ,"name":123; nothing where it did not come to that. */
static void add_time(struct print *p, const char *name, uint64_t ns)
{
	uint64_t begin = p->r->begin_ns;
	if (ns)
		buf_addf(p->out, ",\"%s\":%" PRIu64, name, ns > begin ? (ns - begin) / 1000 : 0);
}

/* What is no text is not shown: {"binary":true}. */
static void add_body(struct print *p, struct str text)
{
	if (memchr(text.p ? text.p : "", '\0', text.n)) {
		buf_add(p->out, STR(",\"binary\":true"));
	} else if (text.n) {
		buf_add_char(p->out, ',');
		add_text(p->out, "text", str_head(text, EXCERPT_B));
	}
}

static void add_pair(struct print *p, bool first, struct str name, struct str value)
{
	buf_add(p->out, first ? STR("[") : STR(",["));
	add_string(p->out, name);
	buf_add_char(p->out, ',');
	add_string(p->out, !p->secrets && is_secret(name) ? MASKED : value);
	buf_add_char(p->out, ']');
}

static void add_pairs(struct print *p, const char *what, enum decode how, struct str head)
{
	struct str name, value;
	bool first = true;
	buf_addf(p->out, ",\"%s\":[", what);
	for (; decode_pair(how, &head, &name, &value); first = false)
		add_pair(p, first, name, value);
	buf_add_char(p->out, ']');
}

/* --- What went to a server, and what came from it. --- */

static uint64_t time_at(const struct flow *f, size_t at)
{
	uint64_t ns = 0;
	for (unsigned i = 0; i < f->mark_count && f->marks[i].at <= at; i++)
		ns = f->marks[i].ns;
	return ns;
}

/* Its content: a program's output begins with a head, and a client's body is nobody else's business. */
static void add_content(struct print *p, const struct record *rec, struct mask *mask)
{
	struct buf text = {};
	if (rec->type == RECORD_STDOUT && !p->secrets) {
		mask_add(mask, rec->content, &text);
		if (rec->content.n < rec->length)
			mask_gap(mask);
		add_body(p, buf_str(&text));
	} else if (rec->type != RECORD_STDIN || p->secrets) {
		add_body(p, rec->content);
	} else if (rec->length) {
		buf_add(p->out, STR(",\"hidden\":true"));
	}
	buf_fini(&text);
}

static void add_record(struct print *p, const struct record *rec, struct mask *mask, bool *vars)
{
	const unsigned char *c = (const unsigned char *)rec->content.p;
	buf_addf(p->out, "{\"type\":\"%s\",\"id\":%u,\"length\":%zu", record_name(rec->type), rec->id, rec->length);
	/* A stream of pairs that is cut into several records may be cut anywhere. */
	if (rec->type == RECORD_PARAMS && rec->length && !*vars) {
		add_pairs(p, "params", DECODE_FASTCGI, rec->content);
		*vars = true;
	} else if (rec->type == RECORD_STDIN || rec->type == RECORD_STDOUT || rec->type == RECORD_STDERR) {
		add_content(p, rec, mask);
	} else if (rec->content.n == 8 && rec->type == 1) {
		buf_addf(p->out, ",\"role\":%u,\"keep\":%s", (unsigned)c[0] << 8 | c[1], c[2] & 1 ? "true" : "false");
	} else if (rec->content.n == 8 && rec->type == 3) {
		buf_addf(p->out, ",\"application_status\":%u,\"protocol_status\":%u",
		         (unsigned)c[0] << 24 | (unsigned)c[1] << 16 | (unsigned)c[2] << 8 | c[3], c[4]);
	}
}

static void add_records(struct print *p, const struct flow *f)
{
	struct str all = buf_str(&f->kept), rest = all;
	struct record rec;
	struct mask mask = {};
	bool vars = false, first = true;
	buf_add(p->out, STR(",\"records\":["));
	for (size_t at = 0; record_next(&rest, &rec); at = all.n - rest.n, first = false) {
		if (!first)
			buf_add_char(p->out, ',');
		add_record(p, &rec, &mask, &vars);
		add_time(p, "at_us", time_at(f, at));
		buf_add_char(p->out, '}');
	}
	buf_add_char(p->out, ']');
}

static void add_lines(struct print *p, struct str in, bool body_too)
{
	struct str first, fields, body;
	decode_head(in, &first, &fields, &body);
	if (first.n) {
		buf_add_char(p->out, ',');
		add_text(p->out, "line", first);
	}
	add_pairs(p, "fields", DECODE_HTTP, fields);
	if (body_too)
		add_body(p, body);
	else if (body.n)
		buf_add(p->out, STR(",\"hidden\":true"));
}

static void add_vars(struct print *p, enum decode how, struct str in)
{
	struct str head, body;
	if (!decode_ask(how, in, &head, &body))
		return;
	add_pairs(p, "params", how, head);
	if (p->secrets)
		add_body(p, body);
	else if (body.n)
		buf_add(p->out, STR(",\"hidden\":true"));
}

static void add_flow(struct print *p, const char *name, const struct flow *f, enum decode how, bool out)
{
	buf_addf(p->out, ",\"%s\":{\"bytes\":%" PRIu64, name, f->all_b);
	add_time(p, "at_us", f->mark_count ? f->marks[0].ns : 0);
	if (f->full)
		buf_add(p->out, STR(",\"cut\":true"));
	if (how == DECODE_FASTCGI)
		add_records(p, f);
	else if (how == DECODE_HTTP || (!out && f->kept.n))
		add_lines(p, buf_str(&f->kept), p->secrets || !out);
	else
		add_vars(p, how, buf_str(&f->kept));
	buf_add_char(p->out, '}');
}

static void add_try(struct print *p, const struct attempt *a)
{
	buf_add_char(p->out, '{');
	add_text(p->out, "pool", a->pool);
	buf_add_char(p->out, ',');
	add_text(p->out, "server", str_of(a->server));
	buf_addf(p->out, ",\"protocol\":\"%s\",\"reused\":%s", a->codec->name, a->reused ? "true" : "false");
	add_time(p, "begin_us", a->begin_ns);
	add_time(p, "picked_us", a->picked_ns);
	add_time(p, "connected_us", a->connected_ns);
	add_time(p, "head_us", a->head_ns);
	add_time(p, "over_us", a->over_ns);
	buf_add_char(p->out, ',');
	add_text(p->out, "fault", a->fault ? end_name(a->fault) : STR(""));
	add_flow(p, "out", &a->out, a->codec->decode, true);
	add_flow(p, "in", &a->in, a->codec->decode, false);
	buf_add_char(p->out, '}');
}

/* --- The request. --- */

static void add_ask(struct print *p)
{
	const struct ask *ask = &p->r->ask;
	buf_add(p->out, STR(",\"request\":{"));
	add_text(p->out, "method", ask->method_name);
	buf_add_char(p->out, ',');
	add_text(p->out, "target", ask->target);
	buf_addf(p->out, ",\"protocol\":\"HTTP/1.%u\",\"body_bytes\":%" PRIu64 ",", ask->minor, p->r->received_b);
	add_text(p->out, "host", ask->host);
	buf_add(p->out, STR(",\"fields\":["));
	for (size_t i = 0; i < ask->field_count; i++)
		add_pair(p, !i, ask->fields[i].name, ask->fields[i].value);
	buf_add(p->out, STR("]}"));
}

static void add_answer(struct print *p, const struct story *t)
{
	const struct req *r = p->r;
	if (!r->first_ns) {
		buf_add(p->out, STR(",\"answer\":null"));
		return;
	}
	buf_addf(p->out, ",\"answer\":{\"status\":%u,\"bytes\":%" PRIu64 ",\"body_bytes\":%" PRIu64, r->answer.status,
	         r->sent_b, r->sent_body_b);
	add_time(p, "at_us", r->first_ns);
	add_lines(p, buf_str(&t->head), false);
	buf_add_char(p->out, '}');
}

static void add_way(struct print *p, const struct way *w)
{
	struct buf pattern = {};
	bool named = w->site && w->route && w->route != &w->site->fallback;
	if (named)
		pattern_print(&pattern, &w->route->pattern);
	buf_add_char(p->out, '{');
	add_text(p->out, "path", w->path);
	buf_add_char(p->out, ',');
	add_text(p->out, "site", w->site ? w->site->names[0] : STR(""));
	buf_add_char(p->out, ',');
	add_text(p->out, "route", buf_str(&pattern));
	buf_add_char(p->out, ',');
	add_text(p->out, "handler", named && w->route->handler.module ? str_of(w->route->handler.module->name) : STR(""));
	buf_add_char(p->out, ',');
	add_text(p->out, "file", named ? w->route->place.file : STR(""));
	buf_addf(p->out, ",\"line\":%u", named ? w->route->place.line : 0);
	add_time(p, "at_us", w->ns);
	buf_add_char(p->out, '}');
	buf_fini(&pattern);
}

/* "client":"192.0.2.1","client_port":4711 */
static void add_who(struct print *p, const struct story *t)
{
	struct req *r = p->r;
	const struct ids *ids = req_ids(r);
	char id[REQ_ID_B], client[46];
	req_id_print(r, id);
	add_text(p->out, "id", str_make(id, sizeof id));
	buf_add_char(p->out, ',');
	add_text(p->out, "request_id", ids->request_id);
	buf_add_char(p->out, ',');
	add_text(p->out, "trace_id", ids->trace_id);
	buf_addf(p->out, ",\"wall_ms\":%" PRIu64 ",", t->wall_ms);
	add_text(p->out, "client", str_make(client, ip_print(client, &r->peer)));
	buf_addf(p->out, ",\"client_port\":%u", r->peer.port);
}

void trace_print(struct req *r, const struct story *t, bool secrets, struct buf *out)
{
	struct print p = { r, out, secrets };
	buf_add_char(out, '{');
	add_who(&p, t);
	add_ask(&p);
	buf_add(out, STR(",\"ways\":["));
	for (unsigned i = 0; i < t->way_count; i++) {
		if (i)
			buf_add_char(out, ',');
		add_way(&p, &t->ways[i]);
	}
	buf_add(out, STR("],\"tries\":["));
	for (unsigned i = 0; i < t->try_count; i++) {
		if (i)
			buf_add_char(out, ',');
		add_try(&p, &t->tries[i]);
	}
	buf_addf(out, "],\"attempts\":%u", r->trip.attempts);
	add_answer(&p, t);
	buf_add_char(out, ',');
	add_text(out, "end", end_name(req_ended(r)));
	buf_add_char(out, ',');
	add_text(out, "shed", r->shed ? end_name(r->cause) : STR(""));
	buf_addf(out, ",\"hot\":\"%s\",\"tunnel\":%s", r->hot == HOT_HIT ? "hit" : r->hot ? "miss" : "",
	         r->answer.tunnel ? "true" : "false");
	buf_add(out, STR(",\"cache\":"));
	req_visit_print(r, out);
	add_time(&p, "total_us", r->home->loop.now_ns);
	buf_add(out, STR("}\n"));
}

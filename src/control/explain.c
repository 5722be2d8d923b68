/* What would become of a request: a request without a connection is parsed, routed and led through the gates by the very
 * functions that serve, as far as they go by what it says; the handler tells the rest.  On the control thread, on the
 * snapshot published last. */
#include "control/explain.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/dump.h"
#include "control/keeper.h"
#include "http/core.h"
#include "http/explain.h"
#include "http/parse.h"
#include "http/query.h"
#include "http/route.h"
#include "http/upstream.h"

/* A request of nobody's, and what it needs around it. */
struct subject {
	struct home home;
	struct conf_use use;
	struct req r;
};

struct explaining {
	const struct control *control;
	const struct conf *conf;
	struct req *r;
	struct buf *out;
};

/* --- Members. --- */

/* "file":"…","line":12; line 0: it stands nowhere. */
static void add_place(struct buf *out, struct str file, unsigned line)
{
	buf_add_member(out, "file", file);
	buf_addf(out, ",\"line\":%u", line);
}

static void add_pattern(struct buf *out, const char *name, const struct pattern *p)
{
	struct buf text = {};
	pattern_print(&text, p);
	buf_add_member(out, name, buf_str(&text));
	buf_fini(&text);
}

/* --- The site and the route. --- */

static void explain_site(struct explaining *x)
{
	static const char *const FITS[] = { [HOST_FITS_NONE] = "none", [HOST_FITS_EXACTLY] = "exact",
		                            [HOST_FITS_WILDCARD] = "wildcard", [HOST_FITS_ANY] = "any" };
	enum host_fit fit;
	struct str name;
	const struct site *site = host_table_fit(x->conf->hosts, x->r->ask.host, &fit, &name);
	if (!site) {
		buf_add(x->out, STR(",\"site\":null"));
		return;
	}
	buf_add(x->out, STR(",\"site\":{"));
	buf_add_member(x->out, "name", name);
	buf_addf(x->out, ",\"fits\":\"%s\",", FITS[fit]);
	add_place(x->out, site->place.file, site->place.line);
	buf_add_char(x->out, '}');
}

/* Why this pattern, which was tried, did not match: its kind says what it looked for. */
static void add_why_not(struct buf *out, const struct pattern *p)
{
	struct buf why = {};
	switch (p->kind) {
	case PATTERN_EXACT:
		buf_addf(&why, "the path is not %.*s", STR_F(p->literal));
		break;
	case PATTERN_PREFIX:
		buf_addf(&why, "the path does not begin with %.*s", STR_F(p->literal));
		break;
	case PATTERN_GLOB:
		buf_addf(&why, "the path does not fit %.*s", STR_F(p->text));
		break;
	case PATTERN_REGEX:
		buf_add(&why, STR("the regular expression does not match the path"));
		break;
	}
	buf_add_member(out, "why", buf_str(&why));
	buf_fini(&why);
}

/* Routes are tried from top to bottom: all before the one that was chosen, or since the one that had no answer, did not
 * match. */
static void explain_passed(struct explaining *x, const struct site *site, const struct route *chosen)
{
	size_t count = chosen == &site->fallback ? site->route_count : (size_t)(chosen - site->routes);
	size_t first = x->r->passed ? (size_t)(x->r->passed - site->routes) + 1 : 0;
	buf_add(x->out, STR(",\"passed\":["));
	for (size_t i = first; i < count; i++) {
		const struct route *route = &site->routes[i];
		buf_add(x->out, i > first ? STR(",{") : STR("{"));
		add_pattern(x->out, "route", &route->pattern);
		buf_add_char(x->out, ',');
		add_why_not(x->out, &route->pattern);
		buf_add_char(x->out, ',');
		add_place(x->out, route->place.file, route->place.line);
		buf_add_char(x->out, '}');
	}
	buf_addf(x->out, "],\"later\":%zu", site->route_count - count - (count < site->route_count));
}

static void explain_route(struct explaining *x, const struct site *site, const struct route *route)
{
	const struct captures *c = &x->r->captures;
	explain_passed(x, site, route);
	if (route == &site->fallback) {
		buf_add(x->out, STR(",\"route\":null"));
		return;
	}
	buf_add(x->out, STR(",\"route\":{"));
	add_pattern(x->out, "pattern", &route->pattern);
	buf_add(x->out, STR(",\"captures\":["));
	for (size_t i = 0; i < c->count; i++) {
		buf_addf(x->out, "%s\"", i ? "," : "");
		buf_add_json(x->out, c->at[i]);
		buf_add_char(x->out, '"');
	}
	buf_add(x->out, STR("],"));
	add_place(x->out, route->place.file, route->place.line);
	buf_add_char(x->out, '}');
}

/* --- A module on it. --- */

static bool has_row(const struct module *m, const struct directive *wanted)
{
	const struct directive *row = m->directives;
	while (row && row->name && row != wanted)
		row++;
	return row == wanted;
}

static bool said_further_in(const struct mentions *const *scopes, size_t from, const struct directive *row)
{
	for (size_t i = 0; i < from; i++)
		for (size_t k = 0; k < scopes[i]->count; k++)
			if (scopes[i]->p[k].row == row)
				return true;
	return false;
}

/* Where its directives were said: the innermost scope counts, but for lists, which add up. */
static void explain_mentions(struct explaining *x, const struct module *m)
{
	const struct req *r = x->r;
	const struct mentions *scopes[] = { &r->route->mentions, &r->site->mentions, &x->conf->mentions };
	bool any = false;
	buf_add(x->out, STR(",\"from\":["));
	for (size_t i = r->route == &r->site->fallback; i < countof(scopes); i++) {
		for (size_t k = 0; k < scopes[i]->count; k++) {
			const struct mention *s = &scopes[i]->p[k];
			bool whole = s->row->kind == DIR_VALUE || s->row->kind == DIR_HANDLER;
			if (!has_row(m, s->row) || (whole && said_further_in(scopes, i, s->row)))
				continue;
			buf_add(x->out, any ? STR(",{") : STR("{"));
			any = true;
			buf_add_member(x->out, "directive", str_of(s->row->name));
			buf_add_char(x->out, ',');
			add_place(x->out, str_of(s->file), s->line);
			buf_add_char(x->out, '}');
		}
	}
	buf_add_char(x->out, ']');
}

/* Its values as the configuration would say them, a line each. */
static void explain_values(struct explaining *x, const struct module *m)
{
	struct buf text = {};
	bool any = false;
	conf_dump_module(x->conf, x->r->route, m, &text);
	buf_add_member(x->out, "module", str_of(m->name));
	buf_add(x->out, STR(",\"values\":["));
	for (struct str rest = buf_str(&text); rest.n;) {
		buf_add(x->out, any ? STR(",\"") : STR("\""));
		buf_add_json(x->out, str_cut(&rest, '\n'));
		buf_add_char(x->out, '"');
		any = true;
	}
	buf_add_char(x->out, ']');
	explain_mentions(x, m);
	buf_fini(&text);
}

static void explain_gate(struct explaining *x, const struct hook *gate)
{
	struct buf sentences = {};
	struct explained e = { .sentences = &sentences };
	if (!gate->module->explain)
		return;
	gate->module->explain(x->r, gate->values, &e);
	buf_addf(x->out, ",\"does\":[%.*s]", STR_F(buf_str(&sentences)));
	buf_fini(&sentences);
}

/* True where a gate would answer: what comes behind it is not reached then. */
static bool explain_gates(struct explaining *x)
{
	const struct hooks *gates = &x->r->route->gates;
	bool answered = false;
	buf_add(x->out, STR(",\"gates\":["));
	for (size_t i = 0; i < gates->count && !answered; i++) {
		const struct hook *gate = &gates->p[i];
		buf_add(x->out, i ? STR(",{") : STR("{"));
		explain_values(x, gate->module);
		explain_gate(x, gate);
		if (!gate->module->gate_foretells) {
			buf_add(x->out, STR(",\"says\":\"unknown\"}"));
			continue;
		}
		answered = gate->module->gate(x->r, gate->values) != GO_NEXT;
		if (answered)
			buf_addf(x->out, ",\"says\":\"answers\",\"status\":%u}", x->r->answer.status);
		else
			buf_add(x->out, STR(",\"says\":\"passes\"}"));
	}
	buf_add_char(x->out, ']');
	return answered;
}

/* --- The pool. --- */

struct peers {
	struct explaining *x;
	struct pick pick;
	const struct peer *picked;
	bool any;
};

static struct str state_word(uint32_t state)
{
	static const struct {
		enum peer_state bit;
		const char *word;
	} WORDS[] = { { PEER_RETIRED, "retired" },       { PEER_DOWN, "down" }, { PEER_DRAINING, "drain" },
		      { PEER_UNRESOLVED, "unresolved" }, { PEER_SICK, "sick" }, { PEER_EJECTED, "ejected" } };
	for (size_t i = 0; i < countof(WORDS); i++)
		if (state & WORDS[i].bit)
			return str_of(WORDS[i].word);
	return STR("ready");
}

static void add_unfit(struct buf *out, struct peers *p, struct pool *pool, const struct peer *peer)
{
	struct buf why = {};
	struct str known = keeper_why(p->x->control->keeper, pool_name(pool), peer->name);
	switch (pool_unfit(pool, &p->pick, peer)) {
	case UNFIT_STATE:
		buf_add(&why, state_word(peer->state));
		if (known.n)
			buf_addf(&why, ": %.*s", STR_F(known));
		break;
	case UNFIT_FULL:
		buf_addf(&why, "full: %" PRIu32 " of %" PRIu32 " connections are busy", peer->busy, peer->connections);
		break;
	case UNFIT_BACKUP:
		buf_add(&why, STR("a backup, and others can be asked"));
		break;
	case UNFIT_NOT:
		buf_add(&why, peer == p->picked ? STR("picked") : STR("it could be, but another one is first"));
		break;
	}
	buf_add_member(out, "why", buf_str(&why));
	buf_fini(&why);
}

static void explain_peer(void *arg, struct pool *pool, struct peer *peer)
{
	struct peers *p = arg;
	struct buf *out = p->x->out;
	buf_add(out, p->any ? STR(",{") : STR("{"));
	p->any = true;
	buf_add_member(out, "server", peer->name);
	buf_addf(out, ",\"picked\":%s,", peer == p->picked ? "true" : "false");
	add_unfit(out, p, pool, peer);
	buf_addf(out, ",\"busy\":%" PRIu32 ",\"connections\":%" PRIu32 ",\"backup\":%s}", peer->busy, peer->connections,
	         peer->backup ? "true" : "false");
}

static void explain_pool(struct explaining *x, const struct backend *b)
{
	static const char *const OUTCOMES[] = { [PICKED] = "picked", [PICK_WAIT] = "waits", [PICK_NONE] = "none" };
	struct peers peers = { .x = x };
	struct peer *peer = NULL;
	upstream_know(b, x->r, &peers.pick);
	enum picked how = pool_foresee(b->pool, &peers.pick, &peer);
	peers.picked = how == PICKED ? peer : NULL;
	buf_add(x->out, STR(",\"pool\":{"));
	buf_add_member(x->out, "name", b->name);
	buf_addf(x->out, ",\"app\":%s,", b->is_app ? "true" : "false");
	buf_add_member(x->out, "protocol", backend_protocol(b));
	buf_add_char(x->out, ',');
	buf_add_member(x->out, "balance", backend_balance(b));
	buf_add_char(x->out, ',');
	add_place(x->out, b->place.file, b->place.line);
	buf_addf(x->out, ",\"outcome\":\"%s\",\"waiting\":%" PRIu64 ",\"servers\":[", OUTCOMES[how],
	         pool_stats(b->pool).waiting);
	pool_each(b->pool, explain_peer, &peers);
	buf_add(x->out, STR("]}"));
}

/* --- The whole way. --- */

/* The path that it goes on by, or .p NULL. */
static struct str explain_handler(struct explaining *x)
{
	const struct hook *handler = &x->r->route->handler;
	struct buf sentences = {};
	struct explained e = { .sentences = &sentences };
	if (!handler->module) {
		buf_add(x->out, STR(",\"handler\":null"));
		return (struct str){};
	}
	buf_add(x->out, STR(",\"handler\":{"));
	explain_values(x, handler->module);
	if (handler->module->explain)
		handler->module->explain(x->r, handler->values, &e);
	buf_addf(x->out, ",\"does\":[%.*s]}", STR_F(buf_str(&sentences)));
	const struct outward *outward = route_outward(x->r->route);
	if (outward && outward->backend->pool)
		explain_pool(x, outward->backend);
	buf_fini(&sentences);
	x->r->passed = e.passes ? x->r->route : NULL;
	return e.passes ? x->r->ask.path : e.again;
}

/* One time through the steps; the path of the next time, or .p NULL. */
static struct str explain_way(struct explaining *x)
{
	struct req *r = x->r;
	struct str again = {};
	enum go go = req_route(r);
	buf_add(x->out, STR("{"));
	buf_add_member(x->out, "path", r->ask.path);
	explain_site(x);
	if (r->site && r->route && r->answer.status != 421)
		explain_route(x, r->site, r->route);
	if (go == GO_ANSWER)
		buf_addf(x->out, ",\"answered\":%u", r->answer.status);
	else if (!explain_gates(x))
		again = explain_handler(x);
	buf_add_char(x->out, '}');
	return again;
}

static void explain_ways(struct explaining *x)
{
	struct req *r = x->r;
	for (struct str again;;) {
		again = explain_way(x);
		if (!again.p || ++r->again > REQ_AGAIN)
			return;
		r->ask.path = again;
		buf_add_char(x->out, ',');
	}
}

/* --- The request. --- */

/* "http://host/path?query", "host/path", "/path": as a request's head. */
static void put_head(struct buf *head, struct str url, struct str method, struct str field)
{
	static const struct str SCHEMES[] = { { "http://", 7 }, { "https://", 8 } };
	for (size_t i = 0; i < countof(SCHEMES); i++)
		if (str_starts(url, SCHEMES[i]))
			url = str_from(url, SCHEMES[i].n);
	url = str_head(url, str_find(url, '#'));
	size_t host_n = str_find(url, '/'), query = str_find(url, '?');
	struct str host = str_head(url, host_n < query ? host_n : query), target = str_from(url, host.n);
	buf_addf(head, "%.*s %s%.*s HTTP/1.%d\r\n", STR_F(method), target.n && target.p[0] == '/' ? "" : "/", STR_F(target),
	         host.n > 0);
	if (host.n)
		buf_addf(head, "Host: %.*s\r\n", STR_F(host));
	if (field.n)
		buf_addf(head, "%.*s\r\n", STR_F(field));
	buf_add(head, STR("\r\n"));
}

static bool set_client(struct admin_call *call, struct ip *out)
{
	struct buf text = {};
	struct network n;
	struct type_in in = {};
	struct type_range none = {};
	*out = (struct ip){ .family = AF_INET, .bytes = { 127, 0, 0, 1 } };
	bool given = query_get(call->query, STR("client"), &text);
	int err = given ? TYPE_NETWORK.parse(&in, buf_str(&text), &none, &n) : 0;
	bool fine = !err && (!given || n.bits == 8 * ip_length(&n.ip));
	if (fine && given)
		*out = n.ip;
	if (!fine)
		admin_refuse(call, 400, "\"%.*s\" is no client's address", STR_F(buf_str(&text)));
	buf_fini(&text);
	return fine;
}

static void explain(struct control *c, struct admin_call *call, struct subject *s, struct str head)
{
	const struct core *core = conf_core(c->conf);
	struct parse_limits limits = { core->header_b, core->fields };
	struct buf json = {};
	struct explaining x = { c, c->conf, &s->r, &json };
	unsigned status;
	const char *why;
	buf_add_char(&json, '{');
	switch (parse_ask(&s->r.arena, head, &limits, &s->r.ask, &status, &why)) {
	case PARSE_DONE:
		buf_add_member(&json, "method", s->r.ask.method_name);
		buf_add_char(&json, ',');
		buf_add_member(&json, "host", s->r.ask.host);
		buf_add_char(&json, ',');
		buf_add_member(&json, "target", s->r.ask.target);
		buf_add(&json, STR(",\"ways\":["));
		explain_ways(&x);
		buf_add(&json, STR("]}\n"));
		admin_answer(call, 200, buf_str(&json));
		break;
	case PARSE_BAD:
		admin_refuse(call, 422, "such a request is answered %u: %s", status, why);
		break;
	case PARSE_MORE:
		admin_refuse(call, 422, "that makes no whole request");
		break;
	}
	buf_fini(&json);
}

static void subject_init(struct subject *s, const struct control *c)
{
	s->use.conf = (struct conf *)(uintptr_t)c->conf;
	s->home.use = &s->use;
	s->home.loop.now_ns = clock_ns();
	s->home.loop.now_ms = s->home.loop.now_ns / 1000000;
	s->r.home = &s->home;
	s->r.use = &s->use;
	arena_init(&s->r.arena, s->r.first, sizeof s->r.first);
	s->r.upload = body_of_str(&s->r.arena, STR(""));
}

void errand_explain(struct control *c, struct admin_call *call)
{
	struct buf url = {}, method = {}, field = {}, head = {};
	struct subject *s = MEM_NEW(struct subject);
	subject_init(s, c);
	query_get(call->query, STR("url"), &url);
	query_get(call->query, STR("header"), &field);
	if (!query_get(call->query, STR("method"), &method))
		buf_add(&method, STR("GET"));
	put_head(&head, buf_str(&url), buf_str(&method), buf_str(&field));
	if (!url.n)
		admin_refuse(call, 400, "which request?  /explain?url=http://host/path");
	else if (set_client(call, &s->r.peer))
		explain(c, call, s, buf_str(&head));
	if (s->r.answer.body)
		body_close(s->r.answer.body);
	arena_fini(&s->r.arena);
	mem_free(s);
	buf_fini(&url);
	buf_fini(&method);
	buf_fini(&field);
	buf_fini(&head);
}

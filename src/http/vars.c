/* Variables and templates.  Compiled templates are immutable; printing runs on the request's loop. */
#include "http/vars.h"

#include "base/mem.h"
#include "base/num.h"
#include "http/ids.h"
#include "http/req.h"
#include "http/target.h"
#include "http/visit.h"

static void print_number(struct buf *out, uint64_t n)
{
	out->n += num_print(buf_room(out, 20), n);
}

static void var_arguments(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, r->ask.query);
}

static void var_body_bytes(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_number(out, r->sent_body_b);
}

static void var_bytes_in(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_number(out, r->received_b);
}

static void var_bytes_out(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_number(out, r->sent_b);
}

static void var_cache(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, cached_name(req_cached(r)));
}

static void var_cache_status(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	if (r->visit && r->visit->status.cached)
		buf_add(out, cache_status_print(&r->arena, &r->visit->status));
}

static void var_client(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	out->n += ip_print(buf_room(out, 46), &r->peer);
}

static void var_client_port(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_number(out, r->peer.port);
}

static void var_end(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, end_name(req_ended(r)));
}

/* "x_forwarded_for" is the field X-Forwarded-For. */
static bool is_field(struct str name, struct str argument)
{
	if (name.n != argument.n)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (ascii_lower(name.p[i] == '-' ? '_' : name.p[i]) != ascii_lower(argument.p[i]))
			return false;
	return true;
}

static void print_field(struct buf *out, const struct field *fields, size_t count, struct str argument)
{
	bool first = true;
	for (size_t i = 0; i < count; i++) {
		if (!is_field(fields[i].name, argument))
			continue;
		if (!first)
			buf_add(out, STR(", "));
		buf_add(out, fields[i].value);
		first = false;
	}
}

static void var_field(struct buf *out, struct req *r, struct str argument)
{
	print_field(out, r->ask.fields, r->ask.field_count, argument);
}

/* Of several of that name all are told: for one who reads the first and one who reads the last they are not the same, and a
 * cache's key made of one alone would let a client put a page of the other there. */
static void print_cookies(struct buf *out, struct str pairs, struct str name, bool *first)
{
	while (pairs.p) {
		struct str value = str_trim(str_cut(&pairs, ';')), key = str_cut(&value, '=');
		if (!str_eq(key, name) || !value.p)
			continue;
		if (!*first)
			buf_add(out, STR(", "));
		buf_add(out, value);
		*first = false;
	}
}

static void var_cookie(struct buf *out, struct req *r, struct str argument)
{
	bool first = true;
	for (size_t i = 0; i < r->ask.field_count; i++)
		if (r->ask.fields[i].id == FIELD_COOKIE)
			print_cookies(out, r->ask.fields[i].value, argument, &first);
}

static void var_sent(struct buf *out, struct req *r, struct str argument)
{
	print_field(out, r->answer.fields, r->answer.field_count, argument);
}

static void var_host(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, r->ask.host);
}

static void var_hot(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	if (r->hot)
		buf_add(out, r->hot == HOT_HIT ? STR("hit") : STR("miss"));
}

static void var_id(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	req_id_print(r, buf_room(out, REQ_ID_B));
	out->n += REQ_ID_B;
}

static void var_method(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, r->ask.method_name);
}

static void var_path(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, r->ask.path);
}

static void var_protocol(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, r->ask.minor ? STR("HTTP/1.1") : STR("HTTP/1.0"));
}

static void var_query(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	if (r->ask.query.p)
		buf_add_char(out, '?');
	buf_add(out, r->ask.query);
}

static void var_request(struct buf *out, struct req *r, struct str a)
{
	if (!r->ask.method_name.n)
		return;
	var_method(out, r, a);
	buf_add_char(out, ' ');
	buf_add(out, r->ask.target);
	buf_add_char(out, ' ');
	var_protocol(out, r, a);
}

static void var_request_id(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, req_ids(r)->request_id);
}

static void var_route(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	if (r->route && r->site && r->route != &r->site->fallback)
		pattern_print(out, &r->route->pattern);
}

static void var_scheme(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, req_scheme(r));
}

static void var_shed(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	if (r->shed)
		buf_add(out, end_name(r->cause));
}

static void var_site(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	if (r->site)
		buf_add(out, r->site->names[0]);
}

static void var_status(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_number(out, r->first_ns ? r->answer.status : 0);
}

static void var_target(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, r->ask.target);
}

static void print_seconds(struct buf *out, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
	print_number(out, us / 1000000);
	char *at = buf_room(out, 7);
	at[0] = '.';
	for (unsigned i = 6; i > 0; i--, us /= 10)
		at[i] = (char)('0' + us % 10);
	out->n += 7;
}

static void var_time(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	home_time_print(r->home, out);
}

static void var_time_common(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	home_time_common(r->home, out);
}

static void var_time_first(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_seconds(out, r->begin_ns, r->first_ns);
}

static void var_time_total(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_seconds(out, r->begin_ns, r->done_ns);
}

static void var_attempts(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_number(out, r->trip.attempts);
}

static void var_server(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, r->trip.server);
}

static void var_time_answer(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_seconds(out, 0, r->trip.answer_ns);
}

static void var_time_connect(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_seconds(out, 0, r->trip.connect_ns);
}

static void var_time_queue(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	print_seconds(out, 0, r->trip.queue_ns);
}

static void var_trace_id(struct buf *out, struct req *r, struct str a)
{
	(void)a;
	buf_add(out, req_ids(r)->trace_id);
}

const struct var VARS[] = {
	{ "attempts", "How many servers of a pool were asked, one after the other.", var_attempts, true },
	{ "body_bytes", "Bytes of the answer's body that were sent.", var_body_bytes, true },
	{ "bytes_in", "Bytes of the request's body that were read.", var_bytes_in, true },
	{ "bytes_out", "Bytes of the answer that were sent, its head included.", var_bytes_out, true },
	{ "cache", "What the request got of its route's cache: hit, stale, renewed (its origin said that what was kept still "
	           "holds), miss, joined (what another request fetched), pass (it can't be stored), bypass; empty where the "
	           "route has no cache.", var_cache, true },
	{ "cache_status", "The same with its reasons, as in the answer's Cache-Status field.", var_cache_status, true },
	{ "client", "The client's address.", var_client },
	{ "client_port", "The client's port.", var_client_port },
	{ "cookie_", "A cookie of the request: $cookie_language.", var_cookie },
	{ "end", "Who ended the request, and by which deadline. done: it was answered; the client: client, bad-request, "
	         "header_timeout, body_timeout, send_timeout, min_rate, tunnel_timeout; the server that was asked: "
	         "connect_failed, connect_timeout, server_send_timeout, answer_timeout, read_timeout, server_broke, "
	         "server_bad; petrel: what $shed has, broken (a file that shrank), drain (it stopped).", var_end, true },
	{ "field_", "A field of the request: $field_user_agent.", var_field },
	{ "host", "The host that was asked for, in lower case, without its port.", var_host },
	{ "hot", "Whether the file was in the hot set: hit or miss; empty where no file was looked for.", var_hot, true },
	{ "id", "The request's number, 16 hexadecimal digits.", var_id },
	{ "method", "GET, HEAD, POST …", var_method },
	{ "path", "The path, decoded and normalised.", var_path, .decoded = true },
	{ "protocol", "HTTP/1.1 or HTTP/1.0.", var_protocol },
	{ "query", "The query with its question mark; empty where there is none.", var_query },
	{ "query_string", "The query without its question mark.", var_arguments },
	{ "request", "The request line as it came.", var_request },
	{ "request_id", "The id by which applications know the request, the client's or petrel's: see request_id.",
	  var_request_id },
	{ "route", "The pattern of the route that answered.", var_route },
	{ "scheme", "http.", var_scheme },
	{ "sent_", "A field of the answer: $sent_content_type.", var_sent, true },
	{ "server", "The server of a pool, or the process of an app, that was asked last.", var_server, true },
	{ "shed", "Why the request was refused for load: queue_full, queue_timeout, no_server, disk_queue, descriptors; "
	          "empty where it was not.", var_shed, true },
	{ "site", "The first name of the site that answered.", var_site },
	{ "status", "The answer's status; 0 where none was sent.", var_status, true },
	{ "target", "The request's target as it came: path and query.", var_target },
	{ "time", "The time now: 2026-11-20T10:00:00.123Z.", var_time },
	{ "time_answer", "Seconds from the connection to a server to the head of its answer.", var_time_answer, true },
	{ "time_common", "The time now, as logs in the common format have it: 20/Nov/2026:10:00:00 +0000.", var_time_common },
	{ "time_connect", "Seconds until there was a connection to a server.", var_time_connect, true },
	{ "time_first", "Seconds from the request's last head byte to the answer's first byte.", var_time_first, true },
	{ "time_queue", "Seconds in the queue of a pool.", var_time_queue, true },
	{ "time_total", "Seconds from the request's last head byte to the answer's last byte.", var_time_total, true },
	{ "trace_id", "The trace's id, 32 hexadecimal digits, of the traceparent that goes on to applications; else empty.",
	  var_trace_id },
	{},
};

/* --- Compiling. --- */

static const struct var *var_find(struct str name, struct str *argument)
{
	for (const struct var *v = VARS; v->name; v++) {
		struct str known = str_of(v->name);
		bool open = known.p[known.n - 1] == '_';
		if (open ? str_starts(name, known) && name.n > known.n : str_eq(name, known)) {
			*argument = open ? str_from(name, known.n) : (struct str){};
			return v;
		}
	}
	return NULL;
}

static int unknown(struct type_in *in, struct str name)
{
	const char *best = NULL;
	unsigned least = 4;
	for (const struct var *v = VARS; v->name; v++) {
		unsigned distance = str_distance(name, str_of(v->name));
		if (distance < least) {
			least = distance;
			best = v->name;
		}
	}
	return best ? type_wrong(in, "there is no variable $%.*s; did you mean $%s?", STR_F(name), best)
	            : type_wrong(in, "there is no variable $%.*s; `petrel help variables` lists them", STR_F(name));
}

static bool name_char(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '_';
}

/* What follows a '$'; takes it off *rest. */
static int take_variable(struct type_in *in, struct str *rest, struct piece *out)
{
	bool braces = rest->n && rest->p[0] == '{';
	struct str s = str_from(*rest, braces);
	size_t n = 0;
	if (s.n && ascii_digit(s.p[0]))
		n = 1;
	else
		while (n < s.n && name_char(s.p[n]))
			n++;
	struct str name = str_head(s, n);
	if (!n || (braces && (n == s.n || s.p[n] != '}')))
		return type_wrong(in, "a $ is followed by no variable; write $$ for a dollar sign");
	*rest = str_from(s, n + braces);
	*out = (struct piece){};
	if (ascii_digit(name.p[0])) {
		out->capture = (unsigned)(name.p[0] - '0');
		return out->capture ? 0 : type_wrong(in, "captures are $1 to $9");
	}
	out->var = var_find(name, &out->argument);
	return out->var ? 0 : unknown(in, name);
}

int tmpl_parse(struct type_in *in, struct str text, struct tmpl *out)
{
	struct str rest = arena_str(in->arena, text);
	size_t most = 1;
	for (size_t i = 0; i < text.n; i++)
		most += 2 * (text.p[i] == '$');
	struct piece *pieces = arena_new(in->arena, most * sizeof *pieces);
	*out = (struct tmpl){ pieces, 0, rest };
	while (rest.n) {
		size_t dollar = str_find(rest, '$');
		bool escaped = str_starts(str_from(rest, dollar), STR("$$"));
		bool variable = dollar < rest.n && !escaped;
		struct str literal = str_head(rest, dollar + escaped);
		if (literal.n)
			pieces[out->count++].literal = literal;
		rest = str_from(rest, dollar + 1 + escaped);
		int err = variable ? take_variable(in, &rest, &pieces[out->count++]) : 0;
		if (err)
			return err;
	}
	return 0;
}

void piece_print(struct buf *out, const struct piece *p, struct req *r)
{
	if (p->var)
		p->var->print(out, r, p->argument);
	else if (!p->capture)
		buf_add(out, p->literal);
	else if (p->capture <= r->captures.count)
		buf_add(out, r->captures.at[p->capture - 1]);
}

void tmpl_print(struct buf *out, const struct tmpl *t, struct req *r)
{
	for (size_t i = 0; i < t->count; i++)
		piece_print(out, &t->pieces[i], r);
}

struct str tmpl_str(const struct tmpl *t, struct req *r)
{
	if (!t->count)
		return (struct str){ "", 0 };
	if (t->count == 1 && t->pieces[0].literal.n)
		return t->pieces[0].literal;
	struct buf out = {};
	tmpl_print(&out, t, r);
	struct str s = arena_str(&r->arena, buf_str(&out));
	buf_fini(&out);
	return s;
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* What a client sent may end up in a value; no control character may (RFC 9110, 5.5). */
struct str tmpl_field(const struct tmpl *t, struct req *r)
{
	struct str value = tmpl_str(t, r);
	size_t i = 0;
	while (i < value.n && !is_control(value.p[i]))
		i++;
	if (i == value.n)
		return str_trim(value);
	struct str copy = arena_str(&r->arena, value);
	char *p = (char *)(uintptr_t)copy.p;
	for (; i < copy.n; i++)
		if (is_control(p[i]))
			p[i] = ' ';
	return str_trim(copy);
}

/* Parts that were decoded are encoded again: a '?' or '%' that was one letter of a name stays one. */
struct str tmpl_url(const struct tmpl *t, struct req *r)
{
	struct buf out = {};
	for (size_t i = 0; i < t->count; i++) {
		const struct piece *p = &t->pieces[i];
		size_t from = out.n;
		piece_print(&out, p, r);
		if (!p->capture && !(p->var && p->var->decoded))
			continue;
		struct str encoded = target_encode(&r->arena, str_from(buf_str(&out), from));
		out.n = from;
		buf_add(&out, encoded);
	}
	struct str target = target_clean(&r->arena, buf_str(&out));
	buf_fini(&out);
	return target;
}

/* --- The type. --- */

static int type_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	(void)range;
	return tmpl_parse(in, text, out);
}

static void type_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	type_print_word(out, ((const struct tmpl *)value)->text);
}

const struct type TYPE_TEMPLATE = { "text", "a text, which may hold variables such as $path",
	                            sizeof(struct tmpl), type_parse, type_print };

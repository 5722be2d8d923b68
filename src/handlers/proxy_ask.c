/* The request as it goes to an HTTP server: its own fields, without those of the hop, and what petrel says about the
 * client.  On the request's loop; what has to be put together goes to its arena. */
#include "base/num.h"
#include "handlers/proxy.h"
#include "http/ids.h"
#include "http/req.h"
#include "http/target.h"
#include "http/trailers.h"

static void add_field(struct buf *out, struct str name, struct str value)
{
	char *p = buf_room(out, name.n + value.n + 4);
	memcpy(p, name.p, name.n);
	p += name.n;
	*p++ = ':';
	*p++ = ' ';
	if (value.n)
		memcpy(p, value.p, value.n);
	p += value.n;
	*p++ = '\r';
	*p = '\n';
	out->n += name.n + value.n + 4;
}

/* --- The request line, and Host. --- */

static void add_query(struct buf *out, const struct ask *ask)
{
	if (ask->query.p)
		buf_add_char(out, '?');
	buf_add(out, ask->query);
}

/* As the client wrote it, unless the operator wants another or the request was routed anew. */
void proxy_target(struct req *r, const struct proxy *v, struct buf *out)
{
	const struct tmpl *path = &v->path;
	if (!path->count && !r->again) {
		buf_add(out, target_origin_form(&r->arena, r->ask.target));
		return;
	}
	struct str target = path->count ? tmpl_url(path, r) : target_encode(&r->arena, r->ask.path);
	if (!target.n || target.p[0] != '/')
		buf_add_char(out, '/');
	buf_add(out, target);
	if (str_find(target, '?') == target.n)
		add_query(out, &r->ask);
}

static struct str server_name(const struct call *c)
{
	struct str name = str_of(c->peer_name);
	bool unnamed = c->outward->backend->is_app || !name.n || str_starts(name, STR("unix:"));
	return unnamed ? STR("localhost") : name;
}

struct str proxy_host(struct call *c)
{
	const struct proxy_host *host = &proxy_of(c)->host;
	struct str value = {};
	if (host->kind == HOST_PASS)
		value = ask_field(&c->req->ask, FIELD_HOST);
	else if (host->kind == HOST_TEXT)
		value = tmpl_field(&host->text, c->req);
	return value.n ? value : server_name(c);
}

/* --- The client's fields. --- */

static const struct str FORWARDED[] = { { "Forwarded", 9 },
	                                { "X-Forwarded-For", 15 },
	                                { "X-Forwarded-Host", 16 },
	                                { "X-Forwarded-Proto", 17 } };
enum { FORWARDED_NAMES = sizeof FORWARDED / sizeof *FORWARDED };

static bool is_forwarded(struct str name)
{
	if (name.n < 9)
		return false;
	for (size_t i = 0; i < FORWARDED_NAMES; i++)
		if (field_is_like(name, FORWARDED[i]))
			return true;
	return false;
}

/* A client must not pass one name for another, either. */
static bool is_set(const struct proxy *v, struct str name)
{
	const struct proxy_field *fields = v->fields.p;
	for (size_t i = 0; i < v->fields.count; i++)
		if (field_is_like(fields[i].name, name))
			return true;
	return false;
}

/* Applications that are told of fields in variables can't tell these from the ones that say where the body ends. */
static bool is_framing(struct str name)
{
	return field_is_like(name, STR("Content-Length")) || field_is_like(name, STR("Transfer-Encoding"));
}

static bool is_passed(const struct proxy *v, const struct ask *ask, const struct ids *ids, const struct field *f)
{
	if (f->id == FIELD_HOST || f->id == FIELD_EXPECT || field_is_hop(f->name) || is_framing(f->name))
		return false;
	if (v->forwarded != FORWARDED_PASS && is_forwarded(f->name))
		return false;
	return ids_pass(ids, f->name) && !is_set(v, f->name) && !fields_name(ask->fields, ask->field_count, f->name);
}

static void add_fields(struct call *c, struct buf *out)
{
	const struct proxy *v = proxy_of(c);
	const struct ask *ask = &c->req->ask;
	const struct proxy_field *own = v->fields.p;
	const struct ids *ids = req_ids(c->req);
	for (size_t i = 0; i < ask->field_count; i++)
		if (is_passed(v, ask, ids, &ask->fields[i]))
			add_field(out, ask->fields[i].name, ask->fields[i].value);
	for (unsigned i = 0; i < ids->own_count; i++)
		if (!is_set(v, ids->own[i].name))
			add_field(out, ids->own[i].name, ids->own[i].value);
	for (size_t i = 0; i < v->fields.count; i++) {
		struct str value = tmpl_field(&own[i].value, c->req);
		if (value.n)
			add_field(out, own[i].name, value);
	}
}

/* --- What petrel says about the client. --- */

/* "Name: ", and where the client's claims are believed what it sent under this name, each with a comma behind it. */
static bool add_claims(struct call *c, struct buf *out, struct str name)
{
	const struct ask *ask = &c->req->ask;
	buf_add(out, name);
	buf_add(out, STR(": "));
	size_t begin = out->n;
	for (size_t i = 0; proxy_of(c)->forwarded == FORWARDED_APPEND && i < ask->field_count; i++) {
		const struct field *f = &ask->fields[i];
		if (!f->value.n || !str_eq_nocase(f->name, name))
			continue;
		buf_add(out, f->value);
		buf_add(out, STR(", "));
	}
	return out->n > begin;
}

/* Whoever came first knows what the client asked for. */
static void add_first(struct call *c, struct buf *out, struct str name, struct str value)
{
	size_t from = out->n;
	bool claimed = add_claims(c, out, name);
	if (claimed)
		out->n -= 2;
	else
		buf_add(out, value);
	buf_add(out, STR("\r\n"));
	if (!claimed && !value.n)
		out->n = from;
}

/* RFC 7239, 4: an address of IPv6 in brackets and quotes; a host may hold a colon, and is quoted. */
static void add_element(struct call *c, struct buf *out, struct str client, struct str host)
{
	bool v6 = c->req->peer.family == AF_INET6;
	buf_add(out, v6 ? STR("for=\"[") : STR("for="));
	buf_add(out, client);
	buf_add(out, v6 ? STR("]\"") : STR(""));
	if (host.n) {
		buf_add(out, STR(";host=\""));
		buf_add(out, host);
		buf_add_char(out, '"');
	}
	buf_add(out, STR(";proto="));
	buf_add(out, req_scheme(c->req));
	buf_add(out, STR("\r\n"));
}

static void add_forwarded(struct call *c, struct buf *out)
{
	const struct proxy *v = proxy_of(c);
	struct str host = ask_field(&c->req->ask, FIELD_HOST);
	char text[46];
	if (v->forwarded == FORWARDED_PASS || v->forwarded == FORWARDED_OFF)
		return;
	/* A client of a Unix socket has no address. */
	struct str client = ip_length(&c->req->peer) ? str_make(text, ip_print(text, &c->req->peer)) : STR("unknown");
	add_claims(c, out, STR("X-Forwarded-For"));
	buf_add(out, client);
	buf_add(out, STR("\r\n"));
	add_first(c, out, STR("X-Forwarded-Proto"), req_scheme(c->req));
	add_first(c, out, STR("X-Forwarded-Host"), host);
	add_claims(c, out, STR("Forwarded"));
	add_element(c, out, client, host);
}

static void add_via(struct call *c, struct buf *out)
{
	const struct ask *ask = &c->req->ask;
	if (proxy_of(c)->via)
		add_field(out, STR("Via"), ask->minor ? STR("1.1 petrel") : STR("1.0 petrel"));
}

/* --- The connection. --- */

bool proxy_upgrades(const struct ask *ask)
{
	/* Of all protocols that a client may ask for only this one: h2c would be a way past every rule of the routes. */
	return ask->method == METHOD_GET && ask->framing == FRAMING_NONE && ask->minor >= 1 &&
	       str_eq_nocase(ask_field(ask, FIELD_UPGRADE), STR("websocket")) &&
	       fields_name(ask->fields, ask->field_count, STR("upgrade"));
}

/* TE speaks of one connection, and has to be named (RFC 9110, 10.1.4): petrel says it for whoever says it to petrel. */
static void add_connection(struct call *c, struct buf *out)
{
	bool closes = !c->outward->backend->keepalive;
	if (proxy_upgrades(&c->req->ask))
		buf_add(out, STR("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	else if (trailers_wanted(&c->req->ask))
		buf_addf(out, "TE: trailers\r\nConnection: %sTE\r\n", closes ? "close, " : "");
	else if (closes)
		buf_add(out, STR("Connection: close\r\n"));
}

static bool says_length(const struct ask *ask)
{
	return ask->method == METHOD_POST || ask->method == METHOD_PUT || ask->method == METHOD_PATCH ||
	       ask_field(ask, FIELD_CONTENT_LENGTH).p;
}

static void add_framing(struct call *c, struct buf *out)
{
	char text[20];
	if (c->body_b == LENGTH_UNKNOWN)
		buf_add(out, STR("Transfer-Encoding: chunked\r\n"));
	else if (c->body_b > 0 || says_length(&c->req->ask))
		add_field(out, STR("Content-Length"), str_make(text, num_print(text, (uint64_t)c->body_b)));
}

unsigned proxy_ask(struct call *c, struct buf *out)
{
	buf_add(out, ask_method(&c->req->ask));
	buf_add_char(out, ' ');
	proxy_target(c->req, proxy_of(c), out);
	buf_add(out, STR(" HTTP/1.1\r\n"));
	add_field(out, STR("Host"), proxy_host(c));
	add_fields(c, out);
	add_forwarded(c, out);
	add_via(c, out);
	add_connection(c, out);
	add_framing(c, out);
	buf_add(out, STR("\r\n"));
	return 0;
}

void proxy_frame(struct call *c, uint64_t n, struct buf *out)
{
	struct proxy_state *s = c->state;
	if (c->body_b != LENGTH_UNKNOWN)
		return;
	if (s->chunks)
		buf_add(out, STR("\r\n"));
	buf_addf(out, "%llx\r\n%s", (unsigned long long)n, n ? "" : "\r\n");
	s->chunks = true;
}

/* uwsgi: answers by an application that speaks the uwsgi protocol.  On the request's loop; state in the call's memory.
 *
 * The request is a packet (modifier1 0: a WSGI request) of names and values with their lengths, 64 KB in all, and then the
 * body; a connection is for one request. */
#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/gateway.h"

enum { HEADER_B = 4, PACKET_MOST_B = 65535 };

struct pairs {
	struct cgi_sink sink;
	struct buf *out;
	bool surplus;        /* a name or value is longer than a length can say */
};

static void put_u16(char *p, size_t n)
{
	p[0] = (char)n;
	p[1] = (char)(n >> 8);
}

static void add_counted(struct buf *out, struct str s)
{
	put_u16(buf_room(out, 2), s.n);
	out->n += 2;
	buf_add(out, s);
}

static void put_pair(struct cgi_sink *sink, struct str name, struct str value)
{
	struct pairs *pairs = container_of(sink, struct pairs, sink);
	if (name.n > PACKET_MOST_B || value.n > PACKET_MOST_B) {
		pairs->surplus = true;
		return;
	}
	add_counted(pairs->out, name);
	add_counted(pairs->out, value);
}

static unsigned uwsgi_ask(struct call *c, struct buf *out)
{
	struct pairs pairs = { { put_pair }, out, false };
	size_t from = out->n;
	if (c->body_b == LENGTH_UNKNOWN) {
		c->why = "uwsgi has to know a body's length before its first byte.";
		return 411;
	}
	memset(buf_room(out, HEADER_B), 0, HEADER_B);
	out->n += HEADER_B;
	cgi_vars(c->req, &gateway_of(c)->cgi, c->body_b, &pairs.sink);
	size_t all = out->n - from - HEADER_B;
	if (pairs.surplus || all > PACKET_MOST_B) {
		c->why = "The request's variables are more than the 64 KB that fit into a uwsgi packet.";
		return 431;
	}
	put_u16(out->p + from + 1, all);
	return 0;
}

const struct codec UWSGI_CODEC = {
	.name = "uwsgi",
	.decode = DECODE_UWSGI,
	.state_b = sizeof(struct cgi_answer),
	.needs_length = true,
	.ask = uwsgi_ask,
	.hear = gateway_hear,
	.fin = gateway_fin,
};

static void uwsgi_check(struct checker *c, void *values)
{
	gateway_check(c, values, &UWSGI_CODEC, PROTOCOL_UWSGI);
}

static const struct directive DIRECTIVES[] = {
	{ .name = "uwsgi", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .args = GATEWAY_ARGS, .inner = GATEWAY_APPS,
	  .doc = "Answers by an application that speaks the uwsgi protocol: an app or pool of this name, or an address.",
	  .example = "route * { uwsgi unix:/run/uwsgi/app.sock; }" },
	{},
};

const struct module UWSGI = {
	.name = "uwsgi",
	.doc = "Applications that speak the uwsgi protocol, as the uWSGI server does.",
	.size = sizeof(struct gateway),
	.directives = DIRECTIVES,
	.handle = gateway_handle,
	.outward = gateway_outward,
	.explain = gateway_explain,
	.check = uwsgi_check,
};

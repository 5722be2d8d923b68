/* scgi: answers by an application that speaks SCGI.  On the request's loop; state in the call's memory.
 *
 * The request is a netstring of names and values, each ended by NUL, CONTENT_LENGTH first, and then the body; a connection
 * is for one request. */
#include "base/mem.h"
#include "base/num.h"
#include "handlers/handlers.h"
#include "http/gateway.h"

struct pairs {
	struct cgi_sink sink;
	struct buf *out;
};

static void add_pair(struct buf *out, struct str name, struct str value)
{
	buf_add(out, name);
	buf_add_char(out, '\0');
	buf_add(out, value);
	buf_add_char(out, '\0');
}

/* CONTENT_LENGTH stands first, whatever else is said. */
static void put_pair(struct cgi_sink *sink, struct str name, struct str value)
{
	if (!str_eq(name, STR("CONTENT_LENGTH")))
		add_pair(container_of(sink, struct pairs, sink)->out, name, value);
}

/* "123:" before what was written from `from` on, and "," behind it. */
static void close_netstring(struct buf *out, size_t from)
{
	char length[21];
	size_t all = out->n - from, n = num_print(length, all);
	length[n++] = ':';
	buf_room(out, n + 1);
	memmove(out->p + from + n, out->p + from, all);
	memcpy(out->p + from, length, n);
	out->n += n;
	buf_add_char(out, ',');
}

static unsigned scgi_ask(struct call *c, struct buf *out)
{
	struct pairs pairs = { { put_pair }, out };
	char length[20];
	size_t from = out->n;
	if (c->body_b == LENGTH_UNKNOWN) {
		c->why = "SCGI has to know a body's length before its first byte.";
		return 411;
	}
	add_pair(out, STR("CONTENT_LENGTH"), str_make(length, num_print(length, (uint64_t)c->body_b)));
	add_pair(out, STR("SCGI"), STR("1"));
	cgi_vars(c->req, &gateway_of(c)->cgi, c->body_b, &pairs.sink);
	close_netstring(out, from);
	return 0;
}

const struct codec SCGI_CODEC = {
	.name = "SCGI",
	.decode = DECODE_SCGI,
	.state_b = sizeof(struct cgi_answer),
	.needs_length = true,
	.ask = scgi_ask,
	.hear = gateway_hear,
	.fin = gateway_fin,
};

static void scgi_check(struct checker *c, void *values)
{
	gateway_check(c, values, &SCGI_CODEC, PROTOCOL_SCGI);
}

static const struct directive DIRECTIVES[] = {
	{ .name = "scgi", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .args = GATEWAY_ARGS, .inner = GATEWAY_APPS,
	  .doc = "Answers by an application that speaks SCGI: an app or pool of this name, or an address.",
	  .example = "route /app/* { scgi 127.0.0.1:4000 { mount /app; } }" },
	{},
};

const struct module SCGI = {
	.name = "scgi",
	.doc = "Applications that speak SCGI.",
	.size = sizeof(struct gateway),
	.directives = DIRECTIVES,
	.handle = gateway_handle,
	.outward = gateway_outward,
	.explain = gateway_explain,
	.check = scgi_check,
};

/* fastcgi: answers by an application that speaks FastCGI (1.0).  On the request's loop; state in the call's memory.
 *
 * One request at a time on a connection, always number 1, and the connection is kept.  A record is eight bytes (version,
 * type, id, content's length, padding's length), its content and its padding. */
#include "base/mem.h"
#include "base/must.h"
#include "handlers/handlers.h"
#include "http/gateway.h"

enum {
	VERSION = 1,
	HEADER_B = 8,
	CONTENT_MOST_B = 65535,
	OUR_ID = 1,
	ROLE_RESPONDER = 1,
	FLAG_KEEP_CONN = 1,
	STATUS_COMPLETE = 0,
	STATUS_OVERLOADED = 2,
};

enum record {
	BEGIN_REQUEST = 1,
	END_REQUEST = 3,
	PARAMS = 4,
	STDIN = 5,
	STDOUT = 6,
	STDERR = 7,
	GET_VALUES_RESULT = 10,
	UNKNOWN_TYPE = 11,
};

enum at { AT_HEADER, AT_CONTENT, AT_PADDING };

struct state {
	struct cgi_answer answer;
	enum at at;
	uint8_t type;                /* of the record */
	size_t left_b, padding_b;    /* of it */
	bool out_over, err_over;     /* the streams' ends were said */
	bool over;                   /* END_REQUEST was read */
};

/* --- The request. --- */

static void put_header(char *p, enum record type, size_t content_b)
{
	const unsigned char header[HEADER_B] = { VERSION, (unsigned char)type, 0, OUR_ID, (unsigned char)(content_b >> 8),
		                                 (unsigned char)content_b, 0, 0 };
	memcpy(p, header, HEADER_B);
}

static void add_header(struct buf *out, enum record type, size_t content_b)
{
	put_header(buf_room(out, HEADER_B), type, content_b);
	out->n += HEADER_B;
}

struct pairs {
	struct cgi_sink sink;
	struct buf *out;
};

static char *put_length(char *p, size_t n)
{
	if (n > 127) {
		*p++ = (char)(0x80 | (n >> 24 & 0x7f));
		*p++ = (char)(n >> 16);
		*p++ = (char)(n >> 8);
	}
	*p++ = (char)n;
	return p;
}

static void put_pair(struct cgi_sink *sink, struct str name, struct str value)
{
	struct buf *out = container_of(sink, struct pairs, sink)->out;
	char *start = buf_room(out, 8 + name.n + value.n), *p = put_length(put_length(start, name.n), value.n);
	memcpy(p, name.p, name.n);
	memcpy(p + name.n, value.p, value.n);
	out->n += (size_t)(p - start) + name.n + value.n;
}

/* What was written behind a header's room at `from` becomes one record, or, where it is more than one can hold, several:
 * the stream of pairs may be cut anywhere. */
static void close_params(struct call *c, struct buf *out, size_t from)
{
	size_t all = out->n - from - HEADER_B;
	if (all <= CONTENT_MOST_B) {
		put_header(out->p + from, PARAMS, all);
		return;
	}
	struct str rest = arena_str(c->arena, str_make(out->p + from + HEADER_B, all));
	out->n = from;
	while (rest.n) {
		struct str piece = str_head(rest, CONTENT_MOST_B);
		add_header(out, PARAMS, piece.n);
		buf_add(out, piece);
		rest = str_from(rest, piece.n);
	}
}

static unsigned fastcgi_ask(struct call *c, struct buf *out)
{
	static const char BEGIN[8] = { 0, ROLE_RESPONDER, FLAG_KEEP_CONN };
	struct pairs pairs = { { put_pair }, out };
	add_header(out, BEGIN_REQUEST, sizeof BEGIN);
	buf_add(out, str_make(BEGIN, sizeof BEGIN));
	size_t from = out->n;
	buf_room(out, HEADER_B);
	out->n += HEADER_B;
	cgi_vars(c->req, &gateway_of(c)->cgi, c->body_b, &pairs.sink);
	close_params(c, out, from);
	add_header(out, PARAMS, 0);
	return 0;
}

static void fastcgi_frame(struct call *c, uint64_t n, struct buf *out)
{
	(void)c;
	must(n <= CONTENT_MOST_B);
	add_header(out, STDIN, (size_t)n);
}

/* --- The answer. --- */

static enum heard bad(struct call *c, const char *why)
{
	c->why = why;
	return HEARD_BAD;
}

/* A record of this type may come now. */
static const char *objection(const struct state *s, unsigned id)
{
	if (s->type == GET_VALUES_RESULT || s->type == UNKNOWN_TYPE)
		return id ? "A FastCGI record about the connection has a request's number." : NULL;
	if (id != OUR_ID)
		return "A FastCGI record has the number of another request.";
	switch (s->type) {
	case STDOUT:
		return s->out_over && s->left_b ? "FastCGI output comes after its end." : NULL;
	case STDERR:
		return s->err_over && s->left_b ? "FastCGI error output comes after its end." : NULL;
	case END_REQUEST:
		return s->left_b != 8 ? "A FastCGI end of request has the wrong length." : NULL;
	default:
		return "A FastCGI record has a type that no application sends.";
	}
}

static enum heard hear_header(struct call *c, struct state *s, struct str *in)
{
	const unsigned char *p = (const unsigned char *)in->p;
	if (in->n && p[0] != VERSION)
		return bad(c, "A FastCGI record has an unknown version.");
	if (in->n < HEADER_B)
		return HEARD_MORE;
	s->type = p[1];
	s->left_b = (size_t)p[4] << 8 | p[5];
	s->padding_b = p[6];
	const char *why = objection(s, (unsigned)p[2] << 8 | p[3]);
	if (why)
		return bad(c, why);
	s->out_over |= s->type == STDOUT && !s->left_b;
	s->err_over |= s->type == STDERR && !s->left_b;
	*in = str_from(*in, HEADER_B);
	s->at = AT_CONTENT;
	return HEARD_MORE;
}

static struct str take(struct state *s, struct str *in, size_t n)
{
	struct str piece = str_head(*in, n);
	*in = str_from(*in, piece.n);
	s->left_b -= piece.n;
	return piece;
}

static enum heard hear_output(struct call *c, struct state *s, struct str *in, struct str *data)
{
	struct str piece = str_head(*in, s->left_b), rest = piece;
	enum heard heard = cgi_hear(c, &s->answer, &rest, data);
	take(s, in, piece.n - rest.n);
	if (heard == HEARD_END)
		return rest.n ? bad(c, "The program's answer is longer than its Content-Length.") : HEARD_MORE;
	if (heard == HEARD_HEAD)
		c->reply.keep = true;
	return heard;
}

/* The application server had no process for it: as good as a 503, which the pool may try again elsewhere. */
static enum heard overloaded(struct call *c, struct state *s)
{
	if (s->answer.told)
		return bad(c, "The FastCGI server is overloaded in the middle of an answer.");
	s->answer.told = true;
	c->reply = (struct reply){ .status = 503, .keep = true };
	return HEARD_HEAD;
}

static enum heard hear_end(struct call *c, struct state *s, struct str *in)
{
	if (in->n < s->left_b)
		return HEARD_MORE;
	unsigned status = (unsigned char)in->p[4];
	take(s, in, s->left_b);
	s->over = true;
	if (status == STATUS_OVERLOADED)
		return overloaded(c, s);
	if (status != STATUS_COMPLETE)
		return bad(c, "The FastCGI server refuses the request (it can't multiplex, or knows no responder).");
	return cgi_fin(c, &s->answer) == HEARD_BAD ? HEARD_BAD : HEARD_MORE;
}

static enum heard hear_content(struct call *c, struct state *s, struct str *in, struct str *data)
{
	if (!s->left_b) {
		s->at = AT_PADDING;
		return HEARD_MORE;
	}
	switch (s->type) {
	case STDOUT:
		return in->n ? hear_output(c, s, in, data) : HEARD_MORE;
	case STDERR:
		*data = take(s, in, s->left_b);
		return data->n ? HEARD_ASIDE : HEARD_MORE;
	case END_REQUEST:
		return hear_end(c, s, in);
	default:
		take(s, in, s->left_b);
		return HEARD_MORE;
	}
}

static enum heard hear_padding(struct state *s, struct str *in)
{
	size_t n = in->n < s->padding_b ? in->n : s->padding_b;
	*in = str_from(*in, n);
	s->padding_b -= n;
	if (s->padding_b)
		return HEARD_MORE;
	s->at = AT_HEADER;
	return s->over ? HEARD_END : HEARD_MORE;
}

static enum heard step(struct call *c, struct state *s, struct str *in, struct str *data)
{
	switch (s->at) {
	case AT_HEADER:
		return hear_header(c, s, in);
	case AT_CONTENT:
		return hear_content(c, s, in, data);
	case AT_PADDING:
		return hear_padding(s, in);
	}
	must_fail("a FastCGI record has three parts", __FILE__, __LINE__);
}

static enum heard fastcgi_hear(struct call *c, struct str *in, struct str *data)
{
	struct state *s = c->state;
	for (;;) {
		size_t before = in->n;
		enum at at = s->at;
		enum heard heard = step(c, s, in, data);
		if (heard != HEARD_MORE || (in->n == before && s->at == at))
			return heard;
	}
}

static enum heard fastcgi_fin(struct call *c)
{
	const struct state *s = c->state;
	return bad(c, s->answer.told ? "The FastCGI server closed the connection in the middle of the answer."
	                             : "The FastCGI server closed the connection without an answer.");
}

const struct codec FASTCGI_CODEC = {
	.name = "FastCGI",
	.decode = DECODE_FASTCGI,
	.state_b = sizeof(struct state),
	/* The protocol can do without, but PHP reads no further than CONTENT_LENGTH says. */
	.needs_length = true,
	.frame_most_b = CONTENT_MOST_B,
	.ask = fastcgi_ask,
	.frame = fastcgi_frame,
	.hear = fastcgi_hear,
	.fin = fastcgi_fin,
};

/* --- Configuration. --- */

static void fastcgi_check(struct checker *c, void *values)
{
	gateway_check(c, values, &FASTCGI_CODEC, PROTOCOL_FASTCGI);
}

static const struct directive DIRECTIVES[] = {
	{ .name = "fastcgi", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .args = GATEWAY_ARGS, .inner = GATEWAY_SCRIPTS,
	  .doc = "Answers by an application that speaks FastCGI: an app or pool of this name, or an address. The application "
	         "gets all variables of CGI/1.1; what it writes to its standard error goes to the error log.",
	  .example = "route *.php   { fastcgi php; }\nroute /wiki/* { fastcgi unix:/run/php/php-fpm.sock; }" },
	{},
};

const struct module FASTCGI = {
	.name = "fastcgi",
	.doc = "Applications that speak FastCGI, such as PHP's php-cgi and php-fpm.",
	.size = sizeof(struct gateway),
	.directives = DIRECTIVES,
	.handle = gateway_handle,
	.outward = gateway_outward,
	.explain = gateway_explain,
	.check = fastcgi_check,
};

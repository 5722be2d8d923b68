/* The answer of an HTTP server: its head by http/reply.c, its body by length, by chunks, or until the connection's end.
 * On the request's loop; state in the call's memory. */
#include "handlers/proxy.h"
#include "http/req.h"

enum { INTERIMS = 64 };

static enum heard bad(struct call *c, const char *why)
{
	c->why = why;
	return HEARD_BAD;
}

/* Only the end of a line can be the end of fields: bytes that have none are not looked at again. */
static bool has_line(struct proxy_state *s, struct str fields)
{
	struct str fresh = str_from(fields, s->looked_b);
	s->looked_b = fields.n;
	return str_find(fresh, '\n') < fresh.n;
}

static enum heard hear_head(struct call *c, struct proxy_state *s, struct str *in)
{
	const struct ask *ask = &c->req->ask;
	struct reply_about about = { ask->method, proxy_upgrades(ask), LINES_FIELDS, trailers_wanted(ask) };
	/* As much as it may be; who calls this sees that it is more. */
	struct str head = str_head(*in, (size_t)c->outward->backend->header_b);
	if (!has_line(s, head))
		return HEARD_MORE;
	enum parsed p = reply_parse(c->arena, head, &about, &c->reply, &s->head, &c->why);
	if (p != PARSE_DONE)
		return p == PARSE_MORE ? HEARD_MORE : HEARD_BAD;
	*in = str_from(*in, s->head.head_b);
	s->looked_b = 0;
	if (s->head.interim)
		return ++s->interims > INTERIMS ? bad(c, "The server sends interim answers without end.") : HEARD_INTERIM;
	s->told = true;
	s->left_b = s->head.body_b;
	s->chunked.leaves_trailers = true;
	return HEARD_HEAD;
}

static enum heard hear_run(struct str *in, struct str *data, uint64_t most_b)
{
	*data = str_head(*in, most_b < in->n ? (size_t)most_b : in->n);
	*in = str_from(*in, data->n);
	return data->n ? HEARD_DATA : HEARD_MORE;
}

static enum heard hear_length(struct proxy_state *s, struct str *in, struct str *data)
{
	if (!s->left_b)
		return HEARD_END;
	enum heard heard = hear_run(in, data, s->left_b);
	s->left_b -= heard == HEARD_DATA ? data->n : 0;
	return heard;
}

static enum heard hear_trailers(struct call *c, struct proxy_state *s, struct str *in)
{
	size_t most_b = (size_t)c->outward->backend->header_b, used;
	struct str section = str_head(*in, most_b);
	enum parsed p = has_line(s, section) ? trailers_parse(c->arena, section, c->reply.trailers, &used, &c->why)
	                                     : PARSE_MORE;
	if (p == PARSE_MORE)
		return in->n < most_b ? HEARD_MORE : bad(c, "The trailers of the server's answer are too large.");
	if (p == PARSE_BAD)
		return HEARD_BAD;
	*in = str_from(*in, used);
	s->chunked.at = CHUNKED_DONE;
	return HEARD_END;
}

static enum heard hear_chunked(struct call *c, struct proxy_state *s, struct str *in, struct str *data)
{
	switch (chunked_read(&s->chunked, in, UINT64_MAX, data)) {
	case CHUNKED_SOME:
		return HEARD_DATA;
	case CHUNKED_OVER:
		return HEARD_END;
	case CHUNKED_LEFT:
		return hear_trailers(c, s, in);
	case CHUNKED_BAD:
		return bad(c, "The server's chunks are malformed.");
	case CHUNKED_MORE:
		break;
	}
	return HEARD_MORE;
}

enum heard proxy_hear(struct call *c, struct str *in, struct str *data)
{
	struct proxy_state *s = c->state;
	if (!s->told)
		return hear_head(c, s, in);
	switch (s->head.body) {
	case REPLY_LENGTH:
		return hear_length(s, in, data);
	case REPLY_CHUNKED:
		return hear_chunked(c, s, in, data);
	case REPLY_UNTIL_CLOSE:
		return hear_run(in, data, UINT64_MAX);
	case REPLY_NO_BODY:
		break;
	}
	/* What follows 101 is the other protocol's. */
	return c->reply.status == 101 ? hear_run(in, data, UINT64_MAX) : HEARD_END;
}

enum heard proxy_fin(struct call *c)
{
	const struct proxy_state *s = c->state;
	bool whole = s->head.body == REPLY_UNTIL_CLOSE || s->head.body == REPLY_NO_BODY ||
	             (s->head.body == REPLY_LENGTH && !s->left_b) ||
	             (s->head.body == REPLY_CHUNKED && s->chunked.at == CHUNKED_DONE);
	if (!s->told)
		return bad(c, s->looked_b ? "The server closed the connection in the middle of its answer's head."
		                          : "The server closed the connection without an answer.");
	return whole ? HEARD_END : bad(c, "The server closed the connection in the middle of its answer.");
}

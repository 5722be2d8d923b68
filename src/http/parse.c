/* The parser of HTTP/1 request heads (RFC 9112, 2 to 6).  Reads from the loop's buffer, keeps a copy in the arena.
 *
 * The bytes are lexed by http/lines.c; here is what makes them a request, and one that can be read in one way only. */
#include "http/parse.h"

#include <errno.h>

#include "base/num.h"
#include "http/target.h"

static enum parsed parse_line(struct lines *l, struct ask *out)
{
	enum parsed p;
	/* One empty line before the request is allowed for the sake of old clients (RFC 9112, 2.2). */
	if (l->in.n >= 2 && l->in.p[0] == '\r' && l->in.p[1] == '\n')
		l->at = 2;
	else if (l->in.n == 1 && l->in.p[0] == '\r')
		return PARSE_MORE;
	out->method_name = lines_span(l, CLASS_TOKEN);
	if (!out->method_name.n && !lines_ended(l))
		return lines_bad(l, 400, "the request does not begin with a method");
	if (out->method_name.n > 32)
		return lines_bad(l, 501, "the method's name is too long");
	if ((p = lines_word(l, STR(" "), "the method's name holds a byte that it must not")) != PARSE_DONE)
		return p;
	out->target = lines_span(l, CLASS_TARGET);
	if (!out->target.n && !lines_ended(l))
		return lines_bad(l, 400, "the request line has no target");
	if ((p = lines_word(l, STR(" "), "the target holds a byte that has to be percent-encoded")) != PARSE_DONE)
		return p;
	if ((p = lines_word(l, STR("HTTP/"), "the request line does not end in HTTP/1.1")) != PARSE_DONE)
		return p;
	if ((p = lines_version(l, &out->minor)) != PARSE_DONE)
		return p;
	return lines_end(l, "something follows the HTTP version");
}

/* The head's bytes go to the arena once; every string moves along. */
static void keep(struct arena *a, const struct lines *l, const struct field *fields, size_t count, struct ask *out)
{
	const char *copy = lines_keep(a, l, fields, count, &out->fields);
	out->head_b = l->at;
	out->method_name = lines_moved(l, out->method_name, copy);
	out->target = lines_moved(l, out->target, copy);
	out->field_count = count;
	for (size_t i = 0; i < count; i++)
		if (!out->first[fields[i].id])
			out->first[fields[i].id] = (uint8_t)(i + 1);
}

static size_t count_of(const struct ask *ask, enum field_id id)
{
	size_t count = 0;
	for (size_t i = ask->first[id] ? ask->first[id] - 1u : ask->field_count; i < ask->field_count; i++)
		count += ask->fields[i].id == id;
	return count;
}

static bool any_has(const struct ask *ask, enum field_id id, struct str token)
{
	for (size_t i = ask->first[id] ? ask->first[id] - 1u : ask->field_count; i < ask->field_count; i++)
		if (ask->fields[i].id == id && list_has(ask->fields[i].value, token))
			return true;
	return false;
}

/* Where the body ends (RFC 9112, 6.3), for requests: stricter than the RFC, which lets Transfer-Encoding override. */
static enum parsed check_framing(struct lines *l, struct ask *ask)
{
	size_t lengths = count_of(ask, FIELD_CONTENT_LENGTH), codings = count_of(ask, FIELD_TRANSFER_ENCODING);
	if (lengths && codings)
		return lines_bad(l, 400, "both Content-Length and Transfer-Encoding are given");
	if (lengths > 1)
		return lines_bad(l, 400, "there is more than one Content-Length");
	if (codings > 1)
		return lines_bad(l, 400, "there is more than one Transfer-Encoding");
	if (lengths) {
		int err = num_parse(ask_field(ask, FIELD_CONTENT_LENGTH), INT64_MAX, &ask->length_b);
		if (err)
			return err == -ERANGE ? lines_bad(l, 413, "Content-Length is too large")
			                      : lines_bad(l, 400, "Content-Length is not a number");
		ask->framing = ask->length_b ? FRAMING_LENGTH : FRAMING_NONE;
	}
	if (codings) {
		if (ask->minor == 0)
			return lines_bad(l, 400, "HTTP/1.0 has no Transfer-Encoding");
		if (!str_eq_nocase(ask_field(ask, FIELD_TRANSFER_ENCODING), STR("chunked")))
			return lines_bad(l, 501, "the only transfer coding understood is chunked");
		ask->framing = FRAMING_CHUNKED;
	}
	return PARSE_DONE;
}

/* HTTP/1.1 needs exactly one Host; an authority in the target has to agree with it. */
static enum parsed check_host(struct lines *l, struct arena *a, struct ask *ask, struct str authority)
{
	size_t hosts = count_of(ask, FIELD_HOST);
	struct str host = {};
	uint16_t port = 0;
	if (hosts > 1)
		return lines_bad(l, 400, "there is more than one Host field");
	if (!hosts && ask->minor >= 1)
		return lines_bad(l, 400, "the Host field is missing");
	if (hosts && target_authority(a, ask_field(ask, FIELD_HOST), &ask->host, &ask->port))
		return lines_bad(l, 400, "the Host field is malformed");
	if (!authority.n)
		return PARSE_DONE;
	if (target_authority(a, authority, &host, &port))
		return lines_bad(l, 400, "the target's authority is malformed");
	if (hosts && (!str_eq(host, ask->host) || port != ask->port))
		return lines_bad(l, 400, "the target and the Host field name different hosts");
	ask->host = host;
	ask->port = port;
	return PARSE_DONE;
}

static enum parsed check_target(struct lines *l, struct arena *a, struct ask *ask, struct str *authority)
{
	struct str target = ask->target;
	ask->query = (struct str){ NULL, 0 };
	if (str_eq(target, STR("*"))) {
		ask->path = target;
		return ask->method == METHOD_OPTIONS ? PARSE_DONE : lines_bad(l, 400, "only OPTIONS may ask for *");
	}
	if (target.p[0] != '/' && !target_take_authority(&target, authority))
		return lines_bad(l, 400, "the target is neither a path nor an http URL");
	size_t mark = str_find(target, '?');
	if (mark < target.n)
		ask->query = str_from(target, mark + 1);
	struct str raw = str_head(target, mark);
	const char *why;
	if (target_path(a, raw.n ? raw : STR("/"), &ask->path, &why))
		return lines_bad(l, 400, why);
	return PARSE_DONE;
}

static enum parsed check_options(struct lines *l, struct ask *ask)
{
	ask->keep_alive = ask->minor >= 1 ? !any_has(ask, FIELD_CONNECTION, STR("close"))
	                                  : any_has(ask, FIELD_CONNECTION, STR("keep-alive"));
	struct str expect = ask_field(ask, FIELD_EXPECT);
	if (expect.p && ask->minor >= 1) {
		if (!str_eq_nocase(expect, STR("100-continue")))
			return lines_bad(l, 417, "the only expectation understood is 100-continue");
		ask->expect_continue = ask->framing != FRAMING_NONE;
	}
	return PARSE_DONE;
}

/* What is known of a head that was given up in the middle, for the log: perhaps written when the input is gone. */
static void keep_line(struct arena *a, struct ask *out)
{
	out->method_name = arena_str(a, out->method_name);
	out->target = arena_str(a, out->target);
}

/* What the grammar alone does not say. */
static enum parsed check(struct lines *l, struct arena *a, struct ask *ask)
{
	struct str authority = {};
	enum parsed p;
	ask->method = method_of(ask->method_name);
	if (ask->method == METHOD_CONNECT)
		return lines_bad(l, 501, "CONNECT is not offered");
	if ((p = check_target(l, a, ask, &authority)) != PARSE_DONE)
		return p;
	if ((p = check_host(l, a, ask, authority)) != PARSE_DONE)
		return p;
	if ((p = check_framing(l, ask)) != PARSE_DONE)
		return p;
	return check_options(l, ask);
}

enum parsed parse_ask(struct arena *a, struct str in, const struct parse_limits *limits, struct ask *out,
                      unsigned *status, const char **why)
{
	/* One byte past the limit is enough to see that there is one. */
	struct lines l = { .in = str_head(in, limits->head_b), .fields_most = limits->fields };
	struct field fields[LINES_FIELDS];
	size_t count = 0;
	*out = (struct ask){};
	enum parsed p = parse_line(&l, out);
	bool in_line = p == PARSE_MORE;
	if (p == PARSE_DONE)
		p = lines_fields(&l, fields, &count);
	if (p == PARSE_MORE && in.n >= limits->head_b)
		p = in_line ? lines_bad(&l, 414, "the request line is too long") : lines_bad(&l, 431, "the fields are too large");
	if (p == PARSE_DONE) {
		keep(a, &l, fields, count, out);
		p = check(&l, a, out);
	} else if (p == PARSE_BAD) {
		keep_line(a, out);
	}
	*status = l.status;
	*why = l.why;
	return p;
}

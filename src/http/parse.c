/* The parser of HTTP/1 request heads (RFC 9112, 2 to 6).  Reads from the loop's buffer, keeps a copy in the arena.
 *
 * One pass over the bytes by two tables: what a token may hold, and what a field's value may hold.  A line ends in CRLF
 * and in nothing else.  Where the RFC lets a recipient be lenient, petrel refuses: another parser before or behind it may
 * be lenient in another way. */
#include "http/parse.h"

#include <errno.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/target.h"

enum { TCHAR = 1, VALUE = 2, TARGET = 4 };

/* Token characters (RFC 9110, 5.6.2); field value bytes: HTAB, SP, VCHAR, obs-text (5.5); target bytes: VCHAR without
 * '#', which no client sends (RFC 9112, 3.2). */
static const uint8_t CLASS[256] = {
	['\t'] = VALUE, [' '] = VALUE,
	['!'] = 7, ['"'] = 6, ['#'] = 3, ['$' ... '\''] = 7, ['(' ... ')'] = 6, ['*' ... '+'] = 7, [','] = 6,
	['-' ... '.'] = 7, ['/'] = 6, ['0' ... '9'] = 7, [':' ... '@'] = 6, ['A' ... 'Z'] = 7, ['[' ... ']'] = 6,
	['^' ... 'z'] = 7, ['{'] = 6, ['|'] = 7, ['}'] = 6, ['~'] = 7,
	[0x80 ... 0xFF] = VALUE,
};

static bool is(char c, uint8_t class)
{
	return CLASS[(unsigned char)c] & class;
}

bool str_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is(s.p[i], TCHAR))
			return false;
	return s.n > 0;
}

/* The run of the parser: what is left to read, and what was found wrong. */
struct run {
	struct str in;
	size_t at;
	const struct parse_limits *limits;
	unsigned status;
	const char *why;
};

static enum parsed bad(struct run *run, unsigned status, const char *why)
{
	run->status = status;
	run->why = why;
	return PARSE_BAD;
}

static bool ended(const struct run *run)
{
	return run->at >= run->in.n;
}

/* The run of bytes of a class, from here on. */
static struct str span(struct run *run, uint8_t class)
{
	size_t from = run->at;
	while (run->at < run->in.n && is(run->in.p[run->at], class))
		run->at++;
	return (struct str){ run->in.p + from, run->at - from };
}

/* CRLF.  A CR that is the last byte so far may still be followed by LF. */
static enum parsed line_end(struct run *run, const char *why)
{
	if (ended(run))
		return PARSE_MORE;
	if (run->in.p[run->at] != '\r')
		return bad(run, 400, run->in.p[run->at] == '\n' ? "a line ends in LF without CR" : why);
	if (run->at + 1 >= run->in.n)
		return PARSE_MORE;
	if (run->in.p[run->at + 1] != '\n')
		return bad(run, 400, "a CR is not followed by LF");
	run->at += 2;
	return PARSE_DONE;
}

static enum parsed one_space(struct run *run, const char *why)
{
	if (ended(run))
		return PARSE_MORE;
	if (run->in.p[run->at] != ' ')
		return bad(run, 400, why);
	run->at++;
	return PARSE_DONE;
}

static enum parsed parse_version(struct run *run, struct ask *out)
{
	static const char WANT[] = "HTTP/";
	for (size_t i = 0; i < sizeof WANT - 1; i++, run->at++) {
		if (ended(run))
			return PARSE_MORE;
		if (run->in.p[run->at] != WANT[i])
			return bad(run, 400, "the request line does not end in HTTP/1.1");
	}
	if (run->in.n - run->at < 3)
		return PARSE_MORE;
	const char *v = run->in.p + run->at;
	if (!ascii_digit(v[0]) || v[1] != '.' || !ascii_digit(v[2]))
		return bad(run, 400, "the HTTP version is malformed");
	if (v[0] != '1')
		return bad(run, 505, "this server speaks HTTP/1.1 and HTTP/1.0 here");
	/* A higher minor version is answered as 1.1, the highest known (RFC 9110, 2.5). */
	out->minor = v[2] == '0' ? 0 : 1;
	run->at += 3;
	return PARSE_DONE;
}

static enum parsed parse_line(struct run *run, struct ask *out)
{
	enum parsed p;
	/* One empty line before the request is allowed for the sake of old clients (RFC 9112, 2.2). */
	if (run->in.n >= 2 && run->in.p[0] == '\r' && run->in.p[1] == '\n')
		run->at = 2;
	else if (run->in.n == 1 && run->in.p[0] == '\r')
		return PARSE_MORE;
	out->method_name = span(run, TCHAR);
	if (!out->method_name.n && !ended(run))
		return bad(run, 400, "the request does not begin with a method");
	if (out->method_name.n > 32)
		return bad(run, 501, "the method's name is too long");
	if ((p = one_space(run, "the method's name holds a byte that it must not")) != PARSE_DONE)
		return p;
	out->target = span(run, TARGET);
	if (!out->target.n && !ended(run))
		return bad(run, 400, "the request line has no target");
	if ((p = one_space(run, "the target holds a byte that has to be percent-encoded")) != PARSE_DONE)
		return p;
	if ((p = parse_version(run, out)) != PARSE_DONE)
		return p;
	return line_end(run, "something follows the HTTP version");
}

static enum parsed parse_field(struct run *run, struct field *out)
{
	char c = run->in.p[run->at];
	if (c == ' ' || c == '\t')
		return bad(run, 400, "a field line begins with a blank (obsolete folding)");
	out->name = span(run, TCHAR);
	if (ended(run))
		return PARSE_MORE;
	c = run->in.p[run->at];
	if (c == ' ' || c == '\t')
		return bad(run, 400, "a blank stands before a field's colon");
	if (c != ':' || !out->name.n)
		return bad(run, 400, c == ':' ? "a field has no name" : "a field's name holds a byte that it must not");
	run->at++;
	out->value = str_trim(span(run, VALUE));
	out->id = field_id(out->name);
	return line_end(run, "a field's value holds a control character");
}

/* Fields are collected on the stack and copied once the head is complete. */
enum { FIELDS_MOST = 255 };

static enum parsed parse_fields(struct run *run, struct field *fields, size_t *count)
{
	for (;;) {
		if (ended(run))
			return PARSE_MORE;
		if (run->in.p[run->at] == '\r' || run->in.p[run->at] == '\n')
			return line_end(run, "");
		if (*count >= run->limits->fields || *count >= FIELDS_MOST)
			return bad(run, 431, "there are too many fields");
		enum parsed p = parse_field(run, &fields[*count]);
		if (p != PARSE_DONE)
			return p;
		(*count)++;
	}
}

static struct str moved(struct str s, const char *from, char *to)
{
	return (struct str){ to + (s.p - from), s.n };
}

/* The head's bytes go to the arena once; every string moves along. */
static void keep(struct arena *a, const struct run *run, const struct field *fields, size_t count, struct ask *out)
{
	char *copy = arena_raw(a, run->at);
	memcpy(copy, run->in.p, run->at);
	out->head_b = run->at;
	out->method_name = moved(out->method_name, run->in.p, copy);
	out->target = moved(out->target, run->in.p, copy);
	out->fields = arena_raw(a, count * sizeof *fields);
	out->field_count = count;
	for (size_t i = 0; i < count; i++) {
		out->fields[i] = (struct field){ moved(fields[i].name, run->in.p, copy),
			                         moved(fields[i].value, run->in.p, copy), fields[i].id };
		if (!out->first[fields[i].id])
			out->first[fields[i].id] = (uint8_t)(i + 1);
	}
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
static enum parsed check_framing(struct run *run, struct ask *ask)
{
	size_t lengths = count_of(ask, FIELD_CONTENT_LENGTH), codings = count_of(ask, FIELD_TRANSFER_ENCODING);
	if (lengths && codings)
		return bad(run, 400, "both Content-Length and Transfer-Encoding are given");
	if (lengths > 1)
		return bad(run, 400, "there is more than one Content-Length");
	if (codings > 1)
		return bad(run, 400, "there is more than one Transfer-Encoding");
	if (lengths) {
		int err = num_parse(ask_field(ask, FIELD_CONTENT_LENGTH), INT64_MAX, &ask->length_b);
		if (err)
			return err == -ERANGE ? bad(run, 413, "Content-Length is too large")
			                      : bad(run, 400, "Content-Length is not a number");
		ask->framing = ask->length_b ? FRAMING_LENGTH : FRAMING_NONE;
	}
	if (codings) {
		if (ask->minor == 0)
			return bad(run, 400, "HTTP/1.0 has no Transfer-Encoding");
		if (!str_eq_nocase(ask_field(ask, FIELD_TRANSFER_ENCODING), STR("chunked")))
			return bad(run, 501, "the only transfer coding understood is chunked");
		ask->framing = FRAMING_CHUNKED;
	}
	return PARSE_DONE;
}

/* HTTP/1.1 needs exactly one Host; an authority in the target has to agree with it. */
static enum parsed check_host(struct run *run, struct arena *a, struct ask *ask, struct str authority)
{
	size_t hosts = count_of(ask, FIELD_HOST);
	struct str host = {};
	uint16_t port = 0;
	if (hosts > 1)
		return bad(run, 400, "there is more than one Host field");
	if (!hosts && ask->minor >= 1)
		return bad(run, 400, "the Host field is missing");
	if (hosts && target_authority(a, ask_field(ask, FIELD_HOST), &ask->host, &ask->port))
		return bad(run, 400, "the Host field is malformed");
	if (!authority.n)
		return PARSE_DONE;
	if (target_authority(a, authority, &host, &port))
		return bad(run, 400, "the target's authority is malformed");
	if (hosts && (!str_eq(host, ask->host) || port != ask->port))
		return bad(run, 400, "the target and the Host field name different hosts");
	ask->host = host;
	ask->port = port;
	return PARSE_DONE;
}

/* Takes "http://authority" off an absolute-form target (RFC 9112, 3.2.2). */
static bool take_authority(struct str *target, struct str *authority)
{
	static const struct str SCHEMES[] = { { "http://", 7 }, { "https://", 8 } };
	for (size_t i = 0; i < countof(SCHEMES); i++) {
		if (!str_eq_nocase(str_head(*target, SCHEMES[i].n), SCHEMES[i]))
			continue;
		struct str rest = str_from(*target, SCHEMES[i].n);
		size_t end = 0;
		while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
			end++;
		*authority = str_head(rest, end);
		*target = str_from(rest, end);
		return end > 0;
	}
	return false;
}

static enum parsed check_target(struct run *run, struct arena *a, struct ask *ask, struct str *authority)
{
	struct str target = ask->target;
	ask->query = (struct str){ NULL, 0 };
	if (str_eq(target, STR("*"))) {
		ask->path = target;
		return ask->method == METHOD_OPTIONS ? PARSE_DONE : bad(run, 400, "only OPTIONS may ask for *");
	}
	if (target.p[0] != '/' && !take_authority(&target, authority))
		return bad(run, 400, "the target is neither a path nor an http URL");
	size_t mark = str_find(target, '?');
	if (mark < target.n)
		ask->query = str_from(target, mark + 1);
	struct str raw = str_head(target, mark);
	const char *why;
	if (target_path(a, raw.n ? raw : STR("/"), &ask->path, &why))
		return bad(run, 400, why);
	return PARSE_DONE;
}

static enum parsed check_options(struct run *run, struct ask *ask)
{
	ask->keep_alive = ask->minor >= 1 ? !any_has(ask, FIELD_CONNECTION, STR("close"))
	                                  : any_has(ask, FIELD_CONNECTION, STR("keep-alive"));
	struct str expect = ask_field(ask, FIELD_EXPECT);
	if (expect.p && ask->minor >= 1) {
		if (!str_eq_nocase(expect, STR("100-continue")))
			return bad(run, 417, "the only expectation understood is 100-continue");
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
static enum parsed check(struct run *run, struct arena *a, struct ask *ask)
{
	struct str authority = {};
	enum parsed p;
	ask->method = method_of(ask->method_name);
	if (ask->method == METHOD_CONNECT)
		return bad(run, 501, "CONNECT is not offered");
	if ((p = check_target(run, a, ask, &authority)) != PARSE_DONE)
		return p;
	if ((p = check_host(run, a, ask, authority)) != PARSE_DONE)
		return p;
	if ((p = check_framing(run, ask)) != PARSE_DONE)
		return p;
	return check_options(run, ask);
}

enum parsed parse_ask(struct arena *a, struct str in, const struct parse_limits *limits, struct ask *out,
                      unsigned *status, const char **why)
{
	/* One byte past the limit is enough to see that there is one. */
	struct run run = { .in = str_head(in, limits->head_b), .limits = limits };
	struct field fields[FIELDS_MOST];
	size_t count = 0;
	*out = (struct ask){};
	enum parsed p = parse_line(&run, out);
	bool in_line = p == PARSE_MORE;
	if (p == PARSE_DONE)
		p = parse_fields(&run, fields, &count);
	if (p == PARSE_MORE && in.n >= limits->head_b)
		p = in_line ? bad(&run, 414, "the request line is too long") : bad(&run, 431, "the fields are too large");
	if (p == PARSE_DONE) {
		keep(a, &run, fields, count, out);
		p = check(&run, a, out);
	} else if (p == PARSE_BAD) {
		keep_line(a, out);
	}
	*status = run.status;
	*why = run.why;
	return p;
}

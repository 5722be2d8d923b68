/* What a CGI program answers (RFC 3875, 6): fields, an empty line, and a body.  On the request's loop; a head that comes
 * in pieces is gathered in the request's arena, within the bound that the backend sets. */
#include <errno.h>

#include "base/must.h"
#include "base/num.h"
#include "http/cgi.h"
#include "http/reply.h"

static int wrong(const char **why, const char *sentence)
{
	*why = sentence;
	return -EINVAL;
}

/* --- A head. --- */

/* The fields that RFC 3875 gives a meaning; .p NULL where they are missing. */
struct said {
	struct str status, location;
	bool type;
};

static int take(struct str *out, struct str value, const char **why)
{
	if (out->p)
		return wrong(why, "The program's answer has a Status or Location twice.");
	*out = value;
	return 0;
}

/* Status goes out of the list: it is not for the client. */
static int read_said(struct reply *out, struct said *said, const char **why)
{
	size_t kept = 0;
	for (size_t i = 0; i < out->field_count; i++) {
		const struct field f = out->fields[i];
		bool status = str_eq_nocase(f.name, STR("status"));
		int err = status ? take(&said->status, f.value, why) : 0;
		if (str_eq_nocase(f.name, STR("location")))
			err = take(&said->location, f.value, why);
		if (f.id == FIELD_CONTENT_TYPE && said->type)
			err = wrong(why, "The program's answer has more than one Content-Type.");
		if (err)
			return err;
		said->type |= f.id == FIELD_CONTENT_TYPE;
		if (!status)
			out->fields[kept++] = f;
	}
	out->field_count = kept;
	return 0;
}

/* "404 Not Found": the reason is nobody's business. */
static int read_status(struct str text, unsigned *out, const char **why)
{
	uint64_t n;
	struct str digits = str_head(text, 3), rest = str_from(text, 3);
	if (num_parse(digits, 599, &n) || n < 200 || (rest.n && rest.p[0] != ' '))
		return wrong(why, "The program's Status is not a number from 200 to 599.");
	if (*out && *out != n)
		return wrong(why, "The program's Status differs from its status line.");
	*out = (unsigned)n;
	return 0;
}

/* A path and nothing else means: serve that instead (RFC 3875, 6.2.2).  "//host" is a URL. */
static bool is_local(const struct reply *out, const struct said *said)
{
	struct str to = said->location;
	return to.n && to.p[0] == '/' && !(to.n > 1 && to.p[1] == '/') && !said->status.p && out->field_count == 1;
}

static int settle(bool lined, struct reply *out, const char **why)
{
	struct reply_framing f;
	struct said said = {};
	if (!out->field_count && !lined)
		return wrong(why, "The program's answer has no field.");
	if (reply_framing(out->fields, &out->field_count, false, &f, why) || read_said(out, &said, why))
		return -EINVAL;
	if (f.chunked)
		return wrong(why, "The program's answer has a Transfer-Encoding.");
	if (said.status.p && read_status(said.status, &out->status, why))
		return -EINVAL;
	if (!lined && is_local(out, &said))
		out->again = said.location;
	if (!out->status)
		out->status = said.location.p ? 302 : 200;
	out->length_b = f.length_b;
	out->keep = false;
	return 0;
}

enum parsed cgi_head_parse(struct arena *a, struct str in, bool status_line, struct reply *out, size_t *head_b,
                           const char **why)
{
	static const struct str HTTP = { "HTTP/", 5 };
	struct lines l = { .in = in, .fields_most = LINES_FIELDS, .bare_lf = true };
	struct field fields[LINES_FIELDS], *copy;
	size_t count;
	unsigned minor, status = 0;
	enum parsed p = PARSE_DONE;
	/* No field's name holds a slash: the line is one, or the begin of one. */
	bool lined = in.n >= HTTP.n ? str_starts(in, HTTP) : str_starts(HTTP, in);
	if (lined && in.n < HTTP.n)
		return PARSE_MORE;
	if (lined && !status_line)
		p = lines_bad(&l, 400, "it begins with a status line (NPH)");
	else if (lined)
		p = lines_status(&l, &minor, &status);
	if (p == PARSE_DONE && lined && status < 200)
		p = lines_bad(&l, 400, "its status is below 200");
	if (p == PARSE_DONE)
		p = lines_fields(&l, fields, &count);
	if (p == PARSE_BAD)
		*why = arena_strf(a, "The head of the program's answer is malformed: %s.", l.why).p;
	if (p != PARSE_DONE)
		return p;
	lines_keep(a, &l, fields, count, &copy);
	*head_b = l.at;
	*out = (struct reply){ .status = status, .fields = copy, .field_count = count };
	return settle(lined, out, why) ? PARSE_BAD : PARSE_DONE;
}

/* --- A stream. --- */

/* Room for n more; what was there is copied, at most twice over in all. */
static void gather(struct call *c, struct cgi_answer *a, struct str more)
{
	if (a->kept_n + more.n > a->kept_cap) {
		a->kept_cap = (a->kept_n + more.n) * 2;
		char *p = arena_raw(c->arena, a->kept_cap);
		if (a->kept_n)
			memcpy(p, a->kept, a->kept_n);
		a->kept = p;
	}
	memcpy(a->kept + a->kept_n, more.p, more.n);
	a->kept_n += more.n;
}

static enum heard bad(struct call *c, const char *why)
{
	c->why = why;
	return HEARD_BAD;
}

static enum heard begin(struct call *c, struct cgi_answer *a)
{
	unsigned status = c->reply.status;
	a->told = true;
	a->bodiless = c->req->ask.method == METHOD_HEAD || status == 204 || status == 304;
	a->left_b = c->reply.length_b;
	return HEARD_HEAD;
}

/* The head, of which `kept` bytes came before *in. */
static enum heard hear_head(struct call *c, struct cgi_answer *a, struct str *in)
{
	size_t kept = a->kept_n, most = (size_t)c->outward->backend->header_b, head_b = 0;
	struct str piece = str_head(*in, most + 1 - kept), whole = piece;
	if (!piece.n)
		return HEARD_MORE;
	bool line = str_find(piece, '\n') < piece.n;
	if (kept || !line) {
		gather(c, a, piece);
		whole = str_make(a->kept, a->kept_n);
	}
	/* Only the end of a line can be the end of the head: what has none is not looked at, so that a program that writes
	 * byte by byte costs nobody's time. */
	enum parsed p = line ? cgi_head_parse(c->arena, whole, a->status_line, &c->reply, &head_b, &c->why) : PARSE_MORE;
	if (p == PARSE_BAD)
		return HEARD_BAD;
	if (p == PARSE_DONE && head_b <= most) {
		*in = str_from(*in, head_b - kept);
		return begin(c, a);
	}
	c->large = whole.n > most;
	if (c->large)
		return bad(c, "The head of the program's answer is too large.");
	if (whole.p == piece.p)
		gather(c, a, piece);
	*in = str_from(*in, piece.n);
	return HEARD_MORE;
}

enum heard cgi_hear(struct call *c, struct cgi_answer *a, struct str *in, struct str *data)
{
	if (!a->told)
		return hear_head(c, a, in);
	if (a->bodiless) {
		*in = str_from(*in, in->n);
		return HEARD_MORE;
	}
	if (a->left_b == 0)
		return HEARD_END;
	if (!in->n)
		return HEARD_MORE;
	size_t n = a->left_b > 0 && (uint64_t)a->left_b < in->n ? (size_t)a->left_b : in->n;
	*data = str_head(*in, n);
	*in = str_from(*in, n);
	if (a->left_b > 0)
		a->left_b -= (int64_t)n;
	return HEARD_DATA;
}

enum heard cgi_fin(struct call *c, const struct cgi_answer *a)
{
	if (!a->told)
		return bad(c, a->kept_n ? "The program's answer ends in its head." : "The program did not answer.");
	if (!a->bodiless && a->left_b > 0)
		return bad(c, "The program's answer is shorter than its Content-Length.");
	return HEARD_END;
}

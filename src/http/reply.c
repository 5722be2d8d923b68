/* Heads of origins' answers: what the lexer (http/lines.c) does not know.  No state; any thread. */
#include "http/reply.h"

#include <errno.h>

#include "base/num.h"

static int wrong(const char **why, const char *sentence)
{
	*why = sentence;
	return -EINVAL;
}

static int read_length(struct str value, struct reply_framing *out, const char **why)
{
	uint64_t n;
	if (out->length_b != LENGTH_UNKNOWN)
		return wrong(why, "The answer has more than one Content-Length.");
	if (num_parse(value, INT64_MAX, &n))
		return wrong(why, "The answer's Content-Length is not a number.");
	out->length_b = (int64_t)n;
	return 0;
}

static int read_coding(struct str value, struct reply_framing *out, const char **why)
{
	if (out->chunked)
		return wrong(why, "The answer has more than one Transfer-Encoding.");
	if (!str_eq_nocase(value, STR("chunked")))
		return wrong(why, "The answer has a transfer coding other than chunked.");
	out->chunked = true;
	return 0;
}

static int read_one(const struct field *f, struct reply_framing *out, const char **why)
{
	switch (f->id) {
	case FIELD_CONTENT_LENGTH:
		return read_length(f->value, out, why);
	case FIELD_TRANSFER_ENCODING:
		return read_coding(f->value, out, why);
	case FIELD_CONNECTION:
		out->close |= list_has(f->value, STR("close"));
		out->keep |= list_has(f->value, STR("keep-alive"));
		return 0;
	default:
		return 0;
	}
}

static bool stays(const struct field *fields, size_t count, const struct field *f, bool upgrade)
{
	if (f->id == FIELD_UPGRADE)
		return upgrade;
	return f->id != FIELD_CONTENT_LENGTH && !field_is_hop(f->name) && !fields_name(fields, count, f->name);
}

int reply_framing(struct field *fields, size_t *count, bool upgrade, struct reply_framing *out, const char **why)
{
	*out = (struct reply_framing){ .length_b = LENGTH_UNKNOWN };
	for (size_t i = 0; i < *count; i++)
		if (read_one(&fields[i], out, why))
			return -EINVAL;
	if (out->chunked && out->length_b != LENGTH_UNKNOWN)
		return wrong(why, "The answer has both Content-Length and Transfer-Encoding.");
	/* Connection fields are the last to be taken out, since they are asked about all others. */
	size_t kept = 0, all = *count;
	for (size_t i = 0; i < all; i++)
		if (fields[i].id == FIELD_CONNECTION || stays(fields, all, &fields[i], upgrade))
			fields[kept++] = fields[i];
	*count = 0;
	for (size_t i = 0; i < kept; i++)
		if (fields[i].id != FIELD_CONNECTION)
			fields[(*count)++] = fields[i];
	return 0;
}

/* An answer that never has a body says nothing about one (RFC 9110, 8.6; RFC 9112, 6.1); "Content-Length: 0" beside a
 * 204 is common, and clear. */
static int check_bodiless(unsigned status, const struct reply_framing *f, const char **why)
{
	bool says = f->chunked || f->length_b > 0 || (f->length_b == 0 && status != 204);
	if ((status < 200 || status == 204) && says)
		return wrong(why, "The answer's status goes with no body, but its fields announce one.");
	return 0;
}

static enum reply_body body_of(const struct reply_about *about, unsigned status, const struct reply_framing *f)
{
	if (about->method == METHOD_HEAD || status < 200 || status == 204 || status == 304)
		return REPLY_NO_BODY;
	if (f->chunked)
		return REPLY_CHUNKED;
	return f->length_b == LENGTH_UNKNOWN ? REPLY_UNTIL_CLOSE : REPLY_LENGTH;
}

/* What the fields mean together with the status line. */
static int settle(const struct reply_about *about, unsigned minor, struct reply *out, struct reply_head *head,
                  const char **why)
{
	struct reply_framing f;
	bool switched = out->status == 101;
	if (reply_framing(out->fields, &out->field_count, switched, &f, why))
		return -EINVAL;
	if (f.chunked && !minor)
		return wrong(why, "An HTTP/1.0 answer has a Transfer-Encoding.");
	if (check_bodiless(out->status, &f, why))
		return -EINVAL;
	if (switched && (!about->upgrade || !minor))
		return wrong(why, "The server switches to a protocol that it was not asked for.");
	head->body = body_of(about, out->status, &f);
	head->body_b = head->body == REPLY_LENGTH ? (uint64_t)f.length_b : 0;
	out->length_b = f.length_b;
	out->keep = !switched && head->body != REPLY_UNTIL_CLOSE && !f.close && (minor || f.keep);
	return 0;
}

enum parsed reply_parse(struct arena *a, struct str in, const struct reply_about *about, struct reply *out,
                        struct reply_head *head, const char **why)
{
	struct lines l = { .in = in, .fields_most = about->fields_most };
	struct field fields[LINES_FIELDS], *copy;
	size_t count;
	unsigned minor;
	enum parsed p = lines_status(&l, &minor, &out->status);
	if (p == PARSE_DONE)
		p = lines_fields(&l, fields, &count);
	if (p == PARSE_BAD)
		*why = arena_strf(a, "The head of the server's answer is malformed: %s.", l.why).p;
	if (p != PARSE_DONE)
		return p;
	*head = (struct reply_head){ .head_b = l.at, .interim = out->status < 200 && out->status != 101 };
	/* Interim ones may be many: no copies are made of them. */
	struct reply interim = { .status = out->status, .fields = fields, .field_count = count };
	if (head->interim)
		return settle(about, minor, &interim, head, why) ? PARSE_BAD : PARSE_DONE;
	lines_keep(a, &l, fields, count, &copy);
	*out = (struct reply){ .status = out->status, .fields = copy, .field_count = count };
	/* From the fields as they came: those of the hop are about to go. */
	struct trailers *trailers = about->trailers ? trailers_new(a, copy, count) : NULL;
	if (settle(about, minor, out, head, why))
		return PARSE_BAD;
	out->trailers = head->body == REPLY_CHUNKED ? trailers : NULL;
	return PARSE_DONE;
}

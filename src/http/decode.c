/* Taking protocols apart for people.  See decode.h. */
#include "http/decode.h"

#include "base/mem.h"
#include "base/num.h"

enum { KEEP_PARAMS_B = 16 * 1024, KEEP_STDERR_B = 2048, KEEP_B = 512, UWSGI_HEADER_B = 4, CGI_FRAME_B = 8 };

/* --- FastCGI. --- */

static size_t keep_of(uint8_t type)
{
	return type == RECORD_PARAMS ? KEEP_PARAMS_B : type == RECORD_STDERR ? KEEP_STDERR_B : KEEP_B;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The content's and the padding's length stand in it. */
static void read_head(struct thin *t)
{
	t->left = (size_t)t->head[4] << 8 | t->head[5];
	t->padding = t->head[6];
	t->keep = least(t->left, keep_of(t->head[1]));
}

void thin_add(struct thin *t, struct str bytes, struct buf *out)
{
	while (bytes.n) {
		size_t n;
		if (t->have < RECORD_B) {
			n = least(RECORD_B - t->have, bytes.n);
			memcpy(t->head + t->have, bytes.p, n);
			t->have += (unsigned)n;
			if (t->have == RECORD_B) {
				read_head(t);
				buf_add(out, str_make((const char *)t->head, RECORD_B));
			}
		} else if (t->left) {
			n = least(t->left, bytes.n);
			buf_add(out, str_head(bytes, least(n, t->keep)));
			t->keep -= least(n, t->keep);
			t->left -= n;
		} else {
			n = least(t->padding, bytes.n);
			t->padding -= n;
		}
		bytes = str_from(bytes, n);
		if (t->have == RECORD_B && !t->left && !t->padding)
			t->have = 0;
	}
}

bool record_next(struct str *in, struct record *out)
{
	const unsigned char *p = (const unsigned char *)in->p;
	if (in->n < RECORD_B)
		return false;
	*out = (struct record){ .type = p[1], .id = (unsigned)p[2] << 8 | p[3], .length = (size_t)p[4] << 8 | p[5] };
	*in = str_from(*in, RECORD_B);
	out->content = str_head(*in, least(out->length, keep_of(out->type)));
	*in = str_from(*in, out->content.n);
	return true;
}

const char *record_name(uint8_t type)
{
	static const char *const NAMES[] = { "?", "BEGIN_REQUEST", "ABORT_REQUEST", "END_REQUEST", "PARAMS", "STDIN", "STDOUT",
		                             "STDERR", "DATA", "GET_VALUES", "GET_VALUES_RESULT", "UNKNOWN_TYPE" };
	return type < countof(NAMES) ? NAMES[type] : NAMES[0];
}

/* --- Variables. --- */

/* FastCGI: one byte, or four of which the first bit is set. */
static bool take_length(struct str *in, size_t *out)
{
	const unsigned char *p = (const unsigned char *)in->p;
	size_t bytes = in->n && p[0] > 127 ? 4 : 1;
	if (in->n < bytes)
		return false;
	*out = bytes == 1 ? p[0] : (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	*in = str_from(*in, bytes);
	return true;
}

static bool take(struct str *in, size_t n, struct str *out)
{
	if (in->n < n)
		return false;
	*out = str_head(*in, n);
	*in = str_from(*in, n);
	return true;
}

/* uwsgi: two bytes, the low one first. */
static bool take_counted(struct str *in, struct str *out)
{
	struct str length;
	if (!take(in, 2, &length))
		return false;
	return take(in, (size_t)(unsigned char)length.p[0] | (size_t)(unsigned char)length.p[1] << 8, out);
}

static bool take_zero(struct str *in, char end, struct str *out)
{
	size_t n = str_find(*in, end);
	if (n == in->n)
		return false;
	*out = str_head(*in, n);
	*in = str_from(*in, n + 1);
	return true;
}

bool decode_pair(enum decode how, struct str *head, struct str *name, struct str *value)
{
	size_t name_n, value_n;
	switch (how) {
	case DECODE_FASTCGI:
		return take_length(head, &name_n) && take_length(head, &value_n) && take(head, name_n, name) &&
		       take(head, value_n, value);
	case DECODE_SCGI:
		return take_zero(head, '\0', name) && take_zero(head, '\0', value);
	case DECODE_UWSGI:
		return take_counted(head, name) && take_counted(head, value);
	case DECODE_CGI:
		if (!take_zero(head, '\0', value))
			return false;
		*name = str_cut(value, '=');
		return true;
	case DECODE_HTTP:
		return decode_field(head, name, value);
	case DECODE_NOTHING:
		break;
	}
	return false;
}

/* The variables are head_n bytes behind from bytes, or what there is of them. */
static bool split(struct str in, size_t from, size_t head_n, size_t behind, struct str *head, struct str *body)
{
	*head = str_head(str_from(in, from), head_n);
	*body = str_from(in, from + least(head_n, in.n) + behind);
	return true;
}

bool decode_ask(enum decode how, struct str in, struct str *head, struct str *body)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t colon = str_find(str_head(in, 12), ':');
	uint64_t length;
	uint32_t vars_b;
	switch (how) {
	case DECODE_SCGI:
		return !num_parse(str_head(in, colon), 1 << 24, &length) && split(in, colon + 1, (size_t)length, 1, head, body);
	case DECODE_UWSGI:
		return in.n >= UWSGI_HEADER_B && split(in, UWSGI_HEADER_B, (size_t)p[1] | (size_t)p[2] << 8, 0, head, body);
	case DECODE_CGI:
		if (in.n < CGI_FRAME_B)
			return false;
		memcpy(&vars_b, in.p, sizeof vars_b);
		return split(in, CGI_FRAME_B, vars_b, 0, head, body);
	case DECODE_HTTP:
	case DECODE_FASTCGI:
	case DECODE_NOTHING:
		break;
	}
	return false;
}

/* --- Heads. --- */

/* Without the CR at its end. */
static struct str take_line(struct str *in)
{
	struct str line = str_cut(in, '\n');
	if (!in->p)
		*in = STR("");
	return line.n && line.p[line.n - 1] == '\r' ? str_head(line, line.n - 1) : line;
}

/* "GET / HTTP/1.1", "HTTP/1.1 200 OK". */
static bool is_first(struct str line)
{
	return str_starts(line, STR("HTTP/")) || str_ends(line, STR(" HTTP/1.1")) || str_ends(line, STR(" HTTP/1.0"));
}

void decode_head(struct str in, struct str *first, struct str *fields, struct str *body)
{
	struct str rest = in, line = take_line(&rest);
	*first = is_first(line) ? line : STR("");
	*fields = first->n ? rest : in;
	rest = *fields;
	while (rest.n) {
		struct str before = rest;
		if (take_line(&rest).n)
			continue;
		*fields = str_head(*fields, (size_t)(before.p - fields->p));
		break;
	}
	*body = rest;
}

bool decode_field(struct str *fields, struct str *name, struct str *value)
{
	if (!fields->n)
		return false;
	*value = take_line(fields);
	*name = str_cut(value, ':');
	*value = str_trim(*value);
	return true;
}

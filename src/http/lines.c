/* The lexing of heads (RFC 9112, 2 to 5).  No state of its own; any thread.
 *
 * Where the RFC lets a recipient be lenient, petrel refuses: another parser before or behind it may be lenient in another
 * way. */
#include "http/lines.h"

static const uint8_t CLASS[256] = {
	['\t'] = CLASS_VALUE, [' '] = CLASS_VALUE,
	['!'] = 7, ['"'] = 6, ['#'] = 3, ['$' ... '\''] = 7, ['(' ... ')'] = 6, ['*' ... '+'] = 7, [','] = 6,
	['-' ... '.'] = 7, ['/'] = 6, ['0' ... '9'] = 7, [':' ... '@'] = 6, ['A' ... 'Z'] = 7, ['[' ... ']'] = 6,
	['^' ... 'z'] = 7, ['{'] = 6, ['|'] = 7, ['}'] = 6, ['~'] = 7,
	[0x80 ... 0xFF] = CLASS_VALUE,
};

static bool is(char c, uint8_t class)
{
	return CLASS[(unsigned char)c] & class;
}

bool str_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is(s.p[i], CLASS_TOKEN))
			return false;
	return s.n > 0;
}

enum parsed lines_bad(struct lines *l, unsigned status, const char *why)
{
	l->status = status;
	l->why = why;
	return PARSE_BAD;
}

struct str lines_span(struct lines *l, uint8_t class)
{
	size_t from = l->at;
	while (l->at < l->in.n && is(l->in.p[l->at], class))
		l->at++;
	return (struct str){ l->in.p + from, l->at - from };
}

enum parsed lines_word(struct lines *l, struct str word, const char *why)
{
	for (size_t i = 0; i < word.n; i++, l->at++) {
		if (lines_ended(l))
			return PARSE_MORE;
		if (l->in.p[l->at] != word.p[i])
			return lines_bad(l, 400, why);
	}
	return PARSE_DONE;
}

enum parsed lines_end(struct lines *l, const char *why)
{
	if (lines_ended(l))
		return PARSE_MORE;
	char c = l->in.p[l->at];
	if (c == '\n' && l->bare_lf) {
		l->at++;
		return PARSE_DONE;
	}
	if (c != '\r')
		return lines_bad(l, 400, c == '\n' ? "a line ends in LF without CR" : why);
	if (l->at + 1 >= l->in.n)
		return PARSE_MORE;
	if (l->in.p[l->at + 1] != '\n')
		return lines_bad(l, 400, "a CR is not followed by LF");
	l->at += 2;
	return PARSE_DONE;
}

enum parsed lines_version(struct lines *l, unsigned *minor)
{
	if (l->in.n - l->at < 3)
		return PARSE_MORE;
	const char *v = l->in.p + l->at;
	if (!ascii_digit(v[0]) || v[1] != '.' || !ascii_digit(v[2]))
		return lines_bad(l, 400, "the HTTP version is malformed");
	if (v[0] != '1')
		return lines_bad(l, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	*minor = v[2] == '0' ? 0 : 1;
	l->at += 3;
	return PARSE_DONE;
}

/* Three digits; a reason, which nobody reads, after a blank, which many leave out together with it. */
static enum parsed status_code(struct lines *l, unsigned *status)
{
	*status = 0;
	for (unsigned i = 0; i < 3; i++, l->at++) {
		if (lines_ended(l))
			return PARSE_MORE;
		if (!ascii_digit(l->in.p[l->at]))
			return lines_bad(l, 400, "the status is not a number of three digits");
		*status = *status * 10 + (unsigned)(l->in.p[l->at] - '0');
	}
	if (*status < 100 || *status > 599)
		return lines_bad(l, 400, "the status is not in the range of 100 to 599");
	if (lines_ended(l))
		return PARSE_MORE;
	if (l->in.p[l->at] == ' ')
		lines_span(l, CLASS_VALUE);
	return lines_end(l, "the status line holds a control character, or more than three digits");
}

enum parsed lines_status(struct lines *l, unsigned *minor, unsigned *status)
{
	enum parsed p = lines_word(l, STR("HTTP/"), "the answer does not begin with HTTP/1.1");
	if (p == PARSE_DONE)
		p = lines_version(l, minor);
	if (p == PARSE_DONE)
		p = lines_word(l, STR(" "), "no blank follows the HTTP version");
	return p == PARSE_DONE ? status_code(l, status) : p;
}

static enum parsed parse_field(struct lines *l, struct field *out)
{
	char c = l->in.p[l->at];
	if (c == ' ' || c == '\t')
		return lines_bad(l, 400, "a field line begins with a blank (obsolete folding)");
	out->name = lines_span(l, CLASS_TOKEN);
	if (lines_ended(l))
		return PARSE_MORE;
	c = l->in.p[l->at];
	if (c == ' ' || c == '\t')
		return lines_bad(l, 400, "a blank stands before a field's colon");
	if (c != ':' || !out->name.n)
		return lines_bad(l, 400, c == ':' ? "a field has no name" : "a field's name holds a byte that it must not");
	l->at++;
	out->value = str_trim(lines_span(l, CLASS_VALUE));
	out->id = field_id(out->name);
	return lines_end(l, "a field's value holds a control character");
}

enum parsed lines_fields(struct lines *l, struct field *fields, size_t *count)
{
	for (*count = 0;;) {
		if (lines_ended(l))
			return PARSE_MORE;
		if (l->in.p[l->at] == '\r' || l->in.p[l->at] == '\n')
			return lines_end(l, "");
		if (*count >= l->fields_most || *count >= LINES_FIELDS)
			return lines_bad(l, 431, "there are too many fields");
		enum parsed p = parse_field(l, &fields[*count]);
		if (p != PARSE_DONE)
			return p;
		(*count)++;
	}
}

const char *lines_keep(struct arena *a, const struct lines *l, const struct field *fields, size_t count,
                       struct field **out)
{
	char *copy = arena_raw(a, l->at);
	memcpy(copy, l->in.p, l->at);
	*out = arena_raw(a, count * sizeof *fields);
	for (size_t i = 0; i < count; i++)
		(*out)[i] = (struct field){ lines_moved(l, fields[i].name, copy), lines_moved(l, fields[i].value, copy),
			                    fields[i].id };
	return copy;
}

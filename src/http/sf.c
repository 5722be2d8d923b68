/* Structured fields (RFC 9651).  The names of 4.2's algorithms stand at the functions that follow them.  No state; any
 * thread. */
#include "http/sf.h"

#include <errno.h>

#include "base/utf8.h"

static bool at(struct str s, char c)
{
	return s.n && s.p[0] == c;
}

/* Takes c off the front. */
static bool take(struct str *s, char c)
{
	if (!at(*s, c))
		return false;
	*s = str_from(*s, 1);
	return true;
}

/* Takes n bytes off the front. */
static struct str take_n(struct str *s, size_t n)
{
	struct str taken = str_head(*s, n);
	*s = str_from(*s, n);
	return taken;
}

static void skip_spaces(struct str *s)
{
	while (take(s, ' '))
		;
}

static void skip_blanks(struct str *s)
{
	while (take(s, ' ') || take(s, '\t'))
		;
}

/* --- Bare items (4.2.3.1). --- */

static size_t digits(struct str s, int64_t *number)
{
	size_t n = 0;
	while (n < s.n && n <= SF_INTEGER_DIGITS && ascii_digit(s.p[n]))
		*number = *number * 10 + (s.p[n++] - '0');
	return n;
}

/* The digits behind a point, 4.2.4; *number becomes thousandths. */
static bool fraction(struct str *s, int64_t *number)
{
	size_t n = 0;
	for (; n < s->n && ascii_digit(s->p[n]); n++) {
		if (n == SF_FRACTION_DIGITS)
			return false;
		*number = *number * 10 + (s->p[n] - '0');
	}
	*s = str_from(*s, n);
	for (size_t i = n; i < SF_FRACTION_DIGITS; i++)
		*number *= 10;
	return n > 0;
}

/* 4.2.4 */
static int number_take(struct str *s, struct sf *out)
{
	bool negative = take(s, '-');
	size_t n = digits(*s, &out->number);
	*s = str_from(*s, n);
	if (!n || n > SF_INTEGER_DIGITS)
		return -EBADMSG;
	out->kind = SF_INTEGER;
	if (at(*s, '.')) {
		*s = str_from(*s, 1);
		out->kind = SF_DECIMAL;
		if (n > SF_DECIMAL_DIGITS || !fraction(s, &out->number))
			return -EBADMSG;
	}
	if (negative)
		out->number = -out->number;
	return 0;
}

/* 4.2.5 */
static int string_take(struct str *s, struct sf *out)
{
	*s = str_from(*s, 1);
	out->kind = SF_STRING;
	for (size_t i = 0; i < s->n; i++) {
		char c = s->p[i];
		if (c == '"') {
			out->text = take_n(s, i);
			*s = str_from(*s, 1);
			return 0;
		}
		if (c == '\\') {
			i++;
			if (i == s->n || (s->p[i] != '"' && s->p[i] != '\\'))
				return -EBADMSG;
		} else if (c < ' ' || c > '~') {
			return -EBADMSG;
		}
	}
	return -EBADMSG;
}

/* tchar of RFC 9110, 5.6.2, ':' and '/'. */
static bool is_token_char(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || (c && strchr("!#$%&'*+-.^_`|~:/", c));
}

/* 4.2.6 */
static int token_take(struct str *s, struct sf *out)
{
	size_t n = 1;
	while (n < s->n && is_token_char(s->p[n]))
		n++;
	out->kind = SF_TOKEN;
	out->text = take_n(s, n);
	return 0;
}

static int base64_digit(char c)
{
	if (ascii_alpha(c))
		return c >= 'a' ? c - 'a' + 26 : c - 'A';
	if (ascii_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* 4.2.7.  Padding may be missing, but stands at the end only, and no digit stands alone. */
static int bytes_take(struct str *s, struct sf *out)
{
	*s = str_from(*s, 1);
	size_t n = str_find(*s, ':'), used = n;
	if (n == s->n)
		return -EBADMSG;
	out->kind = SF_BYTES;
	out->text = take_n(s, n);
	*s = str_from(*s, 1);
	while (used && out->text.p[used - 1] == '=')
		used--;
	for (size_t i = 0; i < used; i++)
		if (base64_digit(out->text.p[i]) < 0)
			return -EBADMSG;
	return used % 4 == 1 || (n > used && (n % 4 || n - used > 2)) ? -EBADMSG : 0;
}

/* 4.2.8 */
static int boolean_take(struct str *s, struct sf *out)
{
	*s = str_from(*s, 1);
	out->kind = SF_BOOLEAN;
	out->number = at(*s, '1');
	return take(s, '1') || take(s, '0') ? 0 : -EBADMSG;
}

/* 4.2.9 */
static int date_take(struct str *s, struct sf *out)
{
	*s = str_from(*s, 1);
	int err = number_take(s, out);
	if (err || out->kind != SF_INTEGER)
		return -EBADMSG;
	out->kind = SF_DATE;
	return 0;
}

/* Lower-case digits only, as 4.2.10 has it; -1: none. */
static int escape_digit(char c)
{
	return ascii_digit(c) || (c >= 'a' && c <= 'f') ? ascii_hex(c) : -1;
}

/* The byte at *i of a display string, which moves behind it; -1: it is none. */
static int display_byte(struct str s, size_t *i)
{
	char c = s.p[(*i)++];
	if (c != '%')
		return (unsigned char)c;
	if (s.n - *i < 2)
		return -1;
	int high = escape_digit(s.p[*i]), low = escape_digit(s.p[*i + 1]);
	*i += 2;
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Whether the escapes are whole, and what they stand for is UTF-8. */
static bool is_display(struct str s)
{
	char some[4];
	size_t have = 0, i = 0;
	while (i < s.n || have) {
		while (have < sizeof some && i < s.n) {
			int byte = display_byte(s, &i);
			if (byte < 0)
				return false;
			some[have++] = (char)byte;
		}
		size_t n = utf8_length(str_make(some, have));
		if (!n)
			return false;
		have -= n;
		memmove(some, some + n, have);
	}
	return true;
}

/* 4.2.10 */
static int display_take(struct str *s, struct sf *out)
{
	*s = str_from(*s, 1);
	if (!take(s, '"'))
		return -EBADMSG;
	size_t n = 0;
	while (n < s->n && s->p[n] >= ' ' && s->p[n] <= '~' && s->p[n] != '"')
		n++;
	out->kind = SF_DISPLAY;
	out->text = take_n(s, n);
	return take(s, '"') && is_display(out->text) ? 0 : -EBADMSG;
}

static int bare_take(struct str *s, struct sf *out)
{
	if (!s->n)
		return -EBADMSG;
	char c = s->p[0];
	*out = (struct sf){};
	switch (c) {
	case '"': return string_take(s, out);
	case ':': return bytes_take(s, out);
	case '?': return boolean_take(s, out);
	case '@': return date_take(s, out);
	case '%': return display_take(s, out);
	}
	if (c == '-' || ascii_digit(c))
		return number_take(s, out);
	return c == '*' || ascii_alpha(c) ? token_take(s, out) : -EBADMSG;
}

/* --- Keys, parameters, items. --- */

static bool is_key_start(char c)
{
	return (c >= 'a' && c <= 'z') || c == '*';
}

/* 4.2.3.3 */
static int key_take(struct str *s, struct str *key)
{
	size_t n = 0;
	if (!s->n || !is_key_start(s->p[0]))
		return -EBADMSG;
	while (n < s->n && (is_key_start(s->p[n]) || ascii_digit(s->p[n]) || (s->p[n] && strchr("_-.", s->p[n]))))
		n++;
	*key = take_n(s, n);
	return 0;
}

static struct sf yes(void)
{
	return (struct sf){ .kind = SF_BOOLEAN, .number = 1 };
}

int sf_param_next(struct str *rest, struct str *key, struct sf *out)
{
	if (!take(rest, ';'))
		return 0;
	skip_spaces(rest);
	int err = key_take(rest, key);
	*out = yes();
	if (!err && take(rest, '='))
		err = bare_take(rest, out);
	return err ? err : 1;
}

/* 4.2.3.2 */
static int params_take(struct str *s, struct sf *out)
{
	struct str rest = *s, key;
	struct sf value;
	int got;
	while ((got = sf_param_next(&rest, &key, &value)) > 0)
		;
	out->params = take_n(s, s->n - rest.n);
	return got;
}

/* 4.2.3 */
static int item_take(struct str *s, struct sf *out)
{
	int err = bare_take(s, out);
	return err ? err : params_take(s, out);
}

int sf_item(struct str value, struct sf *out)
{
	skip_spaces(&value);
	int err = item_take(&value, out);
	skip_spaces(&value);
	return err || value.n ? -EBADMSG : 0;
}

/* --- Lists and dictionaries. --- */

int sf_inner_next(struct str *rest, struct sf *out)
{
	skip_spaces(rest);
	if (!rest->n || at(*rest, ')'))
		return 0;
	int err = item_take(rest, out);
	if (err)
		return err;
	return !rest->n || at(*rest, ' ') || at(*rest, ')') ? 1 : -EBADMSG;
}

/* 4.2.1.2 */
static int inner_take(struct str *s, struct sf *out)
{
	struct sf item;
	int got;
	*s = str_from(*s, 1);
	struct str rest = *s;
	while ((got = sf_inner_next(&rest, &item)) > 0)
		;
	*out = (struct sf){ .kind = SF_INNER, .text = take_n(s, s->n - rest.n) };
	return got < 0 || !take(s, ')') ? -EBADMSG : params_take(s, out);
}

/* 4.2.1.1 */
static int member_take(struct str *s, struct sf *out)
{
	return at(*s, '(') ? inner_take(s, out) : item_take(s, out);
}

/* What stands between two members; a comma with nothing behind it is wrong. */
static int member_end(struct str *rest)
{
	skip_blanks(rest);
	if (!rest->n)
		return 1;
	if (!take(rest, ','))
		return -EBADMSG;
	skip_blanks(rest);
	return rest->n ? 1 : -EBADMSG;
}

int sf_list_next(struct str *rest, struct sf *out)
{
	skip_spaces(rest);
	if (!rest->n)
		return 0;
	int err = member_take(rest, out);
	return err ? err : member_end(rest);
}

int sf_dict_next(struct str *rest, struct str *key, struct sf *out)
{
	skip_spaces(rest);
	if (!rest->n)
		return 0;
	int err = key_take(rest, key);
	if (err)
		return err;
	if (take(rest, '=')) {
		err = member_take(rest, out);
	} else {
		*out = yes();
		err = params_take(rest, out);
	}
	return err ? err : member_end(rest);
}

/* --- What texts stand for. --- */

static size_t string_text(struct str s, char *to)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		i += s.p[i] == '\\';
		to[n++] = s.p[i];
	}
	return n;
}

static size_t bytes_text(struct str s, char *to)
{
	size_t n = 0;
	unsigned bits = 0, held = 0;
	for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
		bits = (bits << 6 | (unsigned)base64_digit(s.p[i])) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			to[n++] = (char)(bits >> held);
		}
	}
	return n;
}

static size_t display_text(struct str s, char *to)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n;)
		to[n++] = (char)display_byte(s, &i);
	return n;
}

size_t sf_text(const struct sf *s, char *to)
{
	switch (s->kind) {
	case SF_STRING: return string_text(s->text, to);
	case SF_BYTES: return bytes_text(s->text, to);
	case SF_DISPLAY: return display_text(s->text, to);
	default:
		if (s->text.n)
			memcpy(to, s->text.p, s->text.n);
		return s->text.n;
	}
}

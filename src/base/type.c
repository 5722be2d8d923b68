/* The basic types of configuration values.  Constants and functions without state; any thread. */
#include "base/type.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/num.h"

int type_wrong(struct type_in *in, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(in->error, sizeof in->error, format, args);
	va_end(args);
	return -EINVAL;
}

/* Between quotes: the first byte of s, which is not one of those with a letter of their own. */
static void print_byte(struct buf *out, struct str s)
{
	if (str_starts(s, STR("${env.")))
		buf_add(out, STR("\\$"));
	else if ((unsigned char)s.p[0] < ' ' || s.p[0] == 0x7f)
		buf_addf(out, "\\x%02x", (unsigned char)s.p[0]);
	else
		buf_add_char(out, s.p[0]);
}

void type_print_word(struct buf *out, struct str s)
{
	bool plain = s.n > 0 && s.p[0] != '=' && s.p[0] != '~';
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("\"\\;{}#", s.p[i]))
			plain = false;
	if (plain) {
		buf_add(out, s);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '\n': buf_add(out, STR("\\n")); break;
		case '\r': buf_add(out, STR("\\r")); break;
		case '\t': buf_add(out, STR("\\t")); break;
		case '"':
		case '\\': buf_add_char(out, '\\'); [[fallthrough]];
		default: print_byte(out, str_from(s, i));
		}
	}
	buf_add_char(out, '"');
}

static int flag_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	(void)range;
	bool on = str_eq(text, STR("on"));
	if (!on && !str_eq(text, STR("off")))
		return type_wrong(in, "neither \"on\" nor \"off\"");
	*(bool *)out = on;
	return 0;
}

static void flag_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	buf_add(out, *(const bool *)value ? STR("on") : STR("off"));
}

/* Shared by numbers, sizes and durations, which differ in how they are read and written only. */
static int bounded(struct type_in *in, int err, const struct type_range *range, uint64_t value,
                   size_t (*print)(char *, uint64_t), uint64_t *out)
{
	char bound[40];
	if (err == -EINVAL)
		return type_wrong(in, "not understood");
	if (!err && value < range->min)
		return type_wrong(in, "less than the least, %.*s", (int)print(bound, range->min), bound);
	if (!err && (!range->max || value <= range->max)) {
		*out = value;
		return 0;
	}
	return type_wrong(in, "more than the most, %.*s", (int)print(bound, range->max ? range->max : UINT64_MAX),
	                  bound);
}

static int number_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	uint64_t n = 0;
	int err = num_parse(text, UINT64_MAX, &n);
	return bounded(in, err, range, n, num_print, out);
}

static int count_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	if (!str_eq(text, STR("auto")))
		return number_parse(in, text, range, out);
	*(uint64_t *)out = 0;
	return 0;
}

static int size_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	uint64_t n = 0;
	int err = num_parse_size(text, &n);
	return bounded(in, err, range, n, num_print_size, out);
}

static int duration_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	uint64_t n = 0;
	int err = num_parse_duration(text, &n);
	return bounded(in, err, range, n, num_print_duration, out);
}

static void print_with(struct buf *out, size_t (*print)(char *, uint64_t), const void *value)
{
	out->n += print(buf_room(out, 40), *(const uint64_t *)value);
}

static void number_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	print_with(out, num_print, value);
}

static void count_print(struct buf *out, const struct type_range *range, const void *value)
{
	if (*(const uint64_t *)value)
		number_print(out, range, value);
	else
		buf_add(out, STR("auto"));
}

static void size_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	print_with(out, num_print_size, value);
}

static void duration_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	print_with(out, num_print_duration, value);
}

static int word_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	(void)range;
	if (memchr(text.p, '\0', text.n))
		return type_wrong(in, "holds a NUL byte");
	*(struct str *)out = arena_str(in->arena, text);
	return 0;
}

static void word_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	type_print_word(out, *(const struct str *)value);
}

enum { SECRET_LEAST = 16, SECRET_MOST = 512 };

/* It may have to stand in a field of HTTP. */
static int secret_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	uint64_t least = range->min ? range->min : SECRET_LEAST, most = range->max ? range->max : SECRET_MOST;
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f)
			return type_wrong(in, "a secret has letters, digits and signs only");
	if (text.n < least)
		return type_wrong(in, "shorter than %u characters: openssl rand -hex 24 makes a good one", (unsigned)least);
	if (text.n > most)
		return type_wrong(in, "longer than %u characters", (unsigned)most);
	*(struct str *)out = text;
	return 0;
}

/* Something that reads back as a secret, and is none. */
static void secret_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range, (void)value;
	buf_add(out, STR("****************"));
}

static int path_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	(void)range;
	struct str *path = out;
	if (!text.n || memchr(text.p, '\0', text.n))
		return type_wrong(in, "not a path");
	if (text.n >= PATH_MAX)
		return type_wrong(in, "longer than %d bytes", PATH_MAX - 1);
	*path = text.p[0] == '/' ? arena_str(in->arena, text)
	                         : arena_strf(in->arena, "%.*s/%.*s", STR_F(in->folder), STR_F(text));
	return 0;
}

static int choice_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	for (int i = 0; range->words[i]; i++) {
		if (str_eq(text, str_of(range->words[i]))) {
			*(int *)out = i;
			return 0;
		}
	}
	return type_wrong(in, "none of the words allowed");
}

static void choice_print(struct buf *out, const struct type_range *range, const void *value)
{
	buf_add(out, str_of(range->words[*(const int *)value]));
}

/* "a..b" where both stand, else one number for both. */
static int span_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	struct span *s = out;
	const char *dots = memmem(text.p, text.n, "..", 2);
	size_t at = dots ? (size_t)(dots - text.p) : text.n;
	int err = TYPE_NUMBER.parse(in, str_head(text, at), range, &s->min);
	s->max = s->min;
	if (!err && dots)
		err = TYPE_NUMBER.parse(in, str_from(text, at + 2), range, &s->max);
	if (!err && s->min > s->max)
		return type_wrong(in, "the first number is more than the second");
	return err;
}

static void span_print(struct buf *out, const struct type_range *range, const void *value)
{
	const struct span *s = value;
	TYPE_NUMBER.print(out, range, &s->min);
	if (s->max == s->min)
		return;
	buf_add(out, STR(".."));
	TYPE_NUMBER.print(out, range, &s->max);
}

const struct type TYPE_FLAG = { "flag", "on or off", sizeof(bool), flag_parse, flag_print };
const struct type TYPE_NUMBER = { "number", "a whole number", sizeof(uint64_t), number_parse, number_print };
const struct type TYPE_SPAN = { "span", "a number, or a least and a most such as 2..16", sizeof(struct span), span_parse,
	                        span_print };
const struct type TYPE_COUNT = { "count", "a whole number or auto", sizeof(uint64_t), count_parse, count_print };
const struct type TYPE_SIZE = { "size", "a size such as 64k, 10m or 2g", sizeof(uint64_t), size_parse, size_print };
const struct type TYPE_DURATION = { "duration", "a duration such as 20ms, 5s, 10m, 1h or 7d", sizeof(uint64_t),
	                            duration_parse, duration_print };
const struct type TYPE_WORD = { "word", "a word", sizeof(struct str), word_parse, word_print };
const struct type TYPE_PATH = { "path", "a path", sizeof(struct str), path_parse, word_print };
const struct type TYPE_CHOICE = { "choice", "one of the words allowed", sizeof(int), choice_parse, choice_print };

const struct type TYPE_SECRET = {
	.name = "secret",
	.expects = "a secret of letters, digits and signs",
	.size = sizeof(struct str),
	.parse = secret_parse,
	.print = secret_print,
	.secret = true,
};

/* Messages about a configuration.  Owns copies of all that it shows; one thread at a time. */
#include "config/message.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

enum {
	LINE_MOST = 160,    /* characters of a source line that are shown */
	LINE_BEFORE = 100,  /* of these, at most so many before the column */
	HINT_WIDTH = 90,
};

static const char *const LEVEL_NAMES[LEVELS] = { "warning", "error" };

void messages_fini(struct messages *m)
{
	arena_fini(&m->arena);
	mem_free(m->list);
	*m = (struct messages){};
}

static struct str skip_characters(struct str s, size_t count)
{
	while (count-- && s.n) {
		size_t len = utf8_length(s);
		s = str_from(s, len ? len : 1);
	}
	return s;
}

/* Copies the line, or the part of a long one that surrounds the column. */
/* What stands behind the word "token" is nobody's business: character by character, so that the caret stays right. */
static void hide_token(char *line, size_t n)
{
	struct str all = { line, n };
	const char *word = n ? memmem(line, n, "token", 5) : NULL;
	size_t i = word ? (size_t)(word - all.p) + 5 : n;
	while (i < n && (line[i] == ' ' || line[i] == '\t'))
		i++;
	bool quoted = i < n && line[i] == '"';
	for (i += quoted; i < n && !strchr(quoted ? "\"" : " \t;{}", line[i]); i++)
		line[i] = '*';
}

static void take_line(struct messages *m, struct message *message, const struct spot *at)
{
	struct str line = spot_line(at);
	message->indent = at->column - 1;
	message->width = spot_width(at);
	if (message->indent > LINE_BEFORE) {
		line = skip_characters(line, message->indent - LINE_BEFORE);
		message->indent = LINE_BEFORE;
	}
	line.n -= skip_characters(line, LINE_MOST).n;
	if (message->indent + message->width > LINE_MOST)
		message->width = LINE_MOST - message->indent;
	message->line = arena_str(&m->arena, line);
	hide_token((char *)(uintptr_t)message->line.p, line.n);
}

static struct message *room(struct messages *m)
{
	if (!m->list)
		m->list = mem_new(LEVELS * MESSAGE_MOST * sizeof *m->list);
	return &m->list[m->kept];
}

static bool same_place(const struct place *a, const struct place *b)
{
	return a->line == b->line && a->column == b->column && str_eq(a->file, b->file);
}

/* Whether it was said before; gives the file's place in the order of files, too. */
static bool said(const struct messages *m, struct message *new)
{
	unsigned files = 0;
	new->file = UINT32_MAX;
	for (size_t i = 0; i < m->kept; i++) {
		const struct message *old = &m->list[i];
		if (old->place.line && same_place(&old->place, &new->place) && str_eq(old->text, new->text))
			return true;
		if (str_eq(old->place.file, new->place.file))
			new->file = old->file;
		if (old->file >= files)
			files = old->file + 1;
	}
	if (new->file == UINT32_MAX)
		new->file = files;
	return false;
}

struct message *message_addv(struct messages *m, enum level level, const struct spot *at, const char *format,
                             va_list args)
{
	if (!m)
		return NULL;
	if (m->count[level] >= MESSAGE_MOST) {
		m->count[level]++;
		return NULL;
	}
	struct buf text = {};
	buf_addv(&text, format, args);
	struct message new = { .level = level, .text = buf_str(&text), .number = (unsigned)m->kept };
	if (at)
		new.place = spot_place(at);
	bool again = said(m, &new);
	struct message *message = again ? NULL : room(m);
	if (message) {
		new.text = arena_str(&m->arena, new.text);
		new.place.file = arena_str(&m->arena, new.place.file);
		if (at)
			take_line(m, &new, at);
		*message = new;
		m->kept++;
		m->count[level]++;
	}
	buf_fini(&text);
	return message;
}

struct message *message_add(struct messages *m, enum level level, const struct spot *at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct message *message = message_addv(m, level, at, format, args);
	va_end(args);
	return message;
}

static void add_hint(struct messages *m, struct message *message, struct str hint)
{
	struct str *hints = arena_new(&m->arena, (message->hint_count + 1) * sizeof *hints);
	if (message->hint_count)
		memcpy(hints, message->hints, message->hint_count * sizeof *hints);
	hints[message->hint_count++] = arena_str(&m->arena, hint);
	message->hints = hints;
}

void message_hint(struct messages *m, struct message *message, const char *format, ...)
{
	if (!message)
		return;
	struct buf text = {};
	va_list args;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	add_hint(m, message, buf_str(&text));
	buf_fini(&text);
}

void message_hint_list(struct messages *m, struct message *message, const char *head, struct str list)
{
	struct buf whole = {};
	if (!message)
		return;
	buf_addf(&whole, "%s%.*s", head, STR_F(list));
	struct str text = buf_str(&whole);
	while (text.n > HINT_WIDTH) {
		size_t cut = str_rfind(str_head(text, HINT_WIDTH), ' ');
		add_hint(m, message, str_head(text, cut));
		text = str_from(text, cut < HINT_WIDTH ? cut + 1 : cut);
	}
	add_hint(m, message, text);
	buf_fini(&whole);
}

struct messages_mark messages_mark(const struct messages *m)
{
	struct messages_mark mark = {};
	if (m)
		mark = (struct messages_mark){ m->kept, { m->count[LEVEL_WARNING], m->count[LEVEL_ERROR] } };
	return mark;
}

void messages_rewind(struct messages *m, const struct messages_mark *mark)
{
	if (!m)
		return;
	m->kept = mark->kept;
	memcpy(m->count, mark->count, sizeof m->count);
}

static int order(const void *left, const void *right)
{
	const struct message *a = left, *b = right;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void sort(struct messages *m)
{
	if (m->kept)
		qsort(m->list, m->kept, sizeof *m->list, order);
}

/* Text that may hold anything, for a terminal: what could steer it becomes "?". */
static void add_visible(struct buf *out, struct str s)
{
	while (s.n) {
		size_t len = utf8_length(s);
		unsigned char c = (unsigned char)s.p[0];
		if (!len || (c < 0x20 && c != '\t') || c == 0x7f)
			buf_add_char(out, '?');
		else
			buf_add(out, str_head(s, len));
		s = str_from(s, len ? len : 1);
	}
}

/* What stands before the caret has its width on any terminal: tabs stay tabs. */
static void add_indent(struct buf *out, struct str line, unsigned indent)
{
	while (indent--) {
		buf_add_char(out, line.n && line.p[0] == '\t' ? '\t' : ' ');
		line = skip_characters(line, 1);
	}
}

struct paint {
	const char *strong, *level[LEVELS], *gutter, *end;
};

static const struct paint PLAIN = { "", { "", "" }, "", "" };
static const struct paint COLOURS = { "\033[1m", { "\033[1;35m", "\033[1;31m" }, "\033[34m", "\033[0m" };

static void print_line(const struct message *x, const struct paint *p, struct buf *out)
{
	buf_addf(out, "%s%5u |%s ", p->gutter, x->place.line, p->end);
	add_visible(out, x->line);
	buf_addf(out, "\n%s      |%s ", p->gutter, p->end);
	add_indent(out, x->line, x->indent);
	buf_addf(out, "%s^", p->level[x->level]);
	for (unsigned i = 1; i < x->width; i++)
		buf_add_char(out, '~');
	buf_addf(out, "%s\n", p->end);
}

static void print_one(const struct message *x, const struct paint *p, struct buf *out)
{
	buf_add(out, str_of(p->strong));
	if (x->place.line) {
		add_visible(out, x->place.file);
		buf_addf(out, ":%u:%u: ", x->place.line, x->place.column);
	}
	buf_addf(out, "%s%s%s: %s", p->end, p->level[x->level], LEVEL_NAMES[x->level], p->end);
	add_visible(out, x->text);
	buf_add_char(out, '\n');
	if (x->place.line)
		print_line(x, p, out);
	for (size_t i = 0; i < x->hint_count; i++) {
		buf_addf(out, "%s      =%s ", p->gutter, p->end);
		add_visible(out, x->hints[i]);
		buf_add_char(out, '\n');
	}
}

static void print_rest(const struct messages *m, enum level level, struct buf *out)
{
	if (m->count[level] > MESSAGE_MOST)
		buf_addf(out, "and %zu more %ss\n", m->count[level] - MESSAGE_MOST, LEVEL_NAMES[level]);
}

void messages_print(struct messages *m, bool colour, struct buf *out)
{
	sort(m);
	for (size_t i = 0; i < m->kept; i++)
		print_one(&m->list[i], colour ? &COLOURS : &PLAIN, out);
	print_rest(m, LEVEL_ERROR, out);
	print_rest(m, LEVEL_WARNING, out);
}

static void add_member(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, "\"%s\":\"", name);
	buf_add_json(out, value);
	buf_add(out, STR("\""));
}

static void json_one(const struct message *x, struct buf *out)
{
	buf_add_char(out, '{');
	add_member(out, "level", str_of(LEVEL_NAMES[x->level]));
	if (x->place.line) {
		buf_add_char(out, ',');
		add_member(out, "file", x->place.file);
		buf_addf(out, ",\"line\":%u,\"column\":%u,\"length\":%u,", x->place.line, x->place.column, x->width);
		add_member(out, "source", x->line);
	}
	buf_add_char(out, ',');
	add_member(out, "text", x->text);
	buf_add(out, STR(",\"hints\":["));
	for (size_t i = 0; i < x->hint_count; i++) {
		buf_add(out, i ? STR(",\"") : STR("\""));
		buf_add_json(out, x->hints[i]);
		buf_add_char(out, '"');
	}
	buf_add(out, STR("]}"));
}

void messages_print_json(struct messages *m, struct buf *out)
{
	sort(m);
	buf_addf(out, "{\"errors\":%zu,\"warnings\":%zu,\"messages\":[", m->count[LEVEL_ERROR],
	         m->count[LEVEL_WARNING]);
	for (size_t i = 0; i < m->kept; i++) {
		buf_add(out, i ? STR(",\n") : STR("\n"));
		json_one(&m->list[i], out);
	}
	buf_add(out, STR("]}\n"));
}

/* Tables for a terminal.  Owns the cells, in an arena; one thread. */
#include "main/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "base/utf8.h"

enum { GAP = 2, NARROWEST = 8 };

struct table_cell {
	struct table_cell *next;
	struct str text;
	enum colour colour;
};

/* --- Text. --- */

/* Columns that it takes, a character each. */
static size_t width_of(struct str s)
{
	size_t width = 0;
	for (size_t i = 0; i < s.n; i++)
		width += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return width;
}

/* How many bytes its first characters take. */
static size_t bytes_of(struct str s, size_t width)
{
	size_t n = 0;
	while (n < s.n && (width || ((unsigned char)s.p[n] & 0xc0) == 0x80))
		width -= ((unsigned char)s.p[n++] & 0xc0) != 0x80;
	return n;
}

/* Without its middle: servers often differ at their end alone. */
static void add_cut(struct buf *out, struct str s, size_t width)
{
	size_t head = width / 2, tail = width - 1 - head;
	buf_add(out, str_head(s, bytes_of(s, head)));
	buf_add(out, STR("…"));
	buf_add(out, str_from(s, bytes_of(s, width_of(s) - tail)));
}

void colour_add(struct buf *out, bool colour, enum colour which, struct str text)
{
	static const char *const CODES[] = { [COLOUR_NONE] = "", [COLOUR_GOOD] = "32", [COLOUR_BAD] = "31",
		                             [COLOUR_WARN] = "33", [COLOUR_HEAD] = "1" };
	if (colour && which)
		buf_addf(out, "\033[%sm%.*s\033[0m", CODES[which], STR_F(text));
	else
		buf_add(out, text);
}

bool colour_wanted(void)
{
	const char *never = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && !(never && *never);
}

/* Whether this character tells a terminal to do something: C0, DEL, or C1 (ECMA-48), which some take in UTF-8, too. */
static bool is_control(struct str c)
{
	unsigned char first = (unsigned char)c.p[0];
	return first < ' ' || first == 0x7f || (c.n == 2 && first == 0xc2 && (unsigned char)c.p[1] < 0xa0);
}

void plain_add(struct buf *out, struct str text)
{
	while (text.n) {
		size_t n = utf8_length(text);
		struct str c = str_head(text, n);
		buf_add(out, n && !is_control(c) ? c : STR("?"));
		text = str_from(text, n ? n : 1);
	}
}

/* n in units of 1000^i or 1024^i, one decimal. */
static void scaled(struct buf *out, uint64_t n, unsigned unit, const char *const *names)
{
	double d = (double)n;
	size_t i = 0;
	while (d >= unit && names[i + 1]) {
		d /= unit;
		i++;
	}
	buf_addf(out, i ? "%.1f %s" : "%.0f %s", d, names[i]);
}

void count_add(struct buf *out, uint64_t n)
{
	static const char *const NAMES[] = { "", "k", "M", "G", "T", NULL };
	if (n < 10000000)
		buf_addf(out, "%" PRIu64, n);
	else
		scaled(out, n, 1000, NAMES);
}

void size_add(struct buf *out, uint64_t bytes)
{
	static const char *const NAMES[] = { "B", "KB", "MB", "GB", "TB", NULL };
	scaled(out, bytes, 1024, NAMES);
}

/* --- Cells. --- */

void table_init(struct table *t, const struct column *columns)
{
	*t = (struct table){ .columns = columns };
	arena_init(&t->arena, NULL, 0);
}

void table_fini(struct table *t)
{
	arena_fini(&t->arena);
}

void table_add(struct table *t, const char *format, ...)
{
	struct buf text = {}, plain = {};
	struct table_cell *c = ARENA_NEW(&t->arena, struct table_cell);
	va_list args;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	plain_add(&plain, buf_str(&text));
	c->text = arena_str(&t->arena, buf_str(&plain));
	if (t->last)
		t->last->next = c;
	else
		t->first = c;
	t->last = c;
	t->cells++;
	buf_fini(&plain);
	buf_fini(&text);
}

void table_colour(struct table *t, enum colour colour)
{
	t->last->colour = colour;
}

/* --- Printing. --- */

static size_t columns_of(const struct table *t)
{
	size_t count = 0;
	while (t->columns[count].title)
		count++;
	must(count > 0 && count <= TABLE_COLUMNS && t->cells % count == 0);
	return count;
}

static void measure(const struct table *t, size_t count, size_t *widths)
{
	size_t i = 0;
	for (; i < count; i++)
		widths[i] = width_of(str_of(t->columns[i].title));
	for (const struct table_cell *c = t->first; c; c = c->next, i++)
		if (width_of(c->text) > widths[i % count])
			widths[i % count] = width_of(c->text);
}

/* The widest of those that give, as long as the line is too long. */
static void fit(const struct table *t, size_t count, size_t *widths, size_t most)
{
	size_t total = (count - 1) * GAP;
	for (size_t i = 0; i < count; i++)
		total += widths[i];
	for (; total > most; total--) {
		size_t widest = count;
		for (size_t i = 0; i < count; i++)
			if (t->columns[i].gives && widths[i] > NARROWEST && (widest == count || widths[i] > widths[widest]))
				widest = i;
		if (widest == count)
			return;
		widths[widest]--;
	}
}

static void add_blanks(struct buf *out, size_t n)
{
	while (n--)
		buf_add_char(out, ' ');
}

static void add_cell(struct buf *out, const struct column *column, size_t width, struct str text, bool colour,
                     enum colour which, bool last)
{
	size_t own = width_of(text);
	struct buf cut = {};
	if (own > width) {
		add_cut(&cut, text, width);
		text = buf_str(&cut);
		own = width;
	}
	if (column->right)
		add_blanks(out, width - own);
	colour_add(out, colour, which, text);
	if (!last)
		add_blanks(out, (column->right ? 0 : width - own) + GAP);
	while (last && out->n && out->p[out->n - 1] == ' ')
		out->n--;
	if (last)
		buf_add_char(out, '\n');
	buf_fini(&cut);
}

void table_print(const struct table *t, unsigned width, bool colour, struct buf *out)
{
	size_t count = columns_of(t), widths[TABLE_COLUMNS], i = 0;
	measure(t, count, widths);
	fit(t, count, widths, width);
	for (; i < count; i++)
		add_cell(out, &t->columns[i], widths[i], str_of(t->columns[i].title), colour, COLOUR_HEAD, i + 1 == count);
	for (const struct table_cell *c = t->first; c; c = c->next, i++)
		add_cell(out, &t->columns[i % count], widths[i % count], c->text, colour, c->colour, (i + 1) % count == 0);
}

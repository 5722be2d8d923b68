/* Bytes that grow, and the escapings that need them.  No state of its own; one thread at a time. */
#include "base/buf.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"

void buf_fini(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){};
}

char *buf_room(struct buf *b, size_t more)
{
	if (b->cap - b->n < more) {
		size_t want = b->cap ? b->cap * 2 : 64;
		while (want - b->n < more)
			want *= 2;
		b->p = mem_grow(b->p, want);
		b->cap = want;
	}
	return b->p + b->n;
}

void buf_add(struct buf *b, struct str s)
{
	if (!s.n)
		return;
	memcpy(buf_room(b, s.n), s.p, s.n);
	b->n += s.n;
}

void buf_add_char(struct buf *b, char c)
{
	*buf_room(b, 1) = c;
	b->n++;
}

void buf_addv(struct buf *b, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	must(n >= 0);
	vsnprintf(buf_room(b, (size_t)n + 1), (size_t)n + 1, format, again);
	b->n += (size_t)n;
	va_end(again);
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	buf_addv(b, format, args);
	va_end(args);
}

/* How many bytes of s can stand in a JSON string as they are. */
static size_t plain_json(struct str s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

void buf_add_json(struct buf *b, struct str s)
{
	while (s.n) {
		size_t plain = plain_json(s), len = plain ? plain : utf8_length(s);
		char c = s.p[0];
		if (!len)
			buf_add(b, STR("\xEF\xBF\xBD"));
		else if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			buf_addf(b, "\\u%04x", (unsigned)c);
		else
			buf_add(b, str_head(s, len));
		s = str_from(s, len ? len : 1);
	}
}

void buf_add_age(struct buf *b, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		char unit;
	} UNITS[] = { { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' }, { 1000, 's' } };
	size_t i = 0;
	while (i + 1 < countof(UNITS) && ms < 2 * UNITS[i].ms)
		i++;
	buf_addf(b, "%llu%c", (unsigned long long)(ms / UNITS[i].ms), UNITS[i].unit);
}

void buf_add_member(struct buf *b, const char *name, struct str text)
{
	buf_addf(b, "\"%s\":\"", name);
	buf_add_json(b, text);
	buf_add_char(b, '"');
}

void buf_add_html(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&': buf_add(b, STR("&amp;")); break;
		case '<': buf_add(b, STR("&lt;")); break;
		case '>': buf_add(b, STR("&gt;")); break;
		case '"': buf_add(b, STR("&quot;")); break;
		case '\'': buf_add(b, STR("&#39;")); break;
		default: buf_add_char(b, s.p[i]);
		}
	}
}

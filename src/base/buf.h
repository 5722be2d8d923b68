/* struct buf: bytes that grow and that the struct owns.  One thread at a time. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf {
	char *p;
	size_t n;    /* bytes used */
	size_t cap;  /* bytes held */
};

/* A zeroed buf is empty and owns nothing. */
void buf_fini(struct buf *b);
/* Room for `more` bytes past b->n; they are at b->p + b->n, and count once the caller adds them to b->n. */
char *buf_room(struct buf *b, size_t more);
void buf_add(struct buf *b, struct str s);
void buf_add_char(struct buf *b, char c);
[[gnu::format(printf, 2, 3)]] void buf_addf(struct buf *b, const char *format, ...);
[[gnu::format(printf, 2, 0)]] void buf_addv(struct buf *b, const char *format, va_list args);
/* s as the inside of a JSON string (RFC 8259, 7), without the quotes: bytes that are not UTF-8 become U+FFFD. */
void buf_add_json(struct buf *b, struct str s);
/* How long something took, in its largest unit alone, from two of them on: "5s", "90m", "4d". */
void buf_add_age(struct buf *b, uint64_t ms);
/* "name":"text", the text escaped: a member of a JSON object. */
void buf_add_member(struct buf *b, const char *name, struct str text);
/* s with & < > " ' as character references, for HTML text and attribute values. */
void buf_add_html(struct buf *b, struct str s);

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

static inline void buf_clear(struct buf *b)
{
	b->n = 0;
}

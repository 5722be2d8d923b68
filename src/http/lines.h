/* struct lines: the lexing that heads have in common: of requests, of origins' answers, of CGI programs' answers.
 *
 * One pass over the bytes by a table of classes.  A line ends in CRLF and in nothing else, but for CGI programs, which may
 * end theirs in LF.  Reads from wherever the bytes lie, and keeps nothing: lines_keep() copies a head that is complete. */
#pragma once

#include "base/arena.h"
#include "http/head.h"

/* How far a parser of heads got. */
enum parsed {
	PARSE_DONE,         /* all of it was there, and is fine */
	PARSE_MORE,         /* what is there is fine so far */
	PARSE_BAD,          /* it is refused */
};

/* Token characters (RFC 9110, 5.6.2); field value bytes: HTAB, SP, VCHAR, obs-text (5.5); target bytes: VCHAR without
 * '#', which no client sends (RFC 9112, 3.2). */
enum { CLASS_TOKEN = 1, CLASS_VALUE = 2, CLASS_TARGET = 4 };

/* Fields are collected on the stack and copied once the head is complete. */
enum { LINES_FIELDS = 255 };

struct lines {
	struct str in;
	size_t at;            /* of the next byte */
	size_t fields_most;   /* at most LINES_FIELDS */
	bool bare_lf;         /* LF alone ends a line, too */
	unsigned status;      /* what a bad request is answered with; of no use for answers */
	const char *why;      /* a sentence about what is wrong */
};

/* What was found wrong: return lines_bad(l, 400, "…"); */
enum parsed lines_bad(struct lines *l, unsigned status, const char *why);
static inline bool lines_ended(const struct lines *l)
{
	return l->at >= l->in.n;
}

/* The run of bytes of a class, from here on. */
struct str lines_span(struct lines *l, uint8_t class);
/* These bytes; why: what is wrong where others stand there. */
enum parsed lines_word(struct lines *l, struct str word, const char *why);
/* The end of a line.  A CR that is the last byte so far may still be followed by LF. */
enum parsed lines_end(struct lines *l, const char *why);
/* "1.1" after "HTTP/": 0 or 1.  A higher minor version counts as 1, the highest known (RFC 9110, 2.5). */
enum parsed lines_version(struct lines *l, unsigned *minor);
/* "HTTP/1.1 200 OK" and its end (RFC 9112, 4). */
enum parsed lines_status(struct lines *l, unsigned *minor, unsigned *status);
/* All field lines, and the empty one behind them; room for LINES_FIELDS. */
enum parsed lines_fields(struct lines *l, struct field *fields, size_t *count);
/* The head's bytes go to the arena at once; the fields move along.  Returns what to pass to lines_moved(). */
const char *lines_keep(struct arena *a, const struct lines *l, const struct field *fields, size_t count,
                       struct field **out);
/* A string of the head, in the copy. */
static inline struct str lines_moved(const struct lines *l, struct str s, const char *copy)
{
	return (struct str){ copy + (s.p - l->in.p), s.n };
}

/* What is wrong with a configuration: errors and warnings with their places, and how they are shown.
 *
 * Messages copy what they show, so that they outlive the sources.  At most MESSAGE_MOST of each level are kept; the
 * rest are counted.  One thread at a time. */
#pragma once

#include "base/buf.h"
#include "config/spot.h"

enum { MESSAGE_MOST = 100 };

enum level { LEVEL_WARNING, LEVEL_ERROR, LEVELS };

struct message {
	enum level level;
	struct place place;      /* line 0: of no place in a file */
	struct str line;         /* the source's line, or the part of a long one around the column */
	unsigned indent, width;  /* characters before the underlined ones, and underlined ones, in `line` */
	struct str text;
	struct str *hints;
	size_t hint_count;
	unsigned file;           /* files are shown in the order in which they first got a message */
	unsigned number;
};

struct messages {
	struct arena arena;
	struct message *list;
	size_t kept;            /* messages in the list */
	size_t count[LEVELS];   /* said, kept or not, by level */
};

/* Zeroed means empty. */
void messages_fini(struct messages *m);

/* Says something about a spot; at may be NULL (no place in a file), and m, too (nobody wants to know).  Returns what
 * hints can be added to, or NULL.  A message that is already there with the same place and text is not added again:
 * one file may be included often. */
[[gnu::format(printf, 4, 5)]] struct message *message_add(struct messages *m, enum level level,
                                                          const struct spot *at, const char *format, ...);
[[gnu::format(printf, 4, 0)]] struct message *message_addv(struct messages *m, enum level level,
                                                           const struct spot *at, const char *format, va_list args);
/* A line below the message, such as "did you mean …"; message may be NULL. */
[[gnu::format(printf, 3, 4)]] void message_hint(struct messages *m, struct message *message, const char *format, ...);
/* As message_hint, with text behind a head, wrapped into lines of readable length. */
void message_hint_list(struct messages *m, struct message *message, const char *head, struct str text);

/* A point to return to: forgets what was said since. */
struct messages_mark {
	size_t kept, count[LEVELS];
};
struct messages_mark messages_mark(const struct messages *m);
void messages_rewind(struct messages *m, const struct messages_mark *mark);

/* file:line:column, the line, a caret and the hints, sorted by file and line. */
void messages_print(struct messages *m, bool colour, struct buf *out);
/* The same as one JSON object: {"errors":N,"warnings":N,"messages":[…]} */
void messages_print_json(struct messages *m, struct buf *out);

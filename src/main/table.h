/* struct table: columns of text for a terminal, aligned, within a width.  One thread. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN, COLOUR_HEAD };

struct column {
	const char *title;   /* NULL ends a table of columns */
	bool right;          /* numbers */
	bool gives;          /* becomes narrower where the line would be too long */
};

enum { TABLE_COLUMNS = 12, TABLE_WIDTH = 80 };

struct table {
	const struct column *columns;
	struct arena arena;
	struct table_cell *first, *last;   /* by row */
	size_t cells;
};

void table_init(struct table *t, const struct column *columns);
void table_fini(struct table *t);
/* The next cell, row by row, by plain_add(). */
[[gnu::format(printf, 2, 3)]] void table_add(struct table *t, const char *format, ...);
/* The colour of the cell added last. */
void table_colour(struct table *t, enum colour colour);
/* Appends the table with its titles; colour: whether there is to be any. */
void table_print(const struct table *t, unsigned width, bool colour, struct buf *out);

/* Appends text of anybody's: well-formed UTF-8 in which nothing talks to the terminal. */
void plain_add(struct buf *out, struct str text);
/* Appends text in a colour, or as it is. */
void colour_add(struct buf *out, bool colour, enum colour which, struct str text);
/* Whether standard output is a terminal, and NO_COLOR is not set. */
bool colour_wanted(void);
/* Appends what a person can read at a glance: "1234567", "12.3 M"; "1.2 MB". */
void count_add(struct buf *out, uint64_t n);
void size_add(struct buf *out, uint64_t bytes);

/* What the files that show answers share.  No state; one thread. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "main/table.h"

/* A member that is a text; "" where there is none. */
const char *text_of(const json_t *json, const char *name);
/* With its length: it may hold NULs. */
struct str text_str(const json_t *json, const char *name);
/* One that is a number, and not less than 0. */
uint64_t number_of(const json_t *json, const char *name);
/* Lines of at most the table's width, all but the first behind `indent` blanks; nothing in them talks to the terminal. */
void add_wrapped(struct buf *out, size_t indent, struct str text);
/* A line's first word. */
void line_head(struct buf *out, bool colour, const char *name);
/* "12 open": the number of a member, and its word. */
void part(struct buf *out, const json_t *json, const char *name, const char *word, const char *after);
/* A cell with a number that can be read at a glance. */
void table_count(struct table *t, uint64_t n);
/* Of a server in a listing of pools: the first of its states is the one that matters.  "": it has none. */
const char *server_state(const json_t *server);
enum colour server_colour(const char *state);

/* Applying statements: each to its row, each row's arguments and block to values. */
#pragma once

#include "config/frame.h"

/* Statements of a block with those of its included files in their place. */
struct flat {
	const struct statement **p;
	size_t count;
};

struct flat block_flatten(struct builder *b, const struct statement *first);
/* Applies all but sites and routes, which the scope's caller builds afterwards. */
void block_apply(struct frame *f, const struct flat *list);
/* Applies them over what is there: each takes the place of what its row had.  first may be NULL. */
void block_overlay(struct frame *f, const struct statement *first);
/* The row of a statement that stands in a scope, or NULL. */
const struct directive *block_row(const struct frame *f, const struct statement *s);
/* "usage: …" below a message. */
void block_hint_usage(struct builder *b, struct message *m, const struct directive *row);
/* Says and returns false where a statement that needs a block has none. */
bool block_is_there(struct builder *b, const struct statement *s, const struct directive *row);

/* Writing arguments: from the words of a statement to the C values of its row, by the row's table alone. */
#pragma once

#include "config/tree.h"

/* Where values were written, and by which words: so that a check can point at the word. */
struct spots {
	struct spots_entry {
		const void *value;
		struct spot at;
	} *p;
	size_t count, cap;
};

void spots_fini(struct spots *s);
void spots_add(struct spots *s, const void *value, const struct spot *at);
/* The newest spot of a value, or NULL. */
const struct spot *spots_find(const struct spots *s, const void *value);

struct values_in {
	struct messages *messages;
	struct arena *arena;   /* the snapshot's */
	struct spots *spots;
};

/* The defaults of one row's arguments, at `at`. */
void values_preset(struct arena *arena, const struct directive *row, void *at);
/* The defaults of all rows of a table, groups' and handlers' blocks included, in a struct of values that is zeroed. */
void values_preset_all(struct arena *arena, const struct directive *rows, void *base);
/* The statement's arguments over the row's defaults, at `at`.  0, or -EINVAL after saying what is wrong. */
[[nodiscard]] int values_write(const struct values_in *in, const struct directive *row, const struct statement *s,
                               void *at);

/* Bytes that an argument's value takes. */
size_t value_size(const struct arg *arg);

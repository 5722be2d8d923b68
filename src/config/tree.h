/* Statements of a source: `name argument… ;` and `name argument… { … }`, before anything is known of what they mean.
 *
 * After a mistake the parser goes on where the person most likely did, so that one run tells all mistakes: a
 * directive's name at the beginning of a line that is not indented further ends a statement whose `;` is missing.  One
 * thread. */
#pragma once

#include "config/lex.h"

enum { TREE_DEPTH = 32 };

struct statement {
	const struct word *words;        /* the first is the name */
	size_t count;
	bool block;                      /* ended by { … }, not by ; */
	bool broken;                     /* its syntax was wrong: missing arguments are not worth a second message */
	struct spot open;                /* the { */
	const struct statement *inside;  /* first of its block, or NULL */
	const struct statement *next;
};

struct tree_in {
	const struct source *source;
	struct env *env;
	const struct names *known;  /* names of directives; NULL: only include is known */
	struct arena *arena;
	struct messages *messages;  /* NULL: errors are not said */
};

/* The first statement, or NULL. */
const struct statement *tree_parse(const struct tree_in *in);

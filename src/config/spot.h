/* Sources and spots in them: where a word stands, so that a message can show its line.
 *
 * Spots keep what the lexer counted on its way (line and column), because counting again for every route of a large
 * configuration would be quadratic.  Immutable once read; any thread. */
#pragma once

#include "http/conf.h"

struct source;

/* What one include of a source stood for when the files were read. */
struct inclusion {
	uint32_t offset;   /* of the pattern's word in the text: names the include within its source */
	uint32_t count;
	uint32_t *files;   /* indices into the bundle, in the order of the names */
};

/* One file, or a text from memory. */
struct source {
	struct str name;    /* in messages: as the person wrote it */
	struct str folder;  /* absolute; relative paths in the text begin here */
	struct str text;
	struct inclusion *inclusions;  /* by rising offset */
	uint32_t inclusion_count;
	uint32_t height;               /* of the includes below it: 0 for a file that includes none */
};

struct spot {
	const struct source *source;
	uint32_t offset, length;  /* bytes */
	uint32_t line, column;    /* from 1; columns count characters */
};

/* The number of characters of s: a byte that is not UTF-8 counts as one. */
size_t spot_characters(struct str s);
/* The whole line on which it begins, without the line's end. */
struct str spot_line(const struct spot *at);
/* How many characters of that line it covers, at least 1. */
unsigned spot_width(const struct spot *at);
/* The single character behind it: where something is missing. */
struct spot spot_after(const struct spot *at);
/* The place of a spot; the file's name lives as long as the source. */
struct place spot_place(const struct spot *at);

/* Types of configuration values: how a word of the configuration becomes a C value, and back.
 *
 * A type is a constant; its parser is the only place that knows what the word may look like, its printer writes what
 * the parser reads back, and `expects` is the phrase that error messages, help and the reference show.  The basic types
 * are here; a floor that brings a type of its own (a network, a template) declares it there in the same way. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

/* What a parser may use, and where it says what is wrong. */
struct type_in {
	struct arena *arena;  /* the snapshot's: whatever the value points at is allocated here */
	struct str folder;    /* of the file that is being read; relative paths are taken from here */
	char error[256];      /* a parser that fails writes the reason, without the word itself: "more than 65535" */
};

/* Bounds and choices of one argument; what a type does not need is zero. */
struct type_range {
	uint64_t min, max;         /* numbers, sizes (bytes), durations (ms); max 0: no bound */
	const char *const *words;  /* choices, ended by NULL; the value is the index */
};

struct type {
	const char *name;     /* in the reference: "size" */
	const char *expects;  /* in messages: "a size such as 64k, 10m or 2g" */
	size_t size;          /* of the C value */
	/* 0, or -EINVAL with in->error set.  text lives as long as the arena. */
	int (*parse)(struct type_in *in, struct str text, const struct type_range *range, void *out);
	/* Appends what parse() would read back as *value. */
	void (*print)(struct buf *out, const struct type_range *range, const void *value);
	bool secret;          /* the word is never shown, and what print() appends is another one */
};

struct span {
	uint64_t min, max;
};

extern const struct type TYPE_FLAG;      /* bool: on | off */
extern const struct type TYPE_NUMBER;    /* uint64_t */
extern const struct type TYPE_SPAN;      /* struct span: "2..16", "4" */
extern const struct type TYPE_COUNT;     /* uint64_t, "auto" is 0 */
extern const struct type TYPE_SIZE;      /* uint64_t, bytes */
extern const struct type TYPE_DURATION;  /* uint64_t, milliseconds */
extern const struct type TYPE_WORD;      /* struct str, NUL behind it */
extern const struct type TYPE_PATH;      /* struct str, absolute, NUL behind it */
extern const struct type TYPE_SECRET;    /* struct str of so many characters (16 at least where nothing is said) */
extern const struct type TYPE_CHOICE;    /* int: index in range->words */

/* Writes the reason and returns -EINVAL: return type_wrong(in, "…"); */
[[gnu::format(printf, 2, 3)]] int type_wrong(struct type_in *in, const char *format, ...);
/* Appends s as one word of the configuration, quoted where it has to be. */
void type_print_word(struct buf *out, struct str s);

/* Options of a command, from a table: --name VALUE, --name=VALUE, -x VALUE, and switches; words may stand anywhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct option {
	const char *name;    /* "config": --config; NULL ends a table */
	char letter;         /* 'c': -c; 0: none */
	const char *value;   /* what it takes, as in a synopsis: "FILE"; NULL: it is a switch */
	const char *doc;
};

enum { OPTIONS_MOST = 32 };

struct options {
	const char *values[OPTIONS_MOST];  /* by row: what was given last, "" for a switch; NULL: not given */
	char **words;                      /* what is no option, in its order */
	int word_count;
	bool help;                         /* -h or --help */
};

/* Reads argv[0 … argc-1], whose words it moves to its front.  rows may be NULL.  0, or -EINVAL with a sentence in error
 * that names what the command knows. */
[[nodiscard]] int options_parse(const struct option *rows, int argc, char **argv, struct options *out, char *error,
                                size_t error_n);
/* "-c, --config FILE" */
void option_print(const struct option *row, char *text, size_t text_n);

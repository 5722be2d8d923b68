/* The table of commands: the command line's parser, its help and the man page are made from it. */
#pragma once

#include "config/doc.h"
#include "main/options.h"

struct command {
	const char *name;              /* NULL ends the table */
	const char *synopsis;          /* behind the name: "[DIR] [--listen ADDR:PORT]" */
	const char *summary;           /* one line, without a full stop */
	const char *doc;               /* sentences for its own help and the man page, or NULL */
	const struct option *options;  /* NULL: none but --help */
	int words_most;                /* how many words it takes at most */
	int (*run)(const struct options *o);  /* returns the exit status */
	const struct action *actions;  /* what it can be asked for by its words; NULL: it does one thing */
};

enum { COMMANDS_MOST = 32 };

extern const struct command COMMANDS[];

/* NULL: there is no such command. */
const struct command *command_find(const char *name);

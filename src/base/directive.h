/* The vocabulary of the configuration: one row per directive.
 *
 * A row is the only place where a directive is described.  From it come the parser, the type check, the messages with
 * file:line:column and "did you mean", inheritance, the dump of the effective configuration, `petrel help`, the man page
 * and the reference.  Rows are constants, kept by the module that uses the values.
 *
 * Where a value lands.  Each module has one struct of values per scope (main, site, route).  A row's arguments are
 * written at base + row.offset + arg.offset, where base is that struct, or, for rows inside a DIR_LIST block, the list's
 * item.  Inheritance copies what a scope did not set from the scope around it, row by row; DIR_LIST rows add to what the
 * outer scope listed, outer items first. */
#pragma once

#include "base/type.h"

enum scope {
	SCOPE_MAIN = 1,
	SCOPE_SITE = 2,
	SCOPE_ROUTE = 4,
	SCOPE_ALL = SCOPE_MAIN | SCOPE_SITE | SCOPE_ROUTE,
};

/* A list of values: `count` of them, in the order of the configuration, in the snapshot's arena. */
struct items {
	void *p;
	size_t count;
};

enum arg_form {
	ARG_ONE,       /* has to be there, at this place */
	ARG_OPTIONAL,  /* may be left out, and all after it */
	ARG_MANY,      /* all that follow, at least one; the value is struct items of the type's values */
	ARG_ANY,       /* as ARG_MANY, but there may be none */
	ARG_KEYWORD,   /* anywhere after the positional ones: its name, then its value: "weight 2" */
	ARG_SWITCH,    /* anywhere after the positional ones: its name alone; the value is a bool: "backup" */
};

struct arg {
	const char *name;         /* "size"; for keywords and switches, the word itself.  NULL ends a table of arguments */
	const struct type *type;  /* NULL for ARG_SWITCH */
	size_t offset;
	enum arg_form form;
	struct type_range range;
	const char *preset;       /* the default, as configuration text; NULL: zero bytes.  ARG_MANY: words apart by blanks */
};

enum directive_kind {
	DIR_VALUE,    /* arguments are values; a second one in the same scope is an error */
	DIR_LIST,     /* may come often; each adds an item of item_size bytes to the struct items at row.offset.  With inner
	               * rows it has a block, whose values go into the item (server, pool, app) */
	DIR_GROUP,    /* a block of rows that belong together and inherit one by one (limits, hot); no arguments */
	DIR_HANDLER,  /* says that this module answers on this route; may have arguments, and a block of inner rows that
	               * inherit one by one */
	DIR_SITE,     /* site NAME… { } and route PATTERN { }: known to config/build.c, here for their documentation */
	DIR_ROUTE,
	DIR_INCLUDE,
};

/* Whether an operator may set it in a running server (`petrel ctl set`). */
enum fixed {
	FIXED_NOT,     /* yes */
	FIXED_RELOAD,  /* no: it needs descriptors, rights or processes that only a reload brings */
	FIXED_START,   /* no: it takes effect when the server is started */
	FIXED_OWN,     /* no: there are commands of its own for it */
};

struct directive {
	const char *name;               /* NULL ends a table */
	enum directive_kind kind;
	unsigned scopes;                /* enum scope; 0 for rows inside a block, which are allowed there only */
	const struct arg *args;         /* ended by a NULL name; NULL: takes none */
	const struct directive *inner;  /* rows of its block; NULL: has none */
	size_t offset;                  /* of its values, or of its struct items */
	size_t item_size;               /* DIR_LIST */
	bool required;                  /* inside a DIR_LIST block: an item without it is an error */
	enum fixed fixed;
	const char *doc;                /* one or more plain sentences; the first is shown in lists */
	const char *example;            /* whole lines of configuration, or NULL */
};

/* Shorthands for tables of arguments. */
#define ARGS(...) ((const struct arg[]){ __VA_ARGS__, {} })

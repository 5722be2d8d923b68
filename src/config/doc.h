/* Documentation from the tables: `petrel help`, docs/reference/ and the manual pages.
 *
 * All of it is appended to a buffer; there is no second text about a directive anywhere. */
#pragma once

#include "base/buf.h"
#include "http/module.h"
#include "http/vars.h"

/* One of the things that a command does: "server POOL ADDRESS drain". */
struct action {
	const char *words;     /* after the command's name; NULL ends a table */
	const char *doc;       /* a phrase */
};

/* A command of petrel's, for petrel(1); the caller's table ends with a NULL name. */
struct command_doc {
	const char *name;      /* "check" */
	const char *synopsis;  /* what follows the name: "-c FILE [--json]", or "" */
	const char *text;      /* one or more sentences; the first is shown in lists */
	const struct action *actions;  /* NULL: it does one thing */
};

/* The modules that a text is about. */
struct doc_modules {
	const struct module *const *p;
	size_t count;
};

/* Every directive with the first sentence about it, by module. */
void doc_list(const struct doc_modules *m, struct buf *out);
/* All that is known about a name, in blocks, too; false where it is not known. */
bool doc_directive(const struct doc_modules *m, struct str name, struct buf *out);
/* The nearest name that is known, for "did you mean"; .p is NULL where none is near. */
struct str doc_nearest(const struct doc_modules *m, struct str name);

/* Every variable of templates. */
void doc_variables(struct buf *out);

/* docs/reference/: a page for each module, named MODULE.md, one for variables, and README.md with the list of all. */
void doc_page(const struct module *m, struct buf *out);
void doc_variables_page(struct buf *out);
void doc_index(const struct doc_modules *m, struct buf *out);

/* petrel.conf(5) and petrel(1). */
void doc_man_conf(const struct doc_modules *m, struct buf *out);
void doc_man_command(const struct command_doc *commands, struct buf *out);

/* Parts that all forms share. */

/* "$field_NAME" */
void doc_variable(const struct var *v, struct buf *out);
/* The first sentence of a text. */
struct str doc_sentence(const char *text);
/* "main, a site, a route" */
void doc_scopes(unsigned scopes, struct buf *out);
/* What a statement would say that sets the defaults: "header 16k;"; nothing where there is none. */
void doc_default(const struct directive *row, struct buf *out);

/* struct rows: the directives of all modules, to be found by name.
 *
 * A name may stand for one thing in main and for another in a route ("cache"): what it means depends on the scope.
 * Built once per configuration, then immutable. */
#pragma once

#include "base/buf.h"
#include "config/guess.h"
#include "config/names.h"
#include "http/module.h"

struct rows_entry {
	const struct directive *row;
	size_t module;
	size_t next;  /* index + 1 of another entry of this name; 0: none */
};

struct rows {
	const struct module *const *modules;
	size_t module_count;
	struct rows_entry *list;   /* rows that stand in scopes; those in blocks are in their owner's table */
	size_t count;
	struct names index;        /* name to index + 1 of its first entry */
	struct names known;        /* every name, in blocks, too */
};

void rows_init(struct rows *r, const struct module *const *modules, size_t count);
void rows_fini(struct rows *r);

/* The row that stands for the name in a scope, or NULL. */
const struct rows_entry *rows_find(const struct rows *r, struct str name, enum scope scope);
/* The row of a block, or NULL. */
const struct directive *rows_inside(const struct directive *block, struct str name);

/* Where a name is allowed, in words: "main, a site, the block of hot"; empty where it is not known. */
void rows_where(const struct rows *r, struct str name, struct buf *out);
/* What is allowed in a scope, or in a block where it is not NULL, apart by ", "; every name is offered to the guess. */
void rows_allowed(const struct rows *r, enum scope scope, const struct directive *block, struct buf *out,
                  struct guess *guess);
/* "main", "a site", "a route". */
const char *scope_name(enum scope scope);

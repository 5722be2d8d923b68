/* struct frame: one scope of the configuration while it is built, and what building needs around it.
 *
 * Inheritance is copying on the first write: a scope's values are the outer scope's structs until one of a module's
 * directives is set; then it gets a copy of that module's struct, and the row's arguments are written over it.  What
 * the scope did not set is thereby the outer scope's, row by row, and scopes that set nothing share everything.  For
 * that, a scope's own directives are applied before the scopes inside it are looked at. */
#pragma once

#include "config/rows.h"
#include "config/source.h"
#include "config/values.h"

struct frame;

struct builder {
	const struct sources *sources;
	const struct statement **trees;  /* by the sources' index */
	const struct statement *overlay; /* what is laid over them; NULL: nothing */
	struct rows rows;
	struct conf *conf;
	struct arena scratch;            /* gone after building */
	struct messages *messages;
	struct names hosts;              /* names of sites, to index + 1 in host_spots */
	struct spots host_spots;
	const struct directive *listed;  /* the block, … */
	unsigned listed_scopes;          /* … and the scopes, whose directives a message has listed */
	size_t expanded;                 /* statements met, those of a file once for each time it is included */
	bool files;                      /* checks may look at the world */
	struct frame *frames;            /* main, site, route: their lists are used again */
	const struct source *named;      /* whose name is in the snapshot's arena at `name` */
	const char *name;
};

/* Directives met in one scope or block, each once. */
struct seen {
	struct seen_row {
		const struct directive *row;
		struct spot at;
	} *p;
	size_t count, cap;
};

void seen_fini(struct seen *s);
/* NULL, or where the row was met before; then remembers it. */
const struct spot *seen_add(struct seen *s, const struct directive *row, const struct spot *at);
bool seen_has(const struct seen *s, const struct directive *row);

enum frame_mark { FRAME_OWN = 1, FRAME_BROKEN = 2 };

struct frame {
	struct builder *b;
	enum scope scope;
	const struct frame *outer;
	struct spot at;               /* its name or pattern; main: the first byte of the configuration */
	void **values;                /* by module; the outer's array until something is set */
	unsigned char *marks;         /* enum frame_mark by module */
	struct seen seen;
	struct spots spots;
	const struct module *handler; /* of a route */
	struct spot handler_at;
};

/* The frame of a scope inside `outer`, NULL for main; it is valid until the next one of its kind is opened. */
struct frame *frame_open(struct builder *b, enum scope scope, const struct frame *outer, const struct spot *at);
void frame_fini(struct frame *f);
/* What the scope said itself, in the snapshot's arena. */
struct mentions frame_mentions(const struct frame *f);
/* The name of a file, likewise. */
const char *frame_file(struct builder *b, const struct source *source);
/* The module's values that belong to this scope alone. */
void *frame_values(struct frame *f, size_t module);

static inline bool frame_shares(const struct frame *f)
{
	return f->outer && f->values == f->outer->values;
}

/* Variables and templates: "$host$path", "/new/$1", log formats.
 *
 * A template is compiled while the configuration is read, so that an unknown variable is an error with its place, and a
 * template without variables costs nothing.  "$$" is a dollar sign; "${name}" separates a name from what follows. */
#pragma once

#include "base/type.h"

struct req;
struct var;

struct piece {
	struct str literal;          /* where var is NULL */
	const struct var *var;
	struct str argument;         /* "$field_x_id": the rest of the name, as a field's name: "x-id" */
	unsigned capture;            /* $1 … $9: the number; else 0 */
};

struct tmpl {
	const struct piece *pieces;
	size_t count;
	struct str text;             /* as written */
};

/* One variable: how it is written and what it means.  A name that ends in '_' takes the rest as its argument. */
struct var {
	const char *name;
	const char *doc;
	/* Appends the value; appends nothing where there is none. */
	void (*print)(struct buf *out, struct req *r, struct str argument);
	/* Its value can only be known when the answer has been sent: for logs. */
	bool at_end;
	/* It was decoded from a URL, and has to be encoded again where a URL is made of it. */
	bool decoded;
};

/* All of them, ended by a NULL name: for the parser, "did you mean", and the reference. */
extern const struct var VARS[];

/* struct tmpl: text with variables. */
extern const struct type TYPE_TEMPLATE;

/* Compiles; 0, or -EINVAL with in->error set. */
[[nodiscard]] int tmpl_parse(struct type_in *in, struct str text, struct tmpl *out);
/* Appends one piece: its literal, or its value, as it is. */
void piece_print(struct buf *out, const struct piece *p, struct req *r);
/* Appends what the template stands for in this request. */
void tmpl_print(struct buf *out, const struct tmpl *t, struct req *r);
/* The same, in the request's arena; a template without variables is returned as it is. */
struct str tmpl_str(const struct tmpl *t, struct req *r);
/* As a field's value: control characters become blanks, and those at its ends go. */
struct str tmpl_field(const struct tmpl *t, struct req *r);
/* As a URL: parts that were decoded are encoded again, and so is whatever no URL may hold. */
struct str tmpl_url(const struct tmpl *t, struct req *r);

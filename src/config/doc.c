/* `petrel help`, and what all forms of documentation share.  No state; any thread. */
#include "config/doc.h"

#include "config/rows.h"
#include "config/usage.h"

enum { NAME_WIDTH = 24, LINE_WIDTH = 96 };

struct str doc_sentence(const char *text)
{
	struct str s = str_of(text);
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == '.' && s.p[i + 1] == ' ')
			return str_head(s, i + 1);
	return s;
}

void doc_scopes(unsigned scopes, struct buf *out)
{
	size_t before = out->n;
	for (unsigned scope = SCOPE_MAIN; scope <= SCOPE_ROUTE; scope <<= 1)
		if (scopes & scope)
			buf_addf(out, "%s%s", out->n > before ? ", " : "", scope_name((enum scope)scope));
}

void doc_default(const struct directive *row, struct buf *out)
{
	struct buf args = {};
	for (const struct arg *a = row->args; a && a->name && row->kind != DIR_LIST; a++)
		if (a->preset && a->form != ARG_KEYWORD && a->form != ARG_SWITCH)
			buf_addf(&args, " %s", *a->preset ? a->preset : "\"\"");
	if (args.n)
		buf_addf(out, "%s%.*s;", row->name, STR_F(buf_str(&args)));
	buf_fini(&args);
}

/* Text in lines of readable length, each behind `indent` blanks. */
static void add_wrapped(struct buf *out, struct str text, unsigned indent)
{
	size_t width = LINE_WIDTH - indent;
	while (text.n) {
		size_t cut = text.n;
		if (cut > width) {
			cut = str_rfind(str_head(text, width + 1), ' ');
			cut = cut > width ? str_find(text, ' ') : cut;
		}
		buf_addf(out, "%*s%.*s\n", (int)indent, "", (int)cut, text.p);
		text = str_from(text, cut + 1);
	}
}

static void add_lines(struct buf *out, const char *text, unsigned indent)
{
	for (struct str rest = str_of(text); rest.p;) {
		struct str line = str_cut(&rest, '\n');
		buf_addf(out, "%*s%.*s\n", (int)indent, "", STR_F(line));
	}
}

void doc_list(const struct doc_modules *m, struct buf *out)
{
	for (size_t i = 0; i < m->count; i++) {
		buf_addf(out, "%s%s\n", i ? "\n" : "", m->p[i]->name);
		for (const struct directive *d = m->p[i]->directives; d && d->name; d++) {
			struct str first = doc_sentence(d->doc);
			buf_addf(out, "  %-*s %.*s\n", NAME_WIDTH, d->name, STR_F(first));
		}
	}
}

void doc_variable(const struct var *v, struct buf *out)
{
	buf_addf(out, "$%s%s", v->name, str_ends(str_of(v->name), STR("_")) ? "NAME" : "");
}

void doc_variables(struct buf *out)
{
	struct buf name = {};
	for (const struct var *v = VARS; v->name; v++) {
		buf_clear(&name);
		doc_variable(v, &name);
		buf_addf(out, "  %-*.*s %s%s\n", NAME_WIDTH, STR_F(buf_str(&name)), v->doc, v->at_end ? " (in logs)" : "");
	}
	buf_fini(&name);
}

static void add_arg(struct buf *out, const struct arg *arg, unsigned indent)
{
	struct buf line = {};
	usage_arg(&line, arg);
	buf_add(&line, STR(": "));
	usage_expects(&line, arg);
	if (arg->preset)
		buf_addf(&line, " (default: %s)", *arg->preset ? arg->preset : "\"\"");
	add_wrapped(out, buf_str(&line), indent);
	buf_fini(&line);
}

static void add_usage(struct buf *out, const struct directive *row, unsigned indent)
{
	buf_addf(out, "%*s", (int)indent, "");
	usage_print(out, row);
	buf_add_char(out, '\n');
}

static void add_inner(struct buf *out, const struct directive *row, unsigned indent)
{
	for (const struct directive *d = row->inner; d && d->name; d++) {
		buf_add_char(out, '\n');
		add_usage(out, d, indent);
		add_wrapped(out, str_of(d->doc), indent + 4);
		for (const struct arg *a = d->args; a && a->name; a++)
			add_arg(out, a, indent + 4);
		add_inner(out, d, indent + 4);
	}
}

static void add_row(struct buf *out, const struct directive *row, const char *where)
{
	if (out->n)
		buf_add_char(out, '\n');
	add_usage(out, row, 0);
	buf_addf(out, "    in %s%s\n\n", where, row->kind == DIR_LIST ? "; may stand more than once" : "");
	add_wrapped(out, str_of(row->doc), 4);
	if (row->args && row->args->name)
		buf_add_char(out, '\n');
	for (const struct arg *a = row->args; a && a->name; a++)
		add_arg(out, a, 4);
	add_inner(out, row, 4);
	if (row->example) {
		buf_add(out, STR("\n    Example:\n"));
		add_lines(out, row->example, 8);
	}
}

/* All rows of a name in a table and the blocks in it. */
static bool add_named(struct buf *out, const struct directive *rows, struct str name, const char *block)
{
	bool found = false;
	for (const struct directive *d = rows; d && d->name; d++) {
		if (str_eq(str_of(d->name), name)) {
			struct buf where = {};
			if (block)
				buf_addf(&where, "the block of %s", block);
			else
				doc_scopes(d->scopes, &where);
			buf_add_char(&where, '\0');
			add_row(out, d, where.p);
			buf_fini(&where);
			found = true;
		}
		found |= add_named(out, d->inner, name, d->name);
	}
	return found;
}

bool doc_directive(const struct doc_modules *m, struct str name, struct buf *out)
{
	bool found = false;
	for (size_t i = 0; i < m->count; i++)
		found |= add_named(out, m->p[i]->directives, name, NULL);
	return found;
}

static void offer_all(struct guess *guess, const struct directive *rows)
{
	for (const struct directive *d = rows; d && d->name; d++) {
		guess_offer(guess, str_of(d->name));
		offer_all(guess, d->inner);
	}
}

struct str doc_nearest(const struct doc_modules *m, struct str name)
{
	struct guess guess = guess_of(name);
	for (size_t i = 0; i < m->count; i++)
		offer_all(&guess, m->p[i]->directives);
	return guess.best;
}

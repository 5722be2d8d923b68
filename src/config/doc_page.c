/* docs/reference/: Markdown from the tables.  No state; any thread. */
#include "config/doc.h"
#include "config/usage.h"

static const struct str MADE = {
	"<!-- Made from the directive tables by `petrel help --reference`: edits here are lost. -->\n\n", 92
};

static void add_usage(struct buf *out, const struct directive *row)
{
	buf_add_char(out, '`');
	usage_print(out, row);
	buf_add_char(out, '`');
}

static void add_args(struct buf *out, const struct directive *row, unsigned indent)
{
	for (const struct arg *a = row->args; a && a->name; a++) {
		buf_addf(out, "%*s- `", (int)indent, "");
		usage_arg(out, a);
		buf_add(out, STR("`: "));
		usage_expects(out, a);
		if (a->preset)
			buf_addf(out, "; default `%s`", *a->preset ? a->preset : "\"\"");
		buf_add_char(out, '\n');
	}
}

static void add_inner(struct buf *out, const struct directive *row, unsigned indent)
{
	for (const struct directive *d = row->inner; d && d->name; d++) {
		buf_addf(out, "%*s- ", (int)indent, "");
		add_usage(out, d);
		buf_addf(out, "  \n%*s%s%s\n", (int)indent + 2, "", d->doc, d->required ? " It has to be there." : "");
		add_args(out, d, indent + 2);
		add_inner(out, d, indent + 2);
	}
}

static void add_row(struct buf *out, const struct directive *row)
{
	struct buf preset = {};
	buf_addf(out, "\n## %s\n\n", row->name);
	add_usage(out, row);
	buf_add(out, STR("  \nIn: "));
	doc_scopes(row->scopes, out);
	buf_add(out, row->kind == DIR_LIST ? STR(". May stand more than once.\n\n") : STR(".\n\n"));
	buf_addf(out, "%s\n", row->doc);
	if (row->args && row->args->name)
		buf_add_char(out, '\n');
	add_args(out, row, 0);
	doc_default(row, &preset);
	if (preset.n)
		buf_addf(out, "\nDefault: `%.*s`\n", STR_F(buf_str(&preset)));
	buf_fini(&preset);
	if (row->inner)
		buf_add(out, STR("\nIn its block:\n\n"));
	add_inner(out, row, 0);
	if (row->example)
		buf_addf(out, "\nExample:\n\n```\n%s\n```\n", row->example);
}

void doc_page(const struct module *m, struct buf *out)
{
	buf_add(out, MADE);
	buf_addf(out, "# %s\n\n%s\n", m->name, m->doc);
	for (const struct directive *d = m->directives; d && d->name; d++)
		add_row(out, d);
}

void doc_index(const struct doc_modules *m, struct buf *out)
{
	buf_add(out, MADE);
	buf_add(out, STR("# Directives\n\nWhat is set outside is inherited inside: main, then a site, then a route. "
	                 "Texts may hold [variables](variables.md).\n"));
	for (size_t i = 0; i < m->count; i++) {
		buf_addf(out, "\n## [%s](%s.md)\n\n%s\n\n| directive | in | |\n|---|---|---|\n", m->p[i]->name,
		         m->p[i]->name, m->p[i]->doc);
		for (const struct directive *d = m->p[i]->directives; d && d->name; d++) {
			struct str first = doc_sentence(d->doc);
			buf_addf(out, "| [%s](%s.md#%s) | ", d->name, m->p[i]->name, d->name);
			doc_scopes(d->scopes, out);
			buf_addf(out, " | %.*s |\n", STR_F(first));
		}
	}
}

void doc_variables_page(struct buf *out)
{
	buf_add(out, MADE);
	buf_add(out, STR("# Variables\n\nIn texts that may hold them: $NAME, or ${NAME} where a letter follows; $$ is a dollar "
	                 "sign. $1 to $9 are what the stars of the route's pattern stood for, or the groups of its regex. "
	                 "Those of logs are known only when the answer was sent.\n\n| variable | | |\n|---|---|---|\n"));
	for (const struct var *v = VARS; v->name; v++) {
		buf_add(out, STR("| `"));
		doc_variable(v, out);
		buf_addf(out, "` | %s | %s |\n", v->doc, v->at_end ? "in logs" : "");
	}
}

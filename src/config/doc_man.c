/* petrel.conf(5) and petrel(1), in mdoc(7), from the tables.  No state; any thread. */
#include "config/doc.h"
#include "config/usage.h"

/* When the fixed texts below last changed. */
#define DATE "November 20, 2026"

enum { WIDTH = 76 };

static const char CONF_HEAD[] =
	".Dd " DATE "\n"
	".Dt PETREL.CONF 5\n"
	".Os\n"
	".Sh NAME\n"
	".Nm petrel.conf\n"
	".Nd configuration of the petrel web server\n"
	".Sh DESCRIPTION\n"
	"A configuration consists of directives:\n"
	".Dl name argument ... ;\n"
	".Dl name argument ... { ... }\n"
	".Pp\n"
	"Words end at blanks, semicolons and braces;\n"
	"between double quotes they may hold these, too, and\n"
	".Li \\e\\(dq , \\e\\e , \\en , \\er , \\et , \\exHH\n"
	"and\n"
	".Li \\e${\n"
	"are escapes.\n"
	"A\n"
	".Sq #\n"
	"at the beginning of a word starts a comment.\n"
	".Li ${env.NAME}\n"
	"stands for a variable of the environment,\n"
	".Li ${env.NAME:-text}\n"
	"for the text where it is not set.\n"
	"Sizes are written as 4k, 64m or 2g, durations as 20ms, 5s, 10m, 1h or 7d.\n"
	".Pp\n"
	"What is set in main is inherited by sites,\n"
	"and what is set in a site by its routes.\n"
	"Routes are tried from top to bottom: the first that matches serves.\n"
	"In a route's pattern\n"
	".Sq *\n"
	"stands for any run of characters, slashes included;\n"
	".Sq =\n"
	"before it makes it exact, and\n"
	".Sq ~\n"
	"makes it a regular expression.\n"
	".Sh DIRECTIVES\n";

static const char CONF_TAIL[] =
	".Sh SEE ALSO\n"
	".Xr petrel 1\n";

static const char COMMAND_HEAD[] =
	".Dd " DATE "\n"
	".Dt PETREL 1\n"
	".Os\n"
	".Sh NAME\n"
	".Nm petrel\n"
	".Nd web front end in one daemon\n"
	".Sh SYNOPSIS\n";

static const char COMMAND_TAIL[] =
	".Sh ENVIRONMENT\n"
	".Bl -tag -width Ds\n"
	".It Ev NO_COLOR\n"
	"Where it is set, messages are not coloured.\n"
	".It Ev PETREL_ADMIN\n"
	"The admin socket that\n"
	".Ic ctl\n"
	"asks, a path, where neither\n"
	".Fl -socket\n"
	"nor\n"
	".Fl -config\n"
	"says so.\n"
	".El\n"
	".Sh FILES\n"
	".Bl -tag -width Ds\n"
	".It Pa /etc/petrel/petrel.conf\n"
	"Where\n"
	".Ic ctl\n"
	"finds the name of the admin socket, where nothing else names it.\n"
	".El\n"
	".Sh EXIT STATUS\n"
	"0 where all is well, 1 where something failed, 2 for wrong usage.\n"
	".Sh SEE ALSO\n"
	".Xr petrel.conf 5\n";

/* One line of text, in which nothing is taken for a request or an escape. */
static void add_escaped(struct buf *out, struct str s)
{
	if (s.n && (s.p[0] == '.' || s.p[0] == '\''))
		buf_add(out, STR("\\&"));
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '\\': buf_add(out, STR("\\e")); break;
		case '`': buf_add(out, STR("\\(dq")); break;
		case '"': buf_add(out, STR("\\(dq")); break;
		default: buf_add_char(out, s.p[i]);
		}
	}
}

/* Text in lines that are short enough for mandoc's taste. */
static void add_wrapped(struct buf *out, struct str text)
{
	while (text.n) {
		size_t cut = text.n > WIDTH ? str_rfind(str_head(text, WIDTH), ' ') : text.n;
		add_escaped(out, str_head(text, cut));
		buf_add_char(out, '\n');
		text = str_from(text, cut + (cut < text.n && text.p[cut] == ' '));
	}
}

/* Sentences, each on a line of its own, as mdoc wants them. */
static void add_paragraph(struct buf *out, struct str text)
{
	struct buf line = {};
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\n' && !(text.p[i] == ' ' && line.n && line.p[line.n - 1] == ' '))
			buf_add_char(&line, text.p[i]);
		else if (text.p[i] == '\n')
			buf_add_char(&line, ' ');
	buf_add_char(&line, '\0');
	for (struct str rest = str_head(buf_str(&line), line.n - 1); rest.n;) {
		struct str sentence = doc_sentence(rest.p);
		add_wrapped(out, sentence);
		rest = str_from(rest, sentence.n + 1);
	}
	buf_fini(&line);
}

/* An empty line begins a paragraph; all other blanks are the formatter's. */
static void add_text(struct buf *out, const char *text)
{
	const char *end = strstr(text, "\n\n");
	for (; end; text = end + 2, end = strstr(text, "\n\n")) {
		add_paragraph(out, str_make(text, (size_t)(end - text)));
		buf_add(out, STR(".Pp\n"));
	}
	add_paragraph(out, str_of(text));
}

static void add_lines(struct buf *out, const char *text)
{
	buf_add(out, STR(".Bd -literal -offset indent\n"));
	for (struct str rest = str_of(text); rest.p;) {
		add_escaped(out, str_cut(&rest, '\n'));
		buf_add_char(out, '\n');
	}
	buf_add(out, STR(".Ed\n"));
}

/* A line in bold: the usage of a directive or a command. */
static void add_item(struct buf *out, struct str usage)
{
	buf_add(out, STR(".It Ic \""));
	add_escaped(out, usage);
	/* An escape that is nothing, so that a last ";" is not taken for punctuation of the page. */
	buf_add(out, STR("\\&\"\n"));
}

static void add_arg(struct buf *out, const struct arg *arg)
{
	struct buf line = {};
	usage_arg(&line, arg);
	buf_add(&line, STR(": "));
	usage_expects(&line, arg);
	if (arg->preset)
		buf_addf(&line, " (default: %s)", *arg->preset ? arg->preset : "\"\"");
	buf_add(out, STR(".br\n"));
	add_wrapped(out, buf_str(&line));
	buf_fini(&line);
}

static void add_rows(struct buf *out, const struct directive *rows);

static void add_row(struct buf *out, const struct directive *row)
{
	struct buf usage = {};
	usage_print(&usage, row);
	add_item(out, buf_str(&usage));
	buf_fini(&usage);
	if (row->scopes) {
		buf_add(out, STR("In "));
		doc_scopes(row->scopes, out);
		buf_add(out, row->kind == DIR_LIST ? STR("; may stand more than once.\n") : STR(".\n"));
	}
	add_text(out, row->doc);
	for (const struct arg *a = row->args; a && a->name; a++)
		add_arg(out, a);
	if (row->example)
		add_lines(out, row->example);
	if (row->inner)
		add_rows(out, row->inner);
}

static void add_rows(struct buf *out, const struct directive *rows)
{
	buf_add(out, STR(".Bl -tag -width Ds\n"));
	for (const struct directive *d = rows; d && d->name; d++)
		add_row(out, d);
	buf_add(out, STR(".El\n"));
}

void doc_man_conf(const struct doc_modules *m, struct buf *out)
{
	buf_add(out, str_of(CONF_HEAD));
	for (size_t i = 0; i < m->count; i++) {
		buf_addf(out, ".Ss %s\n", m->p[i]->name);
		add_text(out, m->p[i]->doc);
		if (m->p[i]->directives && m->p[i]->directives->name)
			add_rows(out, m->p[i]->directives);
	}
	buf_add(out, str_of(CONF_TAIL));
}

static void add_command(struct buf *out, const struct command_doc *c)
{
	struct buf usage = {};
	buf_addf(&usage, "%s%s%s", c->name, *c->synopsis ? " " : "", c->synopsis);
	add_item(out, buf_str(&usage));
	buf_fini(&usage);
	add_text(out, c->text);
	if (!c->actions)
		return;
	buf_add(out, STR(".Bl -tag -width Ds\n"));
	for (const struct action *a = c->actions; a->words; a++) {
		add_item(out, str_of(a->words));
		add_text(out, a->doc);
	}
	buf_add(out, STR(".El\n"));
}

void doc_man_command(const struct command_doc *commands, struct buf *out)
{
	buf_add(out, str_of(COMMAND_HEAD));
	for (const struct command_doc *c = commands; c->name; c++) {
		buf_addf(out, ".Nm\n.Ic %s\n", c->name);
		if (*c->synopsis) {
			buf_add(out, STR(".Li \""));
			add_escaped(out, str_of(c->synopsis));
			buf_add(out, STR("\"\n"));
		}
	}
	buf_add(out, STR(".Sh DESCRIPTION\n.Nm\nserves files, applications and other servers over HTTP.\n"
	                 ".Bl -tag -width Ds\n"));
	for (const struct command_doc *c = commands; c->name; c++)
		add_command(out, c);
	buf_add(out, STR(".El\n"));
	buf_add(out, str_of(COMMAND_TAIL));
}

/* check, config and help.  Each runs to its end on the main thread and owns what it builds. */
#include "main/cli_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/build.h"
#include "config/doc.h"
#include "config/dump.h"
#include "main/commands.h"
#include "main/modules.h"

enum { CHECK_CONFIG, CHECK_JSON };
enum { CONFIG_CONFIG };
enum { HELP_REFERENCE };

const struct option CHECK_OPTIONS[] = {
	[CHECK_CONFIG] = { "config", 'c', "FILE", "the configuration" },
	[CHECK_JSON] = { "json", 0, NULL, "say it as JSON" },
	{},
};
const struct option CONFIG_OPTIONS[] = {
	[CONFIG_CONFIG] = { "config", 'c', "FILE", "the configuration" },
	{},
};
const struct option HELP_OPTIONS[] = {
	[HELP_REFERENCE] = { "reference", 0, "DIR", "write the reference and the manual pages into folders of DIR" },
	{},
};

static void put(FILE *to, const struct buf *b)
{
	if (b->n)
		fwrite(b->p, 1, b->n, to);
}

static int no_file(const char *command)
{
	fprintf(stderr, "petrel %s: which configuration?  petrel %s -c petrel.conf\n", command, command);
	return 2;
}

/* The snapshot, or NULL; what is wrong is in m either way. */
static struct conf *load(const char *file, struct messages *m)
{
	struct sources s = {};
	struct conf *conf = NULL, *built = NULL;
	int err = sources_read(&s, str_of(file), m);
	/* Built even where an include failed: the other errors are worth knowing, too. */
	if (s.count && conf_build(&s, MODULES, MODULE_COUNT, true, m, &built) == 0)
		conf = built;
	sources_fini(&s);
	if (!err)
		return conf;
	conf_free(conf);
	return NULL;
}

static bool wants_colour(void)
{
	const char *never = getenv("NO_COLOR");
	return isatty(STDERR_FILENO) && !(never && *never);
}

static size_t count_routes(const struct conf *c)
{
	size_t count = 0;
	for (size_t i = 0; i < c->site_count; i++)
		count += c->sites[i].route_count;
	return count;
}

/* The messages on standard error, and a last line that says how it went. */
static void say(const char *file, struct messages *m, const struct conf *conf)
{
	struct buf out = {};
	messages_print(m, wants_colour(), &out);
	put(stderr, &out);
	buf_fini(&out);
	if (!conf)
		fprintf(stderr, "%s: %zu error%s\n", file, m->count[LEVEL_ERROR], m->count[LEVEL_ERROR] == 1 ? "" : "s");
}

int cli_check(const struct options *o)
{
	const char *file = o->values[CHECK_CONFIG];
	if (!file)
		return no_file("check");
	struct messages m = {};
	struct conf *conf = load(file, &m);
	if (o->values[CHECK_JSON]) {
		struct buf out = {};
		messages_print_json(&m, &out);
		put(stdout, &out);
		buf_fini(&out);
	} else {
		say(file, &m, conf);
		if (conf)
			printf("%s: fine, with %zu sites and %zu routes\n", file, conf->site_count, count_routes(conf));
	}
	int status = conf ? 0 : 1;
	conf_free(conf);
	messages_fini(&m);
	return status;
}

int cli_config(const struct options *o)
{
	const char *file = o->values[CONFIG_CONFIG];
	if (!file)
		return no_file("config");
	struct messages m = {};
	struct conf *conf = load(file, &m);
	say(file, &m, conf);
	if (conf) {
		struct buf out = {};
		conf_dump(conf, &out);
		put(stdout, &out);
		buf_fini(&out);
	}
	int status = conf ? 0 : 1;
	conf_free(conf);
	messages_fini(&m);
	return status;
}

/* Writes FOLDER/PART/NAME and empties the buffer; 0 or -errno after saying it. */
static int write_file(const char *folder, const char *part, const char *name, struct buf *text)
{
	struct buf path = {};
	buf_addf(&path, "%s/%s/%s%c", folder, part, name, '\0');
	FILE *f = fopen(path.p, "we");
	bool fine = f && fwrite(text->p, 1, text->n, f) == text->n;
	if (f && fclose(f) != 0)
		fine = false;
	int err = fine ? 0 : -errno;
	if (!fine)
		fprintf(stderr, "petrel: %s: %s\n", path.p, strerror(errno));
	buf_fini(&path);
	buf_clear(text);
	return err;
}

static int make_folder(const char *folder, const char *part)
{
	struct buf path = {};
	buf_addf(&path, "%s%s%s%c", folder, *part ? "/" : "", part, '\0');
	int err = mkdir(path.p, 0777) < 0 && errno != EEXIST ? -errno : 0;
	if (err)
		fprintf(stderr, "petrel: %s: %s\n", path.p, strerror(-err));
	buf_fini(&path);
	return err;
}

static int write_page(const char *folder, const struct module *m, struct buf *text)
{
	struct buf name = {};
	buf_addf(&name, "%s.md%c", m->name, '\0');
	doc_page(m, text);
	int err = write_file(folder, "reference", name.p, text);
	buf_fini(&name);
	return err;
}

/* petrel(1), from the table of commands. */
static void command_page(struct buf *out)
{
	struct arena a;
	struct command_doc docs[COMMANDS_MOST + 1] = {};
	size_t count = 0;
	arena_init(&a, NULL, 0);
	for (const struct command *c = COMMANDS; c->name; c++) {
		struct str text = arena_strf(&a, "%s. %s", c->summary, c->doc ? c->doc : "");
		docs[count++] = (struct command_doc){ c->name, c->synopsis, text.p, c->actions };
	}
	doc_man_command(docs, out);
	arena_fini(&a);
}

/* FOLDER/reference/, pages in Markdown, and FOLDER/man/. */
static int write_reference(const char *folder)
{
	static const char *const FOLDERS[] = { "", "reference", "man" };
	struct doc_modules all = { MODULES, MODULE_COUNT };
	struct buf text = {};
	int err = 0;
	for (size_t i = 0; i < countof(FOLDERS) && !err; i++)
		err = make_folder(folder, FOLDERS[i]);
	for (size_t i = 0; i < MODULE_COUNT && !err; i++)
		err = write_page(folder, MODULES[i], &text);
	doc_variables_page(&text);
	err = err ? err : write_file(folder, "reference", "variables.md", &text);
	doc_index(&all, &text);
	err = err ? err : write_file(folder, "reference", "README.md", &text);
	doc_man_conf(&all, &text);
	err = err ? err : write_file(folder, "man", "petrel.conf.5", &text);
	command_page(&text);
	err = err ? err : write_file(folder, "man", "petrel.1", &text);
	buf_fini(&text);
	return err ? 1 : 0;
}

static int explain(const char *name, struct buf *out)
{
	struct doc_modules all = { MODULES, MODULE_COUNT };
	if (str_eq(str_of(name), STR("variables")))
		return doc_variables(out), 0;
	if (doc_directive(&all, str_of(name), out))
		return 0;
	struct str nearest = doc_nearest(&all, str_of(name));
	fprintf(stderr, "petrel: there is no directive \"%s\"", name);
	if (nearest.p)
		fprintf(stderr, "; did you mean \"%.*s\"?", STR_F(nearest));
	fputc('\n', stderr);
	return 1;
}

static void list_all(struct buf *out)
{
	struct doc_modules all = { MODULES, MODULE_COUNT };
	for (const struct command *c = COMMANDS; c->name; c++)
		buf_addf(out, "petrel %-8s %s\n", c->name, c->summary);
	buf_add(out, STR("\nDirectives of the configuration; petrel help DIRECTIVE explains one:\n\n"));
	doc_list(&all, out);
}

int cli_help(const struct options *o)
{
	if (o->values[HELP_REFERENCE])
		return write_reference(o->values[HELP_REFERENCE]);
	struct buf out = {};
	int status = 0;
	if (o->word_count)
		status = explain(o->words[0], &out);
	else
		list_all(&out);
	put(stdout, &out);
	buf_fini(&out);
	return status;
}

/* The command line: finds the command, reads its options, runs it. */
#include "main/cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "main/commands.h"
#include "main/webhook.h"

enum { USAGE = 2, ACTION_WIDTH = 30 };

void cli_usage(void)
{
	puts("petrel " PETREL_VERSION ", a web server\n");
	for (const struct command *c = COMMANDS; c->name; c++)
		printf("  petrel %-8s %s\n", c->name, c->summary);
	puts("\npetrel DIR serves a folder: no configuration is needed.  petrel COMMAND --help tells more;\n"
	     "petrel help DIRECTIVE explains what stands in a configuration.");
}

/* What it does stands beside the words, or below them where they are many. */
static void print_action(const struct action *a)
{
	bool many = strlen(a->words) > ACTION_WIDTH;
	if (many)
		printf("  %s\n", a->words);
	printf("  %-*s %s\n", ACTION_WIDTH, many ? "" : a->words, a->doc);
}

void cli_command_help(const struct command *c)
{
	char text[80];
	printf("petrel %s %s\n%s.\n", c->name, c->synopsis, c->summary);
	if (c->doc)
		printf("\n%s\n", c->doc);
	if (c->actions)
		puts("");
	for (const struct action *a = c->actions; a && a->words; a++)
		print_action(a);
	puts("");
	for (const struct option *o = c->options; o && o->name; o++) {
		option_print(o, text, sizeof text);
		printf("  %-26s %s\n", text, o->doc);
	}
	printf("  %-26s %s\n", "-h, --help", "this text");
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* `petrel`, `petrel DIR` and `petrel --listen …` serve; anything else has to be a command. */
static bool means_serve(const char *word)
{
	return !word || word[0] == '-' || strchr(word, '/') || is_folder(word);
}

static int no_command(const char *word)
{
	const char *best = NULL;
	unsigned best_distance = 4;
	for (const struct command *c = COMMANDS; c->name; c++) {
		unsigned distance = str_distance(str_of(word), str_of(c->name));
		if (distance < best_distance && distance < strlen(c->name)) {
			best = c->name;
			best_distance = distance;
		}
	}
	fprintf(stderr, "petrel: there is no command \"%s\", nor a folder of this name", word);
	if (best)
		fprintf(stderr, "; did you mean petrel %s?", best);
	fprintf(stderr, "\n  there are:");
	for (const struct command *c = COMMANDS; c->name; c++)
		fprintf(stderr, " %s%s", c->name, c[1].name ? "," : "\n");
	return USAGE;
}

static int run(const struct command *c, int argc, char **argv)
{
	struct options o;
	char error[1024];
	if (options_parse(c->options, argc, argv, &o, error, sizeof error) < 0) {
		fprintf(stderr, "petrel %s: %s\n", c->name, error);
		return USAGE;
	}
	if (o.help) {
		cli_command_help(c);
		return 0;
	}
	if (o.word_count > c->words_most) {
		fprintf(stderr, "petrel %s: \"%s\" is too much\n  petrel %s %s\n", c->name, o.words[c->words_most],
		        c->name, c->synopsis);
		return USAGE;
	}
	return c->run(&o);
}

int cli_main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;
	const struct command *c = first ? command_find(first) : NULL;
	if (c)
		return run(c, argc - 2, argv + 2);
	if (argc == 2 && !strcmp(first, WEBHOOK_COMMAND))
		return webhook_main();
	if (first && (!strcmp(first, "-h") || !strcmp(first, "--help"))) {
		cli_usage();
		return 0;
	}
	if (first && (!strcmp(first, "-V") || !strcmp(first, "--version")))
		return run(command_find("version"), 0, NULL);
	if (!means_serve(first))
		return no_command(first);
	return run(command_find("serve"), argc - 1, argv + 1);
}

/* The command line: what a person types, and which part of petrel it starts. */
#include "main/cli.h"

#include <stdio.h>
#include <string.h>

#include "main/cli_config.h"

static int version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("petrel " PETREL_VERSION);
	return 0;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} RUN[] = {
	{ "check", cli_check }, { "config", cli_config }, { "help", cli_help }, { "version", version }, {},
};

int cli_main(int argc, char **argv)
{
	for (const struct command *c = RUN; argc > 1 && c->name; c++)
		if (strcmp(argv[1], c->name) == 0)
			return c->run(argc - 1, argv + 1);
	fputs("usage: petrel COMMAND ...; see petrel help\n", stderr);
	return 2;
}

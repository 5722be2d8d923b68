/* The table of commands. */
#include "main/commands.h"

#include <string.h>

#include "main/cli_config.h"
#include "main/cli_ctl.h"
#include "main/cli_reload.h"
#include "main/cli_run.h"
#include "main/cli_top.h"
#include "main/cli_version.h"

const struct command COMMANDS[] = {
	{ "serve", "[DIR] [--listen ADDR:PORT] [--listing] [--app COMMAND]", "serve a folder, without a configuration",
	  "DIR is the current folder where it is left out.  petrel DIR is the same.\n\n"
	  "With --app, files that exist are served as files, and the program answers the rest.  petrel starts it, shows\n"
	  "what it says and starts it again when it ends.  php-cgi answers what ends in .php.  Another program speaks\n"
	  "FastCGI at its descriptor 0, or HTTP on the port in $PORT: it is started once before, to see which it does.",
	  SERVE_OPTIONS, 1, cli_serve },
	{ "run", "-c FILE", "run in the foreground, supervised",
	  "SIGHUP reads the configuration again, SIGQUIT finishes what is under way and ends, SIGTERM ends now,\n"
	  "SIGUSR1 reopens the logs.",
	  RUN_OPTIONS, 0, cli_run },
	{ "reload", "-c FILE", "have the running server read its configuration again",
	  "Asks over the admin socket that FILE names, and says every error; where there is one, nothing changes.",
	  RELOAD_OPTIONS, 0, cli_reload },
	{ "ctl", "[-c FILE | --socket ADDRESS] [--json] [--keep] COMMAND ...", "ask a running server how it is, and change it",
	  "Speaks to the admin socket of --socket, of the configuration FILE, of $PETREL_ADMIN, or of the usual\n"
	  "configuration, /etc/petrel/petrel.conf.\n"
	  "A change takes effect at once, and lasts until the next reload; with --keep, until it is taken back.\n"
	  "set takes any directive that needs no new descriptors, rights or processes, with its block before it:\n"
	  "  petrel ctl set limits connections 5000\n"
	  "  petrel ctl set pool api queue 2000 timeout 3s\n"
	  "  petrel ctl set site example.org route '/api/*' throttle 500k",
	  CTL_OPTIONS, 64, cli_ctl, CTL_ACTIONS },
	{ "top", "[-c FILE | --socket ADDRESS] [--every TIME]", "watch a running server on a terminal",
	  "Draws anew each second what the server is doing: traffic, routes, servers of pools, processes of applications,\n"
	  "caches, event loops. o, r, s, p, c and l (or Tab) choose what to see; the arrow keys < and > choose the\n"
	  "column to sort by, i flips the order, up and down scroll, q ends it. Asks over the admin socket, which is found\n"
	  "as by petrel ctl; where the server goes away, top says so and waits for it. What is no terminal gets one\n"
	  "picture, without colours, and the exit status is 1 where there is no server.",
	  TOP_OPTIONS, 0, cli_top },
	{ "check", "-c FILE [--json]", "check a configuration, and say every error in one go",
	  "The exit status is 1 where there are errors.", CHECK_OPTIONS, 0, cli_check },
	{ "config", "-c FILE", "print the effective configuration, defaults included", NULL, CONFIG_OPTIONS, 0,
	  cli_config },
	{ "help", "[DIRECTIVE]", "list all directives, or explain one", NULL, HELP_OPTIONS, 1, cli_help },
	{ "version", "[--json]", "print the version, its libraries and what the kernel here offers", NULL,
	  VERSION_OPTIONS, 0, cli_version },
	{},
};

const struct command *command_find(const char *name)
{
	for (const struct command *c = COMMANDS; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* The table of commands. */
#include "main/commands.h"

const struct command_doc COMMANDS[] = {
	{ "serve", "[DIR] [--listen ADDR:PORT] [--listing]",
	  "Serves a folder on http://127.0.0.1:8080, without a configuration." },
	{ "run", "-c FILE", "Runs the server in the foreground, supervised." },
	{ "check", "-c FILE [--json]",
	  "Checks everything that can be checked, and says every error in one go. The exit status is 1 where there are any." },
	{ "config", "-c FILE", "Prints the effective configuration, defaults included." },
	{ "help", "[DIRECTIVE]",
	  "Lists all directives, or explains one. With --reference DIR the reference and the manual pages are written into "
	  "that folder." },
	{ "version", "", "Prints the version." },
	{},
};

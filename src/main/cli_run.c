/* petrel run: a configuration file, in the foreground, supervised. */
#include "main/cli_run.h"

#include <stdio.h>

#include "main/supervisor.h"

enum { STOP_MS = 5000 };

const struct option RUN_OPTIONS[] = {
	[RUN_CONFIG] = { "config", 'c', "FILE", "the configuration" },
	{},
};

int cli_run(const struct options *o)
{
	if (!o->values[RUN_CONFIG]) {
		fputs("petrel run: which configuration?  petrel run -c petrel.conf\n"
		      "  petrel DIR serves a folder without one\n", stderr);
		return 2;
	}
	struct supervisor_spec spec = {
		.origin.path = o->values[RUN_CONFIG],
		.stop_ms = STOP_MS,
	};
	return supervisor_run(&spec);
}

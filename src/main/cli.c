/* The command line: what a person types, and which part of petrel it starts. */
#include "main/cli.h"

#include <stdio.h>

int cli_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("petrel " PETREL_VERSION);
	return 0;
}

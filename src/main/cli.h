/* The command line: petrel COMMAND …  Returns the exit status: 0 fine, 1 failed, 2 wrong usage. */
#pragma once

int cli_main(int argc, char **argv);

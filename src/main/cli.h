/* The command line: petrel COMMAND …  Returns the exit status: 0 fine, 1 failed, 2 wrong usage. */
#pragma once

struct command;

int cli_main(int argc, char **argv);
/* `petrel help`: all commands in a few lines, to standard output. */
void cli_usage(void);
/* One command's help, to standard output. */
void cli_command_help(const struct command *c);

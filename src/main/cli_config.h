/* The commands that look at a configuration without serving it.  argv[0] is the command's name; they return the exit
 * status: 0 fine, 1 failed, 2 wrong usage. */
#pragma once

/* petrel check -c FILE [--json] */
int cli_check(int argc, char **argv);
/* petrel config -c FILE */
int cli_config(int argc, char **argv);
/* petrel help [DIRECTIVE], petrel help --reference DIR */
int cli_help(int argc, char **argv);

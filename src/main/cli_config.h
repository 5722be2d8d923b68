/* The commands that read a configuration without serving it, and the help from the directive tables. */
#pragma once

#include "main/options.h"

extern const struct option CHECK_OPTIONS[];
extern const struct option CONFIG_OPTIONS[];
extern const struct option HELP_OPTIONS[];

int cli_check(const struct options *o);
int cli_config(const struct options *o);
int cli_help(const struct options *o);

/* The commands that run a server: run and serve. */
#pragma once

#include "main/options.h"

/* Rows of their tables of options, which name the indices of options.values. */
enum { RUN_CONFIG };
enum { SERVE_LISTEN, SERVE_LISTING, SERVE_APP };

extern const struct option RUN_OPTIONS[];
extern const struct option SERVE_OPTIONS[];

int cli_run(const struct options *o);
int cli_serve(const struct options *o);

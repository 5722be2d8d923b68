/* petrel top: a running server on a terminal, drawn anew each second. */
#pragma once

#include "main/options.h"

extern const struct option TOP_OPTIONS[];

int cli_top(const struct options *o);

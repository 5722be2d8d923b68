/* petrel ctl: asks a running server how it is, and changes it, over its admin socket. */
#pragma once

#include "config/doc.h"
#include "main/options.h"

extern const struct option CTL_OPTIONS[];
/* What can be asked for. */
extern const struct action CTL_ACTIONS[];

int cli_ctl(const struct options *o);

/* petrel reload: asks the running server, over its admin socket, to read its configuration again. */
#pragma once

#include "main/options.h"

extern const struct option RELOAD_OPTIONS[];

int cli_reload(const struct options *o);

/* petrel reload: asks the running server, over its admin socket, to read its configuration again. */
#pragma once

#include "main/ask.h"
#include "main/options.h"

extern const struct option RELOAD_OPTIONS[];

int cli_reload(const struct options *o);
/* Says what the server answered to a reload; the exit status. */
int reload_tell(const struct answer *a);

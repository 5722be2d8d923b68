/* Who holds an address that can't be opened because it is in use: for one helpful error message, read from /proc. */
#pragma once

#include "net/addr.h"

/* "nginx (pid 123)", or "another process" where it can't be known.  Slow; never on a loop. */
void holder_find(const struct addr *a, char *text, size_t text_n);

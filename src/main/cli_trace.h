/* petrel ctl trace: requests as they come, on a terminal, as lines of JSON, or into a file. */
#pragma once

#include "main/ask.h"

/* Until the server ends it, or this program is ended.  save: the file for HAR; NULL.  0 or -errno; *out is the server's
 * answer where it is not 200. */
[[nodiscard]] int cli_trace(const struct admin_at *at, struct str path, bool json, const char *save, struct answer *out);

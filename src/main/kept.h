/* struct kept: what the worker wants kept over its own life (control/state.h), as bytes that the supervisor does not look
 * into: in memory for the next worker, and in the file that the configuration names, for the next start.
 *
 * The file is replaced as a whole: a new one is written beside it, synced, and takes its name.  The supervisor's thread. */
#pragma once

#include "base/buf.h"

struct kept {
	struct buf bytes;
	char *path;          /* heap; NULL: the configuration names none */
};

void kept_fini(struct kept *k);
/* At the start: what the file holds.  path NULL: there is none.  Says where it can't be read. */
void kept_open(struct kept *k, const char *path);
/* Another configuration: the file goes by this name from now on; what is kept is written there. */
void kept_move(struct kept *k, const char *path);
/* A memory file with the bytes, for a worker: the caller's; -1: nothing is kept, or none could be made. */
[[nodiscard]] int kept_give(const struct kept *k);
/* What the worker sent; *why says why it will not be there after a restart of the server; empty: it will. */
void kept_take(struct kept *k, int fd, struct buf *why);

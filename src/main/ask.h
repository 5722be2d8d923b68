/* Asking a running server over its admin socket, as a command of one's own process does: it may wait. */
#pragma once

#include "base/buf.h"
#include "main/admin_at.h"

struct answer {
	struct buf raw;
	unsigned status;      /* 0: what came is no HTTP */
	struct str body;      /* in raw */
};

/* One request on a connection of its own; body may be empty.  0 or -errno. */
[[nodiscard]] int ask(const struct admin_at *at, const char *method, struct str path, struct str body, struct answer *out);
/* The same for an answer without an end: see(arg, line) for each line of a 200, until it says false or the server ends it;
 * any other answer is in *out. */
[[nodiscard]] int ask_lines(const struct admin_at *at, struct str path, bool (*see)(void *arg, struct str line), void *arg,
                            struct answer *out);
void answer_fini(struct answer *a);

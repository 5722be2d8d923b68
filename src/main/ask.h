/* Asking a running server over its admin socket, as a command of one's own process does: it may wait. */
#pragma once

#include "base/buf.h"
#include "config/source.h"
#include "net/addr.h"

struct answer {
	struct buf raw;
	unsigned status;      /* 0: what came is no HTTP */
	struct str body;      /* in raw */
};

/* The admin socket that a configuration names, as far as it can be read: it may be wrong elsewhere.  False: none. */
bool ask_admin(const struct sources *s, struct addr *out);
/* One request on a connection of its own; body may be empty.  0 or -errno. */
[[nodiscard]] int ask(const struct addr *admin, const char *method, struct str path, struct str body, struct answer *out);
/* The same for an answer without an end: see(arg, line) for each line of a 200, until it says false or the server ends it;
 * any other answer is in *out. */
[[nodiscard]] int ask_lines(const struct addr *admin, struct str path, bool (*see)(void *arg, struct str line), void *arg,
                            struct answer *out);
void answer_fini(struct answer *a);

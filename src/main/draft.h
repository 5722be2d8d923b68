/* struct draft: a configuration that was read, checked and opened: all that a worker has to be sent to serve it, and
 * all that the supervisor keeps of it.  The snapshot that it was checked with is gone; the worker builds its own
 * from the same bytes. */
#pragma once

#include "config/message.h"
#include "main/grants.h"

/* Where a configuration comes from: a file, or a text from memory. */
struct conf_origin {
	const char *path;             /* NULL: the text */
	struct str name, folder, text;
};

struct draft {
	int sources;                  /* memory file with the bundle (config/source.h), read-only; -1: none */
	struct grants grants;
	char *state;                  /* the file of what is kept; heap; NULL: none is named */
	uint64_t drain_timeout_ms;
	bool has_user;                /* a `user` is named */
	bool has_apps;                /* there is something for a spawner to start */
	uint64_t apps_stop_ms;        /* how long the slowest app may take to end */
};

/* Reads, checks, opens; what `old` has open is taken over, and stays old's, too.  Says in m all that is wrong.  0 or
 * -EINVAL, and then d is empty. */
[[nodiscard]] int draft_read(struct draft *d, const struct conf_origin *from, struct draft *old,
                             const struct passed *passed, struct messages *m);
/* Sends grants and sources to a worker: 0 or -errno. */
[[nodiscard]] int draft_send(const struct draft *d, int channel);
/* Closes all of it, and removes the files of Unix sockets that `kept` (may be NULL) does not want.  Harmless where d is
 * empty. */
void draft_drop(struct draft *d, const struct draft *kept);

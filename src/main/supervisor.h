/* The supervisor: opens what needs rights, starts the worker and restarts it, passes reloads on.  It never reads a
 * byte from a client, so that nothing that a client sends can bring it down, and the listening sockets that it holds
 * stay. */
#pragma once

#include "main/draft.h"

struct supervisor_spec {
	struct conf_origin origin;
	uint64_t stop_ms;              /* how long a worker that was told to stop may take */
	/* Once, when the first worker serves, with where its first listener is.  NULL: a line on standard error. */
	void (*serving)(void *arg, const struct addr *at);
	void *arg;
};

/* Runs until it is told to stop; returns the process's exit status. */
int supervisor_run(const struct supervisor_spec *spec);

/* Control groups (cgroup v2) of applications: one for each app that has bounds, below petrel's own group, where the
 * system lets us make some. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* Where groups can be made; found once. */
struct cgroups {
	bool looked;
	char base[512];          /* petrel's own group; empty: there is none */
	const char *why;         /* not */
	pid_t supervisor;
	unsigned divided;        /* controllers that groups below it have, as bits */
};

struct cgroup_limits {
	uint64_t memory_b, cpu_percent, tasks;   /* 0: none */
};

/* The app's group, made where it is missing, with these bounds: its cgroup.procs, open for writing, the caller's; or
 * -errno, and why is a sentence. */
[[nodiscard]] int cgroup_open(struct cgroups *c, struct str app, const struct cgroup_limits *limits, const char **why);
/* Removes all groups that were made here; nothing runs in them any more. */
void cgroups_remove(struct cgroups *c);

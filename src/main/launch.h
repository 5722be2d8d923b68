/* Starting a program for somebody else: with another user's rights, in a group of its own, with bounds, and with nothing
 * of ours but the descriptors that it is given. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/directive.h"

enum { LAUNCH_LIMITS = 5, LAUNCH_WORDS = 4 };

/* All texts are C strings; empty ones are NULL. */
struct launch {
	const char *command;            /* for /bin/sh; NULL: program */
	const char *program;            /* a path */
	const char *const *words;       /* behind its name, ended by NULL; NULL: none */
	const char *user, *group;       /* NULL: who we are */
	const char *folder;             /* NULL: the user's home, or / */
	const char *const *presets;     /* "NAME=value", ended by NULL: what env may override */
	struct items env;               /* struct str, "NAME=value", NUL behind it */
	int input;                      /* becomes 0; -1: /dev/null */
	bool listens;                   /* input is a listening socket: descriptor 3, too, as sd_listen_fds(3) has it */
	int output;                     /* becomes 1, where input does not, and 2 */
	bool may_gain;                  /* rights, by the mode of what it runs (setuid, setgid) */
	bool talks;                     /* input is a connection: becomes 1, too */
	unsigned port;                  /* $PORT; 0: none */
	int cgroup;                     /* cgroup.procs of its control group, open for writing; -1: stays in ours */
	struct {
		int resource;               /* of setrlimit(2) */
		uint64_t value;             /* 0: as ours */
	} limits[LAUNCH_LIMITS];
};

/* The new process' id, once the program runs; or -errno with what could not be done in error. */
[[nodiscard]] pid_t launch(const struct launch *l, char *error, size_t error_n);

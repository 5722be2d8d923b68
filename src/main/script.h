/* A CGI program's file and environment: which part of the path is the program, and what it is told. */
#pragma once

#include <limits.h>

#include "base/directive.h"

struct script {
	char path[PATH_MAX];     /* the file */
	char folder[PATH_MAX];   /* that it is in */
	size_t name_n;           /* so much of the path that was asked for is the program's; the rest is PATH_INFO */
};

/* The first file on the path, below root by the kernel's word: 0; -ENOENT: there is none; -EACCES: it can't be run. */
[[nodiscard]] int script_find(struct str root, struct str path, struct script *out);
/* The variables of `vars` (each "NAME=value" with a NUL behind it) that a request may set or that `params` name, and those
 * of the program's file: struct str, NUL behind each, all from the heap: script_env_free(). */
struct items script_env(struct str vars, const struct items *params, struct str root, struct str path,
                        const struct script *s);
void script_env_free(struct items *env);
/* The value of a variable; empty: it is not there. */
struct str script_var(struct str vars, struct str name);

/* Variables of the environment that a configuration named.
 *
 * They are kept with the sources, so that a process with another environment builds the same configuration from the
 * same bundle.  Owned by struct sources; one thread at a time until sealed, then any. */
#pragma once

#include "base/arena.h"
#include "config/names.h"

struct env_variable {
	struct str name, value;
	bool set;
};

struct env {
	struct arena *arena;
	struct names index;
	struct env_variable *list;
	size_t count, cap;
	bool sealed;  /* only what is in the list is known */
};

void env_fini(struct env *e);
/* False where the variable is not set.  Asks the process's environment and remembers the answer, unless sealed. */
bool env_get(struct env *e, struct str name, struct str *value);
/* Adds what was kept in a bundle; strings are the caller's and outlive e. */
void env_add(struct env *e, const struct env_variable *v);

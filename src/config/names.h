/* struct names: a hash table from a name to a number, for everything that must not be looked for one by one: files
 * already read, directives, names of sites.  Keys are the caller's and outlive the table.  One thread at a time. */
#pragma once

#include "base/str.h"

struct names {
	struct names_slot *slots;
	size_t cap;  /* a power of two, or 0 */
	size_t count;
};

/* A zeroed struct names is empty. */
void names_fini(struct names *t);
/* The number at key, which the caller may set; zero and *fresh where the key is new.  Valid until the next call. */
size_t *names_put(struct names *t, struct str key, bool *fresh);
/* NULL where there is none. */
const size_t *names_get(const struct names *t, struct str key);

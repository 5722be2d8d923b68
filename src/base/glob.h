/* Globs: `*` stands for any run of bytes, `/` included; nothing else is special.  Any thread. */
#pragma once

#include "base/str.h"

enum { CAPTURES_MOST = 9 };

/* The runs that stars stood for, or the groups of a regex: $1 … $9. */
struct captures {
	size_t count;
	struct str at[CAPTURES_MOST];
};

static inline void capture(struct captures *c, struct str run)
{
	if (c && c->count < CAPTURES_MOST)
		c->at[c->count++] = run;
}

/* Whether all of text is what the pattern says, in steps that text and pattern together have bytes.  captures may be NULL;
 * what is captured is added to it, and points into text. */
bool glob_match(struct str pattern, struct str text, struct captures *captures);

/* "Did you mean": the nearest of the words that would have been right.  On the stack; one thread. */
#pragma once

#include "base/str.h"

struct guess {
	struct str word;  /* what was written */
	struct str best;  /* p NULL: nothing came near enough */
	unsigned distance;
};

static inline struct guess guess_of(struct str word)
{
	return (struct guess){ .word = word };
}

/* Takes it if it is nearer than what was offered before, and near enough to be meant. */
void guess_offer(struct guess *g, struct str right);

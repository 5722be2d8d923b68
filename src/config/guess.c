/* "Did you mean".  No state; any thread. */
#include "config/guess.h"

/* One mistake in a short word, two in a longer one, three in a long one: more would be another word. */
static unsigned allowed(size_t length)
{
	return length <= 3 ? 1 : length <= 7 ? 2 : 3;
}

void guess_offer(struct guess *g, struct str right)
{
	unsigned distance = str_distance(g->word, right);
	if (distance > allowed(g->word.n) || distance >= right.n)
		return;
	if (!g->best.p || distance < g->distance) {
		g->best = right;
		g->distance = distance;
	}
}

/* "Did you mean".  No state; any thread. */
#include "config/guess.h"

enum { GOES_ON = 4 };   /* further than any mistake that is allowed */

/* One mistake in a short word, two in a longer one, three in a long one: more would be another word. */
static unsigned allowed(size_t length)
{
	return length <= 3 ? 1 : length <= 7 ? 2 : 3;
}

/* "proxy_pass", as others call what is "proxy" here: better than nothing, and worse than a mistake in typing. */
static bool goes_on(struct str word, struct str right)
{
	return right.n > 2 && word.n > right.n && str_starts(word, right) && word.p[right.n] == '_';
}

void guess_offer(struct guess *g, struct str right)
{
	unsigned distance = str_distance(g->word, right);
	if (goes_on(g->word, right))
		distance = GOES_ON;
	else if (distance > allowed(g->word.n) || distance >= right.n)
		return;
	if (!g->best.p || distance < g->distance) {
		g->best = right;
		g->distance = distance;
	}
}

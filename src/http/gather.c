/* Gathering.  See gather.h.  The loop's thread. */
#include "http/gather.h"

enum {
	WINDOW_NS = 4000000,
	SHARE = 8,               /* a gap is this part of the time that a request takes */
	GAP_MOST_NS = 200000,
};

/* What is not asked for at an origin takes no longer than a turn: so those that are there, over the rate of all, is what a
 * request takes on average.  A loop that has much else to do, such as hits and files, has short gaps or none. */
static uint64_t gap_of(const struct gather *g, uint64_t came, uint64_t spent_ns)
{
	if (!came)
		return 0;
	uint64_t gap_ns = spent_ns / SHARE * g->waits / (g->turns * came);
	if (gap_ns > GAP_MOST_NS)
		gap_ns = GAP_MOST_NS;
	/* Less than a request in a gap: there is nothing to gather. */
	return gap_ns * came >= spent_ns ? gap_ns : 0;
}

uint64_t gather_turn(struct gather *g, size_t waiting, uint64_t requests, uint64_t now_ns)
{
	g->turns++;
	g->waits += waiting;
	if (now_ns - g->since_ns >= WINDOW_NS) {
		uint64_t gap_ns = gap_of(g, requests - g->requests, now_ns - g->since_ns);
		*g = (struct gather){ .since_ns = now_ns, .requests = requests, .gap_ns = gap_ns };
	}
	return g->gap_ns;
}

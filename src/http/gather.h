/* struct gather: how long a loop may let things come in before it looks at them all.
 *
 * A loop that has many requests at origins is woken for each thing that comes from them, and going to sleep and waking up
 * costs more than what it then does.  So its turns are kept apart (loop.h, gap_ns), by a share of what a request takes
 * anyway: that is, by Little's law, the requests under way divided by their rate. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct gather {
	uint64_t since_ns;       /* where the window began that is being measured */
	uint64_t requests;       /* the loop's count of them, then */
	uint64_t turns, waits;   /* since then: turns, and requests at origins at the end of each, added up */
	uint64_t gap_ns;         /* by the window before */
};

/* A turn is over that began at now_ns: so many requests are at origins, and the loop has had so many requests.  Returns how
 * far apart turns are to begin, ns; 0: nothing is gained by that. */
uint64_t gather_turn(struct gather *g, size_t waiting, uint64_t requests, uint64_t now_ns);

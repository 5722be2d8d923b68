/* What a process and its descendants use, as /proc says it. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct tally {
	uint64_t memory_b;      /* resident, of all of them; what they share counts for each */
	uint64_t descriptors;   /* of that one that has most */
	unsigned processes;
};

struct tally tally_of(pid_t pid);
/* SIGKILL to all children of this process; their number.  Whoever loses its parent comes to us and shows up next time. */
unsigned tally_kill_children(void);

/* The counters of a worker, added up over its loops, as JSON. */
#pragma once

#include "http/home.h"

struct status {
	struct home_stats loops;         /* of all of them */
	uint64_t connections;            /* open now */
	unsigned generation;             /* of the configuration in effect: how often there was a new one */
	size_t snapshots;                /* configurations that some request still uses */
};

/* Adds one loop's counters. */
void status_add(struct status *s, const struct home_stats *stats, uint64_t connections);
/* Appends the JSON object; the rest is asked of what all loops share. */
void status_print(struct buf *out, const struct status *s, struct store *hot, const struct disk *disk,
                  const struct log *log);

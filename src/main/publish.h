/* Snapshots on their way: from the bytes that the supervisor sent to all loops, and back when the last one let go. */
#pragma once

#include "main/station.h"

struct publisher {
	struct shared shared;
	struct station *stations;
	size_t station_count;
	unsigned generation;                            /* of the snapshot published last */
	size_t alive;                                   /* snapshots that some loop still uses */
	void (*in_effect)(struct publisher *p);         /* all loops work with the one published last */
};

/* Hands a snapshot to all loops; p takes it over.  listenings has to stay until in_effect().  One at a time: not again
 * before in_effect().  The control thread. */
void publish(struct publisher *p, struct conf *conf, const struct listenings *listenings);

/* struct nursery: the spawners, as the supervisor sees them: one for the worker of now, where the configuration has
 * applications, and those of workers that are gone, until they have ended what they started. */
#pragma once

#include "main/child.h"
#include "main/draft.h"

enum { NURSERY_OLD = 8 };

struct nursery {
	struct child now;                /* pid 0: there is none */
	struct child old[NURSERY_OLD];   /* pid 0: this place is free */
	struct backoff backoff;
	uint64_t due_ms;                 /* when another is to be started; 0: none is */
};

void nursery_init(struct nursery *n);
/* The spawner gets the configuration, which the worker behind this channel gets next.  Where there are applications and no
 * spawner, one is started, and the worker is given its way to it. */
void nursery_send(struct nursery *n, const struct draft *d, int worker);
/* The worker is gone: its spawner ends what it started. */
void nursery_part(struct nursery *n);
/* After SIGCHLD: buries who has ended.  Where that was the spawner of now, due_ms says when another is to come. */
void nursery_reap(struct nursery *n);
bool nursery_is_empty(const struct nursery *n);
/* SIGKILL to all of them, which takes what they started along. */
void nursery_kill(struct nursery *n);

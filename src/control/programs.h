/* struct programs: CGI programs: the one server of the pool of the cgi handler.  A loop connects to its socket and says
 * what is to be run; the spawner starts that with the connection as its standard input and output; here it is watched
 * until its end: its time, what it says, and whether its client is still there.  The worker's control thread. */
#pragma once

#include "control/app.h"
#include "event/spawn.h"

struct programs;

struct programs *programs_new(const struct app_ways *ways);
/* No loop runs any more. */
void programs_free(struct programs *p);
/* As the configuration has it now. */
void programs_conf(struct programs *p, const struct conf *c);
/* What the spawner says; fd: a descriptor that came with it, taken over, or -1.  False: the id is none of its. */
bool programs_heard(struct programs *p, const struct spawn_message *m, int fd);
/* The spawner is gone, and what it started with it. */
void programs_lost(struct programs *p);

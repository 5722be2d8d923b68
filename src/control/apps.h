/* struct apps: all applications that petrel runs, and the way to the spawner, which starts and ends their processes for us.
 * The worker's control thread. */
#pragma once

#include "base/buf.h"
#include "event/loop.h"
#include "http/conf.h"
#include "share/epoch.h"
#include "share/log.h"
#include "share/pool.h"

struct apps;

struct apps *apps_new(struct loop *control, struct log_ring *ring, struct pools *pools, struct epoch *epoch);
/* No loop runs any more.  The spawner ends the processes when its pair is closed. */
void apps_free(struct apps *a);
/* The worker's end of a new spawner's pair, taken over; the one before, and all it started, is gone. */
void apps_spawner(struct apps *a, int fd);
/* The applications are those of this configuration, which the spawner knows already.  The rules of their pools are the
 * keeper's. */
void apps_conf(struct apps *a, const struct conf *c);
/* Replaces all processes of an app, a few at a time; false: there is none of this name. */
bool apps_restart(struct apps *a, struct str name);
struct app;
/* Each that the configuration has, or that still has processes. */
void apps_each(struct apps *a, void (*see)(void *arg, struct app *app), void *arg);
/* Appends a JSON list. */
void apps_print(struct apps *a, struct buf *out);

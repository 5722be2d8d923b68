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
struct app_ways;
struct spawn_message;

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
/* Who else has the spawner start processes: heard() is told what it says of ids that are none of ours, and takes the
 * descriptor over (-1: none); false: it is none of his, either.  lost(): the spawner is gone, and what it started. */
struct apps_others {
	bool (*heard)(void *arg, const struct spawn_message *m, int fd);
	void (*lost)(void *arg);
	void *arg;
};
/* A zeroed one: nobody any more. */
void apps_others(struct apps *a, const struct apps_others *others);
const struct app_ways *apps_ways(const struct apps *a);
struct app;
/* Each that the configuration has, or that still has processes. */
void apps_each(struct apps *a, void (*see)(void *arg, struct app *app), void *arg);
/* Appends a JSON list. */
void apps_print(struct apps *a, struct buf *out);

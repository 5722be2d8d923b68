/* Looking a file up: in the hot set, else in the kernel's caches, else by the disk engine, one job for all who wait. */
#pragma once

#include "http/hot.h"

enum { FOLLOW_BENEATH, FOLLOW_NONE, FOLLOW_ANY };

/* What paths mean on a route. */
struct tree {
	struct str root;     /* absolute */
	int follow;          /* symbolic links */
};

/* A request's lookups: at most one of them waits at a time. */
struct hot_search {
	struct wait *wait;        /* somebody reads it from the disk; NULL: nobody */
	struct got *got;          /* what the request itself brought in: referenced, whatever the store does with it */
};

/* The object of a path (absolute, below the root), borrowed for the turn; NULL with
 *   *err -EAGAIN: r->task will be queued; say GO_WAIT and look again
 *   *err -EBUSY:  the disk's queue is full: shed
 *   *err others:  what reading it ended with (-EIO, -EMFILE …).
 * What does not exist or may not be read is an object, too (HOT_ERROR). */
struct hot *hot_look_up(struct req *r, struct hot_search *l, const struct tree *tree, struct str path, int *err);
/* What to return where there is none, for that reason. */
enum go hot_look_said(struct req *r, int err);
/* Brings a path into the hot set, for nobody in particular; does nothing where it is there. */
void hot_look_ahead(struct home *h, const struct tree *tree, struct str path);
/* Nothing waits any more, and what was got is let go of; the body of the answer has to keep what it needs before. */
void hot_look_close(struct req *r, struct hot_search *l);

/* struct audience: who sees requests at the moment.  Gives all loops the list of taps whenever it changes, and takes a
 * tap off it when its viewer has left.  On the control thread, but for audience_begin(). */
#pragma once

#include "control/admin.h"
#include "http/tap.h"

struct audience;

/* give(arg, taps): to all loops, NULL for an empty list; audience_taken() for each of them when it has it. */
struct audience *audience_new(struct loop *l, size_t loops, void (*give)(void *arg, struct taps *taps), void *arg);
/* The loops have ended. */
void audience_free(struct audience *v);
/* before: what that loop let go of; NULL: none. */
void audience_taken(struct audience *v, struct taps *before);

/* GET /trace?…: whether the query can be meant. */
void errand_trace(struct control *c, struct admin_call *call);
/* The same on the request's loop, once that was answered: an answer without an end. */
enum go audience_begin(struct req *r, struct admin_call *call);

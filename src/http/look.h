/* struct look: a request that wants a page of a cache, from the moment it asks until it has an answer or goes on to its
 * handler.
 *
 * It looks what is in memory, and whether that is good enough.  If not it joins whoever fetches the page already, or begins
 * a fill (http/fill.h); either way it is a reader of what comes in.  Who began the fill is its heir: where the answer can't
 * be shared, it is his. */
#pragma once

#include "http/visit.h"

struct look;

/* Begins, for what a cache is to be asked for: the key is v->base.  What a gate says; while the request waits, the look is
 * r->state. */
enum go look_begin(struct req *r, struct visit *v);
/* Goes on after GO_WAIT. */
enum go look_on(struct look *l);

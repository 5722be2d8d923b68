/* struct sweep: a walk over all loops that closes their idle connections to a server which has left its pool.  When it is
 * back, every loop has had a turn since it began: none of them picks the server any more. */
#pragma once

#include "share/pool.h"

struct sweep;

/* done(arg) runs on the control thread when the sweep is back, unless it was dropped.  Holds a reference of the peer. */
struct sweep *sweep_start(struct pools *pools, struct peer *peer, struct mailbox *control, void (*done)(void *arg),
                          void *arg);
/* Nobody waits for it any more; NULL is nothing. */
void sweep_drop(struct sweep *s);

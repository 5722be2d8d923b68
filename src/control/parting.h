/* Places that processes gave up, until no loop can connect to them any more: the name of a place is a descriptor's number
 * or a port, and may only then become another's. */
#pragma once

#include "base/list.h"
#include "control/slot.h"
#include "share/pool.h"

/* Takes over the slot, which is a closed one then, and the reference of the peer (NULL: no loop ever knew it). */
void parting_add(struct link *list, struct slot *slot, struct peer *peer);
/* Closes those whose servers nobody else refers to. */
void parting_look(struct link *list);
/* Closes all; no loop runs any more. */
void parting_end(struct link *list);

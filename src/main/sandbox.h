/* What the worker gives up, once it has its descriptors and before it has threads or has read a byte from a client. */
#pragma once

#include <stddef.h>

#include "base/str.h"

/* Becomes `user`; where that is empty, stays who it is.  Either way it then has no capability, can't gain any, dies
 * with its supervisor, and may have as many descriptors as the hard limit allows.  Call before any other thread
 * exists: capabilities belong to threads.  0, or -errno with a sentence in error (error_n bytes). */
[[nodiscard]] int sandbox_enter(struct str user, char *error, size_t error_n);
/* The worker is killed when its supervisor dies.  A change of user forgets it, so sandbox_enter() says it again. */
void sandbox_follow_parent(void);

/* What became of a reload, for those who wait for it: text on standard error, JSON for the admin socket. */
#pragma once

#include "config/message.h"

/* All messages: to standard error, in colour where that is a terminal and NO_COLOR is not set, and to the error log. */
void reply_show(struct messages *m);
/* {"ok":true,"errors":0,"warnings":1,"messages":[…]}, with as many messages as fit into most_b bytes. */
void reply_write(struct buf *out, bool ok, struct messages *m, size_t most_b);

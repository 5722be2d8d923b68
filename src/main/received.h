/* A configuration as it comes from the supervisor: a sealed memory file with its sources. */
#pragma once

#include "base/buf.h"
#include "config/message.h"
#include "http/conf.h"

/* Builds the snapshot with these settings laid over it (config/overlay.h; empty: none); NULL, and m says what is wrong.  fd
 * stays the caller's. */
struct conf *conf_received(int fd, struct str overlay, struct messages *m);

/* A configuration as it comes from the supervisor: a sealed memory file with its sources. */
#pragma once

#include "base/buf.h"
#include "http/conf.h"

/* Builds the snapshot; NULL, and why says what is wrong.  fd stays the caller's. */
struct conf *conf_received(int fd, struct buf *why);

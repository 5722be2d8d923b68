/* Streams: connections whose bytes go to a server of a pool, and back, as they are.  On its way there such a connection is
 * a request without a head, so that limits, the queue, retries and the log are the same. */
#pragma once

#include "http/req.h"

/* The handler of all streams: r->listen says which pool. */
enum go stream_handle(struct req *r);

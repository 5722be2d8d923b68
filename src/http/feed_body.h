/* A feed as an answer's body: without an end, sent as it comes.  The request's loop. */
#pragma once

#include "http/req.h"
#include "share/feed.h"

/* Answers 200 with a body of what is sent to the feed from now on, uncompressed and not to be stored.  The feed's reader
 * is the body; *out is a reference for the sender.  first: bytes that go out at once, copied.  Return GO_ANSWER. */
enum go answer_feed(struct req *r, struct str type, struct str first, uint64_t most_b, struct feed **out);

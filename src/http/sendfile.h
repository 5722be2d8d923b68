/* X-Accel-Redirect and X-Sendfile: an application decides who gets a file, and petrel sends it. */
#pragma once

#include "http/upstream.h"

/* For a codec's on_reply.  Where the answer names another path or a file, that is served in its place, as a plain GET, with
 * the answer's other fields: GO_AGAIN; GO_ANSWER (502) where it can't be; else GO_NEXT.  A CGI program's local redirect
 * (reply.again) is always followed, X-Accel-Redirect and X-Sendfile only if `on`. */
enum go sendfile_reply(struct req *r, struct call *c, bool on);

/* What a handler would do with a request, told to who asks with `petrel ctl explain`.
 *
 * The request is one of the control thread's: it was parsed and routed as any other, but it came over no connection, and
 * its home has a clock and a snapshot, and nothing else.  A handler says as much as it can tell from those. */
#pragma once

#include "base/buf.h"

struct explained {
	struct buf *sentences;          /* as strings of a JSON array */
	bool passes;                    /* where it has no answer the next route that matches is tried */
	struct str again;               /* the path that it would be routed by anew, where nothing before it answers; .p NULL */
};

/* One sentence more. */
[[gnu::format(printf, 2, 3)]] void explain_say(struct explained *e, const char *format, ...);

/* struct codec: a protocol that is spoken to origins: how a request is written and an answer read.
 *
 * The upstream client (http/upstream.h) connects, sends, receives, waits and repeats; a codec only turns a request into
 * bytes and bytes into an answer.  It is called on the request's loop, keeps its state in memory that the client gives it
 * (call->state), and never waits. */
#pragma once

#include "http/upstream.h"

enum heard {
	HEARD_MORE,      /* *in is too little to go on; what is left in it comes again, with more behind it */
	HEARD_INTERIM,   /* an interim head (1xx, but not 101) was read and is forgotten */
	HEARD_HEAD,      /* the answer's head is in call->reply, complete; once for each call */
	HEARD_DATA,      /* *data is a run of the answer's body; it lies in *in as it was.  Never before HEARD_HEAD */
	HEARD_ASIDE,     /* *data is what the application says to its operator: FastCGI's standard error */
	HEARD_END,       /* the answer is over; what is left in *in does not belong to it */
	HEARD_BAD,       /* malformed or ambiguous: call->why is a sentence about it */
};

/* What a codec speaks, as it is taken apart for people (http/decode.h). */
enum decode { DECODE_NOTHING, DECODE_HTTP, DECODE_FASTCGI, DECODE_SCGI, DECODE_UWSGI, DECODE_CGI };

struct codec {
	const char *name;
	enum decode decode;      /* how a trace reads it */
	size_t state_b;          /* of its struct, zeroed before each attempt */
	bool is_raw;             /* there is no answer to be waited for: a tunnel begins at once */
	bool needs_length;       /* it says a body's length before the body */
	bool shuts;              /* nothing follows a request on its connection, and programs read up to the end of it */
	/* The longest run of a request's body that one frame() can stand before; 0: any. */
	uint64_t frame_most_b;
	/* Appends everything that goes before the request's body.  0, or the status to answer with (call->why is set). */
	unsigned (*ask)(struct call *c, struct buf *out);
	/* Appends what goes before n bytes of the request's body; n is 0 after the last of them.  Also called (with 0) where
	 * there is no body at all.  NULL: nothing is needed. */
	void (*frame)(struct call *c, uint64_t n, struct buf *out);
	/* Takes bytes of the answer off *in; called again and again until it says HEARD_MORE, HEARD_END or HEARD_BAD.
	 * Says at most once for each call HEARD_HEAD. */
	enum heard (*hear)(struct call *c, struct str *in, struct str *data);
	/* The origin closed its side, and *in was used up or could not be: HEARD_END where that is how the answer ends, else
	 * HEARD_BAD with call->why. */
	enum heard (*fin)(struct call *c);
};

/* What the files of the upstream client know of each other: see upstream.h.  Everything runs on the call's loop, in its
 * request's turn. */
#pragma once

#include "http/codec.h"

/* How far a part came. */
enum went {
	WENT_ON,     /* done; call->at says what is next */
	WENT_WAIT,   /* the request's task will be queued */
	WENT_WRONG,  /* call->fault says why: upstream_again() */
};

static inline enum went wrong(struct call *c, enum fault fault, const char *why)
{
	c->fault = fault;
	c->why = why;
	return WENT_WRONG;
}

static inline struct home *call_home(const struct call *c)
{
	return c->req->home;
}

/* --- pick --- */

enum went upstream_pick(struct call *c);
/* In the queue. */
enum went upstream_queue(struct call *c);
/* Before the same server is tried again. */
enum went upstream_pause(struct call *c);
/* Leaves the queue, where it is in it. */
void upstream_unqueue(struct call *c);
/* The cookie that has the client come back to this server, where the pool wants that. */
void upstream_stick(struct call *c);

/* --- connect --- */

enum went upstream_connect(struct call *c);
/* Gives the server's slot back, and keeps or closes the connection. */
void upstream_leave(struct call *c, enum outcome outcome, bool keep);

/* --- exchange --- */

/* Sends what can be sent of the request; WENT_WAIT where there is more to come.  After WENT_WRONG an answer may still be
 * there to be read. */
enum went upstream_send(struct call *c);
/* Until the answer's head is there, or with a small answer all of it. */
enum went upstream_hear_head(struct call *c);
/* The answer as a body. */
extern const struct body_ops UPSTREAM_BODY;
/* The turn ends: takes in more of the answer where its client is slow, and what lies in the loop's buffer goes into the
 * call's own memory. */
void upstream_save(struct call *c);

/* --- retry --- */

/* After WENT_WRONG: true where another attempt begins (at CALL_PICK). */
bool upstream_again(struct call *c);
/* Whether the answer's status is one that the pool takes for a failure. */
bool upstream_status_fails(const struct call *c);
/* Whether an attempt that ended so may be repeated. */
bool upstream_may_repeat(const struct call *c, enum fault fault);
/* The answer to a request whose last attempt failed. */
enum go upstream_sorry(struct call *c);

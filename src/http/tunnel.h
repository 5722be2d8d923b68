/* struct tunnel: a client's connection and an origin's whose bytes go through unchanged, both ways, until both ends are
 * closed: after 101 Switching Protocols (RFC 9110, 7.8), as WebSockets do, or on a stream's listener.
 *
 * It takes the place of the connection's exchange, so that one that is idle costs little: no buffers, and of its request
 * only what the log will want to know.  Two machines, a pipe each way, both run in the connection's turns. */
#pragma once

#include "http/req.h"
#include "http/upstream.h"

/* One direction. */
struct pipe {
	struct buf held;      /* read, and not taken by the other side */
	size_t at;
	bool ended;           /* no more will come */
	bool told;            /* and the other side knows */
	uint64_t moved_b;
};

struct tunnel {
	struct origin *origin;
	struct pool *pool;
	struct peer *peer;    /* with a slot */
	struct pipe up, down; /* to the origin; to the client */
	uint64_t idle_ms;     /* after so long without a byte it is closed */
	struct req *req;      /* settled: req_settle() */
};

/* Takes the call's connection over, with what was read and not sent yet; the call has nothing to do any more. */
struct tunnel *tunnel_of(struct call *c);
/* Moves what can be moved; readable: the client's socket may have something, cleared where it has not.  False when the
 * tunnel is over. */
bool tunnel_run(struct tunnel *t, struct task *task, int client_fd, bool *readable, bool fin);
/* The request's log is written, everything freed. */
void tunnel_free(struct tunnel *t, enum end end);

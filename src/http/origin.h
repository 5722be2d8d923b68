/* struct origin: a connection to a server of a pool, on one loop.
 *
 * It works for a call or a tunnel while that lasts; then it is idle, in the loop's list of its server (peer->here), and
 * watched: bytes that come unasked for, or its end, close it. */
#pragma once

#include "http/home.h"
#include "share/pool.h"

struct origin {
	struct watch watch;
	struct link link;            /* in peer->here[loop].idle */
	struct link all;             /* in home->origins */
	struct timer timer;          /* while idle */
	struct home *home;
	struct pool *pool;           /* the server's */
	struct peer *peer;           /* counted */
	struct task *task;           /* of whom it works for, queued when something happens; NULL: idle */
	uint64_t requests;           /* that it has been used for before */
	bool connected;
	bool readable, writable;
	bool fin;                    /* the other side's end was announced */
	bool ended;                  /* it was read, or the connection broke: */
	bool reset;                  /* it broke */
};

/* An idle one to this server, most recently used first, or NULL. */
struct origin *origin_reuse(struct home *h, struct peer *peer, struct task *task);
/* A new one, connecting; *err is -errno where it could not even begin. */
struct origin *origin_connect(struct home *h, struct pool *pool, struct peer *peer, struct task *task, int *err);
/* Between two requests: kept for the next one, at most `keep` of them to a server on this loop, for idle_ms; else
 * closed. */
void origin_idle(struct origin *o, size_t keep, uint64_t idle_ms);
void origin_close(struct origin *o);
/* The loop has ended: closes whatever is left. */
void origins_end(struct home *h);
/* Has all loops but one close their idle connections to this server: it has no more room for a new one, or it is to end.
 * Any thread. */
void origin_trim(struct pools *pools, struct pool *pool, struct peer *peer, unsigned but);

/* struct conn: an HTTP/1 connection, from accept to close, on one loop.
 *
 * An idle connection owns this struct and nothing else: bytes are read into the loop's buffer, and only what is left
 * over of them is copied; what a request needs (struct exchange) is taken when its first byte comes and given back after
 * its answer. */
#pragma once

#include "http/home.h"
#include "net/listener.h"

struct exchange;

struct conn {
	struct watch watch;
	struct timer timer;
	struct task task;
	struct link link;             /* in home->conns */
	struct home *home;
	struct exchange *exchange;    /* NULL while idle, and in a tunnel */
	struct tunnel *tunnel;        /* CONN_TUNNEL */
	char *kept;                   /* bytes read but not used, between turns; NULL where there are none */
	uint32_t kept_n;
	uint32_t requests;
	uint64_t since_ms;            /* when what it waits for now began */
	struct ip peer;
	enum conn_state state : 8;
	bool readable : 1;            /* a read may bring something */
	bool fin : 1;                 /* the client's last byte is in the socket: reading on will find the end */
	bool ended : 1;               /* its end was read, or the connection broke */
	bool admin : 1;               /* came over the admin socket */
	bool whole : 1;               /* what is kept may hold a whole head that nobody looked at */
	bool counted : 1;             /* in home->limits */
};

/* Takes over an accepted socket; where limits refuse it, it is answered and closed.  spec: where it came in, of the
 * current snapshot. */
void conn_new(struct home *h, int fd, const struct ip *peer, const struct listen_spec *spec);
/* Closes what is idle, and lets the rest end after its request. */
void home_drain(struct home *h);
/* Cuts off whatever there still is; returns how many requests were under way. */
size_t home_cut(struct home *h);
/* Frees what the home holds for connections; there are none any more. */
void home_fini(struct home *h);

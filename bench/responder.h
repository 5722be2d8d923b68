/* What the canned origins share: one epoll loop that accepts connections, collects what arrives on each until the
 * program has understood it, and writes canned answers, at once or after a fixed time.
 *
 * One request at a time on a connection, as every proxy does it: nothing is pipelined.  One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum { RESPONDER_HELD_B = 4096 };  /* the longest beginning of a request that is kept */

struct responder_conn {
	int fd;
	bool watched_out;         /* the socket took no more: waits for EPOLLOUT */
	bool closing;             /* after the answer */
	unsigned id;              /* the program's: of the request at hand */
	size_t held_b;            /* of `held`: received and not understood yet */
	char *held;
	const char *answer;       /* owed, from answer_at on; NULL: none */
	size_t answer_at, answer_b;
	uint64_t due_ns;          /* when it may go; in `waiting` until then */
	TAILQ_ENTRY(responder_conn) link;
};

struct responder {
	/* Takes what is whole off the front of `data` and says how many bytes that was; owes an answer by
	 * responder_owe() at most once.  SIZE_MAX: this is no request, close. */
	size_t (*take)(struct responder *, struct responder_conn *, const char *data, size_t size);
	/* Right before bytes of the owed answer go out: they lie in memory that all connections share.  May be NULL. */
	void (*sending)(struct responder *, const struct responder_conn *);
	void *owner;
	uint64_t delay_ns;        /* of each answer */
	int epoll, listener;
	TAILQ_HEAD(, responder_conn) waiting;  /* by due_ns, for all wait equally long */
};

/* `where`: a port of 127.0.0.1, the path of a Unix socket, or "-": the socket is there, at descriptor 0. */
void responder_run(struct responder *r, const char *where);
/* The answer has to stay where it is. */
void responder_owe(struct responder *r, struct responder_conn *c, const char *answer, size_t size);

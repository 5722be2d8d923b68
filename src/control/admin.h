/* The admin socket: HTTP with JSON over a Unix socket, answered by the worker's control thread.
 *
 * A request on it is a request like any other, on its loop, handled by ADMIN; what it asks of the control thread travels
 * there by mail and comes back the same way.  Whoever may open the socket may do all of it: its file's mode is the gate. */
#pragma once

#include "http/req.h"

extern const struct module ADMIN;
/* The site that connections to the admin socket are answered by: one route, handled by ADMIN. */
extern const struct site ADMIN_SITE;

struct control;

/* What can be asked for. */
enum errand {
	ERRAND_RELOAD,   /* POST /reload: read the configuration again */
	ERRAND_STATUS,   /* GET /status.json: what the counters say */
	ERRAND_COUNT,
};

/* One request's errand.  Heap; freed by the loop when it is back. */
struct admin_call {
	struct mail mail;
	struct link link;            /* the control thread's, while it waits for an answer */
	struct control *control;
	enum errand errand;
	struct home *home;
	struct req *req;             /* NULL: the client is gone */
	bool home_again;             /* the loop's: it is back, with the answer below, which was the control thread's */
	unsigned status;
	struct buf json;
};

/* What the worker offers. */
struct control {
	struct mailbox *box;         /* the control thread's */
	/* On the control thread, by errand; admin_answer() in the end. */
	void (*run[ERRAND_COUNT])(struct control *c, struct admin_call *call);
};

/* On the control thread: sends the call home with its answer. */
void admin_answer(struct admin_call *call, unsigned status, struct str json);

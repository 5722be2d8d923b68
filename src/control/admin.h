/* The admin socket: HTTP with JSON over a Unix socket, answered by the worker's control thread.
 *
 * A request on it is a request like any other, on its loop, handled by ADMIN; what it asks of the control thread travels
 * there by mail and comes back the same way.  Whoever may open the socket may do all of it: its file's mode is the gate.
 * What can be asked is a table: control/errand.c. */
#pragma once

#include "control/change.h"
#include "http/backend.h"
#include "http/req.h"

extern const struct module ADMIN;
/* The site that connections to the admin socket are answered by: one route, handled by ADMIN. */
extern const struct site ADMIN_SITE;

struct control;
struct errand;

enum { ADMIN_BODY_B = 64 * 1024, ADMIN_STARS = 2 };

/* One request's errand.  Heap; freed by the loop when it is back. */
struct admin_call {
	struct mail mail;
	struct link link;            /* the control thread's, while it waits for an answer */
	struct control *control;
	const struct errand *errand;
	struct home *home;
	struct req *req;             /* NULL: the client is gone */
	bool sent, home_again;       /* the loop's: it is at the control thread; it is back, with the answer below */
	struct caller caller;
	struct str path;             /* a copy */
	struct str stars[ADMIN_STARS]; /* what the stars in the errand's path stand for, in `path` */
	struct buf body;
	unsigned status;
	struct buf json;
};

/* What the worker can do.  All on the control thread. */
struct control_ops {
	/* admin_answer() in the end. */
	void (*status)(struct control *c, struct admin_call *call);
	void (*reload)(struct control *c, struct admin_call *call);
	/* The logs' files are opened anew, soon. */
	void (*reopen)(struct control *c);
	/* Changes of a pool.  0; or -errno and a sentence in *why: -ENOENT where there is no such pool or server. */
	int (*server_add)(struct control *c, struct str pool, const struct server_conf *server, struct buf *why);
	int (*server_remove)(struct control *c, struct str pool, struct str server, struct buf *why);
	/* set and clear: enum peer_state. */
	int (*server_state)(struct control *c, struct str pool, struct str server, unsigned set, unsigned clear,
	                    struct buf *why);
	int (*server_weight)(struct control *c, struct str pool, struct str server, unsigned weight, struct buf *why);
	/* Appends a JSON list of all apps, an object with a "name" each. */
	void (*apps_print)(struct control *c, struct buf *out);
	/* Begins a rolling restart; false: there is no such app. */
	bool (*app_restart)(struct control *c, struct str name);
};

struct control {
	struct mailbox *box;         /* the control thread's */
	const struct control_ops *ops;
	struct changes changes;
	const struct conf *conf;     /* the snapshot published last, opened; NULL before the first */
};

/* --- On the control thread: sends the call home with its answer. --- */

void admin_answer(struct admin_call *call, unsigned status, struct str json);
/* {"ok":false,"error":"…"}: a sentence that says what was wrong, and what there is. */
[[gnu::format(printf, 3, 4)]] void admin_refuse(struct admin_call *call, unsigned status, const char *format, ...);
/* {"ok":true,"did":"…"}, which is put into the list of changes. */
[[gnu::format(printf, 2, 3)]] void admin_did(struct admin_call *call, const char *format, ...);
/* The list of changes alone, where the answer is another one. */
void admin_note(struct admin_call *call, struct str what);

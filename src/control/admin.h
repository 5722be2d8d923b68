/* The admin socket: HTTP with JSON over a Unix socket, answered by the worker's control thread.
 *
 * A request on it is a request like any other, on its loop, handled by ADMIN; what it asks of the control thread travels
 * there by mail and comes back the same way.  Whoever may open the socket may do all of it: its file's mode is the gate.
 * What can be asked is a table: control/errand.c. */
#pragma once

#include "control/change.h"
#include "control/setting.h"
#include "control/state.h"
#include "http/backend.h"
#include "http/req.h"

extern const struct module ADMIN;
/* The site that connections to the admin socket are answered by: one route, handled by ADMIN. */
extern const struct site ADMIN_SITE;

struct alerts;
struct apps;
struct audience;
struct caches;
struct control;
struct errand;
struct keeper;
struct memcacheds;
struct observer;
struct viewers;

enum { ADMIN_BODY_B = 64 * 1024, ADMIN_STARS = 2 };

/* One request's errand.  Heap; freed by the loop when it is back. */
struct admin_call {
	struct mail mail;
	struct link link;            /* the control thread's, while it waits for something */
	struct control *control;
	const struct errand *errand;
	struct home *home;
	struct req *req;             /* NULL: the client is gone */
	bool sent, home_again;       /* the loop's: it is at the control thread; it is back, with the answer below */
	struct caller caller;
	bool keep;                   /* "?keep": the change is to outlive configurations and restarts */
	struct str path;             /* a copy */
	struct str query;            /* one, too: query_get() of http/query.h */
	struct str stars[ADMIN_STARS]; /* what the stars in the errand's path stand for, in `path` */
	struct buf body;
	struct buf did;              /* what was done, while the supervisor keeps it */
	unsigned status;
	struct buf json;             /* the answer: JSON, or what the errand's row says */
};

/* What the worker does itself.  On the control thread. */
struct control_ops {
	/* admin_answer() in the end. */
	void (*reload)(struct control *c, struct admin_call *call);
	/* The logs' files are opened anew, soon. */
	void (*reopen)(struct control *c);
	/* Builds a snapshot with these settings over the configuration and publishes it: settings_laid() follows when it is in
	 * effect.  0, -EBUSY while another one is on its way, or -EINVAL and -ESHUTDOWN (the server ends) and a sentence in
	 * *why. */
	int (*lay)(struct control *c, struct str overlay, struct buf *why);
	/* The supervisor gets this document: state_kept() follows. */
	void (*keep)(struct control *c, struct str document);
	/* The hot set is emptied. */
	void (*hot_clear)(struct control *c);
};

struct control {
	struct mailbox *box;         /* the control thread's */
	const struct control_ops *ops;
	struct changes changes;
	struct settings settings;
	struct state state;
	const struct module *const *modules;
	size_t module_count;
	/* NULL before the first configuration. */
	struct keeper *keeper;
	struct apps *apps;
	struct alerts *alerts;
	struct audience *audience;   /* control/audience.h: who sees requests */
	struct observer *observer;   /* control/sample.h: what all counters say */
	struct caches *caches;       /* http/cache.h: never NULL */
	struct memcacheds *memcacheds; /* http/memcached.h: never NULL */
	const struct conf *conf;     /* the snapshot published last, opened */
	struct viewers *viewers;     /* control/page.h: who looks at the status page */
};

/* --- On a request's loop: for handlers that ask the control thread. --- */

/* r->state from now on, with the query of a request on the admin socket.  stars: what those of the errand's path stand
 * for, in path; or NULL.  The caller is who the kernel says, or an address. */
struct admin_call *admin_call_new(struct req *r, const struct errand *errand, struct str path, const struct str *stars);
/* Sends it: return admin_send(call); the handler is called again, with call->home_again once it was answered. */
enum go admin_send(struct admin_call *call);
/* Before it was sent, or once it is home again; r->state has to be let go of. */
void admin_call_free(struct admin_call *call);
/* Takes in the request's body, as far as it has come: GO_NEXT when it is whole, GO_WAIT, or what to return. */
enum go admin_body(struct req *r, struct buf *out, size_t most_b);

/* --- On the control thread: sends the call home with its answer. --- */

void admin_answer(struct admin_call *call, unsigned status, struct str json);
/* {"ok":false,"error":"…"}: a sentence that says what was wrong, and what there is. */
[[gnu::format(printf, 3, 4)]] void admin_refuse(struct admin_call *call, unsigned status, const char *format, ...);
/* {"ok":true,"did":"…"}, which is put into the list of changes; where what is kept is another thing now, not before the
 * supervisor has it. */
[[gnu::format(printf, 2, 3)]] void admin_did(struct admin_call *call, const char *format, ...);
/* The supervisor answered: why it could not keep it; empty: it has. */
void admin_kept(struct admin_call *call, struct str why);
/* The list of changes alone, where the answer is another one. */
void admin_note(struct admin_call *call, struct str what);

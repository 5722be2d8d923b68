/* What can be asked of the control thread over the admin socket: a table of methods, paths and functions.
 *
 * A row is the only place where an errand is described: from it come finding it, the checks of what was given to it, the
 * sentences about what is wrong with that, and the OpenAPI description (control/openapi.c). */
#pragma once

#include <jansson.h>

#include "control/admin.h"

enum given_kind { GIVEN_TEXT, GIVEN_NUMBER, GIVEN_FLAG };

/* A value that an errand takes: what a star stands for, a parameter of the query, a member of the body. */
struct given {
	const char *name;              /* NULL ends a table */
	enum given_kind kind;
	bool required;                 /* stars always are */
	uint64_t min, max;             /* of numbers: both count */
	const char *const *words;      /* of texts: what it may be, ended by NULL; NULL: anything */
	const char *doc;               /* a sentence */
	const char *example;           /* as JSON: "\"api\"", "2" */
};

/* Why it may be refused, beyond what holds for all: 400, 401, 404 and 405 for what is not in the table, 413. */
struct refusal {
	unsigned status;               /* 0 ends a table */
	const char *when;
};

struct errand {
	enum method method;
	const char *path;              /* a star in it stands for one or more bytes, slashes included */
	const char *doc;               /* one or more sentences; the first is the summary */
	const struct given *stars;     /* in their order; NULL: none, here and below */
	const struct given *query;
	const struct given *body;      /* members of a JSON object, which is read first: call->body */
	bool one;                      /* just one of them at a time */
	bool change;                   /* answers with admin_did() */
	bool keeps;                    /* and takes "?keep" */
	const struct refusal *refusals;
	const char *type;              /* of the answer; NULL: application/json */
	const char *example;           /* an answer, as JSON; NULL where it is a change, or no JSON */
	void (*run)(struct control *c, struct admin_call *call);
	/* On the request's loop, after run() answered 200: the answer itself, which may have no end.  NULL: what run() said. */
	enum go (*begin)(struct req *r, struct admin_call *call);
};

/* Shorthands for tables in rows. */
#define GIVEN(...) ((const struct given[]){ __VA_ARGS__, {} })
#define REFUSALS(...) ((const struct refusal[]){ __VA_ARGS__, {} })

/* The errand of this method and path, with what its stars stand for; NULL.  methods: of all errands with this path, as in
 * an Allow field; empty: there is none. */
const struct errand *errand_find(enum method method, struct str path, struct str stars[ADMIN_STARS],
                                 struct buf *methods);
/* Runs it, or answers what is wrong with its query.  The control thread. */
void errand_run(struct admin_call *call);
/* Row by row; NULL behind the last one. */
const struct errand *errand_at(size_t i);
/* "GET" … */
struct str errand_method(const struct errand *e);
/* "GET /pools, GET /pools/NAME …" */
void errand_list(struct buf *out);

/* The body's object, all of whose members are as the row says; or NULL after answering what is wrong.  The caller's. */
json_t *errand_body(struct admin_call *call);
/* A member that is a text; .p NULL: it is not there. */
struct str errand_text(const json_t *body, const char *name);

/* control/openapi.c: the description of all rows, as a JSON document. */
void openapi_print(struct buf *out);

/* control/as_config.c: GET /changes.conf */
void errand_as_config(struct control *c, struct admin_call *call);

/* control/errand_alerts.c */
void errand_alerts(struct control *c, struct admin_call *call);
void errand_silence(struct control *c, struct admin_call *call);
void errand_unsilence(struct control *c, struct admin_call *call);
void errand_test(struct control *c, struct admin_call *call);

/* control/errand_caches.c */

void errand_caches(struct control *c, struct admin_call *call);
void errand_cache(struct control *c, struct admin_call *call);
void errand_purge(struct control *c, struct admin_call *call);

/* control/errand_memcached.c */

void errand_memcached(struct control *c, struct admin_call *call);

/* control/errand_pools.c */

/* Of enum peer_state the one that matters: "ready", "sick" … */
const char *peer_state_name(uint32_t state);
void errand_pools(struct control *c, struct admin_call *call);
void errand_pool(struct control *c, struct admin_call *call);
void errand_server_add(struct control *c, struct admin_call *call);
void errand_server_change(struct control *c, struct admin_call *call);
void errand_server_remove(struct control *c, struct admin_call *call);

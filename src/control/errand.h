/* What can be asked of the control thread over the admin socket: a table of methods, paths and functions. */
#pragma once

#include "control/admin.h"

struct errand {
	enum method method;
	const char *path;      /* a star in it stands for one or more bytes, slashes included */
	bool body;             /* the request's body is read first: call->body */
	void (*run)(struct control *c, struct admin_call *call);
};

/* The errand of this method and path, with what its stars stand for; NULL.  methods: of all errands with this path, as in
 * an Allow field; empty: there is none. */
const struct errand *errand_find(enum method method, struct str path, struct str stars[ADMIN_STARS],
                                 struct buf *methods);
/* "GET /pools, GET /pools/NAME …" */
void errand_list(struct buf *out);

/* control/errand_pools.c */

/* Of enum peer_state the one that matters: "ready", "sick" … */
const char *peer_state_name(uint32_t state);
void errand_pools(struct control *c, struct admin_call *call);
void errand_pool(struct control *c, struct admin_call *call);
void errand_server_add(struct control *c, struct admin_call *call);
void errand_server_change(struct control *c, struct admin_call *call);
void errand_server_remove(struct control *c, struct admin_call *call);

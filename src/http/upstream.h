/* struct call: a request's way to an origin, and the origin's answer on its way back.
 *
 *	pick      upstream_pick.c      a server of the pool, or a place in its queue
 *	connect   upstream_connect.c   a connection to it: an idle one, or a new one (struct origin)
 *	exchange  upstream_exchange.c  request out, answer in, both at once
 *	retry     upstream_retry.c     another server, where that can do no harm
 *
 * A call lives in its request's arena, on its loop, from the handler until the request ends.  It is a machine of its own
 * with one deadline; whatever happens to it queues the request's task, and is dealt with in the request's turn.
 *
 * The answer is a body like any other.  While the client takes it as fast as it comes, its bytes go from the loop's buffer
 * to the client; when the client is slow, up to `buffer` bytes are taken in meanwhile, so that the origin is free for
 * others. */
#pragma once

#include "http/backend.h"
#include "http/collect.h"
#include "http/origin.h"
#include "http/req.h"
#include "http/spool.h"
#include "http/trailers.h"
#include "share/pool.h"

struct codec;

/* An origin's answer, as its codec read it. */
struct reply {
	unsigned status;             /* 200 … 599, or 101 */
	int64_t length_b;            /* of its body, where it was said; LENGTH_UNKNOWN */
	struct field *fields;        /* without hop-by-hop ones, Content-Length and Transfer-Encoding; in the call's arena */
	size_t field_count;
	struct trailers *trailers;   /* what comes behind its body, filled by HEARD_END; NULL: nothing that anyone wants */
	struct str again;            /* the path and query that are to be served instead (RFC 3875, 6.2.2); .p NULL: none */
	bool keep;                   /* the connection can take another request after HEARD_END */
};

enum call_at {
	CALL_COLLECT,    /* the request's body is taken in first */
	CALL_PICK,       /* a server is chosen */
	CALL_QUEUE,      /* all are busy: waits for a slot */
	CALL_PAUSE,      /* there is only a server that failed just now: it gets a moment */
	CALL_CONNECT,    /* waits for a connection */
	CALL_HEAD,       /* the request goes out; waits for the answer's head */
	CALL_HOLD,       /* the head is there, and a body so small that it is waited for, too: a retry is still possible */
	CALL_BODY,       /* the answer's body is on its way */
	CALL_OVER,       /* the origin's part is done: its connection was given back */
	CALL_FAILED,     /* it broke off: what there is of the answer is all there will be */
};

/* Why an attempt failed: what a retry may be allowed for, and the status that is answered with. */
enum fault {
	FAULT_NONE,
	FAULT_QUEUE,         /* 503: no slot in time, or the queue is full */
	FAULT_NO_SERVER,     /* 503: none is well */
	FAULT_CONNECT,       /* 502: refused, unreachable */
	FAULT_CONNECT_LATE,  /* 504 */
	FAULT_BROKEN,        /* 502: closed or reset before the answer's head */
	FAULT_STALE,         /* the same on a connection that had been idle: the server closed it meanwhile */
	FAULT_LATE,          /* 504: no answer in time */
	FAULT_BAD,           /* 502: malformed */
	FAULT_TOO_LARGE,     /* 502: its head is */
	FAULT_STATUS,        /* the answer's status is one that the pool retries */
	FAULT_CUT,           /* in the middle of the body */
	FAULT_UPLOAD,        /* the request's body broke off */
	FAULT_ASK,           /* the protocol can't say this request: call->refused */
};

/* What a handler wants of the client; constant for a route. */
struct outward {
	const struct codec *codec;
	const struct backend *backend;
	const void *values;              /* the handler's, for its codec */
	/* Looks at call->reply before it becomes the answer, may change it: GO_NEXT, or answers itself: GO_ANSWER,
	 * GO_AGAIN.  NULL: nothing. */
	enum go (*on_reply)(struct req *r, struct call *c);
};

struct call {
	/* For codecs. */
	struct req *req;
	struct arena *arena;             /* the request's */
	const struct outward *outward;
	void *state;                     /* codec->state_b bytes */
	int64_t body_b;                  /* of the request's body; LENGTH_UNKNOWN: streamed, and not known before its end */
	struct reply reply;
	const char *why;                 /* a sentence about what went wrong */
	bool begun;                      /* a byte of the answer was read */
	bool large;                      /* its head is too large */
	unsigned refused;                /* FAULT_ASK: the status */

	/* The client's own. */
	enum call_at at;
	enum fault fault;
	struct pool *pool;
	struct peer *peer;               /* with a slot; NULL */
	struct peer *asked_peer;         /* whom this attempt asked; its answer may be complete, and the slot given back in
	                                  * this turn.  NULL: nobody yet */
	struct origin *origin;           /* NULL where there is none (any more) */
	struct body body;                /* the answer's */
	struct str input;                /* received and not understood yet; in home->inbox, for this turn */
	struct buf kept;                 /* the same between turns */
	struct str ahead;                /* of the answer's body, before input's; in home->inbox, for this turn */
	struct spool spool;              /* of the answer's body, before ahead: taken in, not yet asked for */
	size_t given_b;                  /* of the spool's first bytes: given to the reader with the last chunk */
	struct collect *collect;         /* the request's body, where it is taken in first */
	struct body *upload;             /* where the request's body comes from: the collection, or the client; NULL: none */
	struct buf out;                  /* to be sent before anything else, from out_at on */
	size_t out_at;
	struct chunk range;              /* to be sent after it: the rest of a file's range; length_b 0: none */
	bool asked;                      /* the request's head is out, or in `out` */
	bool uploaded;                   /* so is all of its body */
	bool cut;                        /* the origin took no more of the request */
	bool sent;                       /* a byte of it was sent: it may have reached the application */
	bool hungry;                     /* the reader of the answer waits for more of it */
	unsigned fills;                  /* reads in this turn */
	uint64_t taken_b;                /* of the answer's body, as the codec gave it */
	struct timer timer;              /* the deadline of what `at` waits for */
	uint64_t since_ms;               /* when what it waits for last showed life */
	bool late;
	struct seat *seat;               /* in the pool's queue; NULL */
	struct pick pick;
	bool fresh;                      /* no idle connections any more: one turned out stale, and so may be all of them */
	bool paused;                     /* before this attempt */
	bool reset;                      /* the last one's connection was, and nothing had come */
	unsigned unreached;              /* attempts that no process of an app had read */
	char peer_name[64];              /* of the last server, for logs: it may be gone by then */
	uint64_t peer_id;                /* its id, for the sticky cookie */
	uint64_t begin_ns, connected_ns; /* of the last attempt */
};

/* The handler's whole work: `return upstream_handle(r, &values->outward);` */
enum go upstream_handle(struct req *r, const struct outward *o);
/* The call, and what it holds, is r's from now on; its arena has to live as long as r does. */
void upstream_adopt(struct req *r, struct call *c);
/* After a step of the request said GO_WAIT: what can go on meanwhile goes on. */
void upstream_meanwhile(struct call *c);
/* The request is over, or will be answered otherwise: whatever the call still holds is given back. */
void upstream_close(struct call *c);
/* What is known of a request when a server of this backend is chosen for it: by a call, and by who wants to know what one
 * would do. */
void upstream_know(const struct backend *b, struct req *r, struct pick *out);
/* How a route's handler asks servers; NULL: it asks nobody. */
const struct outward *route_outward(const struct route *route);
/* Whether a client that sends no more means that it left. */
bool upstream_minds_fin(const struct call *c);
bool outward_minds_fin(const struct outward *o);

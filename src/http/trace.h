/* struct story: all that happens to one request that somebody wants to see, as it happens: the ways that it was routed, the
 * servers that were asked, what went to them and what came back.
 *
 * A request has one while a tap wants it; at its end the trace becomes a line of JSON for each tap that still wants it
 * then.  Until there is a tap, a request costs one look at home->taps, and each of its stages one at r->trace.  Bounded: in
 * bytes for each trace, and in traces for each loop.  On the request's loop. */
#pragma once

#include "http/codec.h"
#include "http/decode.h"
#include "http/tap.h"

enum {
	TRACE_TRIES = 4, TRACE_WAYS = 4, TRACE_MARKS = 32,
	TRACE_STREAM_B = 24 * 1024,  /* of each direction of each attempt */
	TRACE_HEAD_B = 32 * 1024,    /* of the answer's head */
	TRACES_MOST = 256,           /* of a loop, at a time */
};

/* A tap as the trace needs it to its end: the tap may be gone by then. */
struct sight {
	struct feed *feed;
	struct quota *quota;
	bool secrets;
	unsigned status_from, status_to;
	uint64_t slow_ns;
};

/* What is kept from `at` on came at this time. */
struct mark {
	size_t at;
	uint64_t ns;
};

/* One direction of an attempt. */
struct flow {
	struct buf kept;
	struct thin thin;            /* DECODE_FASTCGI */
	uint64_t all_b;
	struct mark marks[TRACE_MARKS];
	unsigned mark_count;
	bool full;                   /* there was more than is kept */
};

struct attempt {
	const struct codec *codec;
	struct str pool;
	char server[64];
	bool reused;                 /* the connection had been used before */
	uint64_t begin_ns, picked_ns, connected_ns, head_ns, over_ns;  /* 0: it did not come to that */
	enum end fault;
	struct flow out, in;
};

struct way {
	const struct site *site;
	const struct route *route;
	struct str path;
	uint64_t ns;
};

struct story {
	struct sight sights[TAPS_MOST];
	unsigned sight_count;
	uint64_t wall_ms;
	struct way ways[TRACE_WAYS];
	unsigned way_count;
	struct attempt tries[TRACE_TRIES];
	unsigned try_count;          /* TRACE_TRIES at most; further ones take the last one's place */
	struct buf head;             /* the answer's, as it was sent */
};

/* It was routed: begins its trace where a tap wants it. */
void trace_routed(struct req *r);
/* The answer's head, as it is sent. */
void trace_answer(struct req *r, struct str head);
/* The request is over, or has become a tunnel: whoever still wants it gets it. */
void trace_end(struct req *r);
/* trace_print.c: the trace as one of its taps sees it, a line. */
void trace_print(struct req *r, const struct story *t, bool secrets, struct buf *out);

/* --- Of an attempt at a server; only where there is a trace. --- */

void trace_try(struct call *c);
void trace_picked(struct call *c);
void trace_connected(struct call *c);
void trace_sent(struct call *c, struct str bytes);
/* A range of a file. */
void trace_sent_file(struct call *c, const struct chunk *range);
void trace_came(struct call *c, struct str bytes);
void trace_heard(struct call *c);
void trace_failed(struct call *c, enum end why);
void trace_left(struct call *c);

static inline bool is_traced(const struct call *c)
{
	return __builtin_expect(c->req->trace != NULL, 0);
}

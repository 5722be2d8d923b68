/* struct home: what one event loop needs to serve HTTP; exists once per loop, and only that loop's thread touches it. */
#pragma once

#include "base/buf.h"
#include "event/disk.h"
#include "event/loop.h"
#include "http/conf.h"
#include "http/date.h"
#include "http/gather.h"
#include "share/limits.h"
#include "share/log.h"
#include "share/meter.h"
#include "share/store.h"

struct control;
struct memcacheds;
struct taps;
struct edition;

/* A snapshot as this loop uses it: references are counted without atomics, and when the last one goes after the snapshot
 * was replaced, released() tells the control thread. */
struct conf_use {
	struct conf *conf;
	size_t refs;                              /* requests, and one while it is the current one */
	struct mail mail;                         /* how it came, and goes back */
	void (*released)(struct conf_use *use);   /* on the loop's thread */
	struct mailbox *control;                  /* whom released() tells */
	struct edition *edition;                  /* main/publish.c's */
};

/* What a connection is doing (http/h1.h). */
enum conn_state {
	CONN_PROXY,   /* before anything else: a PROXY protocol head is to come */
	CONN_HEAD,    /* between requests, or in a head */
	CONN_REQ,     /* a request is running */
	CONN_DRAIN,   /* its answer is out; what is left of its body stands before the next request */
	CONN_TUNNEL,  /* its bytes go through to an origin, and back */
	CONN_LINGER,  /* nothing more is sent; what the client still sends is thrown away */
	CONN_CLOSE,   /* to be freed before the turn of this connection ends */
};
enum { CONN_STATES = CONN_CLOSE + 1 };

/* Counted by the loop alone; read by the control thread.  How requests were answered is in the meters. */
struct home_stats {
	struct counter accepted, refused, requests, bytes_out, bytes_in;
	struct counter by_state[CONN_STATES];     /* connections there are now */
	struct counter turns, busy_ns;            /* of the loop: what it did, not what it waited */
	struct counter longest_us;                /* turn of the minute, */
	struct counter minute;                    /* which is this one of the loop's clock */
	struct counter longest_before_us;         /* and of the minute before it */
};

/* So much is copied together rather than sent in parts, which costs the kernel 0.1 to 0.2 µs more than one piece. */
enum { TOGETHER_B = 8 * 1024 };

struct home {
	struct loop loop;
	struct conf_use *use;                     /* the current snapshot */
	struct epoch *epoch;
	struct store *hot;
	struct disk *disk;
	struct limits *limits;
	struct pools *pools;
	struct meters *meters;
	struct memcacheds *memcacheds;
	struct log_ring *ring;
	struct mailbox *slow;                     /* of a thread that may wait: for what could wait for a disk, such as
	                                           * closing a large file that was unlinked */
	struct control *control;                  /* control/admin.h's: what the admin socket asks */
	const struct site *admin;                 /* what answers on the admin socket */
	const struct taps *taps;                  /* who wants to see requests (http/tap.h); NULL: nobody */
	unsigned traces;                          /* requests that somebody sees now */
	uint64_t next_id;                         /* of requests; begins at a random number */

	struct link conns;                        /* all of them, those that waited longest first */
	size_t conn_count;
	struct link spares;                       /* exchanges for reuse: see http/h1.c */
	size_t spare_count;
	struct link fetches;                      /* struct fill: what this loop fetches for caches */
	struct link origins;                      /* connections to servers of pools: struct origin */
	struct str input;                         /* bytes in loop.scratch that the connection being run has not used */
	unsigned fills;                           /* reads that this turn of the connection has had */
	bool draining;

	char date[DATE_B];                        /* valid until date_until_ms on the loop's clock */
	uint64_t date_until_ms;
	int64_t wall_s;                           /* the second that date shows */
	uint64_t wall_ahead_ms;                   /* wall time less the loop's clock, as of the last refresh */
	struct buf head;                          /* an answer's head is put together here, */
	char together[TOGETHER_B];                /* and a small answer, to be sent */
	struct buf line;                          /* a log's line is */
	struct buf asked;                         /* what goes to an origin before a request's body */
	char *inbox;                              /* LOOP_SCRATCH_B bytes: what comes from an origin is read into it */
	size_t coders;                            /* bodies being compressed: see http/coder.h */
	size_t calls;                             /* requests that have a connection to an origin: struct call */
	struct gather gather;
	struct home_stats stats;
	uint64_t blamed_ms;                       /* of this turn: requests that took long were named in the log */
};

/* The loop's turn is over: it is counted, and named in the log where it was longer than long_turn and no request was named
 * for it. */
void home_turn_over(struct home *h);

/* The current date, refreshed at most once a second. */
struct str home_date(struct home *h);
/* Seconds since 1970, as home_date() shows them. */
int64_t home_wall_s(struct home *h);
/* Milliseconds since 1970 by the turn's clock; follows a clock that is set within a second. */
uint64_t home_wall_ms(struct home *h);
/* The current time for logs, without a look at the clock: "2026-11-20T10:00:00.123Z". */
void home_time_print(struct home *h, struct buf *out);
/* As logs in the common format have it: "20/Nov/2026:10:00:00 +0000". */
void home_time_common(struct home *h, struct buf *out);
/* A reference to the current snapshot, and back. */
struct conf_use *home_conf_get(struct home *h);
/* One more to the snapshot that a request has already, which may be an older one. */
struct conf_use *home_conf_share(struct conf_use *use);
void home_conf_put(struct conf_use *use);
/* The snapshot for all requests to come; the reference to the one before is given back.  NULL at the
 * very end. */
void home_conf_set(struct home *h, struct conf_use *use);

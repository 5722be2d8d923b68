/* struct home: what one event loop needs to serve HTTP; exists once per loop, and only that loop's thread touches it. */
#pragma once

#include "base/buf.h"
#include "event/disk.h"
#include "event/loop.h"
#include "http/conf.h"
#include "http/date.h"
#include "share/limits.h"
#include "share/log.h"
#include "share/store.h"

struct control;
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

/* Counted by the loop alone; read by others through the control thread's mail. */
struct home_stats {
	uint64_t accepted, refused, requests, bytes_out, bytes_in, shed;
	uint64_t by_class[6];                     /* answers 1xx … 5xx; [0]: ended without an answer */
};

struct home {
	struct loop loop;
	struct conf_use *use;                     /* the current snapshot */
	struct epoch *epoch;
	struct store *hot;
	struct disk *disk;
	struct limits *limits;
	struct pools *pools;
	struct log_ring *ring;
	struct mailbox *slow;                     /* of a thread that may wait: for what could wait for a disk, such as
	                                           * closing a large file that was unlinked */
	struct control *control;                  /* control/admin.h's: what the admin socket asks */
	const struct site *admin;                 /* what answers on the admin socket */
	uint64_t next_id;                         /* of requests; begins at a random number */

	struct link conns;                        /* all of them, those that waited longest first */
	size_t conn_count;
	struct link spares;                       /* exchanges for reuse: see http/h1.c */
	size_t spare_count;
	struct link origins;                      /* connections to servers of pools: struct origin */
	struct str input;                         /* bytes in loop.scratch that the connection being run has not used */
	unsigned fills;                           /* reads that this turn of the connection has had */
	bool draining;

	char date[DATE_B];                        /* valid until date_until_ms on the loop's clock */
	uint64_t date_until_ms;
	int64_t wall_s;                           /* the second that date shows */
	struct buf head;                          /* an answer's head is put together here */
	struct buf line;                          /* a log's line is */
	struct buf asked;                         /* what goes to an origin before a request's body */
	char *inbox;                              /* LOOP_SCRATCH_B bytes: what comes from an origin is read into it */
	size_t coders;                            /* bodies being compressed: see http/coder.h */
	struct home_stats stats;
};

/* The current date, refreshed at most once a second. */
struct str home_date(struct home *h);
/* Seconds since 1970, as home_date() shows them. */
int64_t home_wall_s(struct home *h);
/* The current time for logs, without a look at the clock: "2026-11-20T10:00:00.123Z". */
void home_time_print(struct home *h, struct buf *out);
/* As logs in the common format have it: "20/Nov/2026:10:00:00 +0000". */
void home_time_common(struct home *h, struct buf *out);
/* A reference to the current snapshot, and back. */
struct conf_use *home_conf_get(struct home *h);
void home_conf_put(struct conf_use *use);
/* The snapshot for all requests to come; the reference to the one before is given back.  NULL at the
 * very end. */
void home_conf_set(struct home *h, struct conf_use *use);

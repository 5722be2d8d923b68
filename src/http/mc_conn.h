/* struct mc_conn: one loop's connection to one memcached server: requests go out in the order in which they are
 * asked, all of a turn in one write, and answers come in that order.
 *
 * Each request has an opaque number, which its answer repeats: another number, a word that nobody knows, a wrong length,
 * and the connection is closed; all that waits is lost, which means that it is a miss.  Who waits has a deadline; after it
 * his place in the line stays as a *ghost's*, which swallows the answer when it comes.
 *
 * It tells the server's breaker how it goes.  Belongs to its loop. */
#pragma once

#include <sys/socket.h>

#include "event/loop.h"
#include "http/mc_parse.h"
#include "share/breaker.h"
#include "share/counter.h"

/* How a request ended. */
enum mc_got {
	MC_WAITING,
	MC_ANSWERED,     /* .answer */
	MC_LATE,
	MC_LOST,         /* the connection broke, or was closed */
};

/* Who waits for an answer; embedded in something that lives until `task` was queued, or mc_cancel() was called. */
struct mc_op {
	struct task *task;
	enum mc_got got;
	struct mc_answer answer;
	struct str value;          /* MC_VA: from mem_new(), the asker's; .p NULL: none, or longer than it may be */
	/* The connection's. */
	struct timer timer;
	struct mc_conn *conn;
	uint64_t seq;
	uint64_t wait_ms;
};

/* A request, as the protocol has it. */
struct mc_request {
	const char *verb;          /* "mg", "ms", "md", "ma", "mn" */
	struct str key;            /* not empty, but for mn */
	struct str flags;          /* after the key (and length) and the opaque: "t f c v" */
	unsigned ttl_s;            /* T; 0: none */
	const struct str *parts;   /* ms: the value's, one behind the other */
	size_t part_count;
};

/* What is counted, by the loop alone. */
struct mc_counts {
	struct counter gets, hits, misses, sets, deletes;
	struct counter late, lost;             /* deadlines; requests that a connection took along */
	struct counter errors;                 /* that a server told */
	struct counter skipped;                /* asked nobody: the breaker was open, or there was no connection */
	struct counter full;                   /* the same, because too much waited to be sent */
	struct counter connects;
};

enum mc_state { MC_DOWN, MC_CONNECTING, MC_UP };

/* A request that was sent, or will be. */
struct mc_slot {
	struct mc_op *op;          /* NULL: nobody waits (any more) */
	uint64_t at_ms;            /* when it was sent */
	bool get, sets;
};

struct mc_conn {
	struct watch watch;
	struct loop *loop;
	enum mc_state state;
	struct breaker *breaker;   /* NULL: nobody is told */
	void (*opened)(struct mc_conn *c);  /* the breaker opened by what was told just now */
	struct task *owner;        /* queued when it is up, or down; NULL */
	struct mc_counts *counts;
	uint64_t term;             /* of the breaker, when it was made */
	uint64_t stall_ms;         /* a server that is silent for so long is given up */
	struct timer timer;        /* connecting, or the oldest request's */
	struct task flush;
	struct buf out;
	size_t out_at;             /* bytes of it that are sent */
	struct mc_slot *slots;     /* a ring: the request `seq` is at seq & (cap - 1) */
	uint64_t first, next;      /* seq of the oldest that waits, and of the next one */
	uint64_t unsent;           /* of the first that was not given to the kernel yet */
	size_t cap;
	struct mc_reader reader;
};

enum {
	MC_OUT_MOST_B = 4 << 20,       /* waits to be sent at most; */
	MC_SET_MOST_B = 3 << 20,       /* with what is to be stored, less: others find room when that does not */
	MC_WAITING_MOST = 16384,       /* requests on their way */
	MC_VALUE_MOST_B = 1 << 20,
	MC_CONNECT_MS = 1000,
};

/* opaque: where numbers begin; some random number. */
void mc_conn_init(struct mc_conn *c, struct loop *l, uint64_t opaque);
/* Closes it; what waits is lost. */
void mc_conn_fini(struct mc_conn *c);
/* Begins to connect; it is MC_DOWN. */
void mc_conn_open(struct mc_conn *c, const struct sockaddr *addr, socklen_t length);
/* Closes it, without a word to the breaker. */
void mc_conn_close(struct mc_conn *c);
/* Sends it later in the turn; op NULL: nobody waits for the answer; else so long from when it is sent.  False: too much
 * waits already.  It is MC_UP. */
bool mc_ask(struct mc_conn *c, const struct mc_request *ask, struct mc_op *op, uint64_t wait_ms);
/* Nobody waits for it any more; its task is not queued.  Harmless where it is over: a value that came is freed. */
void mc_cancel(struct mc_op *op);
/* Whether a key can be sent, as it is or in base64. */
bool mc_key_fits(struct str key);

/* struct pool: servers that answer the same requests, as all loops see them: who is there, how busy each one is, who is
 * well, and who waits for a free one.
 *
 * Loops pick without a lock: the list of servers is immutable, found through an atomic pointer and freed by the epochs;
 * what changes in a server are atomics.  Only who has to wait takes the pool's lock, and who ends a request while somebody
 * waits.  The control thread alone changes the list, the rules and the states.
 *
 * A slot is the right to have one request under way on a server.  Whoever picks gets a slot and a reference, and gives
 * both back with peer_leave(). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/str.h"
#include "event/mailbox.h"
#include "share/epoch.h"

enum balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONNECTIONS, BALANCE_RANDOM_TWO, BALANCE_HASH };

/* Why a server gets no new requests; none of them: it does. */
enum peer_state {
	PEER_DRAINING = 1,   /* the operator's wish: only those that stick to it */
	PEER_DOWN = 2,       /* the operator's wish */
	PEER_SICK = 4,       /* active health checks failed */
	PEER_EJECTED = 8,    /* too many errors in a row, until ejected_until_ms */
	PEER_UNRESOLVED = 16,/* its name has no address (yet) */
	PEER_RETIRED = 32,   /* it left the pool; what is under way ends */
};

struct pool;

enum { POOL_WEIGHT_MAX = 256, POOL_CLASSES = 3, POOL_TRIED = 8 };

/* A server as its owner wants it. */
struct peer_spec {
	struct str name;                  /* by which it is known: as configured, or "php/3" of an app */
	struct sockaddr_storage addr;     /* addr_b 0: not known yet */
	socklen_t addr_b;
	unsigned weight;                  /* 1 … POOL_WEIGHT_MAX */
	unsigned connections;             /* requests under way at a time; 0: no bound */
	bool backup;                      /* picked only where no other server can be */
};

/* Touched by one loop alone; a cache line for each. */
struct peer_here {
	struct link idle;                 /* the loop's idle connections to it: struct origin (http/origin.h) */
	uint32_t idle_count;
} __attribute__((aligned(64)));

struct peer {
	/* Immutable. */
	struct pool *pool;                /* which lives as long as its peers do */
	struct str name;                  /* in its own memory */
	struct sockaddr_storage addr;
	socklen_t addr_b;
	bool backup;
	uint64_t id;                      /* of its name: what a sticky cookie holds */
	struct peer_here *here;           /* by the loop's index */
	/* Any thread. */
	_Atomic uint32_t refs;
	_Atomic uint32_t state;           /* enum peer_state */
	_Atomic uint32_t weight, connections;
	_Atomic uint32_t busy;            /* slots taken */
	_Atomic uint32_t open;            /* connections to it, idle ones included */
	_Atomic uint64_t since_ms;        /* when it became ready last: slow start counts from here */
	_Atomic uint64_t ejected_until_ms;
	_Atomic uint32_t failures;        /* in a row */
	_Atomic uint32_t latency_us;      /* to the answer's head, a moving average; 0: none yet */
	_Atomic uint64_t requests, failed, retried; /* since it is known */
	_Atomic uint64_t connects;
	struct retired retired;
};

/* How the pool chooses, and when it gives up; changed as a whole. */
struct pool_rules {
	enum balance balance;
	unsigned queue;                   /* requests that may wait for a slot */
	uint64_t slow_start_ms;
	unsigned eject_after;             /* failures in a row; 0: never */
	uint64_t eject_ms;
	unsigned retry_percent;           /* of requests: what retries may add; 100: as many again */
};

struct pool_stats {
	uint64_t requests, retries, queued, queue_full, none;
	uint64_t queue_late;              /* left the queue without a slot: their time was over, or their client gone */
	uint64_t waiting;                 /* now */
};

struct pools;

/* --- The registry.  Pools stay as they are over reloads.  The control thread's, but for pools_loop(). --- */

struct pools *pools_new(struct epoch *e, unsigned loops);
/* All references are back. */
void pools_free(struct pools *p);
/* Loop `index` takes its mail here; before it picks for the first time. */
void pools_loop(struct pools *p, unsigned index, struct mailbox *box);
struct mailbox *pools_mailbox(const struct pools *p, unsigned index);
unsigned pools_loops(const struct pools *p);
/* The pool of this name, found or made, counted. */
struct pool *pool_get(struct pools *p, struct str name);
/* With the last reference its servers are retired and its name is free; its memory goes when the last of them does, so
 * that who holds a peer needs no reference of the pool. */
void pool_put(struct pool *pool);
/* Each pool, under no lock; see() may change it, and put it. */
void pools_each(struct pools *p, void (*see)(void *arg, struct pool *pool), void *arg);

/* --- The control thread's wishes. --- */

struct str pool_name(const struct pool *pool);
void pool_set_rules(struct pool *pool, const struct pool_rules *rules);
struct pool_rules pool_rules(const struct pool *pool);
/* The servers are these from now on.  One of a name and address that is there already stays, with its counts and states,
 * and takes over weight and connections; the others are retired, or new (ready at once, unless addr_b is 0). */
void pool_set_peers(struct pool *pool, const struct peer_spec *specs, size_t count);
/* Sets and clears bits of its state.  One that becomes ready gets what waits; one that is no longer ejected starts anew:
 * its failures in a row and its latency are forgotten. */
void peer_set_state(struct pool *pool, struct peer *peer, uint32_t set, uint32_t clear, uint64_t now_ms);
/* PEER_EJECTED until then. */
void peer_eject(struct pool *pool, struct peer *peer, uint64_t until_ms, uint64_t now_ms);
void peer_set_weight(struct pool *pool, struct peer *peer, unsigned weight);
void peer_set_connections(struct pool *pool, struct peer *peer, unsigned connections);
/* The server of this name, borrowed until the next pool_set_peers(); NULL. */
struct peer *pool_find(struct pool *pool, struct str name);
/* In the owner's order.  see() may change states, but not the list. */
void pool_each(struct pool *pool, void (*see)(void *arg, struct pool *pool, struct peer *peer), void *arg);
/* Somebody begins to wait in the pool's queue where nobody did: post `wish` to `box`, once; the pool is re-armed by calling
 * this again, and who re-arms it looks at pool_stats().waiting afterwards: some may have begun before.  For who can add
 * servers; from the first call on, a request for which there is no server waits for one.  box NULL ends that. */
void pool_on_demand(struct pool *pool, struct mailbox *box, struct mail *wish);
struct pool_stats pool_stats(const struct pool *pool);

/* --- On loops, within a turn of the loop's epoch. --- */

/* What is known of a request when a server is chosen for it. */
struct pick {
	unsigned loop;                       /* index: a server with an idle connection here is preferred among equals */
	uint64_t now_ms;
	uint64_t hash;                       /* BALANCE_HASH: of the key */
	uint64_t sticky;                     /* the id that a cookie named; 0: none.  A hint: where that server has no room,
	                                      * another is picked */
	const struct peer *tried[POOL_TRIED];  /* not these again, where there is another */
	size_t tried_count;
	bool dry;                            /* nothing is taken: see pool_foresee() */
};

enum picked {
	PICKED,          /* *out: a slot and a reference are the caller's */
	PICK_WAIT,       /* all that could are full: pool_wait() */
	PICK_NONE,       /* there is none that is well */
};
enum picked pool_pick(struct pool *pool, const struct pick *pick, struct peer **out);

/* Whom the next request would get, without getting it: *out is borrowed until the control thread's next change.  The
 * control thread's. */
enum picked pool_foresee(struct pool *pool, const struct pick *pick, struct peer **out);

/* Why a server is passed by. */
enum unfit {
	UNFIT_NOT,           /* it could be picked */
	UNFIT_STATE,         /* peer->state */
	UNFIT_FULL,
	UNFIT_BACKUP,        /* others can be picked */
};
enum unfit pool_unfit(struct pool *pool, const struct pick *pick, const struct peer *peer);

/* Whoever waits for a slot; embedded in something that lives until its mail is delivered or pool_unwait() said true. */
struct pool_waiter {
	struct mail mail;                    /* set deliver */
	struct mailbox *to;
	struct pick pick;
	unsigned class;                      /* 0: first served … POOL_CLASSES - 1 */
	struct peer *peer;                   /* with the mail: a slot and a reference; the receiver's */
	struct link link;                    /* the pool's */
};

enum waits { WAITS_PICKED, WAITS_QUEUED, WAITS_FULL, WAITS_NONE };
/* WAITS_PICKED: one became free meanwhile, it is in w->peer; WAITS_FULL: as many wait as may. */
enum waits pool_wait(struct pool *pool, struct pool_waiter *w);
/* True: w is out, and no mail comes.  False: the mail is on its way, with a slot. */
bool pool_unwait(struct pool *pool, struct pool_waiter *w);

/* How it went with a server, for passive health. */
enum outcome {
	OUTCOME_NONE,        /* nothing can be said: the client left */
	OUTCOME_GOOD,
	OUTCOME_FAILED,      /* no connection, broken off, late, malformed, 5xx where the rules count it */
};
/* Gives back a slot and the reference: the next who waits gets the slot.  latency_us 0: not known. */
void peer_leave(struct pool *pool, struct peer *peer, enum outcome outcome, uint32_t latency_us, uint64_t now_ms);
/* References without a slot: for idle connections. */
void peer_get(struct peer *peer);
void peer_put(struct pool *pool, struct peer *peer);
/* Whether a retry is within the pool's budget; counts it if so. */
bool pool_may_retry(struct pool *pool);

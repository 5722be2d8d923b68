/* What the parts of a pool know of each other: pool.c (registry, lifetimes, the control thread's wishes), pool_list.c (the
 * immutable list), pool_pick.c (choosing), pool_queue.c (waiting, giving back), pool_budget.c
 * (retries). */
#pragma once

#include <pthread.h>

#include "share/pool.h"

/* A point of the consistent ring: a server gets the keys that hash up to it. */
struct ring_point {
	uint64_t hash;
	struct peer *peer;
};

/* The primaries, or the backups. */
struct peer_group {
	struct peer **peers;
	unsigned count;
	struct peer **turns;        /* each as often as its weight says, evenly interleaved */
	unsigned turn_count;
	struct ring_point *ring;    /* BALANCE_HASH: in the order of hashes; else NULL */
	unsigned ring_count;
};

/* The servers and the rules; immutable, replaced as a whole.  Holds a reference of each peer. */
struct peer_list {
	struct retired retired;
	struct pool_rules rules;
	struct peer_group groups[2];   /* by peer->backup */
	struct peer **peers;           /* all, in the owner's order */
	unsigned count;
};

/* A loop's own counters, so that counting a request takes no cache line from another loop. */
struct pool_here {
	_Atomic uint64_t requests;
} __attribute__((aligned(64)));

/* What retries are measured against: the current window and the one before. */
struct budget {
	_Atomic uint64_t since_ms;                  /* the window's beginning; changed under the lock */
	uint64_t requests_base, requests_before;    /* all requests at its beginning; those of the window before */
	uint64_t retries, retries_before;
};

struct pool {
	/* Immutable. */
	struct epoch *epoch;
	struct str name;
	unsigned loops;
	struct pool_here *here;
	/* The control thread's. */
	struct link link;                  /* in the registry */
	struct retired retired;
	size_t users;
	/* Read by every pick. */
	_Atomic(struct peer_list *) list;
	_Atomic uint32_t waiting;          /* in the queue; written under the lock */
	_Atomic bool grows;                /* somebody hears its wish: on_demand */
	_Atomic uint32_t refs;             /* one for the users, one for each peer */
	char apart[64];
	_Atomic uint64_t ticket;           /* whose turn it is */
	char apart_too[64];
	_Atomic uint64_t retries, queued, queue_full, queue_late, none;
	pthread_mutex_t lock;              /* of all that follows */
	struct link classes[POOL_CLASSES]; /* struct pool_waiter, those that came first first */
	struct mailbox *wish_box;
	struct mail *wish;                 /* NULL: posted, or nobody wants it */
	struct budget budget;
};

/* --- pool_list.c --- */

/* Takes over one reference of each peer. */
struct peer_list *list_new(struct peer *const *peers, unsigned count, const struct pool_rules *rules);
void list_free(struct peer_list *l);

/* --- pool.c --- */

/* One reference less; the last one frees the pool. */
void pool_let_go(struct pool *pool);
/* The list; borrowed until the turn ends, or, by the control thread, until it changes it. */
static inline const struct peer_list *pool_list(const struct pool *pool)
{
	return atomic_load(&pool->list);
}
/* All requests since the pool is known. */
uint64_t pool_requests(const struct pool *pool);

/* --- pool_pick.c --- */

/* Whom a request may go to: the first of these rows that has a server at all, with room or without. */
struct reach {
	bool backup;     /* from the backups */
	bool ejected;    /* even those that are ejected */
	bool tried;      /* even those that were tried */
};

/* False where there is no such server at all. */
bool pick_reach(const struct peer_list *l, const struct pick *k, struct reach *out);
/* Whether the server is one of those. */
bool pick_fits(const struct peer *p, const struct pick *k, const struct reach *r);
/* As pool_pick(), whoever waits. */
enum picked pick_now(struct pool *pool, const struct pick *k, struct peer **out);
/* A slot of p; false where all are taken. */
bool slot_take(struct peer *p);
/* It is a request's of this loop now: a reference goes with it. */
void slot_taken(struct pool *pool, struct peer *p, unsigned loop);

/* --- pool_budget.c --- */

/* Begins another window when it is time. */
void budget_turn(struct pool *pool, uint64_t now_ms);

/* --- pool_queue.c --- */

/* After a change by which somebody who waits may have a server now.  Any thread. */
void queue_serve(struct pool *pool, uint64_t now_ms);

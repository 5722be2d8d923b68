/* What the parts of the keeper know of each other: keeper.c (pools, ejections), keeper_server.c (servers and where they
 * are), keeper_wish.c (the operator). */
#pragma once

#include "control/keeper.h"
#include "http/probe.h"
#include "net/resolver.h"

struct keeper {
	struct loop *loop;
	struct pools *pools;
	struct log_ring *ring;
	struct str servers;          /* whom to ask; from mem_new() */
	struct resolver *resolver;   /* NULL until there is a name */
	struct link kept;            /* struct kept_pool */
	struct timer tick;
	uint64_t ticked_ms;
	bool fresh;                  /* the configuration that is being adopted is another one */
};

struct kept_pool {
	struct link link;
	struct keeper *keeper;
	struct pool *pool;           /* counted */
	bool is_app;
	uint64_t latency_factor, eject_ms;
	struct arena arena;          /* of health's texts */
	struct health_conf health;
	struct link servers;         /* struct kept_server, in the order of the configuration, then those added */
};

/* A `server` line, or one that the operator added. */
struct kept_server {
	struct link link;
	struct kept_pool *pool;
	struct server_conf conf;     /* text from mem_new() */
	bool added, removed, keep;   /* by the operator; keep: his changes outlive the configuration */
	bool configured;             /* by the configuration that is being adopted */
	struct resolver_query query; /* name empty: it is an address */
	struct timer again;
	uint64_t retry_ms;           /* to the next question after a failed one; 0: none has failed */
	char why[96];                /* it failed */
	struct link places;          /* struct kept_place: at least one, perhaps without an address */
};

/* Where a server is: a peer of the pool. */
struct kept_place {
	struct link link;
	struct kept_server *server;
	struct resolved at;          /* addr.length 0: not known */
	bool found;                  /* by the answer that is being taken */
	struct buf name;             /* the peer's */
	uint32_t wish;               /* PEER_DRAINING, PEER_DOWN */
	unsigned weight;             /* 0: as configured */
	struct probe probe;
	bool probed;
	uint64_t ejection_ms;        /* until when it is ejected, as last seen; */
	uint64_t looks_before;       /* looks of the probe that had begun by then */
};

/* --- keeper_server.c --- */

struct kept_server *server_new(struct kept_pool *p, const struct server_conf *conf);
void server_free(struct kept_server *s);
/* Also where it was removed; NULL. */
struct kept_server *server_find(const struct kept_pool *p, struct str text);
/* The peer's of this name; NULL. */
struct kept_place *place_named(const struct kept_server *s, struct str name);
/* The operator's changes are forgotten. */
void server_reset(struct kept_server *s);
/* Whether the line now asks for another address. */
bool server_moved(const struct kept_server *s, const struct server_conf *conf);
/* No more looks, of none of its places: before the pool's health_conf changes. */
void server_unprobe(struct kept_server *s);
/* The pool's peers are the places of its servers from now on; their states and probes follow. */
void servers_publish(struct kept_pool *p);

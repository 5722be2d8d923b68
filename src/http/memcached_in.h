/* The inside of a memcached pool: memcached.c, mc_nurse.c and mc_keep.c alone. */
#pragma once

#include "http/memcached.h"
#include "net/addr.h"
#include "net/ketama.h"
#include "net/resolver.h"

/* What one loop has for one server; that loop's alone, but for counts, which may be read. */
struct mc_place {
	struct mc_conn conn;
	struct mc_counts counts;
	struct mc_server *server;
	struct addr addr;                /* length 0: not known yet */
	struct link kept;                /* struct mc_kept: sent, and not answered yet */
	struct link link;                /* of those that the loop has in use */
	bool open;                       /* it is in use */
	uint32_t dice;
} __attribute__((aligned(64)));

/* What a server has to be told for sure: moves from the loop that was to tell it to the control thread. */
struct mc_kept {
	struct link link;
	struct mail mail;
	struct task task;
	struct mc_op op;
	struct mc_place *place;          /* of whom tells it now */
	const char *verb;
	struct str key, flags;           /* own copies */
	unsigned ttl_s;
};

enum nurse_at {
	NURSE_IDLE,      /* the server is well, as far as anybody knows */
	NURSE_REST,      /* until the next look */
	NURSE_CONNECT,
	NURSE_MN,        /* asked whether it is there */
	NURSE_MG,        /* asked for a key, within the deadline that all have */
	NURSE_TELL,      /* tells it what was kept */
};

/* The control thread's. */
struct nurse {
	enum nurse_at at;
	struct task step;
	struct timer timer;
	struct mc_op op;
	uint64_t rest_ms;                /* the next one */
	uint64_t well_ms;                /* when it was well last */
	struct link kept;                /* struct mc_kept: to be told */
	size_t kept_count;
	struct counter kept_now, kept_lost;
	struct resolver_query query;
	struct timer resolve;
	bool named;                      /* its address is looked up */
};

struct mc_server {
	struct memcached *m;
	struct str text, host;
	uint16_t port;
	uint64_t weight;
	struct breaker breaker;
	struct mail opened;              /* to the control thread, */
	_Atomic bool opened_posted;      /* on its way there */
	struct mc_place *places;         /* by seat: the loops', then the control thread's */
	struct nurse nurse;
};

struct memcached {
	struct memcacheds *all;
	struct memcached *next;
	struct str name, text;           /* text: the whole description */
	unsigned refs;
	unsigned seats_left;             /* that have not let go yet, when it ends */
	uint64_t timeout_ms;
	struct memcached *gutter;        /* counted; NULL */
	struct ketama *ring;
	size_t server_count;
	struct mc_server *servers;
};

/* A loop, as far as this is concerned. */
struct mc_seat {
	struct loop *loop;               /* NULL: it ended */
	struct link places;              /* struct mc_place: the loop's own list */
};

struct memcacheds {
	struct loop *control;
	unsigned loops;
	struct mc_seat *seats;           /* by index; [loops]: control */
	struct memcached *first;
	struct log_ring *ring;
	struct resolver *resolver;       /* made for the first name */
};

static inline struct mc_place *place_of(struct mc_server *s, unsigned seat)
{
	return &s->places[seat];
}

/* The connection to ask by, up and of the breaker's current term; NULL: none.  Begins to connect where there should be. */
struct mc_conn *place_conn(struct mc_place *p);

/* What the ring knows a server by, as a piece of its text. */
void memcached_place(struct str text, struct str *host, uint16_t *port);

/* --- mc_nurse.c: the control thread's. --- */
void nurse_init(struct mc_server *s);
void nurse_fini(struct mc_server *s);
/* The breaker opened, or there is something to tell. */
void nurse_call(struct mc_server *s);
/* Mail of a loop whose breaker opened. */
void nurse_opened(struct mail *m);
/* Looks up its name; the answer goes to all loops. */
void nurse_resolve(struct mc_server *s);

/* --- mc_keep.c --- */
/* On the place's loop: tells it, or has the control thread do so. */
void kept_new(struct mc_place *p, const struct mc_request *ask);
/* Sends it on this connection; false: there is no room. */
bool kept_send(struct mc_kept *k, struct mc_conn *c, struct task *task, uint64_t wait_ms);
void kept_free(struct mc_kept *k);
/* Those of a loop that ended. */
void kept_end(struct mc_place *p);

/* struct memcached: a pool of memcached servers as all loops see it: which of them has a key, and whether it is
 * worth asking.
 *
 * A dead, hung, slow or lying server is a miss: never an error, and never a wait beyond the timeout.  Nothing here waits
 * for a connection; nothing that is stored or deleted is waited for; a server whose breaker is open is not asked at all.
 *
 *	mc_parse    what a server says
 *	mc_conn     one loop's connection to one server
 *	memcached   places keys, asks or does not ask, keeps what has to be told to a server that is away
 *	mc_nurse    looks after a server whose breaker opened, on the control thread
 *
 * Immutable but for breakers and what each loop has for itself, so that a pool whose description changes is another one;
 * one that stays the same keeps its connections over reloads.  See docs/why/memcached.md. */
#pragma once

#include "base/directive.h"
#include "http/home.h"
#include "http/mc_conn.h"

struct memcached;
struct memcacheds;
struct conf;

/* --- The configuration: `memcached NAME { … }`. --- */

extern const struct module MEMCACHEDS;

struct memcached_server_conf {
	struct str text;                 /* "10.0.1.1:11211", "unix:/run/memcached.sock", "cache3.example.net:11211" */
	uint64_t weight;
};

struct memcached_conf {
	struct str name;
	struct items servers;            /* struct memcached_server_conf */
	int hash;                        /* 0: ketama */
	uint64_t timeout_ms;             /* of a get; a request waits at most a quarter longer, all in all */
	struct str gutter_name;          /* empty: none */
	const struct memcached_conf *gutter;
	struct memcached *memcached;     /* while the snapshot is open */
};

/* For checks, once main's values are read, and later; NULL. */
const struct memcached_conf *memcached_conf_find(const struct conf *c, struct str name);
/* Each block of a snapshot, in the order of the configuration. */
void memcached_confs_each(const struct conf *c, void (*see)(void *arg, const struct memcached_conf *m), void *arg);
/* In a check hook: as above, and says what is wrong at `value`, with "did you mean". */
struct checker;
const struct memcached_conf *memcached_check(struct checker *c, const void *value, struct str name);

/* --- The registry.  The control thread's. --- */

/* control: the control thread's loop; what went wrong with servers goes to the log. */
struct memcacheds *memcacheds_new(struct loop *control, unsigned loops, struct log *log);
/* All references are back, no loop runs any more. */
void memcacheds_free(struct memcacheds *all);
/* Loop `index` takes its mail; before it runs. */
void memcacheds_loop(struct memcacheds *all, unsigned index, struct loop *l);
/* On the loop, which ends with this turn: nobody is asked any more; who waits is told. */
void memcacheds_stop(struct memcacheds *all, unsigned index);
/* It runs no more, and its requests are gone. */
void memcacheds_end(struct memcacheds *all, unsigned index);
/* One that is described like this, found or made, counted. */
struct memcached *memcached_get(struct memcacheds *all, const struct memcached_conf *conf);
void memcached_hold(struct memcached *m);
void memcached_put(struct memcached *m);

/* --- On loops, and on the control thread, where h is NULL. --- */

/* How long one request may wait for it at all, ms. */
uint64_t memcached_patience_ms(const struct memcached *m);
/* Asks whoever has the key, for at most wait_ms (and the pool's timeout): true: op->task will be queued.  False: nobody can
 * be asked: a miss. */
bool memcached_ask(struct memcached *m, struct home *h, const struct mc_request *ask, struct mc_op *op, uint64_t wait_ms);
/* Nobody waits for it. */
void memcached_tell(struct memcached *m, struct home *h, const struct mc_request *ask);
/* The same for what must not get lost, and may come late or twice: where the server is away it is told once it is back,
 * before it is asked anything.  MEMCACHED_KEPT_MOST of a server's at most. */
void memcached_tell_surely(struct memcached *m, struct home *h, const struct mc_request *ask);
enum { MEMCACHED_KEPT_MOST = 10000, MEMCACHED_GUTTER_S = 60 };

/* Seconds as memcached takes them: at least 1, and never more than what it would take for a date. */
unsigned memcached_ttl_s(uint64_t ms);
enum { MEMCACHED_TTL_MOST_S = 2592000 };

/* --- What they say.  The control thread's. --- */

struct memcached_server_stats {
	struct str name;                 /* as configured; lives as long as the pool */
	enum breaker_state state;
	enum breaker_why why;            /* where it is not closed */
	uint64_t opened;                 /* how often */
	uint64_t gets, hits, misses, sets, deletes, late, lost, errors, skipped, full, connects;
	uint64_t kept, kept_lost;        /* what it has to be told, now; what there was no room for */
};

struct str memcached_name(const struct memcached *m);
size_t memcached_server_count(const struct memcached *m);
void memcached_stats(const struct memcached *m, size_t server, struct memcached_server_stats *out);
/* Each that a configuration in use describes. */
void memcacheds_each(struct memcacheds *all, void (*see)(void *arg, struct memcached *m), void *arg);
/* Which server has a key. */
size_t memcached_pick(const struct memcached *m, struct str key);

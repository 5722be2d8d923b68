/* struct cluster: the tier that machines share: pages in a pool of memcached servers (http/memcached.h), with all that
 * MEMCACHED's meta commands offer against many machines fetching one page at once.
 *
 * Key pc1:<site>:<32 hex digits of a 128-bit hash of the page's key>; the value is a small header (magic, version,
 * checksum) and the page's image, key and all. Whatever is wrong with it is a miss. Tags are purged by a generation
 * number each. Nothing here ever takes longer than the pool's timeouts allow, and nothing ever fails: at worst it
 * is a miss. */
#pragma once

#include "http/page.h"

struct cluster;
struct log_ring;
struct memcached;

enum cluster_got {
	CLUSTER_NOTHING,   /* not there, or nobody could be asked: fetch it, and offer it with cluster_put() */
	CLUSTER_OURS,      /* not there, and all other machines wait for us: fetch it, and put it, or cluster_give_up() */
	CLUSTER_FRESH,     /* page */
	CLUSTER_STALE,     /* page: stale or purged softly, and another machine fetches it anew: use it where that is allowed */
	CLUSTER_RENEW,     /* page: the same, and it is ours to fetch it anew */
};

/* What somebody seeks; embedded in something that lives until `task` was queued, or cluster_leave() was called. */
struct cluster_ask {
	/* The asker's. */
	struct home *home;
	struct store *store;
	struct task *task;
	struct str site;             /* for the key's name: the cache's; lives as long */
	struct str key;              /* the same */
	uint64_t stale_ms;           /* so long before its end it is renewed in any case; 0: when it is stale by its own word */
	uint64_t fill_ms;            /* how long others wait for who fetches it */
	/* The answer. */
	bool over;
	enum cluster_got got;
	struct page *page;           /* one reference, the asker's; NULL */
	uint64_t cas;                /* of what we won: handed to cluster_put() */
	/* The cluster's. */
	void *state;
};

/* On a loop.  True: the answer is there at once (nobody to be asked). */
bool cluster_ask(struct memcached *m, struct cluster_ask *a);
/* Nobody waits any more; harmless where it is over. */
void cluster_leave(struct cluster_ask *a);
/* Offers a page, without waiting; `won`: the ask that CLUSTER_OURS or _RENEW answered, or NULL.  Pages that are not for
 * others (IMAGE_ALONE), or too large, are left out. */
void cluster_put(struct memcached *m, struct home *h, struct str site, struct page *p, const struct cluster_ask *won);
/* What we won can't be stored, or did not come: others need not wait. */
void cluster_give_up(struct memcached *m, struct cluster_ask *a);

/* --- Purges: the control thread's. --- */

/* A cache's part in what all machines purge: tells the others of its own, and hears of theirs, about a second later.
 * purged(): one of theirs; its at_ms is 0 where it is to count from now on. */
struct cluster *cluster_open(struct memcached *m, struct loop *control, struct str site, struct log_ring *ring,
                             void (*purged)(void *arg, struct purge *what), void *arg);
void cluster_close(struct cluster *c);
/* Takes effect in memcached, and on all machines that share it; text: the URL's key, the tag, or the pattern. */
void cluster_purge(struct cluster *c, const struct purge *what, struct str text);
struct cluster_stats {
	uint64_t told, heard;    /* purges: of ours, of others */
	uint64_t waiting, lost;  /* of ours: not yet in the journal; that never came into it */
};
struct cluster_stats cluster_stats(const struct cluster *c);

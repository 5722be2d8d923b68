/* struct station: one event loop with its thread, as the worker's control thread commands it.
 *
 * The control thread never touches a running loop: it posts orders, the loop's thread carries them out and sends them
 * back. */
#pragma once

#include <pthread.h>

#include "http/home.h"
#include "net/listener.h"

/* A listening socket as the worker holds it: one descriptor, or one per loop. */
struct listening {
	struct str name;         /* of its grant: "127.0.0.1:8080" */
	int *fds;
	size_t fd_count;
	bool admin;
};

struct listenings {
	struct listening *p;
	size_t count;
};

enum order_kind {
	ORDER_CONF,     /* this snapshot and these listeners, from now on */
	ORDER_WARM,     /* bring these files into the hot set */
	ORDER_TAPS,     /* requests that are like these are wanted to be seen */
	ORDER_CLOSE,    /* accept nothing more */
	ORDER_DRAIN,    /* end after the requests under way; comes back when all are done */
	ORDER_STOP,     /* cut off what there is, end the loop */
};

struct audience;
struct station;
struct taps;
struct warm;

struct order {
	struct mail mail;
	enum order_kind kind;
	struct station *station;
	struct conf_use *use;                   /* ORDER_CONF */
	const struct listenings *listenings;    /* ORDER_CONF: lives until all stations have answered */
	struct warm *warm;                      /* ORDER_WARM: given away */
	struct taps *taps;                      /* ORDER_TAPS; with the answer, those before */
	struct audience *audience;              /* ORDER_TAPS: whose they are */
	size_t cut;                             /* ORDER_STOP: requests that were under way */
	void (*done)(struct order *o);          /* on the control thread; frees the order */
};

struct station {
	struct home home;
	pthread_t thread;
	struct mailbox *control;
	struct link doors;                      /* struct porch */
	struct order *drain;                    /* not yet answered */
	struct timer drain_timer;
	struct warm *warm;                      /* under way; NULL: none */
};

/* What all stations share. */
struct shared {
	struct epoch *epoch;
	struct store *hot;
	struct disk *disk;
	struct limits *limits;
	struct log *log;
	struct pools *pools;
	struct caches *caches;
	struct memcacheds *memcacheds;
	struct meters *meters;
	struct control *control;
	struct folders *folders;
};

/* Ready for its first order; no thread yet.  0 or -errno. */
[[nodiscard]] int station_init(struct station *s, unsigned index, const struct shared *shared, struct mailbox *control);
/* 0 or -errno. */
[[nodiscard]] int station_start(struct station *s);
/* Any order may be given at any time; the answer comes to the control mailbox. */
void station_order(struct station *s, struct order *o);
/* After ORDER_STOP: waits for the thread. */
void station_join(struct station *s);
/* All threads have ended, the disk engine's, too: takes in what is still in the mail. */
void station_settle(struct station *s);
void station_fini(struct station *s);

/* struct probe: looks again and again whether a server is well, by connecting to it or by asking it for something over
 * HTTP.
 *
 * A small machine on a loop (the control thread's), with one timer: the next look, or the deadline of this one.  Embedded
 * in who wants to know. */
#pragma once

#include "http/backend.h"
#include "event/loop.h"

enum { PROBE_KEPT_B = 64 * 1024, PROBE_WHY_B = 160 };

enum probe_at {
	PROBE_PAUSE,     /* until the next look */
	PROBE_CONNECT,
	PROBE_SEND,
	PROBE_STATUS,    /* waits for the status line */
	PROBE_BODY,      /* looks for the bytes that its body has to contain */
};

struct probe {
	/* Called when it was found well or not for the first time, and when that changed; may stop the probe. */
	void (*changed)(struct probe *p, bool well, const char *why);
	bool well;                       /* as changed() said last */
	bool known;                      /* it was called */
	char why[PROBE_WHY_B];           /* of the last look: "answered 200", "can't be connected to: Connection refused" */
	uint64_t looks;
	uint64_t good;                   /* looks in a row, the last one included, that found it well */

	/* The probe's own. */
	struct loop *loop;
	const struct health_conf *health;
	struct sockaddr_storage addr;
	socklen_t addr_b;
	struct watch watch;              /* fd -1: not connected */
	struct timer timer;
	enum probe_at at;
	uint64_t in_a_row;               /* looks that said the opposite of `well` */
	uint64_t chance;                 /* of the pauses' lengths */
	struct buf ask;                  /* the request */
	size_t ask_at;
	size_t rest_b;               /* read of an answer that is judged already */
	struct buf got;                  /* at most PROBE_KEPT_B bytes of the answer; empty while it pauses */
};

/* health is borrowed until probe_fini(); host: of the Host field, where the configuration names none. */
void probe_init(struct probe *p, struct loop *l, const struct health_conf *health, struct str host);
/* Looks at this address from now on; the first look is at once. */
void probe_start(struct probe *p, const struct sockaddr_storage *addr, socklen_t addr_b);
/* No more looks; harmless where it was not started. */
void probe_fini(struct probe *p);

/* struct resolver: names become addresses, without anybody waiting: c-ares, driven by a loop.
 *
 * Of a host that has both, only the IPv4 addresses are found: it would be two servers else, the second of which often does
 * not listen.
 *
 * Asks as the system is set up to (/etc/hosts, /etc/resolv.conf, which is read again when it changes), or the servers it
 * was given.  All of it on the loop's thread. */
#pragma once

#include "event/loop.h"
#include "net/addr.h"

struct resolver;
struct asked;

/* One address of a name, with the port that was asked for, or that its SRV record says. */
struct resolved {
	struct addr addr;
	uint16_t priority, weight;   /* of its SRV record (RFC 2782): the lowest priority first; else 0 */
};

struct resolver_answer {
	int err;                     /* 0; -ENOENT: there is no such name, or it has no address; -ETIMEDOUT; -EINVAL; -EIO */
	const char *why;             /* a phrase about err */
	const struct resolved *found;/* in an order that does not change from answer to answer; gone after done() */
	size_t count;                /* at least one where err is 0 */
	uint64_t ttl_ms;             /* of the record that lives shortest */
};

/* Embedded in who asks. */
struct resolver_query {
	struct str name;             /* the caller's; copied */
	uint16_t port;               /* host byte order; not of SRV */
	bool srv;                    /* the name is of SRV records: "_http._tcp.example.org", or any other */
	uint64_t timeout_ms;         /* for all of it */
	/* Later in the turn, or in a later one; exactly once, unless it is cancelled.  May ask again. */
	void (*done)(struct resolver_query *q, const struct resolver_answer *a);
	struct asked *asked;         /* the resolver's; NULL: nothing is under way */
};

/* servers: "127.0.0.1:5353,[::1]:53"; empty: the system's.  0, or -errno. */
[[nodiscard]] int resolver_new(struct resolver **out, struct loop *l, struct str servers);
/* Queries that are under way are forgotten. */
void resolver_free(struct resolver *r);
/* q is not under way. */
void resolver_ask(struct resolver *r, struct resolver_query *q);
/* done() will not be called; harmless where nothing is under way. */
void resolver_cancel(struct resolver_query *q);

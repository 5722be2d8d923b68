/* Listening sockets: opened by the supervisor, which keeps them through crashes and reloads; accepted from by loops.
 *
 * A listener is shared by all loops (one descriptor, the kernel wakes one of them) or, with `reuseport`, has one
 * descriptor per loop.  Either way the descriptors stay open in the supervisor, so that connections wait in the
 * kernel's queue while a worker is replaced, and none is refused. */
#pragma once

#include "event/loop.h"
#include "net/addr.h"

#define GROUP_OWN ((gid_t)-1)

/* A `listen` line, or an `admin` line. */
struct listen_spec {
	struct addr addr;
	bool reuseport;
	bool v6only;
	uint64_t backlog;
	struct str mode;      /* of a Unix socket, octal text; empty: 0666 */
	bool admin;           /* an `admin` line, not a `listen` line */
	struct str group;     /* of an admin socket's file; empty: that of who starts petrel */
	gid_t gid;            /* the number of that, once it is wanted; GROUP_OWN: none is */
	struct str token;     /* of an admin address over TCP: who may ask there */
	bool proxy;           /* each connection begins with a PROXY protocol head */
	struct str stream;    /* the pool that its bytes go to; empty: HTTP is spoken */
};

/* Opens, binds, listens: *fd, or -errno with a sentence in error (error_n bytes) that names the address and what to do.
 * A Unix socket's old file is removed only where nobody answers on it. */
[[nodiscard]] int listener_open(const struct listen_spec *spec, int *fd, char *error, size_t error_n);
/* Makes a socket that listens already, for us or from systemd, what spec wants: backlog, mode, reuseport, non-blocking.
 * 0 or -errno. */
[[nodiscard]] int listener_adjust(int fd, const struct listen_spec *spec);
/* A socket that systemd passed (LISTEN_FDS): true where fd listens on spec's address. */
bool listener_is(int fd, const struct listen_spec *spec);

/* One loop's side of a listener. */
struct door {
	struct watch watch;
	struct loop *loop;
	struct timer pause;          /* descriptors ran out: accepting goes on when it fires */
	/* The connection is the callee's; from is who it is. */
	void (*accepted)(struct door *d, int fd, const struct ip *from);
	/* accept4() failed for want of descriptors or memory: err is -EMFILE, -ENFILE, -ENOBUFS or -ENOMEM.  Told
	 * once per pause. */
	void (*starved)(struct door *d, int err);
	bool paused;
};

enum { DOOR_PAUSE_MS = 100, DOOR_BATCH = 32 };

/* Accepts on fd (borrowed) from now on.  The caller set accepted and starved.  0 or -errno. */
[[nodiscard]] int door_open(struct door *d, struct loop *l, int fd);
/* Accepts no more; the descriptor stays open. */
void door_close(struct door *d);

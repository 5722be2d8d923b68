/* The channel between the supervisor and its worker: small messages with descriptors, over a SOCK_SEQPACKET pair.
 *
 * The supervisor grants: it opens what needs rights (listening sockets, log files, the hot list) and sends it along
 * with the texts of a configuration that it has checked; the worker builds the snapshot from the same bytes and says
 * when it is in effect.  The worker is not trusted: whatever it sends is bounds-checked, and can only ask for a
 * reload, for logs to be reopened, or for a bounded document to be kept. */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "event/packet.h"

enum channel_kind {
	/* supervisor → worker */
	CHANNEL_GRANT,    /* text: what it is ("listen 127.0.0.1:80", "log /path", "hot /path"); fds: of it */
	CHANNEL_CONF,     /* text: empty; fd: a memfd with the sources (config/source.h).  All grants came before */
	CHANNEL_REOPEN,   /* text: empty; the logs granted before it replace those of the same name.  From a worker: someone
	                   * asked on the admin socket to have them opened anew */
	CHANNEL_DRAIN,    /* finish what is under way, until the configured deadline, then exit 0 */
	CHANNEL_STOP,     /* exit 0 soon */
	CHANNEL_RELOADED, /* the answer to CHANNEL_RELOAD.  text: JSON: {"ok":bool,"messages":[…]} */
	CHANNEL_HUP,      /* SIGHUP had the configuration read again, and it is in effect; text: "PID UID" of who sent it */
	CHANNEL_SPAWNER,  /* text: empty; fd: the worker's end of a new spawner's pair (event/spawn.h).  It has all
	                   * configurations before the worker has them */
	CHANNEL_STATE,    /* text: empty; fd: a memory file with what is kept (control/state.h), before the first configuration.
	                   * From a worker: what is kept now */
	CHANNEL_KEPT,     /* the answer to that.  text: why it could not be written to the state file; empty: it was */
	/* worker → supervisor */
	CHANNEL_READY,    /* the configuration sent last is in effect; text: how many loops answered, for the log */
	CHANNEL_FAILED,   /* it is not; text: why */
	CHANNEL_RELOAD,   /* someone asked on the admin socket; answered by CHANNEL_RELOADED */
	CHANNEL_LAST = CHANNEL_RELOAD,
};

enum { CHANNEL_TEXT_B = 60000, CHANNEL_FDS = PACKET_FDS };

struct channel_message {
	enum channel_kind kind;
	struct buf text;
	int fds[CHANNEL_FDS];
	size_t fd_count;
};

/* Both ends, close-on-exec.  0 or -errno. */
[[nodiscard]] int channel_pair(int ends[2]);
/* Blocks until sent; the fds stay the caller's.  0 or -errno (-EPIPE: the other end is gone). */
[[nodiscard]] int channel_send(int end, enum channel_kind kind, struct str text, const int *fds, size_t fd_count);
/* One message, without blocking: 0; -EAGAIN; -EPIPE (the other end is gone); -EBADMSG.  The fds are the caller's. */
[[nodiscard]] int channel_receive(int end, struct channel_message *m);
/* Closes the fds that were not taken (set to -1), frees the text. */
void channel_message_fini(struct channel_message *m);

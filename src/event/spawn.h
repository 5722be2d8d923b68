/* What a worker and its spawner say to each other, over a packet pair: the worker asks for processes that the
 * configuration names and is told what became of them.
 *
 * The spawner has rights that the worker has not, and does not trust it: what a message asks for is looked up in the
 * configuration that the supervisor sent, by name.  An id is the worker's, for one process, never used again. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

enum spawn_kind {
	/* worker → spawner */
	SPAWN_START = 1,  /* name: an app's; number: the port for $PORT, or 0; fd: its listening socket, where it has one */
	SPAWN_RUN,        /* name: the path of a CGI program, as it was asked for; text: its variables, "NAME=value" with a NUL
	                   * behind each, of which DOCUMENT_ROOT says below which root of the configuration it is; fd: its
	                   * standard input and output */
	SPAWN_NOTIFY,     /* name: a way to tell somebody of alerts; text: what is to be told: a line, and what the process is
	                   * to read from its standard input */
	SPAWN_SIGNAL,     /* number: to the whole group of the process; one that has ended: nothing */
	SPAWN_LOOK,       /* answered by SPAWN_SEEN; one that has ended: nothing */
	/* spawner → worker */
	SPAWN_STARTED,    /* number: its pid; fd: where what it says on standard output and error can be read */
	SPAWN_FAILED,     /* number: errno; text: what could not be done.  The id is gone */
	SPAWN_ENDED,      /* number: of waitpid(2).  The id is gone */
	SPAWN_SEEN,       /* memory_b, descriptors */
	SPAWN_LAST = SPAWN_SEEN,
};

enum { SPAWN_NAME_B = 4096, SPAWN_TEXT_B = 60000, SPAWN_FDS = 2 };

/* What SPAWN_FAILED says of a SPAWN_RUN whose file is not there, or is no program: whoever asked for it was wrong, and not
 * its operator. */
#define SPAWN_NO_PROGRAM "it is no program"

struct spawn_message {
	enum spawn_kind kind;
	uint64_t id;
	int64_t number;
	uint64_t memory_b;      /* resident, of the process and its descendants */
	uint64_t descriptors;   /* open, of that one of them that has most */
	struct str name, text;  /* borrowed */
};

struct spawn_received {
	struct spawn_message m; /* its texts lie in bytes */
	struct buf bytes;
	int fds[SPAWN_FDS];     /* -1: none */
};

/* The message as bytes, behind what out holds. */
void spawn_encode(const struct spawn_message *m, struct buf *out);
/* 0 or -EBADMSG; name and text lie in bytes. */
[[nodiscard]] int spawn_decode(struct str bytes, struct spawn_message *m);

/* fds: fd_count of them, the caller's.  wait: until there is room, five seconds at most; else -ETIMEDOUT at once.  0 or
 * -errno as packet_send(). */
[[nodiscard]] int spawn_send(int end, const struct spawn_message *m, const int *fds, size_t fd_count, bool wait);
/* One message, without blocking: 0, -EAGAIN, -EPIPE, -EBADMSG.  r begins zeroed and keeps its memory from message to
 * message. */
[[nodiscard]] int spawn_receive(int end, struct spawn_received *r);
/* The descriptor, which is the caller's from now on; -1: there is none. */
int spawn_take_fd(struct spawn_received *r, size_t at);
/* Closes descriptors that were not taken. */
void spawn_drop_fds(struct spawn_received *r);
void spawn_received_fini(struct spawn_received *r);

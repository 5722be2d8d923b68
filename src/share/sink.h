/* struct log_sink: where lines go.  The writer gathers lines in it and flushes them; it never waits for a pipe, a
 * terminal or a socket, only for a regular file's disk.  Lines past PENDING_MAX_B are refused meanwhile. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/list.h"
#include "share/log.h"

enum {
	PENDING_MAX_B = 1 << 20,
	SYSLOG_MAX_B = 8192,      /* of a datagram; longer lines are cut */
};

enum sink_kind {
	SINK_FILE,     /* write() takes all, or fails */
	SINK_STREAM,   /* pipe, terminal, socket: asked first, then written a little at a time */
	SINK_SYSLOG,   /* a datagram for each line, at once */
};

struct log_sink {
	struct link all;         /* the log's lock, as the next two */
	unsigned refs;
	int next_fd;             /* what log_sink_reopen() brought; -1: nothing */
	struct str name;         /* in its own memory; constant */
	/* The writer's alone. */
	enum sink_kind kind;
	int fd;
	int move_fd;             /* to go on with; -1: none */
	struct buf pending;
	size_t written_b;        /* of pending */
	uint64_t lines;          /* in pending */
	bool torn;               /* what was last written ends within a line whose rest is lost */
	struct sockaddr_storage peer;  /* SINK_SYSLOG: who it is connected to */
	socklen_t peer_b;
	uint64_t told_ms;        /* when the last failure was told */
	struct link dirty;       /* something is to be done with it */
};

/* What sinks count; written by the writer. */
struct sink_counts {
	_Atomic uint64_t written, dropped, write_errors;
};

struct log_sink *sink_new(struct str name, int fd);
/* What is pending is lost and counted.  Closes fd, but never standard error. */
void sink_free(struct log_sink *s, struct sink_counts *counts);
/* False where it is full or could not be sent. */
bool sink_add(struct log_sink *s, enum log_level level, struct str line, struct sink_counts *counts);
/* Moves to another descriptor where one was brought, and writes.  True when nothing is pending any more, written or
 * lost. */
bool sink_flush(struct log_sink *s, struct sink_counts *counts);

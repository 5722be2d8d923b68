/* struct log: how lines get from loops to files without a loop ever waiting for one.
 *
 * Each thread that logs has a ring of its own (single producer, single consumer); one writer thread collects from all
 * rings and writes in batches.  A full ring drops the record and counts it, and the count is logged when there is room
 * again.  The error log takes the same way, with at most one line a second per message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct log;       /* the writer, its sinks and rings */
struct log_ring;  /* a thread's own way in */
struct log_sink;  /* where lines go: a file, standard output or error, syslog */

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Starts the writer thread; ring_b is the size of each ring.  0 or -errno. */
[[nodiscard]] int log_new(struct log **out, size_t ring_b);
/* Writes what is in the rings, then ends the writer.  At most a second: a disk that hangs can't stop the stop. */
void log_free(struct log *l);
/* A ring for the calling thread, which is the only one to use it; lives as long as the log. */
struct log_ring *log_ring_new(struct log *l);

/* A sink on an open descriptor, found again by its name: the same name gives the same sink, counted.  fd is taken over
 * (closed where the sink existed).  syslog: name "syslog:…", fd a connected datagram socket; lines get a <priority>. */
struct log_sink *log_sink_get(struct log *l, struct str name, int fd);
void log_sink_put(struct log *l, struct log_sink *s);
/* From now on the sink writes to fd (rotation: SIGUSR1); takes fd over, closes the old one. */
void log_sink_reopen(struct log *l, struct str name, int fd);
/* Where log_note() goes; standard error until set.  The log takes a reference of its own. */
void log_errors_to(struct log *l, struct log_sink *s, enum log_level level);

/* One line, with its newline.  Never blocks; false where it was dropped. */
bool log_write(struct log_ring *ring, struct log_sink *sink, struct str line);
/* A line of the error log: time, level, text.  The same format at most once a second per ring, with a count of what
 * was left out; the address of `format` tells messages apart, so it has to be a literal. */
[[gnu::format(printf, 3, 4)]] void log_note(struct log_ring *ring, enum log_level level, const char *format, ...);
/* The same, each time: for who bounds itself how often it is called. */
[[gnu::format(printf, 3, 4)]] void log_line(struct log_ring *ring, enum log_level level, const char *format, ...);

struct log_stats {
	uint64_t written, dropped, write_errors;
};
struct log_stats log_stats(const struct log *l);

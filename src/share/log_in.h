/* What the parts of the log know of each other: log.c and note.c. */
#pragma once

#include "share/ring.h"
#include "share/sink.h"

/* Notes of this level are printed. */
bool log_wants(const struct log *l, enum log_level level);
/* Into the ring, and wakes the writer where it sleeps.  sink NULL: the error log. */
bool log_put(struct log_ring *ring, struct log_sink *sink, enum log_level level, struct str line);

/* "2026-11-20T10:00:00.123Z", of milliseconds since 1970. */
size_t note_time(char *p, size_t size_b, uint64_t wall_ms);
/* text without anything that could begin a line or talk to a terminal: "\x1b".  p has room for 4 * text.n bytes and
 * one more. */
size_t note_escape(char *p, struct str text);
/* A whole line; room for 4 * text.n + 64 bytes. */
size_t note_print(char *line, enum log_level level, struct str text);

/* struct log_ring: records from one thread, the producer, to the log's writer.
 *
 * Head and tail only count up; a record is contiguous, and what is too little for one at the ring's end is skipped.
 * Bytes belong to the writer between tail and head, to the producer elsewhere. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "share/log.h"

enum { NOTES_KNOWN = 32 };

/* A message of the error log that was printed lately. */
struct note {
	const char *format;
	uint64_t printed_ms;
	uint64_t left_out;
};

struct record {
	struct log_sink *sink;   /* NULL: the error log, wherever it goes by then */
	uint32_t length_b;
	uint32_t level;
};

struct log_ring {
	struct log *log;
	struct log_ring *next;               /* of all; set before others see the ring */
	size_t size_b;                       /* a power of two */
	char *bytes;
	_Atomic uint64_t head;               /* the producer's: written up to here */
	_Atomic uint64_t dropped;            /* the producer's, as the next two */
	struct note notes[NOTES_KNOWN];
	_Atomic uint64_t tail;               /* the writer's: taken up to here */
	uint64_t dropped_told;               /* the writer's: of `dropped`, so many were told of */
};

struct log_ring *ring_alloc(struct log *l, size_t size_b);
void ring_release(struct log_ring *r);
/* The producer's: false, and counted, where there is no room. */
bool ring_put(struct log_ring *r, struct log_sink *sink, enum log_level level, struct str line);
/* Where what is there by now ends. */
uint64_t ring_end(const struct log_ring *r);
/* The writer's: the oldest record before `end` and its line, or NULL.  ring_next() when it is used up. */
const struct record *ring_peek(struct log_ring *r, uint64_t end, struct str *line);
void ring_next(struct log_ring *r, const struct record *oldest);
/* So many bytes wait. */
size_t ring_used_b(const struct log_ring *r);

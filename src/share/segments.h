/* struct segments: records in a folder's files, found by the hash of a key: bounded in bytes, and there again after a
 * restart, however the last run ended.
 *
 * A record is a head and a body, both only bytes here.  It is appended to the newest *segment*, a file that is written
 * from front to back and never changed; when the bound is reached, the oldest segment goes as a whole.  Where a record is
 * stands in the *index*, a file of fixed size that is read and written in place: a hint, no more.  What a record is worth
 * is said by its checksums, and by the hash of its key: whatever is torn, flipped, or somewhere else is not found.
 *
 * Reads are any thread's, and say whether they may wait: a loop's may not, gets -EAGAIN, and has the engine fetch what
 * the kernel lacks (or wait).  Writes are one thread's at a time, by whoever is the worker of a batch (share/batch.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/str.h"

struct segments;
struct segment;   /* one open file, counted */

/* Of a key, with the folder's seed. */
struct digest {
	uint64_t low, high;
};

/* Where a record is. */
struct extent {
	uint32_t segment;    /* its number */
	uint64_t at_b, length_b;
};

enum {
	RECORD_FIRST_B = 4096,          /* what is read of a record at first: most of them whole */
	RECORD_HEAD_MOST_B = 256 * 1024,
};

/* What the folder keeps; dir_fd is taken over, also where it fails.  0 or -errno with *why. */
[[nodiscard]] int segments_open(struct segments **out, int dir_fd, uint64_t bound_b, const char **why);
/* Nobody writes or looks for anything any more; segments that are referenced live on. */
void segments_free(struct segments *s);
/* From the next write on. */
void segments_bound(struct segments *s, uint64_t bound_b);
/* Whether the folder began empty, so that nothing from before can be found: of segments_open(). */
bool segments_are_new(const struct segments *s);
/* The number that tells this folder from others, and from itself before it was begun anew. */
uint64_t segments_seed(const struct segments *s);
/* Borrowed, for files beside the segments. */
int segments_folder(const struct segments *s);
struct digest segments_digest(const struct segments *s, struct str key);

int segment_fd(const struct segment *g);
void segment_get(struct segment *g);
void segment_put(struct segment *g);
/* Its file takes room beside the bound for as long as somebody has a reference. */
bool segment_is_gone(const struct segment *g);

/* --- Reading. --- */

/* A look-up under way. */
struct seek {
	struct digest key;
	bool wait;                /* the kernel may wait for the disk */
	unsigned next;            /* the slot to look at next; 0 begins */
	/* After -EAGAIN: what the kernel does not have at hand. */
	int fd;
	uint64_t offset_b, length_b;
	struct segment *segment;  /* whose that is, referenced; NULL: the index's */
};

struct record {
	struct segment *segment;  /* referenced */
	struct extent extent;
	uint64_t head_b, body_b;  /* lengths, as its checksum has them */
	uint64_t head_sum, body_sum;
	size_t first_b;           /* as much of it as is in first */
	char *first;              /* RECORD_FIRST_B bytes of the caller's, set before segments_seek() */
};

/* The next record that may be of the key: 0; -ENOENT: there is none, or none any more; -EAGAIN, unless it may wait;
 * -EOPNOTSUPP: this file system always waits; or what the disk said. */
[[nodiscard]] int segments_seek(struct segments *s, struct seek *k, struct record *r);
/* Lets go of what -EAGAIN held. */
void seek_fini(struct seek *k);
void record_fini(struct record *r);
/* As much of the head as was read with it, not yet compared with its checksum. */
struct str record_begin(const struct record *r);
/* The head, or the body, into memory of its length, compared with its checksum: 0, -EBADMSG, or as segments_seek(). */
[[nodiscard]] int record_head(const struct record *r, struct seek *k, void *to);
[[nodiscard]] int record_body(const struct record *r, struct seek *k, void *to);
/* Where the body begins in the segment's file. */
uint64_t record_body_at(const struct record *r);
/* Reads all of the body and compares it; waits. */
[[nodiscard]] int record_body_check(const struct record *r);
/* Whether the segment of this number, of which the low 16 bits will do, is so old that it goes soon, or is gone.  Cheap. */
bool segments_is_old(const struct segments *s, uint16_t number);

/* --- Writing: one thread at a time. --- */

/* Has it written, perhaps with others, by segments_flush() at the latest.  0, -E2BIG (it is too large for this folder), or
 * what the disk said, and then all since the last flush is lost. */
[[nodiscard]] int segments_put(struct segments *s, struct digest key, struct str head, const struct iovec *body,
                               size_t body_count);
/* Writes the key's record once more, at the front, where its segment goes soon; *number: the segment that has it then, or 0
 * where none has.  As segments_put(). */
[[nodiscard]] int segments_move(struct segments *s, struct digest key, uint32_t *number);
/* The one that is written to now; 0: none. */
uint32_t segments_newest(const struct segments *s);
/* From here on the records can be found. */
[[nodiscard]] int segments_flush(struct segments *s);
/* The key's record is not found any more. */
[[nodiscard]] int segments_drop(struct segments *s, struct digest key);
/* Any thread: something that was to be forgotten is not, and nothing is found from now on. */
void segments_blind(struct segments *s);
/* How often that happened; 0: never, or it is mended. */
unsigned segments_blindness(const struct segments *s);
/* The worker's: forgets all, and mends what had happened by `seen`.  0 or -errno. */
[[nodiscard]] int segments_forget(struct segments *s, unsigned seen);
/* Closes what nobody has open any more. */
void segments_tidy(struct segments *s);
/* The worker's: whether segments went since it was last asked, and somebody has one that did. */
bool segments_strand(struct segments *s);

/* --- Counting: any thread. --- */

enum segments_event { SEGMENTS_HIT, SEGMENTS_MISS, SEGMENTS_DROPPED, SEGMENTS_BAD, SEGMENTS_ERROR, SEGMENTS_EVENTS };

void segments_count(struct segments *s, enum segments_event what);
/* Writing failed: it is off until then (clock_ms()). */
void segments_off(struct segments *s, int err, uint64_t until_ms);
/* Why writing is off; 0: it is not. */
int segments_is_off(const struct segments *s, uint64_t now_ms);

struct segments_stats {
	uint64_t bytes, bound_b, segments, written, written_b;
	uint64_t events[SEGMENTS_EVENTS];
};
struct segments_stats segments_stats(struct segments *s);

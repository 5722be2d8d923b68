/* What the parts of the segments know of each other: segments.c (the files), segments_index.c, segments_read.c,
 * segments_write.c.  All integers in the files are as this machine has them: another's are not understood, and so not
 * there. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "share/segments.h"

enum {
	SEGMENT_LEAST_B = 4 << 20,
	SEGMENTS_IN_BOUND = 64,        /* so many make up the bound */
	SEGMENTS_MOST = 192,           /* open at once, however small */
	SLOTS = 32,                    /* of a bucket */
	BUCKET_B = 512,
	INDEX_HEAD_B = 4096,
	OBJECT_B = 512,                /* of the bound for each slot of the index: that is a thirty-second of it */
	SLOTS_MOST = 20000000,
	UNIT_B = 8,                    /* offsets and lengths are in these, and records aligned to them */
	STAGE_B = 1 << 20,             /* records that are written together */
	STAGE_RECORD_B = 64 * 1024,    /* larger ones go out from where they lie */
	STAGE_RECORDS = 8192,
};

/* An offset is 32 bits of units: twice as much could be told. */
#define SEGMENT_MOST_B (UINT64_C(16) << 30)

/* A hint: 16 bytes. */
struct slot {
	uint32_t segment;              /* 0: free */
	uint32_t at, length;           /* in units */
	uint32_t tag;                  /* of the digest */
};

struct bucket {
	struct slot slots[SLOTS];
};
_Static_assert(sizeof(struct bucket) == BUCKET_B, "buckets are of one size");

/* The first bytes of the index. */
struct index_head {
	char magic[8];
	uint64_t version;
	uint64_t buckets;
	uint64_t seed;                 /* of digests and of checksums: another folder's records are not ours */
	uint64_t sum;
};

/* What stands before a record's head and body. */
struct record_mark {
	uint32_t magic;
	uint32_t version;
	struct digest key;
	uint64_t head_b, body_b;
	uint64_t head_sum, body_sum;
	uint64_t sum;                  /* of the above, of its place and the folder's seed */
};
_Static_assert(sizeof(struct record_mark) == 64, "records begin with 64 bytes");

struct segment {
	struct segments *owner;
	_Atomic uint32_t refs;
	int fd;
	uint32_t number;
	struct segment *next;          /* among the dead */
	_Atomic bool gone;             /* its file has no name any more */
	_Atomic uint64_t size_b;       /* the worker's to change */
};

/* A record that is written, and not yet in the index. */
struct staged {
	struct digest key;
	struct extent extent, instead;   /* instead.segment 0: whatever is there */
};

struct segments {
	_Atomic uint32_t refs;         /* its owner's, and one of each segment */
	int dir_fd, index_fd;
	uint64_t buckets, seed;
	bool is_new;
	_Atomic uint64_t bound_b;
	_Atomic uint64_t bytes;        /* of all segments */
	_Atomic uint64_t events[SEGMENTS_EVENTS];
	_Atomic uint64_t written, written_b;
	_Atomic uint64_t off_until_ms;
	_Atomic int off_why;
	_Atomic uint32_t old_until;    /* the number of the newest segment that goes soon; 0: none does */
	_Atomic unsigned blind;        /* how often what was to be forgotten was not: nothing is found while there is any */
	pthread_mutex_t lock;          /* of the four below; the worker alone changes live */
	struct segment *live[SEGMENTS_MOST];   /* oldest first */
	size_t live_count;
	struct segment *dead;          /* nobody has a reference: to be closed */
	bool ended;                    /* the owner is gone: nobody looks at `dead` */
	/* The worker's. */
	uint32_t next_number;
	bool sealed;                   /* nothing more is written to the newest */
	bool went;                     /* a segment did, since segments_strand() was asked */
	char *stage;
	uint64_t stage_b, stage_at_b;  /* what is in it, and where that goes in the newest */
	uint64_t stage_room_b;         /* up to what there is room for */
	struct staged *staged;
	size_t staged_count;
};

static inline uint64_t units_up(uint64_t n)
{
	return (n + UNIT_B - 1) / UNIT_B * UNIT_B;
}

/* The segment of this number, referenced, or NULL. */
struct segment *segments_find(struct segments *s, uint32_t number);
/* The worker's: whether there is one. */
bool segments_have(const struct segments *s, uint32_t number);
/* The worker's: the newest, with room for so many bytes: a new one, where need be, for which the oldest go.  0 or
 * -errno. */
[[nodiscard]] int segments_front(struct segments *s, uint64_t need_b, struct segment **out);
/* So large that SEGMENTS_IN_BOUND make up the bound, or a quarter of a small one. */
uint64_t segments_size_b(const struct segments *s);
/* The worker's: so much was written to the newest. */
void segments_grew(struct segments *s, struct segment *g, uint64_t size_b);
/* Into memory from a file, as a whole.  0, -EAGAIN, -EOPNOTSUPP, -EBADMSG (it ends before), or -errno. */
[[nodiscard]] int segments_read(int fd, void *to, uint64_t n, uint64_t at_b, bool wait);
[[nodiscard]] int segments_write(int fd, const void *from, uint64_t n, uint64_t at_b);
/* The checksum of a mark in its place. */
uint64_t record_sum(const struct segments *s, const struct record_mark *m, uint32_t segment, uint64_t at_b);
void record_mark_init(struct record_mark *m, struct digest key, uint64_t head_b, uint64_t body_b);
/* Whether it looks like one, true or not. */
bool record_mark_begins(const struct record_mark *m);
bool record_mark_fits(const struct segments *s, const struct record_mark *m, const struct extent *at, struct digest key);

/* --- The index. --- */

/* Opens it, or begins it anew: *fresh.  0, or -errno with *why. */
[[nodiscard]] int index_open(struct segments *s, uint64_t bound_b, const char **why);
uint64_t index_size_b(const struct segments *s);
uint64_t index_bucket_at(const struct segments *s, struct digest key);
uint32_t index_tag(struct digest key);
/* The worker's. */
[[nodiscard]] int index_set(struct segments *s, const struct staged *t);
[[nodiscard]] int index_drop(struct segments *s, struct digest key);

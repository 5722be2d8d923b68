/* struct page: an answer of an origin as caches keep it: what is found by a request's key in memory, on disk, in memcached.
 *
 * A page is an object of a cache's store (share/store.h): immutable, borrowed for the turn, counted for longer.  All that
 * is to be kept of an answer stands in its *image*, one run of bytes that is the same in all tiers:
 *
 *	struct image | tags | key | fields | body
 *
 * so that a page is written to disk, or sent to memcached, as it lies in memory.  Integers are little-endian.  What was
 * read from outside is checked once (image_check()), and nothing of it is trusted before. */
#pragma once

#include "http/req.h"
#include "share/blob.h"
#include "share/purges.h"
#include "share/store.h"

/* What a page is good for beside its times. */
enum image_flag {
	IMAGE_VALIDATE = 1,     /* never without asking the origin: no-cache */
	IMAGE_NO_STALE = 2,     /* never stale: must-revalidate, proxy-revalidate, s-maxage */
	IMAGE_HEURISTIC = 4,    /* its lifetime is a guess (RFC 9111, 4.2.2) */
	IMAGE_ALONE = 8,        /* not for the tier that other machines share: the answer to Authorization without `public`;
	                         * of IMAGE_PASS: for requests that say who is asking (ask_tells()) */
	IMAGE_VARY = 16,        /* no answer: its fields are the one Vary; the key of what is sought has those fields as well */
	IMAGE_PASS = 32,        /* no answer: what is asked for by this key can't be stored; ask the origin, don't wait */
	IMAGE_CODED = 64,       /* made by petrel of another page: compressed */
	IMAGE_FLAGS = 127,
};

enum { IMAGE_TAGS_MOST = 256, IMAGE_FIELDS_MOST = 64 * 1024, IMAGE_KEY_MOST = 16 * 1024 };

/* body_b of a head whose body is still to come, where nobody knows how long it will be. */
#define PAGE_LENGTH_UNKNOWN UINT64_MAX

/* 64 bytes.  Times are ms since 1970 by home_wall_ms(). */
struct image {
	uint64_t asked_ms;      /* when its origin was asked: what was purged before is purged */
	uint64_t came_ms;       /* when the answer's head came; after a 304, when that did */
	uint64_t body_b;
	uint64_t base;          /* page_hash() of the key without what Vary adds: purging a URL purges all its variants */
	uint32_t key_b;
	uint32_t fields_b;
	uint32_t age_s;         /* corrected_initial_age (RFC 9111, 4.2.3): its age at came_ms */
	uint32_t fresh_s;       /* freshness lifetime: fresh while age < fresh_s */
	uint32_t revalidate_s;  /* and so long after that it may be used while it is asked for anew (RFC 5861, 3) */
	uint32_t error_s;       /* or while its origin is ill (RFC 5861, 4) */
	uint16_t status;
	uint16_t flags;         /* enum image_flag */
	uint16_t tag_count;     /* uint64_t each: page_hash() of the tag */
	uint16_t field_count;   /* each: uint16_t lengths of name and value, then both; nothing of them holds CR, LF or NUL */
};
_Static_assert(sizeof(struct image) == 64, "images of other machines and runs are read");

enum page_body {
	PAGE_INLINE,    /* the image goes on with it */
	PAGE_BLOB,      /* in pieces: a large one, as it came in */
	PAGE_SEGMENT,   /* a range of a file of the disk tier */
};

/* An open file of the disk tier, counted; its owner closes it with its last reference (http/shelf.h). */
struct segment;

struct page {
	struct object object;             /* its key points into the image */
	_Atomic uint32_t purges_seen;     /* purges_count() when it was last found not to be purged (share/purges.h) */
	uint8_t body_kind;                /* enum page_body */
	uint8_t shelved : 1;              /* it came from the disk tier: no need to write it again */
	uint8_t in_slab : 1;              /* where its memory is: else in the heap */
	_Atomic uint16_t berth;           /* the segment of the disk tier that has it, as far as is known; 0: none */
	_Atomic uint16_t variants;        /* IMAGE_VARY: how many were stored since it was */
	union {
		struct blob *blob;
		struct segment *segment;  /* the body's place in it stands behind the fields: page_place() */
	};
	struct image image;               /* its bytes go on behind it */
};

/* Unseeded: the same on every machine and in every run (XXH3, 64 bits). */
uint64_t page_hash(struct str s);

/* Memory for a page of this image, with room behind it for what the image says (body included where it is PAGE_INLINE);
 * refs is 1.  The caller fills key, tags and fields, then calls page_ready(). */
struct page *page_new(struct store *s, const struct image *image, enum page_body kind);
/* Where to write. */
char *page_tags_at(struct page *p);
char *page_key_at(struct page *p);
char *page_fields_at(struct page *p);
/* PAGE_INLINE only. */
char *page_body_at(struct page *p);
/* PAGE_SEGMENT: where its body begins in the segment, bytes. */
void page_place_set(struct page *p, uint64_t offset_b);
uint64_t page_place(const struct page *p);
/* Sets the object's key, hash and cost. */
void page_ready(struct page *p, struct store *s);

/* Length of all that stands before the body. */
static inline uint64_t image_head_b(const struct image *i)
{
	return sizeof *i + 8 * (uint64_t)i->tag_count + i->key_b + i->fields_b;
}

/* Whether n bytes that begin with *i (copied: it may lie unaligned) can be an image's all that stands before the body:
 * every length within its bound and adding up, times that can be, fields well-formed, flags known.  0 or -EBADMSG. */
[[nodiscard]] int image_check(const struct image *i, struct str head);

/* The page that a head without a body (PAGE_BLOB, body_b 0) and all of its bytes make; refs is 1. */
struct page *page_whole(const struct page *head, struct store *s, struct blob *blob, uint64_t inline_most_b);
/* Whether it was purged. */
enum purged page_purged(struct page *p, const struct purges *purges);
/* One more variant was stored under this IMAGE_VARY: how many there are now. */
unsigned page_count_variant(struct page *p);

static inline struct page *page_of(struct object *o)
{
	return (struct page *)o;
}

static inline const struct page *page_in(const struct object *o)
{
	return (const struct page *)o;
}

/* Its body from an offset on, as many bytes as lie together; in memory only. */
struct str page_at(const struct page *p, uint64_t at_b);
struct str page_key(const struct page *p);
uint64_t page_tag(const struct page *p, size_t i);
/* Takes the next field off *rest, which begins as page_fields(); false at the end.  The id is that of its name. */
struct str page_fields(const struct page *p);
bool page_field_next(struct str *rest, struct field *out);
/* The first of this name; .p NULL. */
struct str page_field(const struct page *p, struct str name);
/* Its age now (RFC 9111, 4.2.3), seconds. */
uint64_t page_age_s(const struct page *p, uint64_t wall_ms);

/* A body of [from, from + length) of it, which takes a reference when the turn ends before it does. */
struct body *page_body(struct req *r, struct page *p, uint64_t from_b, uint64_t length_b);

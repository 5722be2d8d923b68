/* struct hot: a file as the hot set knows it, ready to be answered with: bytes in memory, an open descriptor of a large
 * file, a folder, or the fact that there is no such file.
 *
 * Objects of home->hot (share/store.h): immutable, borrowed for the turn, counted for longer.  Made by handlers/files.c
 * from what is on the disk and by handlers/compress.c from what files.c made. */
#pragma once

#include "event/disk.h"
#include "http/req.h"
#include "share/store.h"

enum hot_kind {
	HOT_BYTES,    /* all of it in memory */
	HOT_FILE,     /* an open descriptor */
	HOT_FOLDER,
	HOT_ERROR,    /* opening it ended with err */
};

struct hot {
	struct object object;
	_Atomic uint64_t fresh_until_ms;  /* by the loops' clock: when it has to be looked at again; any thread's */
	enum hot_kind kind;
	int err;                     /* HOT_ERROR: -ENOENT, -EACCES … */
	struct str bytes;            /* HOT_BYTES */
	int fd;                      /* HOT_FILE; else -1 */
	struct mailbox *closer;      /* HOT_FILE: whose thread closes it */
	struct mail closing;
	uint64_t size_b;
	uint64_t mtime_ns;           /* before 1970: wrapped around */
	uint64_t inode, device;
	struct str etag;             /* with its quotes */
	struct str modified;         /* as Last-Modified says it */
	struct str type;             /* Content-Type by the built-in table */
	bool compresses;             /* the type is worth compressing */
	struct str encoding;         /* Content-Encoding: "br"; empty: none */
};

/* A descriptor counts as this much memory, so that the bound on memory bounds descriptors, too. */
enum { HOT_FD_COST_B = 64 * 1024 };

/* The key of a path below a root: the root's number (root_id()), the encoding, the path.  In the arena. */
struct str hot_key(struct arena *a, uint64_t root_id, struct str encoding, struct str path);
uint64_t root_id(struct str root);
/* The key of the same file's content in another encoding. */
struct str hot_variant_key(struct arena *a, const struct hot *from, struct str encoding);
/* From what an open found; takes its bytes or its descriptor over.  Not in the store yet; refs is 1. */
struct hot *hot_of_file(struct home *h, struct str key, struct disk_file *file, struct str type);
struct hot *hot_of_error(struct store *s, struct str key, int err);
/* The same file's content in another encoding; bytes are from mem_new() and taken over.  The ETag is made its own. */
struct hot *hot_of_variant(struct store *s, struct str key, const struct hot *from, struct str encoding, struct str bytes);

/* Whether v, found under from's variant key, was made of what from is now. */
bool hot_is_variant(const struct hot *v, const struct hot *from);

static inline struct hot *hot_of(struct object *o)
{
	return (struct hot *)o;
}

static inline const struct hot *hot_in(const struct object *o)
{
	return (const struct hot *)o;
}

/* Seconds since 1970, to be compared with dates of HTTP. */
static inline int64_t hot_modified_s(const struct hot *h)
{
	return (int64_t)h->mtime_ns / 1000000000;
}

/* A body of [from, from + length) of it, which takes a reference when the turn ends before it does. */
struct body *hot_body(struct req *r, struct hot *h, uint64_t from_b, uint64_t length_b);
/* Answers 200 with all of it: body, length, Content-Type, ETag, Last-Modified, Content-Encoding; sets r->answer.hot so
 * that filters know what they have before them. */
void answer_hot(struct req *r, struct hot *h);

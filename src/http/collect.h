/* struct collect: a request's body, taken in as a whole before an application sees the first byte of it: so that a slow
 * uploader holds no application process, so that the length is known to protocols that have to say it first, and so that
 * the body can be sent a second time.
 *
 * Up to memory_b of it stays in memory; past that all of it goes to a temporary file without a name, written by the disk
 * engine, never on the loop.  Lives on the request's loop, in its arena; collect_close() frees what it holds. */
#pragma once

#include "http/req.h"

struct collect;

enum collected {
	COLLECT_LATER,    /* the request's task will be queued when there is more to do */
	COLLECT_DONE,
	COLLECT_BROKEN,   /* the upload is: req_upload_broken() */
	COLLECT_FULL,     /* the temporary file could not be made or written: 503; *err says why */
};

/* folder: where temporary files go; borrowed. */
struct collect *collect_new(struct req *r, uint64_t memory_b, struct str folder);
/* Goes on with r->upload until it ends. */
enum collected collect_run(struct collect *c, int *err);
/* After COLLECT_DONE. */
uint64_t collect_length_b(const struct collect *c);
/* A body of all of it, from the start; as often as wanted, one at a time.  It dies with the collection. */
struct body *collect_body(struct collect *c);
/* May be called at any time; what the disk engine still does with it finds it gone. */
void collect_close(struct collect *c);

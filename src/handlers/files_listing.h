/* The listing of a folder, as a page or as JSON by what the request prefers: read and printed on a thread of the disk
 * engine. */
#pragma once

#include "http/hot_look.h"

struct listing;   /* under way or done; belongs to its request */

/* Begins; r->task will be queued.  NULL: the disk's queue is full. */
struct listing *listing_start(struct req *r, const struct tree *tree, struct str path, bool hidden);
/* 0: it is there; -EAGAIN: not yet; -errno. */
int listing_ready(const struct listing *l);
/* Answers with it: 200. */
void listing_answer(struct req *r, const struct listing *l);
/* Frees it, or lets it free itself when it is done. */
void listing_close(struct listing *l);

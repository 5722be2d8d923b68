/* The listing of a folder: read on a thread of the disk engine, shown as a page or as JSON. */
#pragma once

#include "http/hot_look.h"

struct listing;   /* a reading under way or done; belongs to its request */

/* Begins reading; r->task will be queued.  NULL: the disk's queue is full. */
struct listing *listing_start(struct req *r, const struct tree *tree, struct str path, bool hidden);
/* 0: it is there; -EAGAIN: not yet; -errno. */
int listing_ready(const struct listing *l);
/* Answers with it: 200, HTML or JSON by Accept. */
void listing_answer(struct req *r, const struct listing *l);
/* Frees it, or lets it free itself when the reading is done. */
void listing_close(struct listing *l);

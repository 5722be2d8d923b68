/* Bodies of a range of an open file: sent from the page cache, window by window, each brought there by the disk engine
 * before the loop sends it. */
#pragma once

#include "http/req.h"
#include "share/store.h"

/* [from, from + length) of fd, which is open as long as somebody has a reference to the object: taken when the turn ends
 * before the body does. */
struct body *file_body(struct req *r, struct object *owner, int fd, uint64_t from_b, uint64_t length_b);

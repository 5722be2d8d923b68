/* Media types by the ending of a file's name. */
#pragma once

#include "base/str.h"

/* "text/css; charset=utf-8" for "/a/b.css"; "application/octet-stream" for what is not known.  A constant. */
struct str mime_of(struct str path);
/* Whether compressing it is worth while: text and what is like it. */
bool mime_compresses(struct str type);

/* The table itself, for its test and the reference: endings in the order of bytes. */
size_t mime_count(void);
const char *mime_ending(size_t i);

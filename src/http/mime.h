/* Media types by the ending of a file's name. */
#pragma once

#include "base/str.h"

/* "text/css; charset=utf-8" for "/a/b.css"; "application/octet-stream" for what is not known.  A constant. */
struct str mime_of(struct str path);
/* Whether compressing it is worth while: text and what is like it. */
bool mime_compresses(struct str type);

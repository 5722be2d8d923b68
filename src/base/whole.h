/* Descriptors read and written as a whole, by whoever may wait.  Any thread. */
#pragma once

#include "base/buf.h"

/* All bytes, however many calls that takes.  0 or -errno. */
[[nodiscard]] int write_whole(int fd, struct str bytes);
/* What the file holds from its first byte on, appended to out; its offset stays.  0, -EFBIG past the bound, or -errno. */
[[nodiscard]] int read_whole(int fd, size_t most_b, struct buf *out);
/* *at becomes fd; what it was is closed.  -1: none. */
void fd_swap(int *at, int fd);
/* A copy that is closed on exec; -1: none could be made. */
[[nodiscard]] int fd_copy(int fd);

/* Reading and writing to the end.  No state. */
#include "base/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PIECE_B = 65536 };

int write_whole(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		bytes = str_from(bytes, (size_t)n);
	}
	return 0;
}

int read_whole(int fd, size_t most_b, struct buf *out)
{
	size_t at = 0;
	for (;;) {
		ssize_t n = pread(fd, buf_room(out, PIECE_B), PIECE_B, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		out->n += (size_t)n;
		at += (size_t)n;
		if (at > most_b)
			return -EFBIG;
	}
}

void fd_swap(int *at, int fd)
{
	if (*at >= 0)
		close(*at);
	*at = fd;
}

int fd_copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Packets with descriptors over a SOCK_SEQPACKET pair: what processes of petrel's own say to each other.  What a packet
 * means is for who uses it; all lengths of what comes in are checked here. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PACKET_FDS = 64 };

/* Both ends, close-on-exec; whoever sends without MSG_DONTWAIT waits at most five seconds.  0 or -errno. */
[[nodiscard]] int packet_pair(int ends[2]);
/* One packet; the fds stay the caller's.  flags: MSG_DONTWAIT or 0.  0, -ETIMEDOUT (there was no room for it), -EPIPE
 * (the other end is gone), -errno. */
[[nodiscard]] int packet_send(int end, const struct iovec *parts, size_t count, const int *fds, size_t fd_count,
                              int flags);
/* One packet, without blocking: its length in bytes; -EAGAIN; -EPIPE (the other end is gone); -EBADMSG (it was longer
 * than the parts, or had too many descriptors).  The fds, close-on-exec, at most PACKET_FDS, are the caller's; there are
 * none after an error. */
[[nodiscard]] ssize_t packet_receive(int end, const struct iovec *parts, size_t count, int *fds, size_t *fd_count);

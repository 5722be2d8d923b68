/* Sending and receiving packets with descriptors.  Owns nothing; any thread, one at a time for an end. */
#include "event/packet.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/must.h"

union ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PACKET_FDS * sizeof(int))];
};

/* Who has not read for this long hangs; the other side must not hang with it. */
static const struct timeval SEND_TIMEOUT = { .tv_sec = 5 };

int packet_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDTIMEO, &SEND_TIMEOUT, sizeof SEND_TIMEOUT) < 0)
			return -errno;
	return 0;
}

static void attach(struct msghdr *m, union ancillary *a, const int *fds, size_t fd_count)
{
	struct cmsghdr *c = &a->align;
	memset(a, 0, sizeof *a);
	m->msg_control = a->bytes;
	m->msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
	memcpy(CMSG_DATA(c), fds, fd_count * sizeof *fds);
}

/* sendmsg() takes the parts of a struct that recvmsg() writes to. */
static struct iovec *writable(const struct iovec *parts)
{
	return (struct iovec *)(uintptr_t)parts;
}

int packet_send(int end, const struct iovec *parts, size_t count, const int *fds, size_t fd_count, int flags)
{
	must(fd_count <= PACKET_FDS);
	struct msghdr m = { .msg_iov = writable(parts), .msg_iovlen = count };
	union ancillary a;
	ssize_t n;
	if (fd_count)
		attach(&m, &a, fds, fd_count);
	do
		n = sendmsg(end, &m, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN)
		return -ETIMEDOUT;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

/* All descriptors, whatever else is wrong with the packet: they are ours from the moment of recvmsg(). */
static void take_fds(struct msghdr *h, int *fds, size_t *fd_count)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		must(*fd_count + count <= PACKET_FDS);
		memcpy(fds + *fd_count, CMSG_DATA(c), count * sizeof(int));
		*fd_count += count;
	}
}

ssize_t packet_receive(int end, const struct iovec *parts, size_t count, int *fds, size_t *fd_count)
{
	union ancillary a;
	struct msghdr h = { .msg_iov = writable(parts), .msg_iovlen = count, .msg_control = &a, .msg_controllen = sizeof a };
	*fd_count = 0;
	ssize_t n = recvmsg(end, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
	take_fds(&h, fds, fd_count);
	if (n && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	while (*fd_count)
		close(fds[--*fd_count]);
	return n ? -EBADMSG : -EPIPE;
}

/* The channel's two ends.  The supervisor's only thread and the worker's control thread use it, one end each. */
#include "main/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/must.h"

/* What stands in front of the text; both ends are one binary on one machine. */
struct head {
	uint32_t kind;
};

union ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
};

/* A worker that has not read for this long hangs; the supervisor must not hang with it. */
static const struct timeval SEND_TIMEOUT = { .tv_sec = 5 };

int channel_pair(int ends[2])
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

int channel_send(int end, enum channel_kind kind, struct str text, const int *fds, size_t fd_count)
{
	must(text.n <= CHANNEL_TEXT_B && fd_count <= CHANNEL_FDS);
	struct head head = { kind };
	struct iovec parts[] = { { &head, sizeof head }, { (void *)(uintptr_t)text.p, text.n } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
	union ancillary a;
	ssize_t n;
	if (fd_count)
		attach(&m, &a, fds, fd_count);
	do
		n = sendmsg(end, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	if (errno == EAGAIN)
		return -ETIMEDOUT;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

/* All descriptors, whatever else is wrong with the message: they are ours from the moment of recvmsg(). */
static void take_fds(struct msghdr *h, struct channel_message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		must(m->fd_count + count <= CHANNEL_FDS);
		memcpy(m->fds + m->fd_count, CMSG_DATA(c), count * sizeof(int));
		m->fd_count += count;
	}
}

int channel_receive(int end, struct channel_message *m)
{
	struct head head = {};
	union ancillary a;
	*m = (struct channel_message){};
	struct iovec parts[] = { { &head, sizeof head }, { buf_room(&m->text, CHANNEL_TEXT_B), CHANNEL_TEXT_B } };
	struct msghdr h = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = &a, .msg_controllen = sizeof a };
	ssize_t n = recvmsg(end, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int err = 0;
	if (n < 0)
		err = errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
	else
		take_fds(&h, m);
	if (n == 0)
		err = -EPIPE;
	else if (n > 0 && (n < (ssize_t)sizeof head || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	                   head.kind > CHANNEL_RELOAD))
		err = -EBADMSG;
	m->kind = (enum channel_kind)head.kind;
	m->text.n = err ? 0 : (size_t)n - sizeof head;
	if (err)
		channel_message_fini(m);
	return err;
}

void channel_message_fini(struct channel_message *m)
{
	for (size_t i = 0; i < m->fd_count; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	m->fd_count = 0;
	buf_fini(&m->text);
}

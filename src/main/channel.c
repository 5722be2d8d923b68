/* The channel's two ends.  The supervisor's only thread and the worker's control thread use it, one end each. */
#include "main/channel.h"

#include <errno.h>
#include <unistd.h>

#include "base/must.h"
#include "event/packet.h"

/* What stands in front of the text; both ends are one binary on one machine. */
struct head {
	uint32_t kind;
};

int channel_pair(int ends[2])
{
	return packet_pair(ends);
}

int channel_send(int end, enum channel_kind kind, struct str text, const int *fds, size_t fd_count)
{
	must(text.n <= CHANNEL_TEXT_B && fd_count <= CHANNEL_FDS);
	struct head head = { kind };
	struct iovec parts[] = { { &head, sizeof head }, { (void *)(uintptr_t)text.p, text.n } };
	return packet_send(end, parts, 2, fds, fd_count, 0);
}

int channel_receive(int end, struct channel_message *m)
{
	struct head head = {};
	*m = (struct channel_message){};
	struct iovec parts[] = { { &head, sizeof head }, { buf_room(&m->text, CHANNEL_TEXT_B), CHANNEL_TEXT_B } };
	ssize_t n = packet_receive(end, parts, 2, m->fds, &m->fd_count);
	int err = n < 0 ? (int)n : n < (ssize_t)sizeof head || head.kind > CHANNEL_LAST ? -EBADMSG : 0;
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

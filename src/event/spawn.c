/* The messages between worker and spawner as bytes.  Both ends are one binary on one machine: numbers are as they lie in
 * memory; lengths are checked all the same.  One thread for an end. */
#include "event/spawn.h"

#include <errno.h>
#include <unistd.h>

#include "base/must.h"
#include "event/packet.h"

struct head {
	uint32_t kind, name_n, text_n, zero;
	uint64_t id, memory_b, descriptors;
	int64_t number;
};

enum { MESSAGE_B = sizeof(struct head) + SPAWN_NAME_B + SPAWN_TEXT_B };

void spawn_encode(const struct spawn_message *m, struct buf *out)
{
	must(m->name.n <= SPAWN_NAME_B && m->text.n <= SPAWN_TEXT_B);
	struct head head = { .kind = m->kind, .name_n = (uint32_t)m->name.n, .text_n = (uint32_t)m->text.n, .id = m->id,
		                 .memory_b = m->memory_b, .descriptors = m->descriptors, .number = m->number };
	buf_add(out, str_make((const char *)&head, sizeof head));
	buf_add(out, m->name);
	buf_add(out, m->text);
}

int spawn_decode(struct str bytes, struct spawn_message *m)
{
	struct head head;
	if (bytes.n < sizeof head)
		return -EBADMSG;
	memcpy(&head, bytes.p, sizeof head);
	struct str rest = str_from(bytes, sizeof head);
	if (!head.kind || head.kind > SPAWN_LAST || head.name_n > SPAWN_NAME_B || head.text_n > SPAWN_TEXT_B ||
	    (size_t)head.name_n + head.text_n != rest.n)
		return -EBADMSG;
	*m = (struct spawn_message){ .kind = (enum spawn_kind)head.kind, .id = head.id, .number = head.number,
		                         .memory_b = head.memory_b, .descriptors = head.descriptors,
		                         .name = str_head(rest, head.name_n), .text = str_from(rest, head.name_n) };
	return 0;
}

int spawn_send(int end, const struct spawn_message *m, const int *fds, size_t fd_count, bool wait)
{
	must(fd_count <= SPAWN_FDS);
	struct buf bytes = {};
	spawn_encode(m, &bytes);
	struct iovec part = { bytes.p, bytes.n };
	int err = packet_send(end, &part, 1, fds, fd_count, wait ? 0 : MSG_DONTWAIT);
	buf_fini(&bytes);
	return err;
}

int spawn_receive(int end, struct spawn_received *r)
{
	int fds[PACKET_FDS];
	size_t fd_count;
	buf_clear(&r->bytes);
	struct iovec part = { buf_room(&r->bytes, MESSAGE_B), MESSAGE_B };
	ssize_t n = packet_receive(end, &part, 1, fds, &fd_count);
	if (n < 0)
		return (int)n;
	for (size_t i = SPAWN_FDS; i < fd_count; i++)
		close(fds[i]);
	for (size_t i = 0; i < SPAWN_FDS; i++)
		r->fds[i] = i < fd_count ? fds[i] : -1;
	r->bytes.n = (size_t)n;
	int err = fd_count > SPAWN_FDS ? -EBADMSG : spawn_decode(buf_str(&r->bytes), &r->m);
	if (err)
		spawn_drop_fds(r);
	return err;
}

int spawn_take_fd(struct spawn_received *r, size_t at)
{
	int fd = r->fds[at];
	r->fds[at] = -1;
	return fd;
}

void spawn_drop_fds(struct spawn_received *r)
{
	for (size_t i = 0; i < SPAWN_FDS; i++) {
		int fd = spawn_take_fd(r, i);
		if (fd >= 0)
			close(fd);
	}
}

void spawn_received_fini(struct spawn_received *r)
{
	buf_fini(&r->bytes);
}

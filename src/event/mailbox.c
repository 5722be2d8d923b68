/* Mailboxes: a stack of mails that many threads push on and one takes whole.  See mailbox.h. */
#include "event/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/must.h"

int mailbox_init(struct mailbox *b)
{
	atomic_init(&b->top, NULL);
	atomic_init(&b->awake, false);
	b->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return b->event_fd < 0 ? -errno : 0;
}

void mailbox_fini(struct mailbox *b)
{
	if (b->event_fd >= 0)
		close(b->event_fd);
	b->event_fd = -1;
}

void mailbox_post(struct mailbox *b, struct mail *m)
{
	struct mail *top = atomic_load_explicit(&b->top, memory_order_relaxed);
	do
		m->next = top;
	while (!atomic_compare_exchange_weak(&b->top, &top, m));
	/* Whoever found it empty wakes the receiver; the others' mail is taken along.  Either the receiver sees the mail before
	 * it sleeps, or we see that it sleeps: both sides write first and read then, in one order for all. */
	uint64_t one = 1;
	if (!top && !atomic_load(&b->awake) && write(b->event_fd, &one, sizeof one) < 0)
		must(errno == EAGAIN);  /* the counter is full: it is readable anyway */
}

bool mailbox_sleep(struct mailbox *b)
{
	atomic_store(&b->awake, false);
	return !atomic_load(&b->top);
}

void mailbox_wake(struct mailbox *b)
{
	atomic_store_explicit(&b->awake, true, memory_order_relaxed);
}

void mailbox_open(struct mailbox *b)
{
	if (!atomic_load_explicit(&b->top, memory_order_relaxed))
		return;
	struct mail *newest = atomic_exchange_explicit(&b->top, NULL, memory_order_acquire);
	struct mail *oldest = NULL;
	while (newest) {
		struct mail *next = newest->next;
		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest) {
		struct mail *m = oldest;
		oldest = m->next;
		m->deliver(m);
	}
}

void mailbox_clear(struct mailbox *b)
{
	uint64_t count;
	if (read(b->event_fd, &count, sizeof count) < 0)
		must(errno == EAGAIN || errno == EINTR);
}

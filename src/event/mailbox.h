/* Mailboxes: the way in which a thing moves from one thread to another.
 *
 * Posting takes a few nanoseconds and, where the receiver may be asleep, one write to its eventfd; it never blocks and
 * never fails.  A mail is embedded in what it carries: the giver lets go of it, the receiver's deliver() owns it from
 * then on.  This file and share/ hold all locks and atomics of the project. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

struct mail {
	struct mail *next;
	void (*deliver)(struct mail *m);  /* runs on the receiver's thread */
};

struct mailbox {
	_Atomic(struct mail *) top;  /* newest first */
	int event_fd;                /* readable while mail may be waiting; the receiver watches it */
};

/* 0 or -errno (no descriptor left). */
[[nodiscard]] int mailbox_init(struct mailbox *b);
void mailbox_fini(struct mailbox *b);
/* Any thread. */
void mailbox_post(struct mailbox *b, struct mail *m);
/* Delivers all that waits, oldest first.  The receiver's thread only. */
void mailbox_open(struct mailbox *b);
/* Clears the eventfd: to be called when it is readable, before mailbox_open(). */
void mailbox_clear(struct mailbox *b);

/* Mailboxes: the way in which a thing moves from one thread to another.
 *
 * Posting takes a few nanoseconds and, where the receiver is asleep, one write to its eventfd; it never blocks and never
 * fails.  A mail is embedded in what it carries: the giver lets go of it, the receiver's deliver() owns it from
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
	_Atomic bool awake;          /* the receiver will look before it waits: it need not be woken */
	int event_fd;                /* written to wake it; the receiver watches it */
};

/* 0 or -errno (no descriptor left). */
[[nodiscard]] int mailbox_init(struct mailbox *b);
void mailbox_fini(struct mailbox *b);
/* Any thread. */
void mailbox_post(struct mailbox *b, struct mail *m);
/* The receiver's, before it waits for its eventfd: false where there is mail already. */
bool mailbox_sleep(struct mailbox *b);
/* The receiver's, after it: from now on it looks by itself. */
void mailbox_wake(struct mailbox *b);
/* Delivers all that waits, oldest first.  The receiver's thread only. */
void mailbox_open(struct mailbox *b);
/* Clears the eventfd, for who is told of it again and again while it is readable: before mailbox_open(). */
void mailbox_clear(struct mailbox *b);

/* Mailboxes under load: all mail arrives once, each sender's in the order in which it was posted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "base/mem.h"
#include "event/mailbox.h"

enum { SENDERS = 4, EACH = 10000 };

struct letter {
	struct mail mail;
	int sender, number;
};

static struct mailbox box;
static struct letter letters[SENDERS][EACH];
static int next_number[SENDERS], arrived;

static void arrive(struct mail *m)
{
	struct letter *l = container_of(m, struct letter, mail);
	assert_int_equal(l->number, next_number[l->sender]);
	next_number[l->sender]++;
	arrived++;
}

static void *send_all(void *arg)
{
	int sender = (int)(intptr_t)arg;
	for (int i = 0; i < EACH; i++) {
		struct letter *l = &letters[sender][i];
		*l = (struct letter){ .mail.deliver = arrive, .sender = sender, .number = i };
		mailbox_post(&box, &l->mail);
	}
	return NULL;
}

static void all_arrive_in_order(void **state)
{
	(void)state;
	pthread_t thread[SENDERS];
	assert_int_equal(mailbox_init(&box), 0);
	for (int i = 0; i < SENDERS; i++)
		pthread_create(&thread[i], NULL, send_all, (void *)(intptr_t)i);
	while (arrived < SENDERS * EACH) {
		struct pollfd p = { .fd = box.event_fd, .events = POLLIN };
		assert_int_equal(poll(&p, 1, -1), 1);
		mailbox_clear(&box);
		mailbox_open(&box);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(arrived, SENDERS * EACH);
	mailbox_fini(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_arrive_in_order) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

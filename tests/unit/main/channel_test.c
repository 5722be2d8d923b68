/* The channel between supervisor and worker: messages with descriptors come through whole, garbage is refused and loses
 * no descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "main/channel.h"

static int ends[2];

static int open_count(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int set_up(void **state)
{
	(void)state;
	return channel_pair(ends);
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return 0;
}

static void text_and_descriptors_come_through(void **state)
{
	(void)state;
	int pipes[2], fds[CHANNEL_FDS];
	char byte = 0;
	struct channel_message m;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	for (size_t i = 0; i < CHANNEL_FDS; i++)
		fds[i] = pipes[1];
	int before = open_count();
	assert_int_equal(channel_send(ends[0], CHANNEL_GRANT, STR("listen 127.0.0.1:80"), fds, CHANNEL_FDS), 0);
	assert_int_equal(channel_send(ends[0], CHANNEL_STOP, STR(""), NULL, 0), 0);
	assert_int_equal(channel_receive(ends[1], &m), 0);
	assert_int_equal(m.kind, CHANNEL_GRANT);
	assert_true(str_eq(buf_str(&m.text), STR("listen 127.0.0.1:80")));
	assert_int_equal(m.fd_count, CHANNEL_FDS);
	assert_true(fcntl(m.fds[63], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(m.fds[63], "x", 1), 1);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(m.fds[5]);
	m.fds[5] = -1;
	channel_message_fini(&m);
	assert_int_equal(open_count(), before);
	assert_int_equal(channel_receive(ends[1], &m), 0);
	assert_int_equal(m.kind, CHANNEL_STOP);
	assert_int_equal(m.text.n, 0);
	channel_message_fini(&m);
	close(pipes[0]);
	close(pipes[1]);
}

static void the_longest_text(void **state)
{
	(void)state;
	char *text = malloc(CHANNEL_TEXT_B + 1);
	struct channel_message m;
	uint32_t kind = CHANNEL_RELOADED;
	memset(text, 'x', CHANNEL_TEXT_B + 1);
	assert_int_equal(channel_send(ends[0], CHANNEL_RELOADED, str_make(text, CHANNEL_TEXT_B), NULL, 0), 0);
	assert_int_equal(channel_receive(ends[1], &m), 0);
	assert_int_equal(m.text.n, CHANNEL_TEXT_B);
	channel_message_fini(&m);
	/* One byte more than that can't come from channel_send(). */
	struct iovec parts[] = { { &kind, sizeof kind }, { text, CHANNEL_TEXT_B + 1 } };
	assert_true(writev(ends[0], parts, 2) > 0);
	assert_int_equal(channel_receive(ends[1], &m), -EBADMSG);
	free(text);
}

static void no_message_and_no_other_end(void **state)
{
	(void)state;
	struct channel_message m;
	assert_int_equal(channel_receive(ends[1], &m), -EAGAIN);
	assert_int_equal(channel_send(ends[0], CHANNEL_DRAIN, STR(""), NULL, 0), 0);
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(channel_receive(ends[1], &m), 0);
	channel_message_fini(&m);
	assert_int_equal(channel_receive(ends[1], &m), -EPIPE);
	assert_int_equal(channel_send(ends[1], CHANNEL_READY, STR(""), NULL, 0), -EPIPE);
}

/* Sends raw bytes with descriptors, as a worker gone mad would. */
static void send_raw(const void *bytes, size_t n, int fd, size_t fd_count)
{
	char control[CMSG_SPACE(200 * sizeof(int))] = {};
	struct iovec part = { (void *)(uintptr_t)bytes, n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fd_count) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (size_t i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
	}
	assert_int_equal(sendmsg(ends[0], &m, MSG_NOSIGNAL), n);
}

static void garbage_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t n, fds;
		int err;
	} ROWS[] = {
		{ "x", 1, 0, -EBADMSG },
		{ "xyz", 3, 1, -EBADMSG },
		{ "\xff\xff\xff\xff", 4, 0, -EBADMSG },
		{ "\x0d\0\0\0", 4, 3, -EBADMSG },       /* one past the last kind */
		{ "\0\0\0\0", 4, 65, -EBADMSG },        /* more descriptors than fit */
		{ "\0\0\0\0", 4, 200, -EBADMSG },
		{ "\x0c\0\0\0", 4, 2, 0 },
		{ "", 0, 1, -EPIPE },                   /* what an end that is gone looks like */
	};
	for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
		struct channel_message m;
		int before = open_count();
		send_raw(ROWS[i].bytes, ROWS[i].n, ends[1], ROWS[i].fds);
		int err = channel_receive(ends[1], &m);
		if (!err)
			channel_message_fini(&m);
		if (err != ROWS[i].err || open_count() != before)
			fail_msg("row %zu: %d, %d more descriptors", i, err, open_count() - before);
	}
}

static void random_bytes_end_in_an_answer(void **state)
{
	(void)state;
	srand(3);
	for (int i = 0; i < 20000; i++) {
		unsigned char bytes[64];
		size_t n = 1 + (size_t)rand() % sizeof bytes;
		for (size_t j = 0; j < n; j++)
			bytes[j] = (unsigned char)(rand() % 3 ? 0 : rand());
		struct channel_message m;
		send_raw(bytes, n, ends[1], (size_t)rand() % 3);
		int err = channel_receive(ends[1], &m);
		assert_true(err == 0 || err == -EBADMSG);
		if (!err)
			channel_message_fini(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text_and_descriptors_come_through, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_message_and_no_other_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(garbage_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_bytes_end_in_an_answer, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

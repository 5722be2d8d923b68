/* The worker's process: what it inherits, how its end is described, how long the next start waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/channel.h"
#include "main/child.h"

static void short_lives_wait_longer_each_time(void **state)
{
	(void)state;
	static const struct {
		uint64_t lived_ms, wait_ms;
	} LIVES[] = {
		{ 50, 0 },   { 50, 100 }, { 999, 200 }, { 0, 400 }, { 0, 800 }, { 0, 1600 }, { 0, 3200 }, { 0, 5000 },
		{ 0, 5000 }, { 1000, 0 }, { 0, 5000 }, { 9999, 0 }, { 0, 5000 }, { 10000, 0 }, { 0, 0 }, { 0, 100 },
	};
	struct backoff b = {};
	for (size_t i = 0; i < countof(LIVES); i++)
		assert_int_equal(backoff_next(&b, LIVES[i].lived_ms), LIVES[i].wait_ms);
}

static void ends_are_described(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *text;
	} ROWS[] = {
		{ 0, "exited with status 0" },
		{ 3 << 8, "exited with status 3" },
		{ SIGSEGV, "was killed by SIGSEGV" },
		{ SIGSEGV | 0x80, "was killed by SIGSEGV (core dumped)" },
		{ SIGKILL, "was killed by SIGKILL" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf out = {};
		child_describe(&out, ROWS[i].status);
		assert_true(str_eq(buf_str(&out), str_of(ROWS[i].text)));
		buf_fini(&out);
	}
}

/* Runs in the child: tells what it has, over its channel. */
static int look_around(int channel)
{
	struct buf text = {};
	sigset_t blocked;
	DIR *dir = opendir("/proc/self/fd");
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.' && strcmp(e->d_name, "0") > 0)
			buf_addf(&text, "%s ", atoi(e->d_name) == dirfd(dir) ? "dir" : e->d_name);
	closedir(dir);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	buf_addf(&text, "%s", sigisemptyset(&blocked) ? "open" : "blocked");
	int err = channel_send(channel, CHANNEL_READY, buf_str(&text), NULL, 0);
	buf_fini(&text);
	return err ? 1 : 7;
}

static void the_child_has_what_it_must(void **state)
{
	(void)state;
	struct child c;
	struct channel_message m;
	int status = 0, secrets[2];
	sigset_t hup;
	assert_int_equal(pipe(secrets), 0);  /* not even close-on-exec */
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hup, NULL);
	assert_int_equal(child_start(&c, &(struct child_kind){ "worker", look_around, true }), 0);
	while (!child_ended(&c, &status))
		usleep(1000);
	struct buf how = {}, panic = {};
	child_describe(&how, status);
	assert_true(str_eq(buf_str(&how), STR("exited with status 7")));
	assert_int_equal(channel_receive(c.channel, &m), 0);
	assert_true(str_eq(buf_str(&m.text), STR("1 2 3 4 dir open")));
	channel_message_fini(&m);
	child_fini(&c, &panic);
	assert_int_equal(panic.n, 0);
	buf_fini(&how);
	buf_fini(&panic);
	close(secrets[0]);
	close(secrets[1]);
}

static int break_down(int channel)
{
	(void)channel;
	raise(SIGSEGV);
	return 0;
}

static void last_words_come_through(void **state)
{
	(void)state;
	struct child c;
	int status = 0;
	struct buf how = {}, panic = {};
	assert_int_equal(child_start(&c, &(struct child_kind){ "worker", break_down, true }), 0);
	while (!child_ended(&c, &status))
		usleep(1000);
	child_describe(&how, status);
	assert_true(str_starts(buf_str(&how), STR("was killed by SIGSEGV")));
	child_fini(&c, &panic);
	assert_true(str_starts(buf_str(&panic), STR("petrel: panic: SIGSEGV in the control thread\n")));
	assert_int_equal(c.channel, -1);
	buf_fini(&how);
	buf_fini(&panic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_lives_wait_longer_each_time),
		cmocka_unit_test(ends_are_described),
		cmocka_unit_test(the_child_has_what_it_must),
		cmocka_unit_test(last_words_come_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Starting programs: what they have, what they are, and what is said when they can't be started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "main/launch.h"
#include "main/tally.h"

/* What the command wrote, and how it ended. */
static const char *said(struct launch l, int *status)
{
	static char text[8192];
	char error[256];
	int ends[2];
	size_t n = 0;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	l.output = ends[1];
	l.cgroup = -1;
	pid_t pid = launch(&l, error, sizeof error);
	close(ends[1]);
	if (pid < 0)
		fail_msg("%s: %s", error, strerror(-pid));
	for (ssize_t got; (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;)
		n += (size_t)got;
	text[n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, status, 0), pid);
	return text;
}

static void expect(struct launch l, const char *output)
{
	int status;
	assert_string_equal(said(l, &status), output);
	assert_int_equal(status, 0);
}

static void it_has_what_it_was_given_and_nothing_else(void **state)
{
	(void)state;
	int left = open("/dev/null", O_RDONLY), sockets[2];
	setenv("SECRET", "1", 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	expect((struct launch){ .command = "ls /proc/self/fd | head -c 6", .input = -1 }, "0\n1\n2\n");
	expect((struct launch){ .command = "ls /proc/self/fd | wc -l", .input = -1 }, "4\n");
	expect((struct launch){ .command = "ls /proc/self/fd | wc -l; echo $LISTEN_FDS; test $LISTEN_PID = $$ && echo mine",
	                        .input = sockets[0], .listens = true }, "5\n1\nmine\n");
	expect((struct launch){ .command = "echo $SECRET; pwd; echo $PORT; umask; cat; echo out; echo err >&2", .input = -1,
	                        .folder = "/usr", .port = 4711 }, "\n/usr\n4711\n0022\nout\nerr\n");
	/* Of signals 1 to 28: the C library's own, further up, may be ignored wherever the tests are started from. */
	expect((struct launch){ .command = "grep -E 'NoNewPrivs|SigIgn|SigBlk' /proc/self/status | "
	                                   "sed -E 's/^(Sig...:).*(.{7})$/\\1\\2/'", .input = -1 },
	       "SigBlk:0000000\nSigIgn:0000000\nNoNewPrivs:\t1\n");
	close(left);
	close(sockets[0]);
	close(sockets[1]);
}

static void later_variables_replace_earlier_ones(void **state)
{
	(void)state;
	static const struct str ENV[] = { { "A=2", 3 }, { "PATH=/bin", 9 }, { "PORT=1", 6 }, { "E=", 2 } };
	static const char *const PRESETS[] = { "A=1", "B=1", NULL };
	expect((struct launch){ .command = "echo $A $B $PATH $PORT; env | grep -c =", .input = -1, .presets = PRESETS,
	                        .port = 80, .env = { (void *)(uintptr_t)ENV, countof(ENV) } }, "2 1 /bin 80\n9\n");
}

static void limits_hold(void **state)
{
	(void)state;
	expect((struct launch){ .command = "ulimit -n; ulimit -t", .input = -1,
	                        .limits = { { RLIMIT_NOFILE, 77 }, { RLIMIT_CPU, 3 } } }, "77\n3\n");
}

static void it_is_its_user(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	expect((struct launch){ .command = "id -un; id -gn; echo $HOME; grep CapEff /proc/self/status",
	                        .input = -1, .user = "nobody" }, "nobody\nnogroup\n/nonexistent\nCapEff:\t0000000000000000\n");
	expect((struct launch){ .command = "id -un; id -gn", .input = -1, .user = "nobody", .group = "daemon" },
	       "nobody\ndaemon\n");
}

static void what_can_not_be_started_says_why(void **state)
{
	(void)state;
	static const struct {
		struct launch launch;
		int err;
		const char *why;
	} ROWS[] = {
		{ { .command = "true", .input = -1, .folder = "/missing" }, -ENOENT, "can't enter the folder /missing" },
		{ { .command = "true", .input = -1, .user = "nobody here" }, -ENOENT, "there is no user \"nobody here\"" },
		{ { .command = "true", .input = -1, .group = "none such" }, -ENOENT, "there is no group \"none such\"" },
		{ { .program = "/etc/passwd", .input = -1 }, -EACCES, "can't run /etc/passwd" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct launch l = ROWS[i].launch;
		char error[256];
		l.output = STDERR_FILENO;
		l.cgroup = -1;
		assert_int_equal(launch(&l, error, sizeof error), ROWS[i].err);
		assert_string_equal(error, ROWS[i].why);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void a_whole_family_is_counted(void **state)
{
	(void)state;
	char error[256];
	struct launch l = { .command = "sleep 9 & exec 8</dev/null; exec sleep 9", .input = -1, .output = STDERR_FILENO,
		                .cgroup = -1 };
	pid_t pid = launch(&l, error, sizeof error);
	struct tally t = {};
	assert_true(pid > 0);
	/* Who begins has a library's file open for a moment. */
	for (int i = 0; i < 500 && (t.processes != 2 || t.descriptors != 4); i++) {
		usleep(10000);
		t = tally_of(pid);
	}
	assert_int_equal(t.processes, 2);
	assert_int_equal(t.descriptors, 4);
	assert_in_range(t.memory_b, 100000, 100000000);
	kill(-pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	static const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(it_has_what_it_was_given_and_nothing_else),
		cmocka_unit_test(later_variables_replace_earlier_ones),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(it_is_its_user),
		cmocka_unit_test(what_can_not_be_started_says_why),
		cmocka_unit_test(a_whole_family_is_counted),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

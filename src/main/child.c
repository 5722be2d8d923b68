/* Starting, watching and burying the worker and spawners.  The supervisor's thread. */
#include "main/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/channel.h"
#include "main/panic.h"
#include "main/sandbox.h"
#include "main/say.h"

enum { PANIC_TEXT_B = 64 * 1024 };

/* Where the child finds what it has. */
enum { CHILD_CHANNEL = 3, CHILD_PANIC, CHILD_FDS };

/* A terminal's Ctrl-C and systemd's SIGTERM go to the whole group; what is to be done about them is the supervisor's to
 * say, over the channel.  So only the channel, SIGKILL and the worker's own faults end a worker. */
static void set_signals(void)
{
	static const int IGNORED[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE,
		                       SIGXFSZ };
	sigset_t none;
	for (size_t i = 0; i < countof(IGNORED); i++)
		signal(IGNORED[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Keeps two descriptors at known places and nothing else of the supervisor's. */
static int keep_only(int channel, int panic_fd)
{
	int high_channel = fcntl(channel, F_DUPFD, CHILD_FDS), high_panic = fcntl(panic_fd, F_DUPFD, CHILD_FDS);
	if (high_channel < 0 || high_panic < 0)
		return -errno;
	if (dup3(high_channel, CHILD_CHANNEL, O_CLOEXEC) < 0 || dup3(high_panic, CHILD_PANIC, O_CLOEXEC) < 0)
		return -errno;
	return close_range(CHILD_FDS, ~0u, 0) < 0 ? -errno : 0;
}

[[gnu::noreturn]] static void live(int channel, int panic_fd, pid_t supervisor, const struct child_kind *kind)
{
	char name[16];
	snprintf(name, sizeof name, "petrel: %s", kind->name);
	prctl(PR_SET_NAME, name);
	say_to(-1);  /* its descriptor is about to be closed */
	if (kind->follows)
		sandbox_follow_parent();
	if (getppid() != supervisor)  /* it died before we followed it */
		_exit(1);
	set_signals();
	int err = keep_only(channel, panic_fd);
	if (err) {
		say("the %s can't arrange its descriptors: %s", kind->name, strerror(-err));
		_exit(1);
	}
	panic_start(CHILD_PANIC);
	panic_thread("the control thread", NULL);
	exit(kind->work(CHILD_CHANNEL));
}

int child_start(struct child *c, const struct child_kind *kind)
{
	int ends[2] = { -1, -1 };
	pid_t supervisor = getpid();
	*c = (struct child){ .channel = -1, .panic_fd = -1 };
	int err = channel_pair(ends);
	if (!err && (c->panic_fd = memfd_create("petrel panic", MFD_CLOEXEC)) < 0)
		err = -errno;
	if (!err && (c->pid = fork()) < 0)
		err = -errno;
	if (!err && c->pid == 0)
		live(ends[1], c->panic_fd, supervisor, kind);
	if (ends[1] >= 0)
		close(ends[1]);
	c->channel = ends[0];
	c->started_ms = clock_ms();
	if (err) {
		c->pid = 0;
		child_fini(c, NULL);
	}
	return err;
}

bool child_ended(struct child *c, int *status)
{
	if (!c->pid || waitpid(c->pid, status, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	return true;
}

/* The file is the dead worker's, who was not trusted: so much is read and no more. */
static void read_panic(int fd, struct buf *out)
{
	ssize_t n = pread(fd, buf_room(out, PANIC_TEXT_B), PANIC_TEXT_B, 0);
	if (n > 0)
		out->n += (size_t)n;
}

void child_fini(struct child *c, struct buf *out)
{
	if (c->panic_fd >= 0 && out)
		read_panic(c->panic_fd, out);
	if (c->panic_fd >= 0)
		close(c->panic_fd);
	if (c->channel >= 0)
		close(c->channel);
	c->panic_fd = c->channel = -1;
}

void child_describe(struct buf *out, int status)
{
	if (!WIFSIGNALED(status)) {
		buf_addf(out, "exited with status %d", WEXITSTATUS(status));
		return;
	}
	const char *name = sigabbrev_np(WTERMSIG(status));
	buf_addf(out, "was killed by SIG%s%s", name ? name : "?", WCOREDUMP(status) ? " (core dumped)" : "");
}

uint64_t backoff_next(struct backoff *b, uint64_t lived_ms)
{
	uint64_t wait_ms = b->next_ms;
	if (lived_ms >= BACKOFF_LONG_MS)
		b->next_ms = 0;
	if (lived_ms >= BACKOFF_SHORT_MS)
		return 0;
	b->next_ms = wait_ms ? 2 * wait_ms : BACKOFF_LEAST_MS;
	if (b->next_ms > BACKOFF_MOST_MS)
		b->next_ms = BACKOFF_MOST_MS;
	return wait_ms;
}

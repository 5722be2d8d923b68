/* From fork to exec.  Runs in the spawner, which has one thread, so that the new process may use the heap.
 *
 * The new process says over a pipe that exec closes what it could not do; nothing said means that the program runs. */
#include "main/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/backend.h"

enum {
	ABOVE = 16,        /* where descriptors are out of each other's way */
	WHAT_B = 160,
};

#define PATH_PRESET "PATH=" APP_PATH

/* What could not be done. */
struct failure {
	int err;
	char what[WHAT_B];
};

/* In the new process. */
struct birth {
	const struct launch *launch;
	int status;                /* the pipe's end */
	const struct passwd *user; /* who it becomes, or is; NULL: nobody knows */
	const char **env;
	size_t env_count;
};

[[gnu::noreturn, gnu::format(printf, 2, 3)]] static void give_up(struct birth *b, const char *format, ...)
{
	struct failure f = { .err = errno ? errno : ENOENT };
	va_list args;
	va_start(args, format);
	vsnprintf(f.what, sizeof f.what, format, args);
	va_end(args);
	(void)!write(b->status, &f, sizeof f);
	_exit(127);
}

/* --- Who it is. --- */

static void reset_signals(void)
{
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Of address space at the very end: we ourselves need more of it than the program may be allowed.  The others while we
 * still may raise them. */
static void set_limits(struct birth *b, bool space)
{
	for (size_t i = 0; i < LAUNCH_LIMITS; i++) {
		int resource = b->launch->limits[i].resource;
		uint64_t value = b->launch->limits[i].value;
		struct rlimit limit = { value, value };
		if (value && (resource == RLIMIT_AS) == space && setrlimit(resource, &limit) < 0)
			give_up(b, "can't set its limits");
	}
}

static void find_user(struct birth *b)
{
	const char *name = b->launch->user;
	errno = 0;
	b->user = name ? getpwnam(name) : getpwuid(geteuid());
	if (name && !b->user)
		give_up(b, "there is no user \"%s\"", name);
}

static gid_t find_group(struct birth *b)
{
	if (!b->launch->group)
		return b->user->pw_gid;
	errno = 0;
	const struct group *g = getgrnam(b->launch->group);
	if (!g)
		give_up(b, "there is no group \"%s\"", b->launch->group);
	return g->gr_gid;
}

static void become(struct birth *b)
{
	find_user(b);
	if (!b->launch->user && !b->launch->group)
		return;
	if (!b->user)
		give_up(b, "this user has no entry, and can't take a group");
	gid_t gid = find_group(b);
	if (b->user->pw_uid == geteuid() && gid == getegid())
		return;
	/* getgrnam() does not touch what getpwnam() returned. */
	if (initgroups(b->user->pw_name, gid) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(b->user->pw_uid, b->user->pw_uid, b->user->pw_uid) < 0)
		give_up(b, "can't become user \"%s\"", b->user->pw_name);
}

/* --- What it has. --- */

static int high(struct birth *b, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
	if (copy < 0)
		give_up(b, "no descriptor left");
	return copy;
}

static void place(struct birth *b, int from, int at)
{
	if (dup2(from, at) < 0)
		give_up(b, "no descriptor left");
}

/* 0 to 2, and 3 where it listens; the rest is closed by exec. */
static void set_descriptors(struct birth *b)
{
	const struct launch *l = b->launch;
	int input = l->input >= 0 ? l->input : open("/dev/null", O_RDWR | O_CLOEXEC);
	if (input < 0)
		give_up(b, "can't open /dev/null");
	input = high(b, input);
	int output = high(b, l->output);
	place(b, input, 0);
	place(b, l->talks ? input : output, 1);
	place(b, output, 2);
	if (l->listens)
		place(b, input, 3);
	if (close_range(l->listens ? 4 : 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		give_up(b, "can't close what is not its own");
}

static void enter_cgroup(struct birth *b)
{
	int fd = b->launch->cgroup;
	if (fd >= 0 && write(fd, "0", 1) != 1)
		give_up(b, "can't enter its control group");
}

/* --- Its environment. --- */

/* A later value takes the place of an earlier one of the same name. */
static void env_set(struct birth *b, const char *line)
{
	size_t name_n = strcspn(line, "=") + 1;
	size_t at = 0;
	while (at < b->env_count && strncmp(b->env[at], line, name_n))
		at++;
	if (at == b->env_count) {
		b->env = mem_grow(b->env, (b->env_count + 2) * sizeof *b->env);
		b->env_count++;
	}
	b->env[at] = line;
	b->env[b->env_count] = NULL;
}

[[gnu::format(printf, 2, 3)]] static void env_setf(struct birth *b, const char *format, ...)
{
	struct buf line = {};
	va_list args;
	va_start(args, format);
	buf_addv(&line, format, args);
	va_end(args);
	buf_add_char(&line, '\0');
	env_set(b, line.p);
}

static void set_env(struct birth *b)
{
	const struct launch *l = b->launch;
	const struct str *lines = l->env.p;
	env_set(b, PATH_PRESET);
	env_set(b, "LANG=C.UTF-8");
	env_setf(b, "HOME=%s", b->user ? b->user->pw_dir : "/");
	if (getenv("TZ"))
		env_setf(b, "TZ=%s", getenv("TZ"));
	if (b->user)
		env_setf(b, "USER=%s", b->user->pw_name);
	for (size_t i = 0; l->presets && l->presets[i]; i++)
		env_set(b, l->presets[i]);
	for (size_t i = 0; i < l->env.count; i++)
		env_set(b, lines[i].p);
	if (l->port)
		env_setf(b, "PORT=%u", l->port);
	if (l->listens) {
		env_set(b, "LISTEN_FDS=1");
		env_setf(b, "LISTEN_PID=%d", (int)getpid());
	}
}

static void enter_folder(struct birth *b)
{
	const char *folder = b->launch->folder;
	if (folder && chdir(folder) < 0)
		give_up(b, "can't enter the folder %s", folder);
	/* A home may be missing; / never is. */
	if (!folder && (!b->user || chdir(b->user->pw_dir) < 0) && chdir("/") < 0)
		give_up(b, "can't enter /");
}

static void run(struct birth *b)
{
	const struct launch *l = b->launch;
	const char *shell[] = { "sh", "-c", l->command, NULL };
	const char *alone[LAUNCH_WORDS + 2] = { l->program };
	char *const *words = (char *const *)(uintptr_t)(l->command ? shell : alone);
	for (size_t i = 0; l->words && l->words[i] && i < LAUNCH_WORDS; i++)
		alone[i + 1] = l->words[i];
	execve(l->command ? "/bin/sh" : l->program, words, (char *const *)(uintptr_t)b->env);
	give_up(b, "can't run %s", l->command ? "/bin/sh" : l->program);
}

[[gnu::noreturn]] static void live(const struct launch *l, int status, pid_t parent)
{
	struct birth b = { .launch = l, .status = status };
	reset_signals();
	b.status = high(&b, status);
	setsid();  /* its own group, to be signalled as a whole, and no terminal */
	umask(022);
	enter_cgroup(&b);
	set_descriptors(&b);
	set_limits(&b, false);
	become(&b);
	/* After the change of user, which forgets the first. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || (!l->may_gain && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
		give_up(&b, "can't give up rights");
	if (getppid() != parent)  /* it died before we followed it */
		_exit(127);
	enter_folder(&b);
	set_env(&b);
	set_limits(&b, true);
	run(&b);
	_exit(127);
}

/* What the new process said before its program ran: -errno, or 0 where it said nothing. */
static int hear(int status, char *error, size_t error_n)
{
	struct failure f = {};
	ssize_t n;
	do
		n = read(status, &f, sizeof f);
	while (n < 0 && errno == EINTR);
	if (n != sizeof f)
		return 0;
	snprintf(error, error_n, "%.*s", WHAT_B - 1, f.what);
	return -f.err;
}

pid_t launch(const struct launch *l, char *error, size_t error_n)
{
	int status[2];
	pid_t parent = getpid();
	snprintf(error, error_n, "can't make a process");
	if (pipe2(status, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0)
		live(l, status[1], parent);
	int err = pid < 0 ? -errno : 0;
	close(status[1]);
	if (!err && (err = hear(status[0], error, error_n)) < 0)
		waitpid(pid, NULL, 0);
	close(status[0]);
	return err ? err : pid;
}

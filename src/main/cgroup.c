/* Making control groups.  Runs in the spawner.
 *
 * A group that divides what it has among others may not have processes itself, so petrel's own move to a group "petrel"
 * beside those of the apps.  That is what systemd's Delegate=yes allows; where we may not, we go on without. */
#include "main/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/num.h"

enum { PATH_B = 640, TEXT_B = 16 * 1024, CPU_PERIOD_US = 100000 };

static int write_text(const char *folder, const char *file, const char *text)
{
	char path[PATH_B];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t n = strlen(text);
	int err = write(fd, text, n) == (ssize_t)n ? 0 : -errno;
	close(fd);
	return err;
}

static struct str read_text(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_B - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return str_make(text, n > 0 ? (size_t)n : 0);
}

/* Where cgroup2 is mounted: the second word of the line whose third it is. */
static struct str find_mount(char *text)
{
	struct str rest = read_text("/proc/self/mounts", text);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n');
		str_cut(&line, ' ');
		struct str at = str_cut(&line, ' ');
		if (str_eq(str_cut(&line, ' '), STR("cgroup2")))
			return at;
	}
	return STR("");
}

/* The line "0::/path" is of version 2. */
static struct str find_own(char *text)
{
	struct str rest = read_text("/proc/self/cgroup", text);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n');
		if (str_starts(line, STR("0::")))
			return str_from(line, 3);
	}
	return STR("");
}

/* The supervisor, or one of its children. */
static bool is_ours(const char *pid)
{
	char path[PATH_B], text[TEXT_B];
	int parent = 0;
	snprintf(path, sizeof path, "/proc/%s/stat", pid);
	struct str stat = read_text(path, text);
	/* The name, in parentheses, may hold anything. */
	size_t end = str_rfind(stat, ')');
	if (end < stat.n && sscanf(stat.p + end, ") %*c %d", &parent) != 1)
		parent = 0;
	return atoi(pid) == getppid() || parent == getppid();
}

/* Petrel's own processes go to a group below theirs. */
static int move_down(const char *base)
{
	char folder[PATH_B], path[PATH_B], text[TEXT_B];
	snprintf(folder, sizeof folder, "%.511s/petrel", base);
	snprintf(path, sizeof path, "%.511s/cgroup.procs", base);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	struct str rest = read_text(path, text);
	while (rest.n) {
		char pid[24];
		snprintf(pid, sizeof pid, "%.*s", STR_F(str_cut(&rest, '\n')));
		int err = is_ours(pid) ? write_text(folder, "cgroup.procs", pid) : 0;
		if (err && err != -ESRCH)
			return err;
	}
	return 0;
}

static int divide(const char *base)
{
	static const char WANTED[] = "+memory +cpu +pids";
	int err = write_text(base, "cgroup.subtree_control", WANTED);
	if (err == -EBUSY && (err = move_down(base)) == 0)
		err = write_text(base, "cgroup.subtree_control", WANTED);
	return err;
}

static void look(struct cgroups *c)
{
	char mounts[TEXT_B], own[TEXT_B];
	struct str mount = find_mount(mounts), path = find_own(own);
	c->looked = true;
	if (!mount.n || !path.n) {
		c->why = "there is no cgroup v2 hierarchy here";
		return;
	}
	snprintf(c->base, sizeof c->base, "%.*s%.*s", STR_F(mount), STR_F(str_eq(path, STR("/")) ? STR("") : path));
	if (divide(c->base) == 0)
		return;
	c->base[0] = '\0';
	c->why = "petrel may not divide its control group (in a systemd unit: Delegate=yes)";
}

/* Names of apps become names of folders. */
static void folder_of(const struct cgroups *c, struct str app, char *folder)
{
	size_t at = (size_t)snprintf(folder, PATH_B, "%s/app-", c->base);
	for (size_t i = 0; i < app.n && at < PATH_B - 1; i++)
		folder[at++] = ascii_alpha(app.p[i]) || ascii_digit(app.p[i]) || app.p[i] == '-' ? app.p[i] : '_';
	folder[at] = '\0';
}

static int set_number(const char *folder, const char *file, uint64_t value)
{
	char text[24];
	if (value)
		snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return write_text(folder, file, value ? text : "max");
}

static int set_limits(const char *folder, const struct cgroup_limits *limits)
{
	char cpu[48];
	int err = set_number(folder, "memory.max", limits->memory_b);
	if (!err)
		err = set_number(folder, "pids.max", limits->tasks);
	if (err || !limits->cpu_percent)
		return err ? err : write_text(folder, "cpu.max", "max");
	snprintf(cpu, sizeof cpu, "%llu %d", (unsigned long long)limits->cpu_percent * CPU_PERIOD_US / 100, CPU_PERIOD_US);
	return write_text(folder, "cpu.max", cpu);
}

int cgroup_open(struct cgroups *c, struct str app, const struct cgroup_limits *limits, const char **why)
{
	char folder[PATH_B], path[PATH_B + 16];
	if (!c->looked)
		look(c);
	*why = c->why;
	if (!c->base[0])
		return -ENOTSUP;
	folder_of(c, app, folder);
	*why = "its control group can't be made";
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	*why = "the bounds of its control group can't be set";
	int err = set_limits(folder, limits);
	if (err)
		return err;
	snprintf(path, sizeof path, "%s/cgroup.procs", folder);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void cgroup_remove(struct cgroups *c, struct str app)
{
	char folder[PATH_B];
	if (!c->base[0])
		return;
	folder_of(c, app, folder);
	rmdir(folder);
}

/* Making control groups.  Runs in the spawner.
 *
 * A group that divides what it has among others may not have processes itself, so petrel's own move to a group "petrel"
 * beside those of the apps.  That is what systemd's Delegate=yes allows; where we may not, we go on without. */
#include "main/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

enum { PATH_B = 640, TEXT_B = 64 * 1024, CPU_PERIOD_US = 100000 };

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

/* At most TEXT_B bytes.  The kernel gives lists a page at a time. */
static struct str read_text(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	for (ssize_t got = 0; fd >= 0 && n < TEXT_B && (got = read(fd, text + n, TEXT_B - n)) > 0;)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	return str_make(text, n);
}

/* --- Where. --- */

/* "36 25 0:31 /root /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw": where cgroup2 is mounted, and which part of
 * it.  Beside hierarchies of version 1 that is some place below /sys/fs/cgroup. */
static bool find_mount(char *text, struct str *root, struct str *at)
{
	struct str rest = read_text("/proc/self/mountinfo", text);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n');
		const char *type = memmem(line.p, line.n, " - cgroup2 ", 11);
		for (int i = 0; i < 3; i++)
			str_cut(&line, ' ');
		*root = str_cut(&line, ' ');
		*at = str_cut(&line, ' ');
		if (type)
			return true;
	}
	return false;
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

static void look(struct cgroups *c)
{
	char mounts[TEXT_B], text[TEXT_B];
	struct str root, at, own = find_own(text);
	c->looked = true;
	c->supervisor = getppid();
	c->why = "there is no cgroup v2 hierarchy here";
	if (!own.n || !find_mount(mounts, &root, &at))
		return;
	if (!str_eq(root, STR("/")) && str_starts(own, root))
		own = str_from(own, root.n);
	snprintf(c->base, sizeof c->base, "%.*s%.*s", STR_F(at), STR_F(str_eq(own, STR("/")) ? STR("") : own));
}

/* --- Dividing. --- */

static pid_t parent_of(pid_t pid)
{
	char path[PATH_B], text[TEXT_B];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	struct str stat = read_text(path, text);
	/* The name, in parentheses, may hold anything. */
	struct str rest = str_from(stat, str_rfind(stat, ')'));
	str_cut(&rest, ' ');
	str_cut(&rest, ' ');
	uint64_t parent = 0;
	return num_parse(str_cut(&rest, ' '), INT32_MAX, &parent) ? 0 : (pid_t)parent;
}

/* The supervisor, and whoever descends from it. */
static bool is_ours(const struct cgroups *c, pid_t pid)
{
	while (pid > 1 && pid != c->supervisor)
		pid = parent_of(pid);
	return pid > 1;
}

/* Petrel's own processes go to a group below theirs; -EBUSY where there are others. */
static int move_down(const struct cgroups *c)
{
	char folder[PATH_B], path[PATH_B], text[TEXT_B];
	snprintf(folder, sizeof folder, "%s/petrel", c->base);
	snprintf(path, sizeof path, "%s/cgroup.procs", c->base);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	struct str rest = read_text(path, text);
	bool others = false;
	while (rest.n) {
		char pid[24];
		struct str line = str_cut(&rest, '\n');
		snprintf(pid, sizeof pid, "%.*s", STR_F(line));
		int err = is_ours(c, atoi(pid)) ? write_text(folder, "cgroup.procs", pid) : -EBUSY;
		if (err && err != -EBUSY && err != -ESRCH)
			return err;
		others |= err == -EBUSY;
	}
	return others ? -EBUSY : 0;
}

static const char *const CONTROLLERS[] = { "memory", "cpu", "pids" };
enum { MEMORY, CPU, PIDS };

/* Which of them the limits need, as bits. */
static unsigned needs_of(const struct cgroup_limits *l)
{
	return (l->memory_b ? 1u << MEMORY : 0) | (l->cpu_percent ? 1u << CPU : 0) | (l->tasks ? 1u << PIDS : 0);
}

/* The hierarchy's root alone may have processes beside groups.  Elsewhere the kernel would let cpu and pids be divided
 * with processes there, and make the groups such that only threads can enter them. */
static bool may_stay(const struct cgroups *c)
{
	char path[PATH_B];
	snprintf(path, sizeof path, "%s/cgroup.type", c->base);
	return access(path, F_OK) < 0;
}

static int divide(struct cgroups *c, const char *controller, const char **why)
{
	char text[16];
	snprintf(text, sizeof text, "+%s", controller);
	int err = may_stay(c) ? 0 : move_down(c);
	if (!err)
		err = write_text(c->base, "cgroup.subtree_control", text);
	if (err == -ENOENT || err == -EINVAL)
		*why = "a controller that it needs (memory, cpu, pids) is not to be had in this hierarchy";
	else if (err)
		*why = "petrel may not divide its control group (in a systemd unit: Delegate=yes)";
	return err;
}

/* One by one: some may be there while others are in hierarchies of version 1. */
static int divide_all(struct cgroups *c, unsigned needs, const char **why)
{
	for (size_t i = 0; i < sizeof CONTROLLERS / sizeof *CONTROLLERS; i++) {
		unsigned bit = 1u << i;
		int err = needs & bit && !(c->divided & bit) ? divide(c, CONTROLLERS[i], why) : 0;
		if (err)
			return err;
		c->divided |= needs & bit;
	}
	return 0;
}

/* --- Groups. --- */

/* What each of this petrel's groups' names begins with: two may run in one group, with apps of one name. */
static size_t prefix_of(const struct cgroups *c, char *prefix, size_t prefix_n)
{
	return (size_t)snprintf(prefix, prefix_n, "petrel-%d-", (int)c->supervisor);
}

/* Names of apps become names of folders. */
static void folder_of(const struct cgroups *c, struct str app, char *folder)
{
	size_t at = (size_t)snprintf(folder, PATH_B, "%s/", c->base);
	at += prefix_of(c, folder + at, PATH_B - at);
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

static int set_cpu(const char *folder, uint64_t percent)
{
	char text[48];
	if (!percent)
		return write_text(folder, "cpu.max", "max");
	snprintf(text, sizeof text, "%llu %d", (unsigned long long)percent * CPU_PERIOD_US / 100, CPU_PERIOD_US);
	return write_text(folder, "cpu.max", text);
}

/* Of all controllers that some app needs: what this one had before a reload may be gone. */
static int set_limits(const struct cgroups *c, const char *folder, const struct cgroup_limits *limits)
{
	int err = c->divided & 1u << MEMORY ? set_number(folder, "memory.max", limits->memory_b) : 0;
	if (!err && c->divided & 1u << PIDS)
		err = set_number(folder, "pids.max", limits->tasks);
	return !err && c->divided & 1u << CPU ? set_cpu(folder, limits->cpu_percent) : err;
}

int cgroup_open(struct cgroups *c, struct str app, const struct cgroup_limits *limits, const char **why)
{
	char folder[PATH_B], path[PATH_B + 16];
	if (!c->looked)
		look(c);
	*why = c->why;
	if (!c->base[0])
		return -ENOTSUP;
	int err = divide_all(c, needs_of(limits), why);
	if (err)
		return err;
	folder_of(c, app, folder);
	*why = "its control group can't be made";
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	*why = "the bounds of its control group can't be set";
	err = set_limits(c, folder, limits);
	if (err)
		return err;
	snprintf(path, sizeof path, "%s/cgroup.procs", folder);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void cgroups_remove(struct cgroups *c)
{
	char prefix[32];
	size_t n = prefix_of(c, prefix, sizeof prefix);
	DIR *dir = c->divided ? opendir(c->base) : NULL;
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (strncmp(e->d_name, prefix, n) == 0)
			unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	if (dir)
		closedir(dir);
}

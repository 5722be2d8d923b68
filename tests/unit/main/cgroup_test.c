/* Control groups over plain files: which bounds are written where, and what is said where they can't be had.  What the
 * kernel makes of them: tests/system/test_cgroups.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/cgroup.h"

static struct cgroups groups;

static void path_of(char *path, size_t path_n, const char *file)
{
	snprintf(path, path_n, "%s/%s", groups.base, file);
}

static void make_file(const char *file)
{
	char path[1024];
	path_of(path, sizeof path, file);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void make_folder(const char *name)
{
	char path[1024];
	path_of(path, sizeof path, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static bool is_there(const char *file)
{
	char path[1024];
	path_of(path, sizeof path, file);
	return access(path, F_OK) == 0;
}

/* What was written since the last look. */
static void has(const char *file, const char *text)
{
	char path[1024], got[64];
	path_of(path, sizeof path, file);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	ssize_t n = read(fd, got, sizeof got - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	assert_string_equal(got, text);
}

static int set_up(void **state)
{
	(void)state;
	groups = (struct cgroups){ .looked = true, .supervisor = 77, .base = "/tmp/petrel-cgroup-XXXXXX" };
	assert_non_null(mkdtemp(groups.base));
	make_file("cgroup.subtree_control");
	make_folder("petrel-77-web");
	make_file("petrel-77-web/memory.max");
	make_file("petrel-77-web/cpu.max");
	make_file("petrel-77-web/pids.max");
	make_file("petrel-77-web/cgroup.procs");
	return 0;
}

static int tear_down(void **state)
{
	char command[600];
	(void)state;
	snprintf(command, sizeof command, "rm -r %s", groups.base);
	return system(command);
}

static void enters(const struct cgroup_limits *limits)
{
	const char *why;
	int fd = cgroup_open(&groups, STR("web"), limits, &why);
	if (fd < 0)
		fail_msg("%s: %s", why, strerror(-fd));
	assert_int_equal(write(fd, "0", 1), 1);
	close(fd);
	has("petrel-77-web/cgroup.procs", "0");
}

static void all_bounds(void **state)
{
	(void)state;
	enters(&(struct cgroup_limits){ .memory_b = 64 << 20, .cpu_percent = 150, .tasks = 9 });
	has("petrel-77-web/memory.max", "67108864");
	has("petrel-77-web/cpu.max", "150000 100000");
	has("petrel-77-web/pids.max", "9");
}

/* Other controllers may be in hierarchies of version 1: they are not asked for. */
static void only_what_is_needed(void **state)
{
	(void)state;
	enters(&(struct cgroup_limits){ .tasks = 20 });
	has("cgroup.subtree_control", "+pids");
	has("petrel-77-web/pids.max", "20");
	has("petrel-77-web/memory.max", "");
	has("petrel-77-web/cpu.max", "");
	enters(&(struct cgroup_limits){ .tasks = 20 });
	has("cgroup.subtree_control", "");
}

/* A reload may take bounds away from a group in which processes run. */
static void bounds_that_are_gone(void **state)
{
	(void)state;
	enters(&(struct cgroup_limits){ .memory_b = 1 << 20, .tasks = 20 });
	has("petrel-77-web/memory.max", "1048576");
	has("petrel-77-web/pids.max", "20");
	enters(&(struct cgroup_limits){ .tasks = 30 });
	has("petrel-77-web/memory.max", "max");
	has("petrel-77-web/pids.max", "30");
	has("petrel-77-web/cpu.max", "");
}

static void names_become_folders(void **state)
{
	const char *why;
	(void)state;
	/* It is made, and the kernel would fill it. */
	assert_int_equal(cgroup_open(&groups, STR("a.b_c/../d-1"), &(struct cgroup_limits){ .tasks = 1 }, &why), -ENOENT);
	assert_string_equal(why, "the bounds of its control group can't be set");
	assert_true(is_there("petrel-77-a_b_c____d-1"));
}

static void what_can_not_be_had_is_said(void **state)
{
	static const struct cgroup_limits LIMITS = { .tasks = 1 };
	struct cgroups none = { .looked = true, .why = "nothing is there" };
	const char *why;
	char path[1024];
	(void)state;
	assert_int_equal(cgroup_open(&none, STR("web"), &LIMITS, &why), -ENOTSUP);
	assert_string_equal(why, "nothing is there");
	path_of(path, sizeof path, "cgroup.subtree_control");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(cgroup_open(&groups, STR("web"), &LIMITS, &why), -ENOENT);
	assert_non_null(strstr(why, "not to be had"));
	/* A file that nobody can write to, whoever he is. */
	make_folder("cgroup.subtree_control");
	assert_int_equal(cgroup_open(&groups, STR("web"), &LIMITS, &why), -EISDIR);
	assert_non_null(strstr(why, "Delegate=yes"));
}

static void its_own_groups_are_removed(void **state)
{
	(void)state;
	make_folder("petrel-77-gone");
	make_folder("petrel-78-web");
	make_folder("petrel");
	cgroups_remove(&groups);
	assert_true(is_there("petrel-77-gone"));
	enters(&(struct cgroup_limits){ .tasks = 20 });
	cgroups_remove(&groups);
	assert_false(is_there("petrel-77-gone"));
	assert_true(is_there("petrel-78-web") && is_there("petrel"));
	/* Something is left in it, here files. */
	assert_true(is_there("petrel-77-web"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest TESTS[] = {
		TEST(all_bounds),
		TEST(only_what_is_needed),
		TEST(bounds_that_are_gone),
		TEST(names_become_folders),
		TEST(what_can_not_be_had_is_said),
		TEST(its_own_groups_are_removed),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

/* Reading /proc.  Runs in the spawner: other users may not look there.  Bounded, whatever an application forks. */
#include "main/tally.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

enum { PROCESSES_MOST = 512, FILE_B = 16 * 1024 };

/* At most FILE_B - 1 bytes of it, with a NUL behind them; the number of bytes. */
static size_t read_file(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, FILE_B - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* Its children are put behind what pids holds. */
static unsigned add_children(pid_t pid, pid_t *pids, unsigned count)
{
	char path[64], text[FILE_B], *at = text, *end;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	read_file(path, text);
	for (long child; count < PROCESSES_MOST && (child = strtol(at, &end, 10)) > 0; at = end)
		pids[count++] = (pid_t)child;
	return count;
}

static uint64_t resident_b(pid_t pid)
{
	char path[64], text[FILE_B];
	unsigned long long all, resident;
	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	read_file(path, text);
	return sscanf(text, "%llu %llu", &all, &resident) == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint64_t descriptors_of(pid_t pid)
{
	char path[64];
	uint64_t count = 0;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count > 2 ? count - 2 : 0;  /* . and .. */
}

struct tally tally_of(pid_t pid)
{
	pid_t pids[PROCESSES_MOST] = { pid };
	struct tally t = { .processes = 1 };
	for (unsigned i = 0; i < t.processes; i++) {
		uint64_t descriptors = descriptors_of(pids[i]);
		t.memory_b += resident_b(pids[i]);
		t.descriptors = descriptors > t.descriptors ? descriptors : t.descriptors;
		t.processes = add_children(pids[i], pids, t.processes);
	}
	return t;
}

unsigned tally_kill_children(void)
{
	pid_t pids[PROCESSES_MOST];
	unsigned count = add_children(getpid(), pids, 0);
	for (unsigned i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	return count;
}

/* Reads the kernel's tables of sockets for the inode of a listening one, then looks for the process that has it open.
 * Owns nothing; the supervisor's thread. */
#include "net/holder.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One line of /proc/net/tcp or tcp6; true where it listens on this port.  The address is not compared: on one port,
 * different addresses rarely belong to different programs, and wildcards get in each other's way. */
static bool tcp_line(const char *line, const struct addr *a, unsigned long *inode)
{
	unsigned port, state;
	enum { LISTENS = 0x0a };  /* TCP_LISTEN in the kernel's tcp_states.h */
	int read = sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %lu", &port, &state,
	                  inode);
	return read == 3 && state == LISTENS && port == addr_port(a);
}

/* One line of /proc/net/unix, which writes an abstract name's first byte as @. */
static bool unix_line(const char *line, const struct addr *a, unsigned long *inode)
{
	struct buf name = {};
	int at = 0;
	if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %n", inode, &at) != 1 || !at)
		return false;
	addr_print(&name, a);
	struct str path = str_from(buf_str(&name), 5), there = { line + at, strcspn(line + at, "\n") };
	bool same = str_eq(path, there);
	buf_fini(&name);
	return same;
}

static bool find_inode(const char *table, bool (*match)(const char *, const struct addr *, unsigned long *),
                       const struct addr *a, unsigned long *inode)
{
	char line[512];
	bool found = false;
	FILE *f = fopen(table, "re");
	while (f && !found && fgets(line, sizeof line, f))
		found = match(line, a, inode);
	if (f)
		fclose(f);
	return found;
}

/* True where the process has a descriptor of this socket. */
static bool has_socket(const char *pid, unsigned long inode)
{
	char path[320], want[40], got[40];
	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	snprintf(want, sizeof want, "socket:[%lu]", inode);
	DIR *dir = opendir(path);
	bool found = false;
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, got, sizeof got - 1);
		found = n > 0 && str_eq(str_make(got, (size_t)n), str_of(want));
	}
	if (dir)
		closedir(dir);
	return found;
}

static void name_process(const char *pid, char *text, size_t text_n)
{
	char path[320], name[40] = "process";
	snprintf(path, sizeof path, "/proc/%s/comm", pid);
	FILE *f = fopen(path, "re");
	if (f && fgets(name, sizeof name, f))
		name[strcspn(name, "\n")] = '\0';
	if (f)
		fclose(f);
	snprintf(text, text_n, "%s (pid %s)", name, pid);
}

void holder_find(const struct addr *a, char *text, size_t text_n)
{
	unsigned long inode;
	snprintf(text, text_n, "another process");
	if (a->any.sa_family == AF_UNIX ? !find_inode("/proc/net/unix", unix_line, a, &inode)
	                                : !find_inode("/proc/net/tcp", tcp_line, a, &inode) &&
	                                          !find_inode("/proc/net/tcp6", tcp_line, a, &inode))
		return;
	DIR *dir = opendir("/proc");
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (ascii_digit(e->d_name[0]) && has_socket(e->d_name, inode)) {
			name_process(e->d_name, text, text_n);
			break;
		}
	}
	if (dir)
		closedir(dir);
}

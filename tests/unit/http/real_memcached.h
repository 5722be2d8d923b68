/* A memcached server of the test's own, on a free port. */
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static inline pid_t real_start(uint16_t port)
{
	char text[8];
	snprintf(text, sizeof text, "%u", port);
	pid_t pid = fork();
	if (pid)
		return pid;
	/* It ends with the test, whatever ends that; another user would undo this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl("/usr/bin/memcached", "memcached", "-u", "root", "-l", "127.0.0.1", "-p", text, "-U", "0", (char *)NULL);
	_exit(127);
}

static inline bool listens(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
	close(fd);
	return is;
}

static inline uint16_t free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static inline pid_t real_up(uint16_t port)
{
	pid_t pid = real_start(port);
	for (unsigned i = 0; i < 300 && !listens(port); i++)
		poll(NULL, 0, 10);
	assert_true(listens(port));
	return pid;
}

static inline void real_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

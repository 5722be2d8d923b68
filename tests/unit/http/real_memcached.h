/* A memcached server of the test's own, on a free port. */
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
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

/* Whoever has the abstract name that goes with a port has the port, as long as the process lives. */
static inline bool port_claim(uint16_t port)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "petrel-test-port-%u", port);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0)
		return true;
	close(fd);
	return false;
}

/* Below those that the kernel gives to who connects: nobody takes it while the server is away. */
static inline uint16_t free_port(void)
{
	enum { FIRST = 6000, COUNT = 4000 };
	for (unsigned i = 0; i < 100; i++) {
		uint16_t any;
		assert_int_equal(getrandom(&any, sizeof any, 0), sizeof any);
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		at.sin_port = htons(FIRST + any % COUNT);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		bool is_free = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
		close(fd);
		if (is_free && port_claim(ntohs(at.sin_port)))
			return ntohs(at.sin_port);
	}
	fail_msg("there is no free port");
	return 0;
}

static inline pid_t real_up(uint16_t port)
{
	pid_t pid = real_start(port);
	for (unsigned i = 0; i < 300 && !listens(port); i++)
		poll(NULL, 0, 10);
	assert_true(listens(port));
	return pid;
}

/* A signal takes its time to arrive: until none of its threads runs any more. */
static inline void real_stop(pid_t pid)
{
	int status;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

static inline void real_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

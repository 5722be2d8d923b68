/* From exec to the first answer: starts a server and asks at once, as fast as it can, until it answers.
 *
 * Prints the milliseconds, then stops the server by SIGTERM and waits for its end. */
#include "client.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 10 };

static pid_t server_start(unsigned core, char **command)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	cpu_set_t cores;
	CPU_ZERO(&cores);
	CPU_SET(core, &cores);
	sched_setaffinity(0, sizeof cores, &cores);
	execv(command[0], command);
	perror(command[0]);
	_exit(127);
}

/* One attempt: whether a 200 came back. */
static bool ask(unsigned short port, const char *path)
{
	char request[512], answer[16] = "";
	int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	bool good = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
		send(fd, request, (size_t)size, MSG_NOSIGNAL) == size &&
		recv(fd, answer, 12, MSG_WAITALL) == 12 && strcmp(answer, "HTTP/1.1 200") == 0;
	close(fd);
	return good;
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fputs("usage: first PORT PATH CORE COMMAND…\n", stderr);
		return 2;
	}
	unsigned short port = (unsigned short)number(argv[1]);
	if (ask(port, argv[2])) {
		fputs("something answers on this port already\n", stderr);
		return 1;
	}
	uint64_t begin = now_ns();
	pid_t pid = server_start((unsigned)number(argv[3]), argv + 4);
	bool good, ended;
	do {
		good = ask(port, argv[2]);
		ended = waitpid(pid, NULL, WNOHANG) != 0;
	} while (!good && !ended && now_ns() - begin < PATIENCE_S * UINT64_C(1000000000));
	double took_ms = (double)(now_ns() - begin) / 1e6;
	if (good)
		printf("first_ms %.3f\n", took_ms);
	if (!ended) {
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
	return !good;
}

/* The floor: the least that a server on epoll can do, to compare with.
 *
 * One thread reads whatever has arrived and parrots one canned answer of 4.5 KB per request: one read and one write
 * each.  Requests are counted by the empty line at their end, across reads, so that pipelining stays right.  It looks
 * at nothing else, and is no server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BODY_B = 4608,
	EVENTS = 256,
	PIPELINED = 16,  /* answers that one write can carry */
};

struct conn {
	int fd;
	unsigned seen;  /* bytes of CRLFCRLF that the last read ended with */
	uint64_t owed;  /* bytes not written yet: whole answers, but for a rest of the first */
	bool full;      /* the socket took no more: waiting for EPOLLOUT */
};

struct server {
	int epoll, listener;
	size_t answer_b;
	char *answers;  /* PIPELINED of them, one after the other */
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void answers_make(struct server *s)
{
	char head[256], body[BODY_B];
	memset(body, 'x', sizeof body);
	int head_b = snprintf(head, sizeof head,
		"HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
		"Content-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n"
		"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"0123456789abcdef\"\r\n\r\n", BODY_B);
	s->answer_b = (size_t)head_b + BODY_B;
	s->answers = malloc(s->answer_b * PIPELINED);
	if (!s->answers)
		die("malloc");
	for (int i = 0; i < PIPELINED; i++) {
		char *at = s->answers + (size_t)i * s->answer_b;
		memcpy(at, head, (size_t)head_b);
		memcpy(at + head_b, body, BODY_B);
	}
}

static void listener_open(struct server *s, unsigned short port)
{
	const int on = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(s->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  /* inherited by what it accepts */
	if (bind(s->listener, (const struct sockaddr *)&at, sizeof at) < 0 || listen(s->listener, SOMAXCONN) < 0)
		die("listen");
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e) < 0)
		die("epoll");
}

static void conn_watch(struct server *s, struct conn *c, int how)
{
	struct epoll_event e = {.events = c->full ? EPOLLOUT : EPOLLIN, .data.ptr = c};
	if (epoll_ctl(s->epoll, how, c->fd, &e) < 0)
		die("epoll_ctl");
}

static void conn_accept(struct server *s)
{
	int fd;
	while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof *c);
		if (!c)
			die("calloc");
		c->fd = fd;
		conn_watch(s, c, EPOLL_CTL_ADD);
	}
}

static void conn_close(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* Ends of heads in what was read. */
static unsigned heads_count(struct conn *c, const char *data, size_t size)
{
	static const char end[] = "\r\n\r\n";
	unsigned count = 0;
	for (size_t i = 0; i < size; i++) {
		c->seen = data[i] == end[c->seen] ? c->seen + 1 : data[i] == '\r';
		count += c->seen == 4;
		c->seen &= 3;
	}
	return count;
}

/* Writes what is owed; false when the client has gone. */
static bool conn_write(struct server *s, struct conn *c)
{
	while (c->owed) {
		size_t rest = c->owed % s->answer_b;
		size_t skip = rest ? s->answer_b - rest : 0;
		size_t most = s->answer_b * PIPELINED - skip;
		ssize_t put = send(c->fd, s->answers + skip, c->owed < most ? c->owed : most, MSG_NOSIGNAL);
		if (put < 0)
			return errno == EAGAIN;
		c->owed -= (size_t)put;
	}
	return true;
}

static void conn_turn(struct server *s, struct conn *c)
{
	char data[16384];
	if (!c->full) {
		ssize_t got = recv(c->fd, data, sizeof data, 0);
		if (got <= 0) {
			conn_close(c);
			return;
		}
		c->owed += heads_count(c, data, (size_t)got) * s->answer_b;
	}
	if (!conn_write(s, c)) {
		conn_close(c);
		return;
	}
	if (c->full != (c->owed > 0)) {
		c->full = c->owed > 0;
		conn_watch(s, c, EPOLL_CTL_MOD);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: floor PORT\n", stderr);
		return 2;
	}
	struct server s = {0};
	answers_make(&s);
	listener_open(&s, (unsigned short)atoi(argv[1]));
	for (;;) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(s.epoll, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				conn_turn(&s, events[i].data.ptr);
			else
				conn_accept(&s);
		}
	}
}

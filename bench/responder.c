/* See responder.h. */
#include "responder.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

enum {
	EVENTS = 256,
	ROOM_B = 64 * 1024,
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- Listening. --- */

static int tcp_open(const char *port)
{
	const int on = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)number(port)),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  /* inherited by what it accepts */
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
		die("listen");
	return fd;
}

static int local_open(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (strlen(path) >= sizeof at.sun_path) {
		fprintf(stderr, "too long for a socket: %s\n", path);
		exit(2);
	}
	strcpy(at.sun_path, path);
	unlink(path);
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
		die("listen");
	return fd;
}

static void listener_open(struct responder *r, const char *where)
{
	if (strcmp(where, "-") == 0)
		r->listener = 0;
	else
		r->listener = strchr(where, '/') ? local_open(where) : tcp_open(where);
	/* Several processes may wait for the same socket: one of them is woken for each connection. */
	struct epoll_event e = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = NULL};
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &e) < 0)
		die("epoll");
}

/* A socket that was inherited may block: one connection for each time that epoll says so. */
static void conn_accept(struct responder *r)
{
	int fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct responder_conn *c = fd >= 0 ? calloc(1, sizeof *c) : NULL;
	if (!c)
		return;
	c->fd = fd;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

/* --- One connection. --- */

static void conn_close(struct responder *r, struct responder_conn *c)
{
	if (c->due_ns)
		TAILQ_REMOVE(&r->waiting, c, link);
	close(c->fd);
	free(c->held);
	free(c);
}

static void conn_watch(struct responder *r, struct responder_conn *c, bool out)
{
	struct epoll_event e = {.events = out ? EPOLLOUT : EPOLLIN, .data.ptr = c};
	if (c->watched_out != out && epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &e) < 0)
		die("epoll_ctl");
	c->watched_out = out;
}

/* Writes what is owed; false once the connection is over. */
static bool conn_write(struct responder *r, struct responder_conn *c)
{
	if (r->sending)
		r->sending(r, c);
	ssize_t put = send(c->fd, c->answer + c->answer_at, c->answer_b - c->answer_at, MSG_NOSIGNAL);
	if (put < 0 && errno != EAGAIN)
		return false;
	c->answer_at += put > 0 ? (size_t)put : 0;
	bool whole = c->answer_at == c->answer_b;
	conn_watch(r, c, !whole);
	if (whole)
		c->answer = NULL;
	return !whole || !c->closing;
}

void responder_owe(struct responder *r, struct responder_conn *c, const char *answer, size_t size)
{
	c->answer = answer;
	c->answer_at = 0;
	c->answer_b = size;
	if (!r->delay_ns)
		return;
	c->due_ns = now_ns() + r->delay_ns;
	TAILQ_INSERT_TAIL(&r->waiting, c, link);
}

static bool conn_hold(struct responder_conn *c, const char *data, size_t size)
{
	if (size > RESPONDER_HELD_B)
		return false;
	if (!c->held)
		c->held = malloc(RESPONDER_HELD_B);
	if (!c->held)
		die("malloc");
	memmove(c->held, data, size);
	c->held_b = size;
	return true;
}

/* false once the connection is over. */
static bool conn_read(struct responder *r, struct responder_conn *c)
{
	char room[ROOM_B];
	size_t size = c->held_b, at = 0;
	memcpy(room, c->held ? c->held : room, size);
	ssize_t got = recv(c->fd, room + size, sizeof room - size, 0);
	if (got <= 0)
		return got < 0 && errno == EAGAIN;
	size += (size_t)got;
	c->held_b = 0;
	while (at < size && !c->answer) {
		size_t taken = r->take(r, c, room + at, size - at);
		if (taken == SIZE_MAX)
			return false;
		if (!taken)
			break;
		at += taken;
		if (c->answer && !c->due_ns && !conn_write(r, c))
			return false;
	}
	return at == size || conn_hold(c, room + at, size - at);
}

static void conn_turn(struct responder *r, struct responder_conn *c)
{
	if (!(c->watched_out ? conn_write(r, c) : conn_read(r, c)))
		conn_close(r, c);
}

/* --- The loop. --- */

static void due_write(struct responder *r)
{
	struct responder_conn *c;
	uint64_t now = TAILQ_EMPTY(&r->waiting) ? 0 : now_ns();
	while ((c = TAILQ_FIRST(&r->waiting)) && c->due_ns <= now) {
		TAILQ_REMOVE(&r->waiting, c, link);
		c->due_ns = 0;
		if (!conn_write(r, c))
			conn_close(r, c);
	}
}

/* Until the next answer is due, rounded up to milliseconds. */
static int wait_ms(const struct responder *r)
{
	const struct responder_conn *first = TAILQ_FIRST(&r->waiting);
	uint64_t now = first ? now_ns() : 0;
	if (!first)
		return -1;
	return first->due_ns <= now ? 0 : (int)((first->due_ns - now + 999999) / 1000000);
}

void responder_run(struct responder *r, const char *where)
{
	TAILQ_INIT(&r->waiting);
	listener_open(r, where);
	for (;;) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(r->epoll, events, EVENTS, wait_ms(r));
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				conn_turn(r, events[i].data.ptr);
			else
				conn_accept(r);
		}
		due_write(r);
	}
}

/* See client.h.  Every answer is read into one shared room; only a head that came in pieces is kept by its link. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	ROOM_B = 256 * 1024,  /* a 100 KB answer in one read */
	HEAD_B = 4096,        /* the longest head that is understood */
	EVENTS = 256,
};

static void *room_new(size_t count, size_t size)
{
	void *p = calloc(count, size);
	if (!p) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static struct sockaddr_in loopback(unsigned last, unsigned short port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(0x7f000000u | last),
	};
}

void client_init(struct client *c, unsigned short port, unsigned from, unsigned count)
{
	*c = (struct client){
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.from = from,
		.to = loopback(1, port),
		.links = room_new(count, sizeof *c->links),
		.count = count,
		.room = room_new(1, ROOM_B),
	};
	for (unsigned i = 0; i < count; i++)
		c->links[i].fd = -1;
}

void client_fini(struct client *c)
{
	for (unsigned i = 0; i < c->count; i++)
		link_close(&c->links[i]);
	free(c->links);
	free(c->room);
	close(c->epoll);
}

/* BIND_ADDRESS_NO_PORT leaves the choice of the port to connect(), which may use one again for another destination:
 * without it 28,000 connections exhaust an address.  Several addresses, because connect() gets slow at half of that: it
 * tries all even ports before the first odd one. */
static void link_connect(struct client *c, const struct link *l)
{
	const int on = 1, fd = l->fd;
	struct sockaddr_in from = loopback(c->from + (unsigned)(l - c->links) % CLIENT_ADDRESSES, 0);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* A socket that could not connect reports EPOLLHUP at the next turn, so that a failure takes one way only. */
	if (bind(fd, (const struct sockaddr *)&from, sizeof from) == 0)
		(void)!connect(fd, (const struct sockaddr *)&c->to, sizeof c->to);
}

void link_open(struct client *c, struct link *l)
{
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		perror("socket");
		exit(1);
	}
	l->state = LINK_OPENING;
	l->status = 0;
	link_connect(c, l);
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = l};
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, l->fd, &e) < 0) {
		perror("epoll_ctl");
		exit(1);
	}
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	free(l->head);
	l->fd = -1;
	l->head = NULL;
	l->kept = 0;
	l->state = LINK_CLOSED;
}

/* A request fits any socket buffer; if it doesn't go out whole, the connection is broken, and read() will say so. */
void link_ask(struct link *l, const char *request, size_t size)
{
	l->state = LINK_HEAD;
	l->enough = 0;
	l->bodyless = false;
	l->closing = false;
	l->asked_ns = now_ns();
	if (send(l->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
		shutdown(l->fd, SHUT_RDWR);
}

static void link_lose(struct client *c, struct link *l)
{
	bool asked = l->state == LINK_HEAD || l->state == LINK_BODY || l->state == LINK_OPENING;
	link_close(l);
	c->lost(c, l, asked);
}

static bool named(const char *line, const char *end, const char *name)
{
	size_t size = strlen(name);
	return (size_t)(end - line) >= size && strncasecmp(line, name, size) == 0;
}

/* Takes status, length and Connection from a whole head, whose end is `end`. */
static void head_read(struct link *l, const char *head, const char *end)
{
	l->status = (unsigned)strtoul(head + strlen("HTTP/1.1 "), NULL, 10);
	l->left = 0;
	for (const char *line = head; line < end;) {
		const char *eol = memchr(line, '\n', (size_t)(end - line));
		if (named(line, end, "content-length:"))
			l->left = strtoull(line + strlen("content-length:"), NULL, 10);
		else if (named(line, end, "connection: close"))
			l->closing = true;
		line = eol ? eol + 1 : end;
	}
	if (l->bodyless || l->status == 304 || l->status == 204)
		l->left = 0;
	if (l->enough && l->enough < l->left)
		l->left = l->enough;
}

/* Keeps the beginning of a head until the rest has come; false if it gets too long. */
static bool head_keep(struct link *l, const char *data, size_t size)
{
	if (size > HEAD_B)
		return false;
	if (!l->head)
		l->head = room_new(1, HEAD_B);
	memcpy(l->head, data, size);
	l->kept = (unsigned short)size;
	return true;
}

/* What one read gave, whatever was kept put before it; says whether the connection can go on. */
static bool link_take(struct link *l, const char *data, size_t size)
{
	if (l->state == LINK_HEAD) {
		const char *end = memmem(data, size, "\r\n\r\n", 4);
		if (!end)
			return head_keep(l, data, size);
		head_read(l, data, end);
		l->kept = 0;
		l->state = LINK_BODY;
		size -= (size_t)(end + 4 - data);
	}
	l->left -= size < l->left ? size : l->left;
	return true;
}

static void link_read(struct client *c, struct link *l)
{
	if (l->kept)
		memcpy(c->room, l->head, l->kept);
	ssize_t got = recv(l->fd, c->room + l->kept, ROOM_B - l->kept, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Bytes that nobody asked for are as bad as none. */
	if (got <= 0 || l->state == LINK_IDLE || !link_take(l, c->room, (size_t)got + l->kept)) {
		link_lose(c, l);
		return;
	}
	if (l->state != LINK_BODY || l->left)
		return;
	l->state = LINK_IDLE;
	c->answered(c, l);
	if (l->closing || l->enough)
		link_lose(c, l);
	else
		c->ready(c, l);
}

static void link_opened(struct client *c, struct link *l, unsigned events)
{
	if (events & (EPOLLERR | EPOLLHUP)) {
		link_lose(c, l);
		return;
	}
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
	epoll_ctl(c->epoll, EPOLL_CTL_MOD, l->fd, &e);
	l->state = LINK_IDLE;
	c->ready(c, l);
}

void client_turn(struct client *c, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(c->epoll, events, EVENTS, wait_ms);
	for (int i = 0; i < count; i++) {
		struct link *l = events[i].data.ptr;
		if (l->state == LINK_OPENING)
			link_opened(c, l, events[i].events);
		else if (l->state != LINK_CLOSED)
			link_read(c, l);
	}
}

uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool harness_tell(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
	char line[16];
	return fgets(line, sizeof line, stdin) != NULL;
}

unsigned long number(const char *text)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (errno || end == text || *end) {
		fprintf(stderr, "not a number: %s\n", text);
		exit(2);
	}
	return n;
}

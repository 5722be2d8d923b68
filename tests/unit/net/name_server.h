/* A small name server on a thread of the test, for whoever looks names up. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

/* HALF: an answer that breaks off; NOBODY: none; LATER: none to the first two questions. */
enum { A = 1, CNAME = 5, AAAA = 28, SRV = 33, HALF = 1000, NOBODY, LATER };

/* A list is ended by a NULL name; a name without a record does not exist. */
struct record {
	const char *name;
	int type;
	unsigned ttl_s;
	const char *data;           /* an address, a name, or "priority weight port target" */
};

static _Atomic(const struct record *) server_records;
static int server_fd = -1;
static uint16_t server_port;
static pthread_t server;
static _Atomic unsigned asked_of_server;

static void put16(struct buf *b, unsigned n)
{
	buf_add_char(b, (char)(n >> 8));
	buf_add_char(b, (char)n);
}

static void put_name(struct buf *b, struct str name)
{
	while (name.p && name.n) {
		struct str label = str_cut(&name, '.');
		buf_add_char(b, (char)label.n);
		buf_add(b, label);
	}
	buf_add_char(b, '\0');
}

static void put_srv(struct buf *b, const char *text)
{
	char *at;
	unsigned priority = (unsigned)strtoul(text, &at, 10), weight = (unsigned)strtoul(at, &at, 10);
	put16(b, priority);
	put16(b, weight);
	put16(b, (unsigned)strtoul(at, &at, 10));
	put_name(b, str_of(at + 1));
}

static void put_data(struct buf *b, const struct record *r)
{
	unsigned char bytes[16];
	if (r->type == A || r->type == AAAA) {
		inet_pton(r->type == A ? AF_INET : AF_INET6, r->data, bytes);
		buf_add(b, str_make((char *)bytes, r->type == A ? 4 : 16));
	} else if (r->type == SRV) {
		put_srv(b, r->data);
	} else {
		put_name(b, str_of(r->data));
	}
}

static void put_record(struct buf *b, const struct record *r)
{
	struct buf data = {};
	put_name(b, str_of(r->name));
	put16(b, (unsigned)r->type);
	put16(b, 1);
	put16(b, r->ttl_s >> 16);
	put16(b, r->ttl_s);
	put_data(&data, r);
	put16(b, (unsigned)data.n);
	buf_add(b, buf_str(&data));
	buf_fini(&data);
}

/* The name of a query, with dots; how many bytes its question has. */
static size_t question_read(const unsigned char *q, char *name)
{
	size_t at = 12, n = 0;
	while (q[at]) {
		memcpy(name + n, q + at + 1, q[at]);
		n += q[at];
		name[n++] = '.';
		at += q[at] + 1u;
	}
	name[n ? n - 1 : 0] = '\0';
	return at + 5;
}

struct said {
	struct buf answers;
	unsigned count;
	bool known, silent;
};

static void say(struct said *s, const char *name, int type)
{
	for (const struct record *r = server_records; r->name; r++) {
		if (strcmp(r->name, name) != 0)
			continue;
		s->known = true;
		s->silent |= r->type == NOBODY || (r->type == LATER && asked_of_server < 3);
		if (r->type == type || r->type == CNAME)
			put_record(&s->answers, r);
		else if (r->type == HALF)
			buf_add(&s->answers, STR("\xc0"));
		else
			continue;
		s->count++;
		if (r->type == CNAME)
			say(s, r->data, type);
	}
}

/* False: no answer at all. */
static bool answer(const unsigned char *q, struct buf *out)
{
	char name[512];
	struct said s = {};
	size_t end = question_read(q, name);
	asked_of_server++;
	say(&s, name, q[end - 4] << 8 | q[end - 3]);
	buf_add(out, str_make((const char *)q, 2));
	put16(out, s.known ? 0x8580 : 0x8583);   /* an answer, with authority; else: no such name */
	put16(out, 1);
	put16(out, s.count);
	put16(out, 0);
	put16(out, 0);
	buf_add(out, str_make((const char *)q + 12, end - 12));
	buf_add(out, buf_str(&s.answers));
	buf_fini(&s.answers);
	return !s.silent;
}

/* Until an empty datagram comes. */
static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		unsigned char q[512] = {};
		struct sockaddr_in from;
		socklen_t from_b = sizeof from;
		struct buf out = {};
		ssize_t n = recvfrom(server_fd, q, sizeof q - 1, 0, (struct sockaddr *)&from, &from_b);
		if (n <= 0)
			return NULL;
		if (answer(q, &out))
			sendto(server_fd, out.p, out.n, 0, (struct sockaddr *)&from, from_b);
		buf_fini(&out);
	}
}

static struct sockaddr_in server_addr(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	                             .sin_port = htons(server_port) };
}

static int server_start(const struct record *records)
{
	server_records = records;
	struct sockaddr_in at = server_addr();
	socklen_t at_b = sizeof at;
	server_fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(server_fd, (struct sockaddr *)&at, at_b) || getsockname(server_fd, (struct sockaddr *)&at, &at_b))
		return -1;
	server_port = ntohs(at.sin_port);
	return pthread_create(&server, NULL, serve, NULL);
}

static int server_stop(void)
{
	struct sockaddr_in at = server_addr();
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	sendto(fd, "", 0, 0, (struct sockaddr *)&at, sizeof at);
	close(fd);
	pthread_join(server, NULL);
	return close(server_fd);
}

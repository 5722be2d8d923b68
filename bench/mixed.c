/* Mixed requests, COUNT of them over 64 connections: sizes, ranges, HEAD, 404s, conditional ones, clients that leave.
 *
 * Stops after the first PAUSE requests for the harness, which measures the server's memory while all is quiet, and
 * again at the end.  What is asked comes from a fixed seed: two runs ask the same. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINKS = 64,
	SILENCE_S = 30,  /* without any answer: the server is given up */
};

struct kind {
	unsigned share;     /* of a hundred */
	const char *method, *path, *extra;
	unsigned expect;    /* status */
	uint64_t enough;    /* leave after so many bytes of the body; 0: stay */
};

static const struct kind kinds[] = {
	{30, "GET",  "/hot.html",   "", 200, 0},
	{15, "GET",  "/1k.html",    "", 200, 0},
	{10, "GET",  "/30k.html",   "", 200, 0},
	{5,  "GET",  "/100k.bin",   "", 200, 0},
	{8,  "GET",  "/100k.bin",   "Range: bytes=1000-4999\r\n", 206, 0},
	{4,  "GET",  "/10m.bin",    "Range: bytes=-3000\r\n", 206, 0},
	{3,  "GET",  "/hot.html",   "Range: bytes=9999999-\r\n", 416, 0},
	{10, "GET",  "/no/such",    "", 404, 0},
	{5,  "HEAD", "/30k.html",   "", 200, 0},
	{5,  "GET",  "/hot.html",   "If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT\r\n", 0, 0},
	{2,  "GET",  "/hot.html",   "Connection: close\r\n", 200, 0},
	{2,  "GET",  "/10m.bin",    "", 200, 60000},
	{1,  "GET",  "/100k.bin",   "", 200, 1},
};

struct mixed {
	unsigned long asked, answered, wrong, lost, until;
	uint64_t random;
	uint64_t heard_ns;
};

static unsigned roll_hundred(struct mixed *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned)(m->random % 100);
}

static const struct kind *kind_pick(struct mixed *m)
{
	const struct kind *k = kinds;
	for (unsigned roll = roll_hundred(m); roll >= k->share; k++)
		roll -= k->share;
	return k;
}

static void mixed_ready(struct client *c, struct link *l)
{
	struct mixed *m = c->owner;
	if (m->asked == m->until)
		return;
	const struct kind *k = kind_pick(m);
	char request[512];
	int size = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: bench\r\n%s\r\n", k->method, k->path, k->extra);
	m->asked++;
	link_ask(l, request, (size_t)size);
	l->tag = (void *)(uintptr_t)(k - kinds);
	l->enough = k->enough;
	l->bodyless = strcmp(k->method, "HEAD") == 0;
}

static void mixed_answered(struct client *c, struct link *l)
{
	struct mixed *m = c->owner;
	const struct kind *k = &kinds[(uintptr_t)l->tag];
	m->answered++;
	m->wrong += k->expect && l->status != k->expect;
	m->heard_ns = now_ns();
}

static void mixed_lost(struct client *c, struct link *l, bool asked)
{
	struct mixed *m = c->owner;
	m->lost += asked;
	if (m->asked < m->until)
		link_open(c, l);
}

static bool mixed_go(struct client *c, struct mixed *m, unsigned long until)
{
	m->until = until;
	m->heard_ns = now_ns();
	for (unsigned i = 0; i < c->count; i++) {
		if (c->links[i].state == LINK_CLOSED)
			link_open(c, &c->links[i]);
		else
			mixed_ready(c, &c->links[i]);
	}
	while (m->answered + m->lost < until && now_ns() - m->heard_ns < SILENCE_S * UINT64_C(1000000000))
		client_turn(c, 100);
	return harness_tell("asked %lu answered %lu wrong %lu lost %lu", m->asked, m->answered, m->wrong, m->lost);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: mixed PORT COUNT PAUSE\n", stderr);
		return 2;
	}
	struct mixed m = {.random = 88172645463325252u};
	struct client c;
	client_init(&c, (unsigned short)number(argv[1]), 1, LINKS);
	c.owner = &m;
	c.ready = mixed_ready;
	c.answered = mixed_answered;
	c.lost = mixed_lost;
	if (mixed_go(&c, &m, number(argv[3])))
		mixed_go(&c, &m, number(argv[2]));
	client_fini(&c);
	return 0;
}

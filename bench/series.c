/* Asks for one new page after the other, PREFIX0, PREFIX1, …, COUNT of them, RATE a second, whatever becomes of those
 * before: each on a connection that is free.
 *
 * Once all connections are open it waits for the harness; in the end it says of each request when it was asked
 * (CLOCK_MONOTONIC), how long it took, and its status; 0: the connection was lost. */
#include <stdio.h>
#include <stdlib.h>

#include "client.h"

enum { REQUEST_B = 512, SECOND_NS = 1000000000, MS_NS = 1000000, PATIENCE_S = 10 };

struct asked {
	uint64_t at_ns, took_ns;
	unsigned status;
};

struct series {
	struct asked *asked;
	unsigned long count, most, owed;
	unsigned free;       /* where to look for a connection that is free */
	unsigned open;
};

static void note(struct series *s, const struct link *l, unsigned status)
{
	s->asked[s->count++] = (struct asked){l->asked_ns, now_ns() - l->asked_ns, status};
	s->owed--;
}

static void series_ready(struct client *c, struct link *l)
{
	struct series *s = c->owner;
	s->open += !l->asked_ns;
}

static void series_answered(struct client *c, struct link *l)
{
	note(c->owner, l, l->status);
}

static void series_lost(struct client *c, struct link *l, bool asked)
{
	if (asked && l->asked_ns)
		note(c->owner, l, 0);
	l->asked_ns = 0;
	link_open(c, l);
}

/* Waits for one where all have an answer owed. */
static struct link *link_free(struct client *c, struct series *s)
{
	for (unsigned tried = 0;; tried++) {
		struct link *l = &c->links[s->free++ % c->count];
		if (l->state == LINK_IDLE)
			return l;
		if (tried >= c->count)
			client_turn(c, 1);
	}
}

static void ask(struct client *c, struct series *s, const char *prefix, unsigned long page)
{
	char request[REQUEST_B];
	int size = snprintf(request, sizeof request, "GET %s%lu HTTP/1.1\r\nHost: bench\r\n\r\n", prefix, page);
	s->owed++;
	link_ask(link_free(c, s), request, (size_t)size);
}

static void turn_until(struct client *c, uint64_t due_ns)
{
	for (uint64_t now; (now = now_ns()) < due_ns;)
		client_turn(c, (int)((due_ns - now + MS_NS - 1) / MS_NS));
}

static void run(struct client *c, struct series *s, const char *prefix, unsigned long rate)
{
	uint64_t begin = now_ns();
	for (unsigned long page = 0; page < s->most; page++) {
		turn_until(c, begin + page * SECOND_NS / rate);
		ask(c, s, prefix, page);
	}
	for (uint64_t end = now_ns() + PATIENCE_S * (uint64_t)SECOND_NS; s->owed && now_ns() < end;)
		client_turn(c, 100);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fputs("usage: series PORT CONNECTIONS PREFIX RATE COUNT\n", stderr);
		return 2;
	}
	struct client c;
	struct series s = {.most = number(argv[5])};
	s.asked = calloc(s.most, sizeof *s.asked);
	if (!s.asked)
		return 1;
	client_init(&c, (unsigned short)number(argv[1]), 1, (unsigned)number(argv[2]));
	c.owner = &s;
	c.ready = series_ready;
	c.answered = series_answered;
	c.lost = series_lost;
	for (unsigned i = 0; i < c.count; i++)
		link_open(&c, &c.links[i]);
	while (s.open < c.count)
		client_turn(&c, 100);
	if (!harness_tell("open %u", s.open))
		return 1;
	run(&c, &s, argv[3], number(argv[4]));
	for (unsigned long i = 0; i < s.count; i++)
		printf("at_ns %llu took_us %.1f status %u\n", (unsigned long long)s.asked[i].at_ns,
			(double)s.asked[i].took_ns / 1e3, s.asked[i].status);
	printf("left %lu\n", s.owed);
	client_fini(&c);
	free(s.asked);
	return 0;
}

/* Holds many connections: opens COUNT of them, asks once on each, holds them idle, and asks once more on each.
 *
 * With `websocket` it asks for an upgrade, and once more through the tunnel: origin.c answers the same bytes again.
 *
 * After every step it prints a line and waits for one from the harness, which measures the server meanwhile. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPENING = 256,      /* connections being opened at a time: less than any server's backlog */
	PATIENCE_S = 40,    /* for one step */
};

static const char UPGRADE[] = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

struct held {
	const char *request;
	size_t request_b;
	unsigned good;              /* the status that is wanted */
	unsigned opened, open_now;  /* so far, and of these without an answer yet */
	unsigned answered;          /* well, in this step */
};

static void held_ready(struct client *c, struct link *l)
{
	struct held *h = c->owner;
	if (!l->status)
		link_ask(l, h->request, h->request_b);
}

static void held_answered(struct client *c, struct link *l)
{
	struct held *h = c->owner;
	h->open_now--;
	h->answered += l->status == h->good;
}

static void held_lost(struct client *c, struct link *l, bool asked)
{
	(void)l;
	struct held *h = c->owner;
	h->open_now -= asked;
}

static uint64_t patience_end(void)
{
	return now_ns() + PATIENCE_S * UINT64_C(1000000000);
}

static void all_open(struct client *c, struct held *h)
{
	uint64_t end = patience_end();
	while ((h->opened < c->count || h->open_now) && now_ns() < end) {
		while (h->opened < c->count && h->open_now < OPENING) {
			link_open(c, &c->links[h->opened++]);
			h->open_now++;
		}
		client_turn(c, 100);
	}
}

/* Asks on all that are still open, OPENING at a time. */
static void all_ask(struct client *c, struct held *h)
{
	uint64_t end = patience_end();
	h->answered = 0;
	for (unsigned i = 0; (i < c->count || h->open_now) && now_ns() < end;) {
		for (; i < c->count && h->open_now < OPENING; i++) {
			struct link *l = &c->links[i];
			if (l->state != LINK_IDLE)
				continue;
			link_ask(l, h->request, h->request_b);
			h->open_now++;
		}
		client_turn(c, 100);
	}
}

int main(int argc, char **argv)
{
	bool upgrade = argc == 6 && strcmp(argv[5], "websocket") == 0;
	if (argc != 5 && !upgrade) {
		fputs("usage: hold PORT FROM COUNT PATH [websocket]    (FROM: the x of 127.0.0.x, the first of four)\n", stderr);
		return 2;
	}
	char request[512];
	struct held h = {.request = request, .good = upgrade ? 101 : 200};
	h.request_b = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n", argv[4],
		upgrade ? UPGRADE : "");
	struct client c;
	client_init(&c, (unsigned short)number(argv[1]), (unsigned)number(argv[2]), (unsigned)number(argv[3]));
	c.owner = &h;
	c.ready = held_ready;
	c.answered = held_answered;
	c.lost = held_lost;
	all_open(&c, &h);
	bool on = harness_tell("held %u failed %u", h.answered, c.count - h.answered);
	if (on) {
		all_ask(&c, &h);
		harness_tell("held %u failed %u", h.answered, c.count - h.answered);
	}
	client_fini(&c);
	return 0;
}

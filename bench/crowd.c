/* A crowd before a pool at its limit: CONNECTIONS clients that ask again at once after an answer, and after PAUSE-MS when
 * they were refused, for SECONDS.
 *
 * Times of refusals are kept apart by HALF-MS: those before it were refused at the door, those after it had queued. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "times.h"

struct crowd {
	char request[512];
	size_t request_b;
	uint64_t pause_ns, half_ns;
	struct link **paused;       /* a ring, by the time when they ask again: all pause equally long */
	uint64_t *again_ns;
	unsigned first, count;
	unsigned long bad, lost;
	struct times good, door, queued;
};

static void crowd_ask(struct crowd *w, struct link *l)
{
	link_ask(l, w->request, w->request_b);
}

static void crowd_ready(struct client *c, struct link *l)
{
	struct crowd *w = c->owner;
	if (l->status != 503)
		crowd_ask(w, l);
	if (l->status != 503 || l->tag)
		return;
	l->tag = w;  /* it stands in the ring, once */
	unsigned at = (w->first + w->count++) % c->count;
	w->paused[at] = l;
	w->again_ns[at] = now_ns() + w->pause_ns;
}

static void crowd_answered(struct client *c, struct link *l)
{
	struct crowd *w = c->owner;
	uint64_t took_ns = now_ns() - l->asked_ns;
	if (l->status == 200)
		times_note(&w->good, took_ns);
	else if (l->status == 503)
		times_note(took_ns < w->half_ns ? &w->door : &w->queued, took_ns);
	else
		w->bad++;
}

static void crowd_lost(struct client *c, struct link *l, bool asked)
{
	struct crowd *w = c->owner;
	w->lost += asked;
	link_open(c, l);
}

/* One that was closed while it paused has asked again already, from crowd_lost(). */
static void crowd_resume(struct client *c, struct crowd *w)
{
	for (uint64_t now = now_ns(); w->count && w->again_ns[w->first] <= now; w->count--) {
		struct link *l = w->paused[w->first];
		w->first = (w->first + 1) % c->count;
		l->tag = NULL;
		if (l->state == LINK_IDLE)
			crowd_ask(w, l);
	}
}

static void crowd_tell(const struct crowd *w, double took_s)
{
	printf("good %lu bad %lu lost %lu door %lu queued %lu seconds %.3f "
		"good_p50_us %.1f good_p99_us %.1f good_longest_us %.1f door_p50_us %.1f door_p99_us %.1f door_longest_us %.1f "
		"queued_p1_us %.1f queued_p50_us %.1f queued_p99_us %.1f queued_longest_us %.1f\n",
		w->good.count, w->bad, w->lost, w->door.count, w->queued.count, took_s,
		times_us(&w->good, 0.5), times_us(&w->good, 0.99), (double)w->good.longest_ns / 1e3,
		times_us(&w->door, 0.5), times_us(&w->door, 0.99), (double)w->door.longest_ns / 1e3,
		times_us(&w->queued, 0.01), times_us(&w->queued, 0.5), times_us(&w->queued, 0.99),
		(double)w->queued.longest_ns / 1e3);
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fputs("usage: crowd PORT CONNECTIONS SECONDS PATH PAUSE-MS HALF-MS\n", stderr);
		return 2;
	}
	static struct crowd w;
	struct client c;
	client_init(&c, (unsigned short)number(argv[1]), 1, (unsigned)number(argv[2]));
	c.owner = &w;
	c.ready = crowd_ready;
	c.answered = crowd_answered;
	c.lost = crowd_lost;
	w.request_b = (size_t)snprintf(w.request, sizeof w.request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", argv[4]);
	w.pause_ns = number(argv[5]) * UINT64_C(1000000);
	w.half_ns = number(argv[6]) * UINT64_C(1000000);
	w.paused = calloc(c.count, sizeof(struct link *));
	w.again_ns = calloc(c.count, sizeof *w.again_ns);
	if (!w.paused || !w.again_ns)
		return 1;
	for (unsigned i = 0; i < c.count; i++)
		link_open(&c, &c.links[i]);
	uint64_t begin = now_ns(), end = begin + number(argv[3]) * UINT64_C(1000000000);
	while (now_ns() < end) {
		client_turn(&c, w.count ? 1 : 50);
		crowd_resume(&c, &w);
	}
	crowd_tell(&w, (double)(now_ns() - begin) / 1e9);
	client_fini(&c);
	free(w.paused);
	free(w.again_ns);
	return 0;
}

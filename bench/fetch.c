/* Asks again and again on CONNECTIONS for SECONDS: for one hot file, or for cold ones, each of them once.
 *
 * Says what came back and how long it took; an answer still owed at the end counts with the time that it has waited so
 * far, because a server that answers nothing would otherwise have no latency at all. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "times.h"

enum {
	REQUEST_B = 512,
	FOLDER_FILES = 100,  /* content.py makes them so */
	STRIDE = 7919,       /* a prime far from any folder's size: the next file is never near the last */
};

struct fetch {
	const char *path;
	unsigned long cold;          /* how many cold files there are; 0: ask for `path` */
	unsigned long next;          /* cold file */
	unsigned long good, shed, bad, lost, reopened;
	struct times times;
};

static void fetch_ready(struct client *c, struct link *l)
{
	struct fetch *f = c->owner;
	char path[64], request[REQUEST_B];
	const char *what = f->path;
	if (f->cold) {
		unsigned long file = f->next;
		f->next = (file + STRIDE) % f->cold;
		snprintf(path, sizeof path, "/cold/%03lu/%05lu.bin", file / FOLDER_FILES, file);
		what = path;
	}
	int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", what);
	link_ask(l, request, (size_t)size);
}

static void fetch_answered(struct client *c, struct link *l)
{
	struct fetch *f = c->owner;
	times_note(&f->times, now_ns() - l->asked_ns);
	if (l->status == 200)
		f->good++;
	else if (l->status == 503)
		f->shed++;
	else
		f->bad++;
}

static void fetch_lost(struct client *c, struct link *l, bool asked)
{
	struct fetch *f = c->owner;
	if (asked)
		f->lost++;
	f->reopened++;
	link_open(c, l);
}

static void owed_note(const struct client *c, struct fetch *f)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct link *l = &c->links[i];
		if (l->state == LINK_HEAD || l->state == LINK_BODY)
			times_note(&f->times, now_ns() - l->asked_ns);
	}
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fputs("usage: fetch PORT CONNECTIONS SECONDS PATH 0|COLD-FILES    (with cold files PATH isn't used)\n", stderr);
		return 2;
	}
	struct client c;
	struct fetch f = {.path = argv[4], .cold = number(argv[5])};
	f.next = f.cold ? now_ns() % f.cold : 0;
	client_init(&c, (unsigned short)number(argv[1]), 1, (unsigned)number(argv[2]));
	c.owner = &f;
	c.ready = fetch_ready;
	c.answered = fetch_answered;
	c.lost = fetch_lost;
	for (unsigned i = 0; i < c.count; i++)
		link_open(&c, &c.links[i]);
	uint64_t begin = now_ns(), end = begin + number(argv[3]) * UINT64_C(1000000000);
	while (now_ns() < end)
		client_turn(&c, 50);
	double took_s = (double)(now_ns() - begin) / 1e9;
	owed_note(&c, &f);
	printf("good %lu shed %lu bad %lu lost %lu reopened %lu seconds %.3f p50_us %.1f p99_us %.1f longest_us %.1f\n",
		f.good, f.shed, f.bad, f.lost, f.reopened, took_s, times_us(&f.times, 0.5),
		times_us(&f.times, 0.99), (double)f.times.longest_ns / 1e3);
	client_fini(&c);
	return 0;
}

/* Asks for many pages, by their numbers: PREFIX0, PREFIX1, …, so many REQUESTS on so many CONNECTIONS, once all of these
 * are open.
 *
 *	each FIRST      one after the other from FIRST on, COUNT of them, then from FIRST again
 *	even            any of COUNT, each as likely as the others
 *	zipf EXPONENT SEED   any of COUNT, the one of rank k as likely as k to the power of -EXPONENT/100
 *
 * What is asked for is the same in each run with the same SEED.  Says what came back and how long it took. */
#include "client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "times.h"

enum {
	REQUEST_B = 512,
	OPENING = 256,       /* connections being opened at a time: less than any server's backlog */
	PATIENCE_S = 60,     /* without a single answer */
};

struct keys {
	const char *prefix;
	enum { EACH, EVEN, ZIPF } how;
	unsigned long first, count, left, owed;
	unsigned long next;              /* EACH */
	uint64_t random;
	double *sums;                    /* ZIPF: of the likelihoods of all ranks up to this one */
	unsigned opening;
	bool started;
	unsigned long good, bad, lost;
	uint64_t heard_ns;
	struct times times;
};

/* splitmix64 */
static uint64_t chance(struct keys *k)
{
	uint64_t z = k->random += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static void sums_make(struct keys *k, double exponent)
{
	k->sums = malloc(k->count * sizeof *k->sums);
	if (!k->sums) {
		perror("malloc");
		exit(1);
	}
	double sum = 0;
	for (unsigned long i = 0; i < k->count; i++)
		k->sums[i] = sum += pow((double)i + 1, -exponent);
}

static unsigned long rank_choose(struct keys *k)
{
	double at = (double)(chance(k) >> 11) / (double)(UINT64_C(1) << 53) * k->sums[k->count - 1];
	unsigned long low = 0, high = k->count - 1;
	while (low < high) {
		unsigned long middle = (low + high) / 2;
		if (k->sums[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static unsigned long key_choose(struct keys *k)
{
	switch (k->how) {
	case EVEN:
		return chance(k) % k->count;
	case ZIPF:
		return rank_choose(k);
	default:
		return k->first + k->next++ % k->count;
	}
}

static void keys_ready(struct client *c, struct link *l)
{
	struct keys *k = c->owner;
	if (!k->started)
		k->opening--;
	if (!k->started || !k->left)
		return;
	char request[REQUEST_B];
	int size = snprintf(request, sizeof request, "GET %s%lu HTTP/1.1\r\nHost: bench\r\n\r\n", k->prefix, key_choose(k));
	k->left--;
	k->owed++;
	l->tag = k;
	link_ask(l, request, (size_t)size);
}

static void keys_answered(struct client *c, struct link *l)
{
	struct keys *k = c->owner;
	k->heard_ns = now_ns();
	times_note(&k->times, k->heard_ns - l->asked_ns);
	k->owed--;
	l->tag = NULL;
	if (l->status == 200)
		k->good++;
	else
		k->bad++;
}

static void keys_lost(struct client *c, struct link *l, bool asked)
{
	struct keys *k = c->owner;
	if (l->tag) {
		k->lost++;
		k->owed--;
		l->tag = NULL;
	}
	if (!k->started && !asked)
		k->opening++;
	link_open(c, l);
}

static void all_open(struct client *c, struct keys *k)
{
	for (unsigned i = 0; i < c->count || k->opening;) {
		for (; i < c->count && k->opening < OPENING; i++, k->opening++)
			link_open(c, &c->links[i]);
		client_turn(c, 100);
	}
}

static void all_ask(struct client *c, struct keys *k)
{
	k->started = true;
	k->heard_ns = now_ns();
	for (unsigned i = 0; i < c->count; i++)
		if (c->links[i].state == LINK_IDLE)
			keys_ready(c, &c->links[i]);
	while ((k->left || k->owed) && now_ns() - k->heard_ns < PATIENCE_S * UINT64_C(1000000000))
		client_turn(c, 100);
}

static bool how_read(struct keys *k, int argc, char **argv)
{
	k->count = number(argv[4]);
	k->left = number(argv[5]);
	const char *how = argv[6];
	if (argc == 7 && !strcmp(how, "even"))
		k->how = EVEN;
	else if (argc == 8 && !strcmp(how, "each"))
		k->first = number(argv[7]);
	else if (argc == 9 && !strcmp(how, "zipf"))
		k->how = ZIPF;
	else
		return false;
	if (k->how == ZIPF) {
		sums_make(k, (double)number(argv[7]) / 100);
		k->random = number(argv[8]);
	}
	return k->count > 0;
}

int main(int argc, char **argv)
{
	struct keys k = {};
	if (argc < 7 || !how_read(&k, argc, argv)) {
		fputs("usage: keys PORT CONNECTIONS PREFIX COUNT REQUESTS each FIRST | even | zipf EXPONENT SEED\n", stderr);
		return 2;
	}
	struct client c;
	k.prefix = argv[3];
	client_init(&c, (unsigned short)number(argv[1]), 1, (unsigned)number(argv[2]));
	c.owner = &k;
	c.ready = keys_ready;
	c.answered = keys_answered;
	c.lost = keys_lost;
	all_open(&c, &k);
	uint64_t begin = now_ns();
	all_ask(&c, &k);
	printf("good %lu bad %lu lost %lu left %lu seconds %.3f p50_us %.1f p99_us %.1f longest_us %.1f\n",
		k.good, k.bad, k.lost, k.left + k.owed, (double)(now_ns() - begin) / 1e9,
		times_us(&k.times, 0.5), times_us(&k.times, 0.99), (double)k.times.longest_ns / 1e3);
	client_fini(&c);
	free(k.sums);
	return 0;
}

/* Chores that wait for the one who does them.  See batch.h. */
#include "share/batch.h"

#include <pthread.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/must.h"

struct batch {
	pthread_mutex_t lock;   /* of all that follows */
	uint64_t most_b, waiting_b;
	struct chore *oldest;
	struct chore **end;
	bool working;
	pthread_cond_t rests;   /* nobody works any more */
};

struct batch *batch_new(uint64_t most_b)
{
	struct batch *b = MEM_NEW(struct batch);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->rests, NULL);
	b->most_b = most_b;
	b->end = &b->oldest;
	return b;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	must(!b->working && !b->oldest);
	pthread_cond_destroy(&b->rests);
	pthread_mutex_destroy(&b->lock);
	mem_free(b);
}

/* The lock is held. */
static enum handed hand_in(struct batch *b, struct chore *c)
{
	c->next = NULL;
	*b->end = c;
	b->end = &c->next;
	b->waiting_b += c->cost_b;
	if (b->working)
		return HANDED_ON;
	b->working = true;
	return HANDED_BEGIN;
}

enum handed batch_add(struct batch *b, struct chore *c, uint64_t over_b)
{
	pthread_mutex_lock(&b->lock);
	uint64_t past_b = b->waiting_b + c->cost_b > b->most_b ? b->waiting_b + c->cost_b - b->most_b : 0;
	bool room = past_b <= over_b || !b->oldest;
	enum handed handed = room ? hand_in(b, c) : HANDED_FULL;
	pthread_mutex_unlock(&b->lock);
	return handed;
}

struct chore *batch_take(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	struct chore *all = b->oldest;
	b->oldest = NULL;
	b->end = &b->oldest;
	b->waiting_b = 0;
	pthread_mutex_unlock(&b->lock);
	return all;
}

/* The lock is held. */
static void rest(struct batch *b)
{
	must(b->working);
	b->working = false;
	pthread_cond_broadcast(&b->rests);
}

bool batch_more(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	bool more = b->oldest;
	if (!more)
		rest(b);
	pthread_mutex_unlock(&b->lock);
	return more;
}

void batch_leave(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	rest(b);
	pthread_mutex_unlock(&b->lock);
}

void batch_end(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	while (b->working)
		pthread_cond_wait(&b->rests, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

bool batch_begin(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	bool begin = b->oldest && !b->working;
	if (begin)
		b->working = true;
	pthread_mutex_unlock(&b->lock);
	return begin;
}

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

enum handed batch_add(struct batch *b, struct chore *c, bool surely)
{
	pthread_mutex_lock(&b->lock);
	bool room = surely || b->waiting_b + c->cost_b <= b->most_b || !b->oldest;
	enum handed handed = room ? hand_in(b, c) : HANDED_FULL;
	pthread_mutex_unlock(&b->lock);
	return handed;
}

/* The lock is held. */
static struct chore *take(struct batch *b)
{
	struct chore *all = b->oldest;
	b->oldest = NULL;
	b->end = &b->oldest;
	b->waiting_b = 0;
	return all;
}

struct chore *batch_take(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	struct chore *all = take(b);
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

struct chore *batch_end(struct batch *b)
{
	pthread_mutex_lock(&b->lock);
	while (b->working)
		pthread_cond_wait(&b->rests, &b->lock);
	struct chore *all = take(b);
	pthread_mutex_unlock(&b->lock);
	return all;
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

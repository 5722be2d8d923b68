/* One job per key.  See flights.h; any thread.  Few are under way at a time (the disk's queue bounds them), so that a
 * lane is a list. */
#include "share/flights.h"

#include "base/mem.h"
#include "base/must.h"

struct under_way {
	struct link link;
	struct link waiters;
	uint64_t hash;
	struct str key;
	char bytes[];
};

void flights_init(struct flights *f)
{
	for (int i = 0; i < FLIGHT_LANES; i++) {
		pthread_mutex_init(&f->lanes[i].lock, NULL);
		link_init(&f->lanes[i].under_way);
	}
}

void flights_fini(struct flights *f)
{
	for (int i = 0; i < FLIGHT_LANES; i++) {
		must(link_alone(&f->lanes[i].under_way));
		pthread_mutex_destroy(&f->lanes[i].lock);
	}
}

static struct under_way *find(struct flight_lane *lane, struct str key, uint64_t hash)
{
	for (struct link *l = lane->under_way.next; l != &lane->under_way; l = l->next) {
		struct under_way *u = container_of(l, struct under_way, link);
		if (u->hash == hash && str_eq(u->key, key))
			return u;
	}
	return NULL;
}

static struct under_way *under_way_new(struct str key, uint64_t hash)
{
	struct under_way *u = mem_new(sizeof *u + key.n);
	if (key.n)
		memcpy(u->bytes, key.p, key.n);
	u->key = str_make(u->bytes, key.n);
	u->hash = hash;
	link_init(&u->waiters);
	return u;
}

enum flight flights_join(struct flights *f, struct str key, uint64_t hash, struct waiter *w)
{
	struct flight_lane *lane = &f->lanes[hash % FLIGHT_LANES];
	enum flight answer = FLIGHT_MINE;
	pthread_mutex_lock(&lane->lock);
	struct under_way *u = find(lane, key, hash);
	if (u) {
		link_add(&u->waiters, &w->link);
		answer = FLIGHT_JOINED;
	} else {
		u = under_way_new(key, hash);
		link_add(&lane->under_way, &u->link);
	}
	pthread_mutex_unlock(&lane->lock);
	return answer;
}

void flights_land(struct flights *f, struct str key, uint64_t hash, int err, struct object *o)
{
	struct flight_lane *lane = &f->lanes[hash % FLIGHT_LANES];
	pthread_mutex_lock(&lane->lock);
	struct under_way *u = find(lane, key, hash);
	must(u && "landed once");
	link_del(&u->link);
	pthread_mutex_unlock(&lane->lock);
	/* Nobody finds it any more: it is ours alone. */
	while (!link_alone(&u->waiters)) {
		struct waiter *w = container_of(u->waiters.next, struct waiter, link);
		link_del(&w->link);
		w->err = err;
		w->object = o;
		if (o)
			object_get(o);
		mailbox_post(w->to, &w->mail);  /* w is the receiver's from here on */
	}
	mem_free(u);
}

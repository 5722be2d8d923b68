/* Lines: a count and a list under a lock.  See line.h. */
#include "share/line.h"

#include <pthread.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/must.h"

struct line {
	pthread_mutex_t lock;
	uint64_t most, inside, waiting;
	struct link places;
};

struct line *line_new(uint64_t most)
{
	struct line *l = MEM_NEW(struct line);
	pthread_mutex_init(&l->lock, NULL);
	l->most = most;
	link_init(&l->places);
	return l;
}

void line_free(struct line *l)
{
	pthread_mutex_destroy(&l->lock);
	mem_free(l);
}

/* The lock is held. */
static void let_in(struct line *l)
{
	while (l->inside < l->most && !link_alone(&l->places)) {
		struct line_place *p = container_of(l->places.next, struct line_place, link);
		link_del(&p->link);
		l->inside++;
		l->waiting--;
		mailbox_post(p->to, &p->mail);
	}
}

void line_bound(struct line *l, uint64_t most)
{
	pthread_mutex_lock(&l->lock);
	l->most = most;
	let_in(l);
	pthread_mutex_unlock(&l->lock);
}

bool line_enter(struct line *l, struct line_place *p)
{
	link_init(&p->link);
	pthread_mutex_lock(&l->lock);
	bool in = l->inside < l->most;
	if (in) {
		l->inside++;
	} else {
		l->waiting++;
		link_add(&l->places, &p->link);
	}
	pthread_mutex_unlock(&l->lock);
	return in;
}

void line_leave(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	must(l->inside > 0);
	l->inside--;
	let_in(l);
	pthread_mutex_unlock(&l->lock);
}

bool line_quit(struct line *l, struct line_place *p)
{
	pthread_mutex_lock(&l->lock);
	bool stood = !link_alone(&p->link);
	link_del(&p->link);
	l->waiting -= stood;
	pthread_mutex_unlock(&l->lock);
	return stood;
}

struct line_stats line_stats(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	struct line_stats stats = { l->inside, l->waiting };
	pthread_mutex_unlock(&l->lock);
	return stats;
}

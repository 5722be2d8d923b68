/* Lines: by name, each a count and a list; one lock for all of them.  See line.h. */
#include "share/line.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"

enum { BUCKETS = 64 };

struct line {
	struct line *next;           /* in its bucket */
	uint64_t inside, waiting;
	struct link places;          /* struct line_place: those that wait */
	struct str name;             /* from mem_new() */
};

struct lines {
	pthread_mutex_t lock;
	uint64_t most;
	struct line *buckets[BUCKETS];
};

struct lines *lines_new(uint64_t most)
{
	struct lines *l = MEM_NEW(struct lines);
	pthread_mutex_init(&l->lock, NULL);
	l->most = most;
	return l;
}

static void forget(struct line **at)
{
	struct line *line = *at;
	must(!line->inside && !line->waiting);
	*at = line->next;
	mem_str_free(line->name);
	mem_free(line);
}

void lines_free(struct lines *l)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (l->buckets[i])
			forget(&l->buckets[i]);
	pthread_mutex_destroy(&l->lock);
	mem_free(l);
}

/* --- The lock is held. --- */

static struct line *line_of(struct lines *l, struct str name)
{
	struct line **bucket = &l->buckets[hash_bytes(name, 0) % BUCKETS], *line = *bucket;
	while (line && !str_eq(line->name, name))
		line = line->next;
	if (line)
		return line;
	line = MEM_NEW(struct line);
	line->name = mem_str(name);
	link_init(&line->places);
	line->next = *bucket;
	*bucket = line;
	return line;
}

static void let_in(struct lines *l, struct line *line)
{
	while (line->inside < l->most && !link_alone(&line->places)) {
		struct line_place *p = container_of(line->places.next, struct line_place, link);
		link_del(&p->link);
		line->inside++;
		line->waiting--;
		mailbox_post(p->to, &p->mail);
	}
}

/* --- On any thread. --- */

void lines_bound(struct lines *l, uint64_t most)
{
	pthread_mutex_lock(&l->lock);
	l->most = most;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct line **at = &l->buckets[i];
		while (*at) {
			let_in(l, *at);
			if ((*at)->inside || (*at)->waiting)
				at = &(*at)->next;
			else
				forget(at);
		}
	}
	pthread_mutex_unlock(&l->lock);
}

bool line_enter(struct lines *l, struct str name, struct line_place *p)
{
	link_init(&p->link);
	pthread_mutex_lock(&l->lock);
	struct line *line = p->line = line_of(l, name);
	bool in = line->inside < l->most;
	if (in) {
		line->inside++;
	} else {
		line->waiting++;
		link_add(&line->places, &p->link);
	}
	pthread_mutex_unlock(&l->lock);
	return in;
}

void line_leave(struct lines *l, struct line_place *p)
{
	pthread_mutex_lock(&l->lock);
	must(p->line->inside > 0);
	p->line->inside--;
	let_in(l, p->line);
	pthread_mutex_unlock(&l->lock);
}

bool line_quit(struct lines *l, struct line_place *p)
{
	pthread_mutex_lock(&l->lock);
	bool stood = !link_alone(&p->link);
	link_del(&p->link);
	if (stood)
		p->line->waiting--;
	pthread_mutex_unlock(&l->lock);
	return stood;
}

/* --- What they say. --- */

struct line_stats lines_sum(struct lines *l)
{
	struct line_stats sum = {};
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct line *line = l->buckets[i]; line; line = line->next) {
			sum.inside += line->inside;
			sum.waiting += line->waiting;
		}
	}
	pthread_mutex_unlock(&l->lock);
	return sum;
}

/* The lock is held. */
static struct line_stats *copies(const struct lines *l, size_t *count)
{
	size_t n = 0, names_b = 0;
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct line *line = l->buckets[i]; line; line = line->next, n++)
			names_b += line->name.n;
	struct line_stats *all = mem_new(n * sizeof *all + names_b + 1), *out = all;
	char *at = (char *)(all + n);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct line *line = l->buckets[i]; line; line = line->next) {
			*out++ = (struct line_stats){ { at, line->name.n }, line->inside, line->waiting };
			at = mempcpy(at, line->name.p, line->name.n);
		}
	}
	*count = n;
	return all;
}

static int name_order(const void *a, const void *b)
{
	const struct line_stats *x = a, *y = b;
	return str_cmp(x->name, y->name);
}

struct line_stats *lines_stats(struct lines *l, size_t *count)
{
	pthread_mutex_lock(&l->lock);
	struct line_stats *all = copies(l, count);
	pthread_mutex_unlock(&l->lock);
	qsort(all, *count, sizeof *all, name_order);
	return all;
}

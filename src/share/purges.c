/* Purges.  See purges.h.
 *
 * Notes are written before they are counted, and a note goes away after another one that covers it has come: whoever
 * looks at the marks, then at the patterns, then at what is purged as a whole, misses none. */
#include "share/purges.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/glob.h"
#include "base/mem.h"
#include "share/marks.h"

struct match {
	struct retired retired;
	uint64_t at_ms;
	bool soft;
	struct str text;
};

/* Immutable, in the order of their times. */
struct matches {
	struct retired retired;
	size_t count;
	struct match *at[];
};

struct purges {
	struct epoch *epoch;
	struct marks *urls, *tags;
	_Atomic(struct matches *) matches;
	_Atomic uint64_t gone_ms, stale_ms;   /* all that was asked for before */
	_Atomic uint64_t latest_ms;           /* given out by purges_now_ms(), or a purge's */
	_Atomic uint32_t count;
	_Atomic uint64_t added;
	pthread_mutex_t lock;                 /* of changes */
};

struct purges *purges_new(struct epoch *e)
{
	struct purges *p = MEM_NEW(struct purges);
	p->epoch = e;
	p->urls = marks_new(e);
	p->tags = marks_new(e);
	atomic_init(&p->matches, MEM_NEW(struct matches));
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

static void match_free(struct match *m)
{
	mem_str_free(m->text);
	mem_free(m);
}

void purges_free(struct purges *p)
{
	if (!p)
		return;
	struct matches *list = atomic_load(&p->matches);
	for (size_t i = 0; i < list->count; i++)
		match_free(list->at[i]);
	mem_free(list);
	marks_free(p->urls);
	marks_free(p->tags);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

/* --- Times. --- */

uint64_t purges_now_ms(struct purges *p, uint64_t wall_ms)
{
	uint64_t latest = atomic_load(&p->latest_ms);
	while (wall_ms > latest && !atomic_compare_exchange_weak(&p->latest_ms, &latest, wall_ms))
		;
	return wall_ms > latest ? wall_ms : latest;
}

/* Later than every time that was given out. */
static uint64_t time_of_purge(struct purges *p)
{
	uint64_t wall = clock_wall_ms(), latest = atomic_load(&p->latest_ms), at;
	do
		at = wall > latest ? wall : latest + 1;
	while (!atomic_compare_exchange_weak(&p->latest_ms, &latest, at));
	return at;
}

static void raise_to(_Atomic uint64_t *at, uint64_t ms)
{
	if (ms > atomic_load(at))
		atomic_store(at, ms);
}

/* --- Patterns.  The lock is held. --- */

static void matches_retired(struct retired *r)
{
	mem_free(container_of(r, struct matches, retired));
}

static void match_retired(struct retired *r)
{
	match_free(container_of(r, struct match, retired));
}

/* Leaves out what the new one replaces, and what is not later than until_ms; puts `more` in, which may be NULL. */
static void matches_change(struct purges *p, uint64_t until_ms, struct match *more)
{
	struct matches *old = atomic_load(&p->matches);
	struct matches *list = mem_new(sizeof *list + (old->count + 1) * sizeof *list->at);
	struct match **gone = mem_new((old->count + 1) * sizeof(struct match *));
	size_t gone_count = 0;
	for (size_t i = 0; i < old->count; i++) {
		struct match *m = old->at[i];
		bool replaced = more && m->at_ms <= more->at_ms && m->soft >= more->soft && str_eq(m->text, more->text);
		if (replaced || m->at_ms <= until_ms)
			gone[gone_count++] = m;
		else
			list->at[list->count++] = m;
	}
	if (more) {
		size_t i = list->count++;
		for (; i > 0 && list->at[i - 1]->at_ms > more->at_ms; i--)
			list->at[i] = list->at[i - 1];
		list->at[i] = more;
	}
	atomic_store(&p->matches, list);
	epoch_retire(p->epoch, &old->retired, matches_retired);
	for (size_t i = 0; i < gone_count; i++)
		epoch_retire(p->epoch, &gone[i]->retired, match_retired);
	mem_free(gone);
}

static void matches_note(struct purges *p, const struct purge *what)
{
	struct match *m = MEM_NEW(struct match);
	m->at_ms = what->at_ms;
	m->soft = what->soft;
	m->text = mem_str(what->match);
	matches_change(p, 0, m);
}

/* --- Past the bound.  The lock is held. --- */

static void cover(struct purges *p, struct purge_times t)
{
	raise_to(&p->gone_ms, t.gone_ms);
	raise_to(&p->stale_ms, t.stale_ms);
}

static void marks_bound(struct purges *p)
{
	if (marks_count(p->urls) + marks_count(p->tags) < PURGES_MARKS_MOST)
		return;
	struct marks *more = marks_count(p->urls) > marks_count(p->tags) ? p->urls : p->tags;
	uint64_t until_ms = marks_quarter(more);
	cover(p, marks_until(p->urls, until_ms));
	cover(p, marks_until(p->tags, until_ms));
	marks_forget(p->urls, until_ms);
	marks_forget(p->tags, until_ms);
}

static void matches_bound(struct purges *p)
{
	const struct matches *list = atomic_load(&p->matches);
	if (list->count < PURGES_MATCHES_MOST)
		return;
	uint64_t until_ms = list->at[list->count / 4]->at_ms;
	for (size_t i = 0; i < list->count && list->at[i]->at_ms <= until_ms; i++)
		raise_to(list->at[i]->soft ? &p->stale_ms : &p->gone_ms, list->at[i]->at_ms);
	matches_change(p, until_ms, NULL);
}

/* --- Adding. --- */

int purge_check(const struct purge *what)
{
	if (what->kind != PURGE_MATCH)
		return 0;
	if (what->match.n > PURGES_MATCH_MOST_B)
		return -E2BIG;
	return what->match.n && str_is_printable(what->match) ? 0 : -EINVAL;
}

static void all_note(struct purges *p, const struct purge *what)
{
	raise_to(what->soft ? &p->stale_ms : &p->gone_ms, what->at_ms);
	if (what->soft)
		return;
	marks_forget(p->urls, what->at_ms);
	marks_forget(p->tags, what->at_ms);
	matches_change(p, what->at_ms, NULL);
}

static void note(struct purges *p, const struct purge *what)
{
	switch (what->kind) {
	case PURGE_URL:
		marks_note(p->urls, what->mark, what->soft, what->at_ms);
		marks_bound(p);
		break;
	case PURGE_TAG:
		marks_note(p->tags, what->mark, what->soft, what->at_ms);
		marks_bound(p);
		break;
	case PURGE_MATCH:
		matches_note(p, what);
		matches_bound(p);
		break;
	case PURGE_ALL:
		all_note(p, what);
		break;
	}
}

int purges_add(struct purges *p, struct purge *what)
{
	int err = purge_check(what);
	if (err)
		return err;
	pthread_mutex_lock(&p->lock);
	if (what->at_ms)
		purges_now_ms(p, what->at_ms);
	else
		what->at_ms = time_of_purge(p);
	note(p, what);
	atomic_fetch_add(&p->added, 1);
	atomic_fetch_add(&p->count, 1);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* --- Looking. --- */

uint32_t purges_count(const struct purges *p)
{
	return atomic_load_explicit(&p->count, memory_order_acquire);
}

static enum purged purged(uint64_t asked_ms, struct purge_times t)
{
	if (asked_ms < t.gone_ms)
		return PURGED_HARD;
	return asked_ms < t.stale_ms ? PURGED_SOFT : PURGED_NOT;
}

static enum purged worse(enum purged a, enum purged b)
{
	return a > b ? a : b;
}

static enum purged marks_purged(const struct purges *p, const struct purgeable *what)
{
	enum purged got = purged(what->asked_ms, marks_look(p->urls, what->base));
	for (size_t i = 0; i < what->tag_count && got != PURGED_HARD; i++) {
		uint64_t tag;
		memcpy(&tag, what->tags + i * sizeof tag, sizeof tag);
		got = worse(got, purged(what->asked_ms, marks_look(p->tags, tag)));
	}
	return got;
}

/* From the latest on: the others have nothing to say of what was asked for after them. */
static enum purged matches_purged(const struct purges *p, const struct purgeable *what)
{
	const struct matches *list = atomic_load(&p->matches);
	enum purged got = PURGED_NOT;
	for (size_t i = list->count; i > 0 && list->at[i - 1]->at_ms > what->asked_ms; i--) {
		const struct match *m = list->at[i - 1];
		enum purged says = m->soft ? PURGED_SOFT : PURGED_HARD;
		if (says > got && glob_match(m->text, what->key, NULL))
			got = says;
		if (got == PURGED_HARD)
			break;
	}
	return got;
}

enum purged purges_look(const struct purges *p, const struct purgeable *what)
{
	enum purged got = marks_purged(p, what);
	if (got != PURGED_HARD)
		got = worse(got, matches_purged(p, what));
	struct purge_times all = { atomic_load(&p->gone_ms), atomic_load(&p->stale_ms) };
	return worse(got, purged(what->asked_ms, all));
}

/* --- Telling. --- */

struct purges_stats purges_stats(struct purges *p)
{
	pthread_mutex_lock(&p->lock);
	struct purges_stats s = {
		.added = atomic_load(&p->added),
		.marks = marks_count(p->urls) + marks_count(p->tags),
		.matches = atomic_load(&p->matches)->count,
	};
	pthread_mutex_unlock(&p->lock);
	return s;
}

/* Notes, taken out from under the lock to be put in order. */
struct notes {
	struct purge *at;
	size_t count;
	struct buf texts;       /* of patterns, which it has room for */
	enum purge_kind kind;   /* of the marks that are seen */
};

static void notes_add(struct notes *n, struct purge what)
{
	if (what.at_ms)
		n->at[n->count++] = what;
}

static void see_mark(void *arg, uint64_t mark, struct purge_times t)
{
	struct notes *n = arg;
	notes_add(n, (struct purge){ .kind = n->kind, .mark = mark, .at_ms = t.gone_ms });
	/* A later hard one says all that an earlier soft one says. */
	if (t.stale_ms > t.gone_ms)
		notes_add(n, (struct purge){ .kind = n->kind, .mark = mark, .at_ms = t.stale_ms, .soft = true });
}

static void see_matches(struct notes *n, const struct matches *list)
{
	size_t texts_b = 0;
	for (size_t i = 0; i < list->count; i++)
		texts_b += list->at[i]->text.n;
	if (!texts_b)
		return;
	buf_room(&n->texts, texts_b);  /* all at once: what points into them stays right */
	for (size_t i = 0; i < list->count; i++) {
		const struct match *m = list->at[i];
		struct str text = { n->texts.p + n->texts.n, m->text.n };
		buf_add(&n->texts, m->text);
		notes_add(n, (struct purge){ .kind = PURGE_MATCH, .match = text, .at_ms = m->at_ms, .soft = m->soft });
	}
}

static void notes_take(struct notes *n, const struct purges *p)
{
	const struct matches *list = atomic_load(&p->matches);
	size_t most = 2 * (marks_count(p->urls) + marks_count(p->tags)) + list->count + 2;
	n->at = mem_new(most * sizeof *n->at);
	notes_add(n, (struct purge){ .kind = PURGE_ALL, .at_ms = atomic_load(&p->gone_ms) });
	notes_add(n, (struct purge){ .kind = PURGE_ALL, .at_ms = atomic_load(&p->stale_ms), .soft = true });
	n->kind = PURGE_URL;
	marks_each(p->urls, see_mark, n);
	n->kind = PURGE_TAG;
	marks_each(p->tags, see_mark, n);
	see_matches(n, list);
}

static int note_order(const void *a, const void *b)
{
	const struct purge *x = a, *y = b;
	return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

void purges_print(struct purges *p, struct buf *out)
{
	struct notes n = {};
	pthread_mutex_lock(&p->lock);
	notes_take(&n, p);
	pthread_mutex_unlock(&p->lock);
	qsort(n.at, n.count, sizeof *n.at, note_order);
	for (size_t i = 0; i < n.count; i++)
		purge_print(&n.at[i], out);
	mem_free(n.at);
	buf_fini(&n.texts);
}

/* Pages that machines share: asking, offering, giving up.  Each runs on its loop's thread; see cluster.h, and
 * docs/why/memcached.md for the table of answers. */
#include "http/cluster.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/cluster_key.h"
#include "http/cluster_value.h"
#include "http/freshness.h"
#include "http/memcached.h"

enum {
	AGAIN_FIRST_MS = 10,         /* somebody else fetches it: asked again after 10, 20, 40 … */
	AGAIN_MOST_MS = 300,         /* all in all */
	FILL_LEAST_S = 30,           /* who fetches it has so long before another may */
	FILL_MOST_S = 300,
	PAGE_MOST_MS = 86400000,     /* as long as the journal of purges goes back (cluster_journal.c) */
	FLAGS_B = 96,
};

enum seek_at {
	SEEK_PAGE,       /* asked for the page */
	SEEK_REST,       /* somebody else fetches it */
	SEEK_NUMBERS,    /* the page is there: asked for the generation numbers of what could have purged it */
	SEEK_WIN,        /* it has to be fetched anew: asked whether by us */
};

/* A number of a page that is being looked at, or stored. */
struct asked_number {
	struct mc_op op;
	uint64_t now;
	bool known;
};

/* Somebody's search; freed when it is over. */
struct seek {
	struct task task;
	struct timer timer;
	struct cluster_ask *ask;
	struct memcached *m;
	struct mc_op op;
	enum seek_at at;
	uint64_t left_ms;            /* that may still be waited for memcached */
	uint64_t asked_ms;           /* when it was asked last, on the loop's clock */
	uint64_t again_ms;           /* the next rest */
	uint64_t rested_ms;
	struct page *page;
	uint64_t cas;
	bool hard;                   /* the page may not be used */
	uint64_t then[VALUE_GENERATIONS_MOST];
	struct asked_number *numbers;
	size_t count;
};

static struct loop *loop_of(const struct seek *s)
{
	return &s->ask->home->loop;
}

/* --- Its end. --- */

static void seek_free(struct seek *s)
{
	timer_stop(&s->timer);
	task_stop(&s->task);
	mc_cancel(&s->op);
	for (size_t i = 0; s->numbers && i < s->count; i++)
		mc_cancel(&s->numbers[i].op);
	mem_free(s->numbers);
	if (s->page)
		object_put(s->ask->home->epoch, &s->page->object);
	s->ask->state = NULL;
	mem_free(s);
}

/* What can't be used is not handed out. */
static void over(struct seek *s, enum cluster_got got)
{
	struct cluster_ask *a = s->ask;
	a->over = true;
	a->got = got == CLUSTER_RENEW && s->hard ? CLUSTER_OURS : got;
	a->cas = s->cas;
	if (got != CLUSTER_NOTHING && !s->hard) {
		a->page = s->page;
		s->page = NULL;
	}
	loop_queue(loop_of(s), a->task);
	seek_free(s);
}

void cluster_leave(struct cluster_ask *a)
{
	if (a->state)
		seek_free(a->state);
	a->state = NULL;
}

/* --- Asking. --- */

static bool send_ask(struct seek *s, struct mc_op *op, struct str key, const char *flags)
{
	struct mc_request ask = { .verb = "mg", .key = key, .flags = str_of(flags) };
	op->task = &s->task;
	s->asked_ms = loop_of(s)->now_ms;
	return memcached_ask(s->m, s->ask->home, &ask, op, s->left_ms);
}

/* What was waited counts, whoever was asked. */
static void take_time(struct seek *s)
{
	uint64_t ms = loop_of(s)->now_ms - s->asked_ms;
	s->left_ms = ms < s->left_ms ? s->left_ms - ms : 0;
}

static bool ask_page(struct seek *s)
{
	const struct cluster_ask *a = s->ask;
	char key[CLUSTER_KEY_B], flags[FLAGS_B];
	uint64_t fill_s = a->fill_ms / 1000;
	fill_s = fill_s < FILL_LEAST_S ? FILL_LEAST_S : fill_s < FILL_MOST_S ? fill_s : FILL_MOST_S;
	size_t n = (size_t)snprintf(flags, sizeof flags, "t c v N%llu", (unsigned long long)fill_s);
	if (a->stale_ms)
		snprintf(flags + n, sizeof flags - n, " R%u", memcached_ttl_s(a->stale_ms));
	s->at = SEEK_PAGE;
	return send_ask(s, &s->op, key_of_page(key, a->site, a->key), flags);
}

/* Only one of all machines is told that it won: whatever it has left is less than R, which may be 30 days at most. */
static void ask_win(struct seek *s)
{
	char key[CLUSTER_KEY_B];
	s->at = SEEK_WIN;
	if (!send_ask(s, &s->op, key_of_page(key, s->ask->site, s->ask->key), "c R2592000"))
		over(s, CLUSTER_NOTHING);
}

/* Somebody else fetches it: there is something to wait for, but not for long. */
static void rest(struct seek *s)
{
	if (s->rested_ms >= AGAIN_MOST_MS) {
		over(s, CLUSTER_NOTHING);
		return;
	}
	uint64_t left_ms = AGAIN_MOST_MS - s->rested_ms;
	uint64_t ms = s->again_ms < left_ms ? s->again_ms : left_ms;
	s->rested_ms += ms;
	s->again_ms *= 2;
	s->at = SEEK_REST;
	timer_set(&loop_of(s)->wheel, &s->timer, loop_of(s)->now_ms + ms);
}

static void rested(struct timer *t)
{
	struct seek *s = container_of(t, struct seek, timer);
	if (s->page)
		object_put(s->ask->home->epoch, &s->page->object);
	s->page = NULL;
	s->hard = false;
	if (!ask_page(s))
		over(s, CLUSTER_NOTHING);
}

/* --- What was found. --- */

static bool is_stale(const struct seek *s)
{
	const struct image *i = &s->page->image;
	return i->flags & IMAGE_VALIDATE || page_age_s(s->page, home_wall_ms(s->ask->home)) >= i->fresh_s;
}

/* What the answer's marks say, once it is known that the page is what it was when it was stored. */
static void settle(struct seek *s, enum purged purged)
{
	unsigned marks = s->op.answer.marks;
	s->hard = purged == PURGED_HARD;
	bool stale = marks & MC_STALE || purged != PURGED_NOT || is_stale(s);
	if (marks & MC_WON)
		over(s, CLUSTER_RENEW);
	else if (marks & MC_SENT && s->hard)
		rest(s);
	else if (marks & MC_SENT && stale)
		over(s, CLUSTER_STALE);
	else if (stale)
		ask_win(s);
	else
		over(s, CLUSTER_FRESH);
}

static void ask_numbers(struct seek *s)
{
	struct str site = s->ask->site;
	char key[CLUSTER_KEY_B];
	size_t tags = s->page->image.tag_count;
	s->at = SEEK_NUMBERS;
	s->numbers = mem_new(s->count * sizeof *s->numbers);
	for (size_t i = 0; i < s->count; i++) {
		struct str k = i < tags ? key_of_tag(key, site, page_tag(s->page, i)) : key_of_url(key, site, s->page->image.base);
		if (!send_ask(s, &s->numbers[i].op, k, "v"))
			s->numbers[i].op.got = MC_LOST;
	}
	loop_queue(loop_of(s), &s->task);
}

static void got_page(struct seek *s)
{
	const struct mc_answer *a = &s->op.answer;
	if (s->op.got != MC_ANSWERED || a->code != MC_VA) {
		over(s, CLUSTER_NOTHING);
		return;
	}
	s->cas = a->cas;
	s->page = value_read(s->op.value, s->ask->key, home_wall_ms(s->ask->home), s->ask->store, s->then, &s->count);
	mc_cancel(&s->op);
	if (!a->size_b && a->marks & MC_SENT)
		rest(s);
	else if (!s->page)
		over(s, a->marks & MC_WON ? CLUSTER_OURS : CLUSTER_NOTHING);
	else if (s->count)
		ask_numbers(s);
	else
		settle(s, PURGED_NOT);
}

/* A number that is gone, or that nobody can tell, may be any: better no page than one that was purged. */
static enum purged number_says(const struct seek *s, size_t i)
{
	const struct mc_op *op = &s->numbers[i].op;
	uint64_t now;
	if (op->got != MC_ANSWERED || op->answer.code != MC_VA || num_parse(op->value, UINT64_MAX, &now))
		return PURGED_HARD;
	return generation_purged(s->then[i], now);
}

static void got_numbers(struct seek *s)
{
	enum purged worst = PURGED_NOT;
	for (size_t i = 0; i < s->count; i++)
		if (s->numbers[i].op.got == MC_WAITING)
			return;
	take_time(s);
	for (size_t i = 0; i < s->count; i++) {
		enum purged says = number_says(s, i);
		worst = says > worst ? says : worst;
		mc_cancel(&s->numbers[i].op);
	}
	mem_free(s->numbers);
	s->numbers = NULL;
	settle(s, worst);
}

static void got_win(struct seek *s)
{
	const struct mc_answer *a = &s->op.answer;
	bool there = s->op.got == MC_ANSWERED && a->code == MC_HD;
	if (there)
		s->cas = a->cas;
	if (there && a->marks & MC_WON)
		over(s, CLUSTER_RENEW);
	else if (there && a->marks & MC_SENT && s->hard)
		rest(s);
	else
		over(s, there && !s->hard ? CLUSTER_STALE : CLUSTER_NOTHING);
}

static void seek_step(struct task *t)
{
	struct seek *s = container_of(t, struct seek, task);
	if (s->at == SEEK_NUMBERS) {
		got_numbers(s);
		return;
	}
	if (s->at == SEEK_REST || s->op.got == MC_WAITING)
		return;
	take_time(s);
	if (s->at == SEEK_PAGE)
		got_page(s);
	else
		got_win(s);
}

bool cluster_ask(struct memcached *m, struct cluster_ask *a)
{
	struct seek *s = MEM_NEW(struct seek);
	*s = (struct seek){ .ask = a, .m = m, .left_ms = memcached_patience_ms(m), .again_ms = AGAIN_FIRST_MS };
	task_init(&s->task, seek_step);
	timer_init(&s->timer, rested);
	a->over = false;
	a->page = NULL;
	a->state = s;
	if (ask_page(s))
		return false;
	seek_free(s);
	a->over = true;
	a->got = CLUSTER_NOTHING;
	return true;
}

/* --- Offering. --- */

/* A page on its way, while its generation numbers are asked for; frees itself. */
struct offer {
	struct task task;
	struct memcached *m;
	struct home *home;
	struct str site;             /* own copy */
	struct page *page;           /* counted */
	bool won;
	uint64_t cas;
	size_t count;
	struct asked_number numbers[];
};

static bool has_won(const struct cluster_ask *a)
{
	return a && a->over && (a->got == CLUSTER_OURS || a->got == CLUSTER_RENEW);
}

/* Forgets what keeps others waiting, unless somebody stored something meanwhile: a stub goes; what was there before is
 * somebody else's to fetch. */
static void release(struct memcached *m, struct home *h, struct str site, struct str key, enum cluster_got got,
                    uint64_t cas)
{
	char name[CLUSTER_KEY_B], flags[FLAGS_B];
	int n = snprintf(flags, sizeof flags, got == CLUSTER_RENEW ? "C%llu I" : "C%llu", (unsigned long long)cas);
	memcached_tell(m, h, &(struct mc_request){ .verb = "md", .key = key_of_page(name, site, key),
	                                           .flags = str_make(flags, (size_t)n) });
}

/* What is left of its time. */
static uint64_t left_ms(const struct page *p, uint64_t wall_ms)
{
	uint64_t useful_ms = image_useful_ms(&p->image), gone_ms = wall_ms > p->image.came_ms ? wall_ms - p->image.came_ms : 0;
	uint64_t ms = useful_ms > gone_ms ? useful_ms - gone_ms : 0;
	return ms < PAGE_MOST_MS ? ms : PAGE_MOST_MS;
}

static void store(struct memcached *m, struct home *h, struct str site, struct page *p, const uint64_t *generations,
                  size_t count, bool won, uint64_t cas)
{
	char name[CLUSTER_KEY_B], flags[FLAGS_B] = "";
	struct value *v = mem_grow(NULL, sizeof *v);
	uint64_t ms = left_ms(p, home_wall_ms(h));
	int n = won ? snprintf(flags, sizeof flags, "C%llu I", (unsigned long long)cas) : 0;
	if (ms >= 1000 && value_make(v, p, generations, count) == 0)
		memcached_tell(m, h, &(struct mc_request){ .verb = "ms", .key = key_of_page(name, site, page_key(p)),
		                                           .flags = str_make(flags, (size_t)n), .ttl_s = memcached_ttl_s(ms),
		                                           .parts = v->parts, .part_count = v->part_count });
	else if (won)
		release(m, h, site, page_key(p), CLUSTER_OURS, cas);
	mem_free(v);
}

static void offer_free(struct offer *o)
{
	for (size_t i = 0; i < o->count; i++)
		mc_cancel(&o->numbers[i].op);
	object_put(o->home->epoch, &o->page->object);
	mem_str_free(o->site);
	mem_free(o);
}

/* All numbers are there, or one can't be told: then nobody could tell later whether the page was purged. */
static void offer_step(struct task *t)
{
	struct offer *o = container_of(t, struct offer, task);
	uint64_t generations[VALUE_GENERATIONS_MOST];
	bool known = true;
	for (size_t i = 0; i < o->count; i++)
		if (o->numbers[i].op.got == MC_WAITING)
			return;
	for (size_t i = 0; i < o->count; i++) {
		const struct mc_op *op = &o->numbers[i].op;
		known = known && op->got == MC_ANSWERED && op->answer.code == MC_VA &&
		        num_parse(op->value, UINT64_MAX, &generations[i]) == 0;
	}
	if (known)
		store(o->m, o->home, o->site, o->page, generations, o->count, o->won, o->cas);
	else if (o->won)
		release(o->m, o->home, o->site, page_key(o->page), CLUSTER_OURS, o->cas);
	offer_free(o);
}

/* Numbers that are not there begin now: none is ever taken for one that was there before. */
static void ask_generations(struct offer *o)
{
	char key[CLUSTER_KEY_B], flags[FLAGS_B];
	size_t tags = o->page->image.tag_count;
	snprintf(flags, sizeof flags, "v D0 N%d J%llu", MEMCACHED_TTL_MOST_S,
	         (unsigned long long)generation_first(home_wall_ms(o->home)));
	for (size_t i = 0; i < o->count; i++) {
		struct mc_op *op = &o->numbers[i].op;
		struct mc_request ask = { .verb = "ma", .flags = str_of(flags), .ttl_s = MEMCACHED_TTL_MOST_S };
		ask.key = i < tags ? key_of_tag(key, o->site, page_tag(o->page, i))
		                   : key_of_url(key, o->site, o->page->image.base);
		op->task = &o->task;
		if (!memcached_ask(o->m, o->home, &ask, op, memcached_patience_ms(o->m)))
			op->got = MC_LOST;
	}
	loop_queue(&o->home->loop, &o->task);
}

void cluster_put(struct memcached *m, struct home *h, struct str site, struct page *p, const struct cluster_ask *won)
{
	bool is_won = has_won(won) && str_eq(won->key, page_key(p));
	if (!value_may(p)) {
		if (is_won)
			release(m, h, site, page_key(p), CLUSTER_OURS, won->cas);
		return;
	}
	size_t count = value_generations(p);
	if (!count) {
		store(m, h, site, p, NULL, 0, is_won, is_won ? won->cas : 0);
		return;
	}
	struct offer *o = mem_new(sizeof *o + count * sizeof *o->numbers);
	*o = (struct offer){ .m = m, .home = h, .site = mem_str(site), .page = p, .won = is_won,
		             .cas = is_won ? won->cas : 0, .count = count };
	task_init(&o->task, offer_step);
	object_get(&p->object);
	ask_generations(o);
}

void cluster_give_up(struct memcached *m, struct cluster_ask *a)
{
	if (has_won(a))
		release(m, a->home, a->site, a->key, a->got, a->cas);
	a->over = false;
}

/* The audience.  See audience.h. */
#include "control/audience.h"

#include <inttypes.h>

#include "base/mem.h"
#include "http/feed_body.h"

enum { HELD_MOST_B = 4 << 20, LOOK_MS = 250 };

/* A tap, and what its viewer was told of what he does not see. */
struct viewer {
	struct link link;
	struct mail mail;             /* how it came */
	struct control *control;
	struct tap *tap;
	uint64_t told_dropped, told_left_out;
	bool told_begun;
};

struct audience {
	struct loop *loop;
	size_t loops;
	void (*give)(void *arg, struct taps *taps);
	void *arg;
	struct link all;              /* struct viewer */
	struct link gone;             /* whose taps a loop may still look at */
	struct taps *now;             /* NULL: none */
	size_t away;                  /* lists that loops still have, but for the newest */
	size_t untaken;               /* lists on their way to loops */
	struct timer timer;
};

static void viewer_free(struct viewer *w)
{
	link_del(&w->link);
	tap_free(w->tap);
	mem_free(w);
}

/* --- Lists of taps. --- */

struct list {
	struct taps taps;
};

static void give(struct audience *v)
{
	struct list *new = NULL;
	if (!link_alone(&v->all)) {
		new = MEM_NEW(struct list);
		new->taps.loops_left = v->loops;
		for (struct link *l = v->all.next; l != &v->all && new->taps.count < TAPS_MOST; l = l->next)
			new->taps.p[new->taps.count++] = container_of(l, struct viewer, link)->tap;
	}
	v->away += v->now != NULL;
	v->now = new ? &new->taps : NULL;
	v->untaken += v->loops;
	v->give(v->arg, v->now);
}

static void free_gone(struct audience *v)
{
	while (!v->away && !link_alone(&v->gone))
		viewer_free(container_of(v->gone.next, struct viewer, link));
}

/* Every loop has the newest list: whoever is in it misses nothing from here on. */
static void tell_begun(struct audience *v)
{
	for (struct link *l = v->all.next; l != &v->all; l = l->next) {
		struct viewer *w = container_of(l, struct viewer, link);
		if (!w->told_begun)
			w->told_begun = feed_send(w->tap->feed, STR("{\"tracing\":true}\n"));
	}
}

void audience_taken(struct audience *v, struct taps *before)
{
	struct list *list = before ? container_of(before, struct list, taps) : NULL;
	if (--v->untaken == 0)
		tell_begun(v);
	if (!list || --before->loops_left)
		return;
	v->away--;
	free_gone(v);
	mem_free(list);
}

/* --- Looking after them. --- */

static void tell(struct viewer *w, const char *what, uint64_t count, uint64_t *told)
{
	struct buf line = {};
	if (count == *told)
		return;
	buf_addf(&line, "{\"%s\":%" PRIu64 "}\n", what, count);
	if (feed_send(w->tap->feed, buf_str(&line)))
		*told = count;
	buf_fini(&line);
}

static void look(struct timer *t)
{
	struct audience *v = container_of(t, struct audience, timer);
	bool changed = false;
	for (struct link *l = v->all.next, *next; l != &v->all; l = next) {
		struct viewer *w = container_of(l, struct viewer, link);
		next = l->next;
		if (feed_ended(w->tap->feed)) {
			link_del(&w->link);
			link_add(&v->gone, &w->link);
			changed = true;
			continue;
		}
		uint64_t dropped = feed_dropped(w->tap->feed);
		tell(w, "left_out", quota_refused(w->tap->quota), &w->told_left_out);
		tell(w, "dropped", dropped, &w->told_dropped);
	}
	if (changed)
		give(v);
	free_gone(v);
	if (!link_alone(&v->all))
		timer_set(&v->loop->wheel, &v->timer, v->loop->now_ms + LOOK_MS);
}

static void came(struct mail *m)
{
	struct viewer *w = container_of(m, struct viewer, mail);
	struct audience *v = w->control->audience;
	link_add(&v->all, &w->link);
	give(v);
	timer_set(&v->loop->wheel, &v->timer, v->loop->now_ms + LOOK_MS);
}

struct audience *audience_new(struct loop *l, size_t loops, void (*give_to)(void *arg, struct taps *taps), void *arg)
{
	struct audience *v = MEM_NEW(struct audience);
	*v = (struct audience){ .loop = l, .loops = loops, .give = give_to, .arg = arg };
	link_init(&v->all);
	link_init(&v->gone);
	timer_init(&v->timer, look);
	return v;
}

void audience_free(struct audience *v)
{
	if (!v)
		return;
	timer_stop(&v->timer);
	while (!link_alone(&v->all))
		viewer_free(container_of(v->all.next, struct viewer, link));
	while (!link_alone(&v->gone))
		viewer_free(container_of(v->gone.next, struct viewer, link));
	if (v->now)
		mem_free(container_of(v->now, struct list, taps));
	mem_free(v);
}

/* --- The errand. --- */

static size_t count_all(const struct audience *v)
{
	size_t count = 0;
	for (const struct link *l = v->all.next; l != &v->all; l = l->next)
		count++;
	return count;
}

void errand_trace(struct control *c, struct admin_call *call)
{
	struct buf why = {};
	struct tap *tap = tap_new(call->query, &why);
	if (!tap)
		admin_refuse(call, 422, "%.*s", STR_F(buf_str(&why)));
	else if (count_all(c->audience) >= TAPS_MOST)
		admin_refuse(call, 429, "there are %d traces already", TAPS_MOST);
	else
		admin_answer(call, 200, STR(""));
	if (tap)
		tap_free(tap);
	buf_fini(&why);
}

enum go audience_begin(struct req *r, struct admin_call *call)
{
	struct buf why = {};
	struct viewer *w = MEM_NEW(struct viewer);
	w->control = call->control;
	w->tap = tap_new(call->query, &why);
	w->mail.deliver = came;
	link_init(&w->link);
	enum go go = answer_feed(r, STR("application/x-ndjson"), STR(""), HELD_MOST_B, &w->tap->feed);
	mailbox_post(w->control->box, &w->mail);
	buf_fini(&why);
	return go;
}

/* What the status page shows now, and those who look at it live.  The control thread.
 *
 * Each section is rendered once for each sample, and sent to all viewers where it differs from what they were sent last.
 * Who is too slow for that gets all sections as soon as there is room for them. */
#include <string.h>

#include "base/mem.h"
#include "control/page.h"
#include "control/page_in.h"
#include "http/req.h"
#include "share/feed.h"

enum { VIEWERS_MOST = 256, MINUTE_MS = 60000 };

struct section {
	struct buf html;
	bool changed;                /* since it was sent to viewers last */
};

/* The page without buttons, or with. */
struct face {
	struct section sections[PARTS_MOST];
	uint64_t at_ms;              /* of the sample that they show; 0: none yet */
	uint64_t changes;            /* how many there were then */
	struct link viewers;
};

struct viewers {
	struct control *control;
	struct face faces[2];
	unsigned count;
};

struct viewer {
	struct mail mail;
	struct link link;
	struct control *control;
	struct feed *feed;
	bool buttons;
	bool behind;                 /* something could not be sent */
};

/* --- Rendering. --- */

static void render(struct face *f, const struct view *v)
{
	struct buf html = {};
	for (size_t i = 0; PARTS[i].id; i++) {
		struct section *s = &f->sections[i];
		buf_clear(&html);
		PARTS[i].print(&html, v);
		if (str_eq(buf_str(&html), buf_str(&s->html)))
			continue;
		struct buf last = s->html;
		s->html = html;
		s->changed = true;
		html = last;
	}
	buf_fini(&html);
}

/* The sections show the newest sample, and what was changed since. */
static void refresh(struct viewers *w, bool buttons)
{
	const struct control *c = w->control;
	const struct sample *now = observer_now(c->observer);
	struct face *f = &w->faces[buttons];
	struct point points[POINTS];
	if (f->at_ms == now->at_ms && f->changes == c->changes.count)
		return;
	struct view v = { .control = c, .now = now, .minute = observer_before(c->observer, MINUTE_MS), .points = points,
		          .point_count = observer_points(c->observer, points), .buttons = buttons };
	render(f, &v);
	f->at_ms = now->at_ms;
	f->changes = c->changes.count;
}

/* --- Sending. --- */

/* An event of the stream: the section's name in the first line of its data, what it holds in the second. */
static void add_event(struct buf *out, const char *id, const struct section *s)
{
	buf_addf(out, "event: section\ndata: %s\ndata: ", id);
	buf_add(out, buf_str(&s->html));
	buf_add(out, STR("\n\n"));
}

static void add_events(struct buf *out, const struct face *f, bool all)
{
	for (size_t i = 0; PARTS[i].id; i++)
		if (all || f->sections[i].changed)
			add_event(out, PARTS[i].id, &f->sections[i]);
}

static void viewer_send(struct viewer *v, struct str events)
{
	v->behind = events.n && !feed_send(v->feed, events);
}

static void viewer_free(struct viewer *v)
{
	link_del(&v->link);
	feed_put(v->feed);
	mem_free(v);
}

static void send_all(struct viewers *w, struct face *f)
{
	struct buf some = {}, all = {};
	add_events(&some, f, false);
	for (struct link *l = f->viewers.next, *next; l != &f->viewers; l = next) {
		struct viewer *v = container_of(l, struct viewer, link);
		next = l->next;
		if (feed_ended(v->feed)) {
			viewer_free(v);
			w->count--;
			continue;
		}
		if (v->behind && !all.n)
			add_events(&all, f, true);
		viewer_send(v, v->behind ? buf_str(&all) : buf_str(&some));
	}
	for (size_t i = 0; PARTS[i].id; i++)
		f->sections[i].changed = false;
	buf_fini(&some);
	buf_fini(&all);
}

/* Each second. */
static void see(void *arg)
{
	struct viewers *w = arg;
	for (size_t i = 0; i < countof(w->faces); i++) {
		if (link_alone(&w->faces[i].viewers))
			continue;
		refresh(w, i);
		send_all(w, &w->faces[i]);
	}
}

static void join(struct mail *m)
{
	struct viewer *v = container_of(m, struct viewer, mail);
	struct viewers *w = v->control->viewers;
	struct face *f = &w->faces[v->buttons];
	struct buf all = {};
	refresh(w, v->buttons);
	add_events(&all, f, true);
	viewer_send(v, buf_str(&all));
	link_add(&f->viewers, &v->link);
	w->count++;
	buf_fini(&all);
}

void page_watch(struct req *r, struct feed *feed, bool buttons)
{
	struct viewer *v = MEM_NEW(struct viewer);
	*v = (struct viewer){ .mail = { .deliver = join }, .control = r->home->control, .feed = feed, .buttons = buttons };
	link_init(&v->link);
	mailbox_post(v->control->box, &v->mail);
}

/* --- Errands. --- */

static void run_sections(struct control *c, struct admin_call *call)
{
	bool buttons = call->errand == &PAGE_SECTIONS[1];
	const struct face *f = &c->viewers->faces[buttons];
	struct buf html = {};
	refresh(c->viewers, buttons);
	for (size_t i = 0; PARTS[i].id; i++) {
		buf_addf(&html, "<section id=\"%s\">", PARTS[i].id);
		buf_add(&html, buf_str(&f->sections[i].html));
		buf_add(&html, STR("</section>\n"));
	}
	admin_answer(call, 200, buf_str(&html));
	buf_fini(&html);
}

static void run_watch(struct control *c, struct admin_call *call)
{
	admin_answer(call, c->viewers->count < VIEWERS_MOST ? 200 : 503, STR(""));
}

const struct errand PAGE_SECTIONS[2] = {
	{ .method = METHOD_GET, .path = "", .run = run_sections },
	{ .method = METHOD_GET, .path = "", .run = run_sections },
};
const struct errand PAGE_WATCH = { .method = METHOD_GET, .path = "", .run = run_watch };

/* --- The set. --- */

struct viewers *viewers_new(struct control *c)
{
	struct viewers *w = MEM_NEW(struct viewers);
	w->control = c;
	for (size_t i = 0; i < countof(w->faces); i++)
		link_init(&w->faces[i].viewers);
	observer_each(c->observer, see, w);
	return w;
}

static void face_fini(struct face *f)
{
	while (!link_alone(&f->viewers))
		viewer_free(container_of(f->viewers.next, struct viewer, link));
	for (size_t i = 0; i < PARTS_MOST; i++)
		buf_fini(&f->sections[i].html);
}

void viewers_free(struct viewers *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < countof(w->faces); i++)
		face_fini(&w->faces[i]);
	mem_free(w);
}

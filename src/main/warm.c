/* The hot list.  Written and read by the control thread; warmed by a timer on one loop, a few files at a time, through
 * the same look-up as any request's, so that nothing waits on the loop. */
#include "main/warm.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/hot_look.h"
#include "http/core.h"

enum {
	LIST_MOST_B = 64 << 20,
	PACE_MS = 50,
	ID_DIGITS = 16,
};

static const struct str FIRST_LINE = { "petrel hot list 1\n", 18 };

struct entry {
	struct tree tree;
	struct str path;      /* in the list's text */
};

struct warm {
	struct timer timer;
	struct home *home;
	struct warm **owner;  /* the pointer to clear in the end */
	struct buf text;      /* the list as read */
	struct arena roots;
	struct entry *entries;
	size_t count, at;
	uint64_t begun_ms;
};

/* --- Writing. --- */

static void add_line(void *arg, const struct object *o)
{
	struct buf *out = arg;
	uint64_t id;
	const struct hot *h = (const struct hot *)o;
	bool plain = o->key.n > sizeof id && o->key.p[sizeof id] == 0;
	if (!plain || (h->kind != HOT_BYTES && h->kind != HOT_FILE) || out->n > LIST_MOST_B)
		return;
	memcpy(&id, o->key.p, sizeof id);
	buf_addf(out, "%016" PRIx64 " ", id);
	buf_add(out, str_from(o->key, sizeof id + 1));
	buf_add_char(out, '\n');
}

void warm_write(int fd, struct store *hot)
{
	struct buf out = {};
	size_t done = 0;
	buf_add(&out, FIRST_LINE);
	store_each(hot, add_line, &out);
	while (done < out.n) {
		ssize_t n = pwrite(fd, out.p + done, out.n - done, (off_t)done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	/* A list cut short by a full disk is a shorter list. */
	(void)!ftruncate(fd, (off_t)done);
	buf_fini(&out);
}

/* --- Reading. --- */

struct root {
	uint64_t id;
	struct str path;
};

struct roots {
	struct arena *arena;
	struct root *p;
	size_t count;
};

static void add_root(void *arg, void *values)
{
	struct roots *roots = arg;
	const struct core *core = values;
	if (!core->root.n)
		return;
	roots->p = mem_grow(roots->p, (roots->count + 1) * sizeof *roots->p);
	roots->p[roots->count++] = (struct root){ root_id(core->root), core->root };
}

/* The root of this number, and how links are followed below it; false where the configuration has it no more. */
static bool find_tree(const struct roots *roots, uint64_t id, struct tree *out)
{
	for (size_t i = 0; i < roots->count; i++) {
		uint64_t follow = id - roots->p[i].id;
		if (follow > FOLLOW_ANY)
			continue;
		*out = (struct tree){ arena_str(roots->arena, roots->p[i].path), (int)follow };
		return true;
	}
	return false;
}

static void add_entry(struct warm *w, const struct roots *roots, struct str line)
{
	uint64_t id;
	struct entry e = { .path = str_from(line, ID_DIGITS + 1) };
	if (num_parse_hex(str_head(line, ID_DIGITS), &id) || !e.path.n || e.path.p[0] != '/' || !find_tree(roots, id, &e.tree))
		return;
	w->entries = mem_grow(w->entries, (w->count + 1) * sizeof e);
	w->entries[w->count++] = e;
}

static void read_all(int fd, struct buf *text)
{
	ssize_t n = 1;
	while (n > 0 && text->n < LIST_MOST_B) {
		n = pread(fd, buf_room(text, 1 << 16), 1 << 16, (off_t)text->n);
		if (n > 0)
			text->n += (size_t)n;
	}
}

struct warm *warm_read(int fd, const struct conf *conf)
{
	struct warm *w = MEM_NEW(struct warm);
	struct roots roots = { .arena = &w->roots };
	arena_init(&w->roots, NULL, 0);
	read_all(fd, &w->text);
	struct str rest = buf_str(&w->text);
	if (str_starts(rest, FIRST_LINE)) {
		rest = str_from(rest, FIRST_LINE.n);
		conf_each_values(conf, 0, add_root, &roots);
		while (rest.n)
			add_entry(w, &roots, str_cut(&rest, '\n'));
	}
	mem_free(roots.p);
	if (w->count)
		return w;
	warm_free(w);
	return NULL;
}

void warm_free(struct warm *w)
{
	if (!w)
		return;
	buf_fini(&w->text);
	arena_fini(&w->roots);
	mem_free(w->entries);
	mem_free(w);
}

/* --- Warming. --- */

static void warm_end(struct warm *w)
{
	*w->owner = NULL;
	warm_free(w);
}

static void warm_some(struct timer *t)
{
	struct warm *w = container_of(t, struct warm, timer);
	struct loop *l = &w->home->loop;
	uint64_t rate = conf_core(w->home->use->conf)->hot_warm_rate;
	uint64_t due = (l->now_ms - w->begun_ms + PACE_MS) * rate / 1000;
	for (; w->at < w->count && w->at < due; w->at++)
		hot_look_ahead(w->home, &w->entries[w->at].tree, w->entries[w->at].path);
	if (w->at == w->count || !rate)
		warm_end(w);
	else
		timer_set(&l->wheel, t, l->now_ms + PACE_MS);
}

void warm_start(struct warm **mine, struct home *h)
{
	struct warm *w = *mine;
	w->owner = mine;
	w->home = h;
	w->begun_ms = h->loop.now_ms;
	timer_init(&w->timer, warm_some);
	timer_set(&h->loop.wheel, &w->timer, h->loop.now_ms);
}

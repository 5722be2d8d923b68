/* The worker's side of the supervisor's grants.  The control thread only. */
#include "main/granted.h"

#include <unistd.h>

#include "base/mem.h"
#include "base/whole.h"

struct thing {
	struct link link;
	char *name;               /* "listen 127.0.0.1:80", "log /path"; heap */
	int *fds;
	size_t fd_count;
	struct log_sink *sink;    /* of a log, which took the descriptor over */
	bool wanted;
};

static struct thing *thing_of(struct link *l)
{
	return container_of(l, struct thing, link);
}

static int folder_get(struct folders *f, struct str path);

void granted_init(struct granted *g)
{
	link_init(&g->things);
	link_init(&g->fresh);
	g->folders.get = folder_get;
}

static void thing_free(struct thing *t, struct log *log)
{
	link_del(&t->link);
	for (size_t i = 0; i < t->fd_count; i++)
		close(t->fds[i]);
	if (t->sink)
		log_sink_put(log, t->sink);
	mem_free(t->fds);
	mem_free(t->name);
	mem_free(t);
}

static void drop_all(struct link *list, struct log *log)
{
	while (!link_alone(list))
		thing_free(thing_of(list->next), log);
}

void granted_fini(struct granted *g, struct log *log)
{
	drop_all(&g->fresh, log);
	drop_all(&g->things, log);
}

static struct thing *find(const struct link *list, struct str name)
{
	for (struct link *l = list->next; l != list; l = l->next)
		if (str_eq(str_of(thing_of(l)->name), name))
			return thing_of(l);
	return NULL;
}

void granted_add(struct granted *g, struct channel_message *m)
{
	struct str name = buf_str(&m->text);
	struct thing *t = find(&g->fresh, name);
	if (!t) {
		t = MEM_NEW(struct thing);
		t->name = mem_new(name.n + 1);
		memcpy(t->name, name.p, name.n);
		link_add(&g->fresh, &t->link);
	}
	t->fds = mem_grow(t->fds, (t->fd_count + m->fd_count) * sizeof *t->fds);
	for (size_t i = 0; i < m->fd_count; i++)
		t->fds[t->fd_count++] = m->fds[i];
	m->fd_count = 0;
}

void granted_merge(struct granted *g)
{
	for (struct link *l = g->things.next; l != &g->things; l = l->next)
		thing_of(l)->wanted = false;
	while (!link_alone(&g->fresh)) {
		struct thing *t = thing_of(g->fresh.next), *known = find(&g->things, str_of(t->name));
		if (known) {
			known->wanted = true;
			thing_free(t, NULL);
			continue;
		}
		link_del(&t->link);
		t->wanted = true;
		link_add(&g->things, &t->link);
	}
}

/* "log /path" is of kind "log" and stands for "/path". */
static bool is(const struct thing *t, struct str kind)
{
	struct str name = str_of(t->name);
	return str_eq(str_head(name, str_find(name, ' ')), kind);
}

static struct str rest_of(const struct thing *t)
{
	struct str name = str_of(t->name);
	return str_from(name, str_find(name, ' ') + 1);
}

/* The log's; it is not ours to close any more. */
static int give_fd(struct thing *t)
{
	return t->fds[--t->fd_count];
}

void granted_logs(struct granted *g, struct log *log)
{
	for (struct link *l = g->things.next; l != &g->things; l = l->next) {
		struct thing *t = thing_of(l);
		if (is(t, STR("log")) && !t->sink && t->fd_count)
			t->sink = log_sink_get(log, rest_of(t), give_fd(t));
	}
}

void granted_reopen(struct granted *g, struct log *log)
{
	for (struct link *l = g->fresh.next; l != &g->fresh; l = l->next)
		if (is(thing_of(l), STR("log")) && thing_of(l)->fd_count)
			log_sink_reopen(log, rest_of(thing_of(l)), give_fd(thing_of(l)));
	drop_all(&g->fresh, log);
}

struct listenings granted_listenings(const struct granted *g)
{
	struct listenings all = {};
	for (struct link *l = g->things.next; l != &g->things; l = l->next) {
		struct thing *t = thing_of(l);
		bool admin = is(t, STR("admin"));
		if (!t->wanted || !t->fd_count || (!admin && !is(t, STR("listen"))))
			continue;
		all.p = mem_grow(all.p, (all.count + 1) * sizeof *all.p);
		all.p[all.count++] = (struct listening){ str_of(t->name), t->fds, t->fd_count, admin };
	}
	return all;
}

static bool is_listener(const struct thing *t)
{
	return is(t, STR("listen")) || is(t, STR("admin"));
}

void granted_close_listeners(struct granted *g, struct log *log)
{
	for (struct link *l = g->things.next, *next; l != &g->things; l = next) {
		next = l->next;
		if (is_listener(thing_of(l)))
			thing_free(thing_of(l), log);
	}
}

void granted_settle(struct granted *g, struct log *log)
{
	for (struct link *l = g->things.next, *next; l != &g->things; l = next) {
		next = l->next;
		if (!thing_of(l)->wanted)
			thing_free(thing_of(l), log);
	}
}

int granted_hot(const struct granted *g)
{
	for (struct link *l = g->things.next; l != &g->things; l = l->next)
		if (is(thing_of(l), STR("hot")) && thing_of(l)->fd_count)
			return thing_of(l)->fds[0];
	return -1;
}

static int folder_get(struct folders *f, struct str path)
{
	struct granted *g = container_of(f, struct granted, folders);
	for (struct link *l = g->things.next; l != &g->things; l = l->next)
		if (is(thing_of(l), STR("folder")) && str_eq(rest_of(thing_of(l)), path) && thing_of(l)->fd_count)
			return fd_copy(thing_of(l)->fds[0]);
	return -1;
}

bool granted_has(const struct granted *g, const char *name)
{
	const struct thing *t = find(&g->things, str_of(name));
	return t && t->wanted;
}

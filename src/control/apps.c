/* The set of applications, and what the spawner says about their processes. */
#include "control/apps.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/app.h"
#include "control/programs.h"
#include "event/spawn.h"
#include "http/core.h"

enum {
	TICK_MS = 100,        /* while there is something to do */
	TICK_LAZY_MS = 1000,  /* while there is not */
};

struct apps {
	struct app_ways ways;
	struct epoch *epoch;
	struct link all;             /* struct app; stays for those that were removed: they may come back */
	struct programs *programs;
	struct apps_others others;
	struct watch spawner;        /* fd -1: there is none */
	struct spawn_received received;
	uint64_t last_id;
	struct timer tick;
};

static struct app *app_of(struct link *l)
{
	return container_of(l, struct app, link);
}

static struct app *find(struct apps *a, struct str name)
{
	for (struct link *l = a->all.next; l != &a->all; l = l->next)
		if (str_eq(buf_str(&app_of(l)->name), name))
			return app_of(l);
	return NULL;
}

static void each_process(struct apps *a, void (*see)(struct process *p))
{
	for (struct link *l = a->all.next; l != &a->all; l = l->next)
		for (struct link *k = app_of(l)->processes.next; k != &app_of(l)->processes; k = k->next)
			see(container_of(k, struct process, link));
}

/* --- The spawner. --- */

static uint64_t next_id(struct apps *a)
{
	return ++a->last_id;
}

static int send_message(struct apps *a, const struct spawn_message *m, int fd)
{
	return a->spawner.fd < 0 ? -EPIPE : spawn_send(a->spawner.fd, m, &fd, fd >= 0, false);
}

static struct process *find_process(struct apps *a, uint64_t id)
{
	for (struct link *l = a->all.next; l != &a->all; l = l->next)
		for (struct link *k = app_of(l)->processes.next; k != &app_of(l)->processes; k = k->next)
			if (container_of(k, struct process, link)->id == id)
				return container_of(k, struct process, link);
	return NULL;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void on_message(struct apps *a, struct spawn_received *r)
{
	struct process *p = r->m.id ? find_process(a, r->m.id) : NULL;
	int fd = spawn_take_fd(r, 0);
	if (p)
		process_heard(p, &r->m, fd);
	else if (!r->m.id || !(programs_heard(a->programs, &r->m, fd) ||
	                       (a->others.heard && a->others.heard(a->others.arg, &r->m, fd))))
		close_fd(fd);
	spawn_drop_fds(r);
}

static void close_spawner(struct apps *a)
{
	if (a->spawner.fd < 0)
		return;
	loop_unwatch(a->ways.loop, &a->spawner);
	close(a->spawner.fd);
	a->spawner.fd = -1;
}

static void lose_spawner(struct apps *a)
{
	close_spawner(a);
	each_process(a, process_lost);
	programs_lost(a->programs);
	if (a->others.lost)
		a->others.lost(a->others.arg);
}

void apps_others(struct apps *a, const struct apps_others *others)
{
	a->others = *others;
}

const struct app_ways *apps_ways(const struct apps *a)
{
	return &a->ways;
}

static void spawner_ready(struct watch *w, uint32_t events)
{
	struct apps *a = container_of(w, struct apps, spawner);
	int err = 0;
	(void)events;
	while (a->spawner.fd >= 0 && (err = spawn_receive(a->spawner.fd, &a->received)) == 0)
		on_message(a, &a->received);
	if (err && err != -EAGAIN)
		lose_spawner(a);
}

void apps_spawner(struct apps *a, int fd)
{
	lose_spawner(a);
	a->spawner.fd = fd;
	int err = loop_watch(a->ways.loop, &a->spawner);
	if (err) {
		log_note(a->ways.ring, LOG_LEVEL_ERROR, "the spawner can't be heard: no application is started");
		close(fd);
		a->spawner.fd = -1;
	}
	each_process(a, process_retry);
}

/* --- Time. --- */

static void set_tick(struct apps *a, uint64_t wait_ms)
{
	timer_set(&a->ways.loop->wheel, &a->tick, a->ways.loop->now_ms + wait_ms);
}

static void hurry(struct apps *a)
{
	set_tick(a, TICK_MS);
}

static void tick(struct timer *t)
{
	struct apps *a = container_of(t, struct apps, tick);
	bool busy = false;
	for (struct link *l = a->all.next; l != &a->all; l = l->next)
		busy |= app_tick(app_of(l));
	epoch_reap(a->epoch);
	set_tick(a, busy ? TICK_MS : TICK_LAZY_MS);
}

/* --- Configurations and wishes. --- */

void apps_conf(struct apps *a, const struct conf *c)
{
	const struct backends *all = conf_backends(c);
	const struct backend *p = all ? all->apps.p : NULL;
	size_t count = all ? all->apps.count : 0;
	for (struct link *l = a->all.next; l != &a->all; l = l->next) {
		const struct backend *b = backend_find(c, buf_str(&app_of(l)->name));
		if (!b || !b->is_app)
			app_remove(app_of(l));
	}
	for (size_t i = 0; i < count; i++) {
		struct app *app = find(a, p[i].name);
		if (!app) {
			app = app_new(&a->ways, p[i].name);
			link_add(&a->all, &app->link);
		}
		app_conf(app, &p[i], conf_core(c)->user);
	}
	programs_conf(a->programs, c);
	if (!link_alone(&a->all))
		hurry(a);
}

bool apps_restart(struct apps *a, struct str name)
{
	struct app *app = find(a, name);
	if (!app || app->removed)
		return false;
	app_restart(app);
	return true;
}

void apps_each(struct apps *a, void (*see)(void *arg, struct app *app), void *arg)
{
	for (struct link *l = a->all.next; l != &a->all; l = l->next)
		if (!app_of(l)->removed || !link_alone(&app_of(l)->processes))
			see(arg, app_of(l));
}

static void print_one(void *arg, struct app *app)
{
	struct buf *out = arg;
	buf_add(out, out->p[out->n - 1] == '[' ? STR("\n") : STR(",\n"));
	app_print(out, app);
}

void apps_print(struct apps *a, struct buf *out)
{
	buf_add_char(out, '[');
	apps_each(a, print_one, out);
	buf_add(out, STR("]\n"));
}

/* --- Beginning and end. --- */

struct apps *apps_new(struct loop *control, struct log_ring *ring, struct pools *pools, struct epoch *epoch)
{
	struct apps *a = MEM_NEW(struct apps);
	a->ways = (struct app_ways){ .loop = control, .ring = ring, .pools = pools, .next_id = next_id, .hurry = hurry,
		                         .send = send_message, .apps = a };
	a->epoch = epoch;
	a->programs = programs_new(&a->ways);
	a->spawner = (struct watch){ -1, spawner_ready };
	link_init(&a->all);
	timer_init(&a->tick, tick);
	return a;
}

void apps_free(struct apps *a)
{
	if (!a)
		return;
	close_spawner(a);
	timer_stop(&a->tick);
	while (!link_alone(&a->all))
		app_free(app_of(a->all.next));
	programs_free(a->programs);
	spawn_received_fini(&a->received);
	mem_free(a);
}

/* What an app wants, and how it gets there.  The control thread. */
#include "control/app.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/spawn.h"

enum {
	ROLL_MOST = 2,          /* processes that are replaced at a time */
	SETTLE_MS = 250,        /* a process with a socket takes requests at once, and may die of its first breath: so long, the
	                         * first of a new command or configuration takes no old one's place */
	LOOK_MS = 250,          /* between looks at what processes use, where that has bounds */
	LOOK_LAZY_MS = 5000,    /* and where it is only for the listing */
	LOOK_REQUESTS = 100,    /* of one process: after so many it is looked at sooner */
};

/* Who there is. */
struct census {
	uint64_t fresh;         /* ready, as configured now, and not due */
	uint64_t settled;       /* of those: that can take an old one's place */
	uint64_t outdated;      /* ready, and to be replaced */
	uint64_t coming;        /* on their way */
	uint64_t backing_off;   /* of those: that wait for their next attempt */
	uint64_t leaving;       /* retiring, or ending */
	uint64_t busy;          /* requests under way */
};

static struct process *process_of(struct link *l)
{
	return container_of(l, struct process, link);
}

static bool is_outdated(const struct app *a, const struct process *p)
{
	return p->due || p->generation != a->generation;
}

static bool is_settled(const struct app *a, const struct process *p)
{
	return a->proven || a->protocol == PROTOCOL_HTTP || a->ways->loop->now_ms >= p->ready_ms + SETTLE_MS;
}

static void count_ready(const struct app *a, const struct process *p, struct census *c)
{
	c->busy += p->peer ? atomic_load(&p->peer->busy) : 0;
	if (is_outdated(a, p)) {
		c->outdated++;
		return;
	}
	c->fresh++;
	c->settled += is_settled(a, p);
}

/* All that are to be are new from now on. */
static void begin_generation(struct app *a)
{
	a->generation++;
	a->proven = false;
}

static struct census count(struct app *a)
{
	struct census c = {};
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		const struct process *p = process_of(l);
		if (p->state == PROCESS_READY) {
			count_ready(a, p, &c);
		} else if (process_comes(p)) {
			c.coming++;
			c.backing_off += p->state > PROCESS_READY;
		} else if (p->state != PROCESS_GONE) {
			c.leaving++;
		}
	}
	a->proven |= c.settled > 0;
	return c;
}

void app_changed(struct app *a)
{
	loop_queue(a->ways->loop, &a->task);
}

/* --- The pool. --- */

void app_publish(struct app *a)
{
	struct peer_spec *specs = NULL;
	size_t n = 0;
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		struct process *p = process_of(l);
		if (!process_serves(p))
			continue;
		specs = mem_grow(specs, (n + 1) * sizeof *specs);
		specs[n++] = (struct peer_spec){ .name = str_of(p->name), .addr = p->slot.addr, .addr_b = p->slot.addr_b,
			                             .weight = 1, .connections = (unsigned)a->conf.connections };
	}
	pool_set_peers(a->pool, specs, n);
	mem_free(specs);
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		struct process *p = process_of(l);
		if (!process_serves(p) || p->peer)
			continue;
		p->peer = pool_find(a->pool, str_of(p->name));
		peer_get(p->peer);
	}
}

/* --- Growing and shrinking. --- */

/* For so many requests that wait: half as many again as there are, and not while as many can't be started. */
static void grow(struct app *a, const struct census *c, uint64_t waiting)
{
	uint64_t ready = c->fresh + c->outdated, more = ready / 2 + 1;
	uint64_t wanted = ready + c->backing_off + (waiting < more ? waiting : more);
	if ((c->backing_off && c->backing_off >= ready) || wanted <= a->wanted)
		return;
	a->wanted = wanted < a->conf.processes_max ? wanted : a->conf.processes_max;
}

/* One less, when for long enough so many were not needed; one is always to spare. */
static void shrink(struct app *a, const struct census *c, uint64_t waiting)
{
	uint64_t busy = c->busy + waiting, each = a->conf.connections ? a->conf.connections : 1;
	uint64_t needed = busy ? (busy + each - 1) / each + 1 : 0, now_ms = a->ways->loop->now_ms;
	if (needed >= a->wanted || a->wanted <= a->conf.processes_min)
		a->busy_ms = now_ms;
	else if (a->conf.recycle_idle_ms && now_ms - a->busy_ms >= a->conf.recycle_idle_ms)
		a->wanted--;
}

static void wished(struct mail *m)
{
	struct app *a = container_of(m, struct app, wish);
	a->wishing = false;
	app_changed(a);
	a->ways->hurry(a->ways->apps);
}

static void wish(struct app *a)
{
	if (a->wishing || a->removed)
		return;
	a->wishing = true;
	pool_on_demand(a->pool, &a->ways->loop->mailbox, &a->wish);
}

/* --- The step. --- */

static void free_gone(struct app *a)
{
	for (struct link *l = a->processes.next, *next; l != &a->processes; l = next) {
		next = l->next;
		if (process_of(l)->state == PROCESS_GONE)
			process_free(process_of(l));
	}
}

/* What is on its way as an earlier configuration had it is no use. */
static void cancel_outdated(struct app *a)
{
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		struct process *p = process_of(l);
		if (process_comes(p) && p->generation != a->generation)
			process_cancel(p);
	}
}

/* As many as are wanted; and while some are to be replaced, one or two more than that. */
static void start_missing(struct app *a, const struct census *c)
{
	uint64_t there = c->fresh + c->coming;
	uint64_t roll = c->outdated > ROLL_MOST && a->wanted > 4 ? ROLL_MOST : 1;
	uint64_t most = a->wanted + (c->outdated ? roll : 0);
	/* Those that retire may take long; there are to be no more of them than of the others. */
	if (c->outdated && c->leaving > a->conf.processes_max)
		most = a->wanted;
	while (there < a->wanted && there + c->outdated < most) {
		process_new(a, ++a->next_number);
		there++;
	}
}

static void retire_outdated(struct app *a, const struct census *c)
{
	uint64_t left = c->outdated;
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		struct process *p = process_of(l);
		if (p->state != PROCESS_READY || !is_outdated(a, p))
			continue;
		if (c->settled + left <= a->wanted)
			return;
		process_retire(p);
		left--;
	}
}

static bool is_before(const struct process *p, const struct process *q)
{
	return !q || p->counted_ms < q->counted_ms;
}

/* Who can be spared best: one that can't be started, one that is not there yet, one that was used longest ago. */
static struct process *spare(struct app *a)
{
	struct process *coming = NULL, *idle = NULL;
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		struct process *p = process_of(l);
		if (p->state > PROCESS_READY && process_comes(p))
			return p;
		if (p->state < PROCESS_READY)
			coming = p;
		else if (p->state == PROCESS_READY && is_before(p, idle))
			idle = p;
	}
	return coming ? coming : idle;
}

static void drop_surplus(struct app *a, const struct census *c)
{
	for (uint64_t there = c->fresh + c->coming; there > a->wanted && !c->outdated; there--) {
		struct process *p = spare(a);
		if (p->state == PROCESS_READY)
			process_retire(p);
		else
			process_cancel(p);
	}
}

static void app_step(struct task *t)
{
	struct app *a = container_of(t, struct app, task);
	uint64_t waiting = pool_stats(a->pool).waiting;
	free_gone(a);
	cancel_outdated(a);
	struct census c = count(a);
	if (waiting && !a->removed)
		grow(a, &c, waiting);
	start_missing(a, &c);
	retire_outdated(a, &c);
	drop_surplus(a, &c);
}

/* --- Now and then. --- */

static const char *due_for(const struct app *a, const struct process *p)
{
	const struct app_conf *f = &a->conf;
	if (f->recycle_requests && process_requests(p) >= f->recycle_requests)
		return "requests";
	if (f->recycle_age_ms && a->ways->loop->now_ms - p->ready_ms >= f->recycle_age_ms)
		return "age";
	if (f->recycle_memory_b && p->memory_b >= f->recycle_memory_b)
		return "memory";
	if (f->recycle_descriptors && p->descriptors >= f->recycle_descriptors)
		return "descriptors";
	return NULL;
}

static void look_at(struct app *a, struct process *p)
{
	process_count(p);
	if (p->due || !(p->due = due_for(a, p)))
		return;
	log_line(a->ways->ring, LOG_LEVEL_INFO,
	         "app %.*s: process %d (%s) is replaced for its %s: %" PRIu64 " requests, %" PRIu64 " bytes, %" PRIu64
	         " descriptors", STR_F(buf_str(&a->name)), (int)p->pid, p->name, p->due, process_requests(p), p->memory_b,
	         p->descriptors);
}

void app_seen(struct app *a, struct process *p)
{
	if (p->state != PROCESS_READY || p->due)
		return;
	look_at(a, p);
	if (p->due)
		app_changed(a);
}

static void ask_for_use(struct app *a, struct process *p)
{
	const struct spawn_message m = { .kind = SPAWN_LOOK, .id = p->id };
	p->requests_seen = p->requests;
	(void)!a->ways->send(a->ways->apps, &m, -1);
}

static void look_at_all(struct app *a)
{
	uint64_t now_ms = a->ways->loop->now_ms;
	bool bounded = a->conf.recycle_memory_b || a->conf.recycle_descriptors;
	bool ask = now_ms - a->looked_ms >= (uint64_t)(bounded ? LOOK_MS : LOOK_LAZY_MS);
	for (struct link *l = a->processes.next; l != &a->processes; l = l->next) {
		struct process *p = process_of(l);
		if (p->state != PROCESS_READY)
			continue;
		look_at(a, p);
		if (ask || (bounded && p->requests >= p->requests_seen + LOOK_REQUESTS))
			ask_for_use(a, p);
	}
	if (ask)
		a->looked_ms = now_ms;
}

static uint64_t requests_of(const struct app *a)
{
	return pool_stats(a->pool).requests;
}

bool app_tick(struct app *a)
{
	uint64_t requests = requests_of(a), before = a->requests;
	a->requests = requests;
	parting_look(&a->partings);
	look_at_all(a);
	wish(a);
	struct census c = count(a);
	uint64_t waiting = pool_stats(a->pool).waiting, ready = c.fresh + c.outdated, wanted = a->wanted;
	if (ready && !c.coming && !a->removed && c.busy >= ready * a->conf.connections)
		grow(a, &c, 1);
	if (!a->removed)
		shrink(a, &c, waiting);
	if (c.outdated || waiting || a->wanted != wanted)
		app_changed(a);
	return requests != before || waiting || c.outdated || c.coming || c.leaving || !link_alone(&a->partings);
}

/* --- The configuration. --- */

static void print_text(struct buf *out, struct str s)
{
	buf_add(out, s);
	buf_add_char(out, '\0');
}

/* All that a process is made of: when this changes, so do they. */
static void print_conf(struct buf *out, const struct backend *b, struct str user)
{
	const struct app_conf *f = &b->app;
	const struct str *env = f->env.p;
	print_text(out, f->command);
	print_text(out, f->user.n ? f->user : user);
	print_text(out, f->group);
	print_text(out, f->folder);
	for (size_t i = 0; i < f->env.count; i++)
		print_text(out, env[i]);
	buf_addf(out, "%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, b->protocol,
	         f->max_memory_b, f->max_cpu_s, f->max_descriptors, f->max_processes, f->cgroup_memory_b, f->cgroup_cpu_percent,
	         f->cgroup_tasks);
}

static void take_print(struct app *a, const struct backend *b, struct str user)
{
	struct buf print = {};
	print_conf(&print, b, user);
	if (a->print.n && !str_eq(buf_str(&print), buf_str(&a->print)))
		begin_generation(a);
	buf_fini(&a->print);
	a->print = print;
}

static void take_numbers(struct app *a, const struct app_conf *f)
{
	a->conf = *f;
	a->conf.command = a->conf.user = a->conf.group = a->conf.folder = (struct str){};
	a->conf.env = a->conf.env_lines = (struct items){};
	a->wanted = a->wanted < f->processes_min ? f->processes_min : a->wanted;
	a->wanted = a->wanted > f->processes_max ? f->processes_max : a->wanted;
}

void app_conf(struct app *a, const struct backend *b, struct str user)
{
	take_print(a, b, user);
	take_numbers(a, &b->app);
	a->protocol = b->protocol;
	a->removed = false;
	app_publish(a);
	wish(a);
	app_changed(a);
}

void app_remove(struct app *a)
{
	a->removed = true;
	a->wanted = 0;
	app_changed(a);
}

void app_restart(struct app *a)
{
	begin_generation(a);
	app_changed(a);
	a->ways->hurry(a->ways->apps);
}

/* --- What went wrong. --- */

static void keep_lines(struct tail *to, const struct tail *from)
{
	tail_fini(to);
	for (unsigned i = 0; i < from->count; i++)
		tail_add(to, tail_get(from, i));
}

void app_ended(struct app *a, const struct process *p, const char *format, ...)
{
	struct tail *said = &a->last.lines;
	va_list args;
	buf_clear(&a->last.text);
	if (p->pid)
		buf_addf(&a->last.text, "process %d (%s) ", (int)p->pid, p->name);
	else
		buf_addf(&a->last.text, "a process (%s) ", p->name);
	va_start(args, format);
	buf_addv(&a->last.text, format, args);
	va_end(args);
	a->last.wall_ms = clock_wall_ms();
	keep_lines(said, &p->said.last);
	struct str line = said->count ? tail_get(said, said->count - 1) : STR("");
	log_line(a->ways->ring, LOG_LEVEL_ERROR, "app %.*s: %.*s%s%.*s", STR_F(buf_str(&a->name)),
	         STR_F(buf_str(&a->last.text)), line.n ? "; it said last: " : "", STR_F(line));
}

/* --- Beginning and end. --- */

struct app *app_new(const struct app_ways *ways, struct str name)
{
	struct app *a = MEM_NEW(struct app);
	a->ways = ways;
	buf_add(&a->name, name);
	a->pool = pool_get(ways->pools, name);
	link_init(&a->processes);
	link_init(&a->partings);
	task_init(&a->task, app_step);
	a->wish.deliver = wished;
	a->busy_ms = ways->loop->now_ms;
	return a;
}

void app_free(struct app *a)
{
	while (!link_alone(&a->processes))
		process_free(process_of(a->processes.next));
	parting_end(&a->partings);
	task_stop(&a->task);
	pool_put(a->pool);
	link_del(&a->link);
	buf_fini(&a->name);
	buf_fini(&a->print);
	buf_fini(&a->last.text);
	tail_fini(&a->last.lines);
	mem_free(a);
}

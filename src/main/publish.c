/* Publishing snapshots.  Runs on the worker's control thread; what happens on loops is in station.c. */
#include "main/publish.h"

#include "base/mem.h"
#include "http/core.h"

/* A snapshot and its users: one conf_use per loop, each counted by its loop alone. */
struct edition {
	struct publisher *publisher;
	struct conf *conf;
	size_t loops_left;          /* that have not let go yet */
	size_t answers_left;        /* to the order that brought it */
	struct conf_use uses[];
};

struct opening {
	const struct module *module;
	struct commons with;
};

static struct commons commons_of(const struct publisher *p)
{
	const struct shared *s = &p->shared;
	return (struct commons){ .log = s->log, .pools = s->pools, .caches = s->caches,
		                .memcacheds = s->memcacheds, .meters = s->meters,
		                .folders = s->folders };
}

static void open_values(void *arg, void *values)
{
	struct opening *o = arg;
	o->module->open(values, &o->with);
}

static void close_values(void *arg, void *values)
{
	struct opening *o = arg;
	o->module->close(values, &o->with);
}

static void edition_free(struct edition *e)
{
	struct publisher *p = e->publisher;
	for (size_t i = 0; i < e->conf->module_count; i++) {
		struct opening o = { e->conf->modules[i], commons_of(p) };
		if (o.module->close)
			conf_each_values(e->conf, i, close_values, &o);
	}
	conf_free(e->conf);
	mem_give_back();
	mem_free(e);
	p->alive--;
}

/* A loop's last reference came home. */
static void use_back(struct mail *m)
{
	struct conf_use *use = container_of(m, struct conf_use, mail);
	struct edition *e = use->edition;
	if (--e->loops_left == 0)
		edition_free(e);
}

/* On the loop's thread. */
static void use_released(struct conf_use *use)
{
	use->mail.deliver = use_back;
	mailbox_post(use->control, &use->mail);
}

static void order_done(struct order *o)
{
	struct edition *e = o->use->edition;
	struct publisher *p = e->publisher;
	mem_free(o);
	if (--e->answers_left == 0)
		p->in_effect(p);
}

static struct edition *edition_new(struct publisher *p, struct conf *conf)
{
	struct edition *e = mem_new(sizeof *e + p->station_count * sizeof *e->uses);
	e->publisher = p;
	e->conf = conf;
	e->loops_left = e->answers_left = p->station_count;
	for (size_t i = 0; i < p->station_count; i++)
		e->uses[i] = (struct conf_use){ .conf = conf, .edition = e, .released = use_released,
			                        .control = p->stations[i].control };
	return e;
}

static void number_route(struct meters *m, const struct site *site, const struct route *route)
{
	*route->meter = meters_number(m, METER_ROUTE, site->name_count ? site->names[0] : STR(""), route->pattern.text);
}

/* Its routes are counted under the same numbers as those of the same name before. */
static void number_routes(struct meters *m, const struct conf *conf)
{
	for (size_t i = 0; i < conf->site_count; i++) {
		const struct site *site = &conf->sites[i];
		number_route(m, site, &site->fallback);
		for (size_t k = 0; k < site->route_count; k++)
			number_route(m, site, &site->routes[k]);
	}
}

/* What a new snapshot changes about what all loops share. */
static void apply_shared(struct publisher *p, const struct core *core)
{
	store_bound(p->shared.hot, core->hot_memory_b);
	disk_bounds(p->shared.disk, (unsigned)core->disk_workers, (unsigned)core->disk_queue);
	limits_bounds(p->shared.limits, core->connections, core->connections_per_address);
}

void publish(struct publisher *p, struct conf *conf, const struct listenings *listenings)
{
	for (size_t i = 0; i < conf->module_count; i++) {
		struct opening o = { conf->modules[i], commons_of(p) };
		if (o.module->open)
			conf_each_values(conf, i, open_values, &o);
	}
	number_routes(p->shared.meters, conf);
	conf->generation = ++p->generation;
	apply_shared(p, conf_core(conf));
	struct edition *e = edition_new(p, conf);
	p->alive++;
	for (size_t i = 0; i < p->station_count; i++) {
		struct order *o = MEM_NEW(struct order);
		*o = (struct order){ .kind = ORDER_CONF, .use = &e->uses[i], .listenings = listenings, .done = order_done };
		station_order(&p->stations[i], o);
	}
}

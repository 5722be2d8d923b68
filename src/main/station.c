/* One event loop with its thread.  station_init/start/join run on the control thread, all else on the loop's. */
#include "main/station.h"

#include <errno.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/must.h"
#include "control/admin.h"
#include "http/core.h"
#include "http/fill.h"
#include "http/h1.h"
#include "http/memcached.h"
#include "http/origin.h"
#include "main/grants.h"
#include "main/panic.h"
#include "main/warm.h"
#include "share/pool.h"

/* A listener's door on this loop. */
struct porch {
	struct link link;
	struct str name;       /* own copy */
	const struct listen_spec *spec;  /* the current snapshot's */
	struct door door;
};

static void came(struct door *d, int fd, const struct ip *from)
{
	struct station *s = d->loop->owner;
	conn_new(&s->home, fd, from, container_of(d, struct porch, door)->spec);
}

static void starved(struct door *d, int err)
{
	struct station *s = d->loop->owner;
	log_note(s->home.ring, LOG_LEVEL_ERROR,
	         "no descriptor left for a new connection (%s): accepting pauses, serving goes on; "
	         "raise LimitNOFILE or lower limits { connections }", strerror(-err));
}

static void porch_close(struct porch *p)
{
	door_close(&p->door);
	link_del(&p->link);
	mem_str_free(p->name);
	mem_free(p);
}

static void porch_open(struct station *s, const struct listening *l)
{
	struct porch *p = MEM_NEW(struct porch);
	p->name = mem_str(l->name);
	p->door.accepted = came;
	p->door.starved = starved;
	link_add(&s->doors, &p->link);
	int err = door_open(&p->door, &s->home.loop, l->fds[s->home.loop.index % l->fd_count]);
	if (err)
		log_note(s->home.ring, LOG_LEVEL_ERROR, "can't accept on %.*s: %s", STR_F(l->name), strerror(-err));
}

static struct porch *porch_find(struct station *s, struct str name)
{
	for (struct link *l = s->doors.next; l != &s->doors; l = l->next) {
		struct porch *p = container_of(l, struct porch, link);
		if (str_eq(p->name, name))
			return p;
	}
	return NULL;
}

static bool listed(const struct listenings *set, struct str name)
{
	for (size_t i = 0; i < set->count; i++)
		if (str_eq(set->p[i].name, name))
			return true;
	return false;
}

static const struct listen_spec *spec_among(const struct items *list, struct str name)
{
	const struct listen_spec *specs = list->p, *found = NULL;
	struct buf text = {};
	for (size_t i = 0; i < list->count && !found; i++) {
		buf_clear(&text);
		grant_listen_name(&text, &specs[i]);
		if (str_eq(buf_str(&text), name))
			found = &specs[i];
	}
	buf_fini(&text);
	return found;
}

/* What the snapshot says of a listener. */
static const struct listen_spec *spec_of(const struct core *core, struct str name)
{
	const struct listen_spec *found = spec_among(&core->listens, name);
	if (!found)
		found = spec_among(&core->admins, name);
	must(found && "a listener that its own snapshot does not name");
	return found;
}

static void set_specs(struct station *s)
{
	const struct core *core = conf_core(s->home.use->conf);
	for (struct link *l = s->doors.next; l != &s->doors; l = l->next) {
		struct porch *p = container_of(l, struct porch, link);
		p->spec = spec_of(core, p->name);
	}
}

/* The doors become those of the set; those that stay are not touched. */
static void set_doors(struct station *s, const struct listenings *set)
{
	for (struct link *l = s->doors.next, *next; l != &s->doors; l = next) {
		struct porch *p = container_of(l, struct porch, link);
		next = l->next;
		if (!listed(set, p->name))
			porch_close(p);
	}
	for (size_t i = 0; i < set->count; i++)
		if (!porch_find(s, set->p[i].name))
			porch_open(s, &set->p[i]);
}

static void close_doors(struct station *s)
{
	set_doors(s, &(struct listenings){});
}

static void came_back(struct mail *m)
{
	struct order *o = container_of(m, struct order, mail);
	o->done(o);
}

static void answer(struct order *o)
{
	o->mail.deliver = came_back;
	mailbox_post(o->station->control, &o->mail);
}

/* Looks now and then whether the last connection is gone: draining is rare, and need not be quick to the millisecond. */
static void drain_look(struct timer *t)
{
	struct station *s = container_of(t, struct station, drain_timer);
	if (s->home.conn_count) {
		timer_set(&s->home.loop.wheel, t, s->home.loop.now_ms + 20);
		return;
	}
	struct order *o = s->drain;
	s->drain = NULL;
	answer(o);
}

static void drain(struct station *s, struct order *o)
{
	home_drain(&s->home);
	s->drain = o;
	timer_set(&s->home.loop.wheel, &s->drain_timer, s->home.loop.now_ms);
}

static void stop(struct station *s, struct order *o)
{
	close_doors(s);
	o->cut = home_cut(&s->home);
	fills_cut(&s->home);
	memcacheds_stop(s->home.memcacheds, s->home.loop.index);
	if (s->drain)
		answer(s->drain);
	s->drain = NULL;
	timer_stop(&s->drain_timer);
	loop_stop(&s->home.loop);
	answer(o);
}

static void take_taps(struct station *s, struct order *o)
{
	struct taps *before = (struct taps *)(uintptr_t)s->home.taps;
	s->home.taps = o->taps;
	o->taps = before;
}

static void carry_out(struct mail *m)
{
	struct order *o = container_of(m, struct order, mail);
	struct station *s = o->station;
	switch (o->kind) {
	case ORDER_CONF:
		home_conf_set(&s->home, o->use);
		set_doors(s, o->listenings);
		set_specs(s);
		answer(o);
		break;
	case ORDER_WARM:
		s->warm = o->warm;
		warm_start(&s->warm, &s->home);
		answer(o);
		break;
	case ORDER_TAPS:
		take_taps(s, o);
		answer(o);
		break;
	case ORDER_CLOSE:
		close_doors(s);
		answer(o);
		break;
	case ORDER_DRAIN:
		drain(s, o);
		break;
	case ORDER_STOP:
		stop(s, o);
		break;
	}
}

void station_order(struct station *s, struct order *o)
{
	o->station = s;
	o->mail.deliver = carry_out;
	mailbox_post(&s->home.loop.mailbox, &o->mail);
}

static void asleep(struct loop *l)
{
	struct station *s = l->owner;
	home_turn_over(&s->home);
	epoch_leave(s->home.epoch, l->index);
	epoch_reap(s->home.epoch);
}

static void awake(struct loop *l)
{
	struct station *s = l->owner;
	epoch_enter(s->home.epoch, l->index);
}

int station_init(struct station *s, unsigned index, const struct shared *shared, struct mailbox *control)
{
	struct home *h = &s->home;
	int err = loop_init(&h->loop, index);
	if (err)
		return err;
	h->loop.owner = s;
	h->loop.asleep = asleep;
	h->loop.awake = awake;
	h->epoch = shared->epoch;
	h->hot = shared->hot;
	h->disk = shared->disk;
	h->limits = shared->limits;
	h->pools = shared->pools;
	h->meters = shared->meters;
	h->memcacheds = shared->memcacheds;
	memcacheds_loop(h->memcacheds, index, &h->loop);
	pools_loop(h->pools, index, &h->loop.mailbox);
	h->inbox = mem_new(LOOP_SCRATCH_B);
	h->control = shared->control;
	h->admin = &ADMIN_SITE;
	h->slow = control;
	h->ring = log_ring_new(shared->log);
	link_init(&h->conns);
	link_init(&h->spares);
	link_init(&h->origins);
	link_init(&h->fetches);
	link_init(&s->doors);
	s->control = control;
	timer_init(&s->drain_timer, drain_look);
	must(getrandom(&h->next_id, sizeof h->next_id, 0) == sizeof h->next_id);
	panic_watch(&h->loop);
	return 0;
}

static void *run(void *arg)
{
	struct station *s = arg;
	panic_thread("loop", &s->home.loop);
	loop_run(&s->home.loop);
	return NULL;
}

int station_start(struct station *s)
{
	return -pthread_create(&s->thread, NULL, run, s);
}

void station_join(struct station *s)
{
	pthread_join(s->thread, NULL);
}

void station_settle(struct station *s)
{
	s->home.disk = NULL;
	mailbox_open(&s->home.loop.mailbox);
}

void station_fini(struct station *s)
{
	warm_free(s->warm);
	fills_free(&s->home);
	/* Not before: jobs that came home late look at the snapshot, too. */
	home_conf_set(&s->home, NULL);
	origins_end(&s->home);
	memcacheds_end(s->home.memcacheds, s->home.loop.index);
	home_fini(&s->home);
	loop_fini(&s->home.loop);
}

/* Pools of memcached servers.  Made, described and ended by the control thread; asked by each loop through places of its
 * own. */
#include "http/memcached.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "http/memcached_in.h"

enum { STALL_MS = 1000 };

static unsigned seat_of(const struct memcached *m, const struct home *h)
{
	return h ? h->loop.index : m->all->loops;
}

/* --- Asking. --- */

struct mc_conn *place_conn(struct mc_place *p)
{
	struct mc_conn *c = &p->conn;
	if (!p->open || breaker_state(&p->server->breaker) == BREAKER_OPEN)
		return NULL;
	/* One from before the breaker opened may have anything in it. */
	if (c->state != MC_DOWN && c->term != breaker_term(&p->server->breaker))
		mc_conn_close(c);
	if (c->state == MC_DOWN && p->addr.length)
		mc_conn_open(c, &p->addr.any, p->addr.length);
	return c->state == MC_UP ? c : NULL;
}

/* Different each time, and evenly spread: steps of the golden ratio. */
static uint32_t dice(struct mc_place *p)
{
	p->dice += 0x9e3779b9;
	return p->dice >> 16;
}

static struct mc_conn *admitted(struct mc_place *p)
{
	struct mc_conn *c = p->open && breaker_admits(&p->server->breaker, p->conn.loop->now_ms, dice(p)) ?
	                            place_conn(p) : NULL;
	if (!c)
		counter_add(&p->counts.skipped, 1);
	return c;
}

size_t memcached_pick(const struct memcached *m, struct str key)
{
	return ketama_pick(m->ring, key);
}

static struct mc_place *place_for(struct memcached *m, struct home *h, struct str key)
{
	return place_of(&m->servers[memcached_pick(m, key)], seat_of(m, h));
}

static void tally(struct mc_place *p, const struct mc_request *ask)
{
	struct mc_counts *n = &p->counts;
	counter_add(ask->verb[1] == 'g' ? &n->gets : ask->verb[1] == 'd' ? &n->deletes : &n->sets, 1);
}

/* What a gutter takes in is soon forgotten: its servers are asked only while another is away. */
static struct mc_request for_gutter(const struct mc_request *ask)
{
	struct mc_request same = *ask;
	if (ask->verb[1] == 's' && (!same.ttl_s || same.ttl_s > MEMCACHED_GUTTER_S))
		same.ttl_s = MEMCACHED_GUTTER_S;
	return same;
}

static bool try(struct memcached *m, struct home *h, const struct mc_request *ask, struct mc_op *op, uint64_t wait_ms)
{
	struct mc_place *p = place_for(m, h, ask->key);
	tally(p, ask);
	struct mc_conn *c = admitted(p);
	return c && mc_ask(c, ask, op, wait_ms);
}

bool memcached_ask(struct memcached *m, struct home *h, const struct mc_request *ask, struct mc_op *op, uint64_t wait_ms)
{
	uint64_t most_ms = wait_ms < m->timeout_ms ? wait_ms : m->timeout_ms;
	if (!mc_key_fits(ask->key) || !wait_ms)
		return false;
	if (try(m, h, ask, op, most_ms))
		return true;
	struct mc_request same = for_gutter(ask);
	return m->gutter && try(m->gutter, h, &same, op, most_ms);
}

void memcached_tell(struct memcached *m, struct home *h, const struct mc_request *ask)
{
	if (!mc_key_fits(ask->key) || try(m, h, ask, NULL, 0) || !m->gutter)
		return;
	struct mc_request same = for_gutter(ask);
	try(m->gutter, h, &same, NULL, 0);
}

void memcached_tell_surely(struct memcached *m, struct home *h, const struct mc_request *ask)
{
	if (!mc_key_fits(ask->key))
		return;
	struct mc_place *p = place_for(m, h, ask->key);
	kept_new(p, ask);
	if (m->gutter && breaker_state(&p->server->breaker) != BREAKER_CLOSED)
		try(m->gutter, h, ask, NULL, 0);
}

uint64_t memcached_patience_ms(const struct memcached *m)
{
	return m->timeout_ms + m->timeout_ms / 4;
}

unsigned memcached_ttl_s(uint64_t ms)
{
	uint64_t s = ms / 1000;
	return s < 1 ? 1 : s < MEMCACHED_TTL_MOST_S ? (unsigned)s : MEMCACHED_TTL_MOST_S;
}

/* --- Its life on a loop. --- */

/* To a loop: use it, or let go of it; and back. */
struct word {
	struct mail mail;
	struct task task;
	struct memcached *m;
	unsigned seat;
};

/* The control thread connects when it has something to say. */
static void places_open(struct memcached *m, unsigned seat)
{
	for (size_t i = 0; i < m->server_count; i++) {
		struct mc_place *p = place_of(&m->servers[i], seat);
		p->open = true;
		link_add(&m->all->seats[seat].places, &p->link);
		if (seat != m->all->loops)
			place_conn(p);
	}
}

static void open_here(struct mail *mail)
{
	struct word *w = container_of(mail, struct word, mail);
	places_open(w->m, w->seat);
	mem_free(w);
}

static void memcached_free(struct memcached *m)
{
	for (size_t i = 0; i < m->server_count; i++) {
		mem_free(m->servers[i].places);
		mem_str_free(m->servers[i].text);
		mem_str_free(m->servers[i].host);
	}
	ketama_free(m->ring);
	mem_free(m->servers);
	mem_str_free(m->name);
	mem_str_free(m->text);
	mem_free(m);
}

static void seat_left(struct memcached *m)
{
	if (--m->seats_left == 0)
		memcached_free(m);
}

static void left(struct mail *mail)
{
	struct word *w = container_of(mail, struct word, mail);
	struct memcached *m = w->m;
	mem_free(w);
	seat_left(m);
}

/* Behind all that closing queued. */
static void say_left(struct task *t)
{
	struct word *w = container_of(t, struct word, task);
	w->mail.deliver = left;
	mailbox_post(&w->m->all->control->mailbox, &w->mail);
}

static void place_close(struct mc_place *p)
{
	p->open = false;
	link_del(&p->link);
	mc_conn_close(&p->conn);
}

static void places_close(struct memcached *m, unsigned seat)
{
	for (size_t i = 0; i < m->server_count; i++) {
		struct mc_place *p = place_of(&m->servers[i], seat);
		place_close(p);
		mc_conn_fini(&p->conn);
		kept_end(p);
	}
}

static void close_here(struct mail *mail)
{
	struct word *w = container_of(mail, struct word, mail);
	struct loop *l = w->m->all->seats[w->seat].loop;
	places_close(w->m, w->seat);
	task_init(&w->task, say_left);
	loop_queue(l, &w->task);
}

static bool send_word(struct memcached *m, unsigned seat, void (*deliver)(struct mail *m))
{
	struct loop *l = m->all->seats[seat].loop;
	if (!l)
		return false;
	struct word *w = MEM_NEW(struct word);
	*w = (struct word){ .mail.deliver = deliver, .m = m, .seat = seat };
	mailbox_post(&l->mailbox, &w->mail);
	return true;
}

/* --- Making one. --- */

static void tell_opened(struct mc_conn *c)
{
	struct mc_place *p = container_of(c, struct mc_place, conn);
	struct mc_server *s = p->server;
	/* Where it has not heard of the time before yet, it will see that it is open again. */
	if (atomic_exchange(&s->opened_posted, true))
		return;
	s->opened.deliver = nurse_opened;
	mailbox_post(&s->m->all->control->mailbox, &s->opened);
}

static void place_init(struct mc_server *s, unsigned seat, uint64_t random)
{
	struct memcached *m = s->m;
	struct mc_place *p = place_of(s, seat);
	p->server = s;
	link_init(&p->kept);
	link_init(&p->link);
	p->dice = (uint32_t)random;
	mc_conn_init(&p->conn, m->all->seats[seat].loop, random >> 32);
	p->conn.counts = &p->counts;
	p->conn.breaker = &s->breaker;
	p->conn.opened = tell_opened;
	p->conn.stall_ms = m->timeout_ms * 4 > STALL_MS ? m->timeout_ms * 4 : STALL_MS;
}

/* Addresses in numbers, and sockets, are known at once. */
static bool parse_numeric(struct str text, struct addr *out)
{
	struct arena arena;
	arena_init(&arena, NULL, 0);
	struct type_in in = { .arena = &arena };
	struct type_range none = {};
	bool done = TYPE_ADDRESS.parse(&in, text, &none, out) == 0;
	arena_fini(&arena);
	return done;
}

void memcached_place(struct str text, struct str *host, uint16_t *port)
{
	uint64_t n = 0;
	size_t colon = str_rfind(text, ':');
	*host = str_head(text, colon);
	*port = 0;
	if (str_starts(text, STR("unix:"))) {
		*host = str_from(text, 5);
		return;
	}
	if (num_parse(str_from(text, colon + 1), UINT16_MAX, &n) == 0)
		*port = (uint16_t)n;
	if (str_starts(*host, STR("[")) && str_ends(*host, STR("]")))
		*host = str_head(str_from(*host, 1), host->n - 2);
}

static void server_init(struct memcached *m, struct mc_server *s, const struct memcached_server_conf *conf)
{
	unsigned loops = m->all->loops;
	struct addr addr = {};
	struct str host;
	uint64_t random;
	s->m = m;
	s->text = mem_str(conf->text);
	s->weight = conf->weight;
	memcached_place(s->text, &host, &s->port);
	s->host = mem_str(host);
	s->places = aligned_alloc(_Alignof(struct mc_place), (loops + 1) * sizeof *s->places);
	must(s->places);
	memset(s->places, 0, (loops + 1) * sizeof *s->places);
	bool numeric = parse_numeric(s->text, &addr);
	for (unsigned i = 0; i <= loops; i++) {
		must(getrandom(&random, sizeof random, 0) == sizeof random);
		place_init(s, i, random);
		place_of(s, i)->addr = addr;
	}
	nurse_init(s);
	if (!numeric) {
		must(breaker_open(&s->breaker, 0, BREAKER_UNKNOWN));
		s->nurse.at = NURSE_REST;
		nurse_resolve(s);
	}
}

static struct ketama *make_ring(const struct memcached *m)
{
	struct ketama_server servers[KETAMA_SERVERS_MOST];
	for (size_t i = 0; i < m->server_count; i++)
		servers[i] = (struct ketama_server){ m->servers[i].host, m->servers[i].port, (uint32_t)m->servers[i].weight };
	return ketama_new(servers, m->server_count);
}

static struct memcached *memcached_new(struct memcacheds *all, const struct memcached_conf *conf, struct str text)
{
	const struct memcached_server_conf *servers = conf->servers.p;
	struct memcached *m = MEM_NEW(struct memcached);
	m->all = all;
	m->name = mem_str(conf->name);
	m->text = mem_str(text);
	m->timeout_ms = conf->timeout_ms;
	m->gutter = conf->gutter ? memcached_get(all, conf->gutter) : NULL;
	m->server_count = conf->servers.count;
	m->servers = mem_new(m->server_count * sizeof *m->servers);
	for (size_t i = 0; i < m->server_count; i++)
		server_init(m, &m->servers[i], &servers[i]);
	m->ring = make_ring(m);
	for (unsigned i = 0; i < all->loops; i++)
		send_word(m, i, open_here);
	places_open(m, all->loops);
	return m;
}

static void memcached_end(struct memcached *m)
{
	struct memcacheds *all = m->all;
	struct memcached **at = &all->first;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	for (size_t i = 0; i < m->server_count; i++)
		nurse_fini(&m->servers[i]);
	places_close(m, all->loops);
	if (m->gutter)
		memcached_put(m->gutter);
	m->seats_left = 1;
	for (unsigned i = 0; i < all->loops; i++)
		m->seats_left += send_word(m, i, close_here);
	seat_left(m);
}

/* --- The registry. --- */

/* All that makes a difference. */
static void describe(const struct memcached_conf *conf, struct buf *out)
{
	const struct memcached_server_conf *servers = conf->servers.p;
	buf_addf(out, "%.*s %llu", STR_F(conf->name), (unsigned long long)conf->timeout_ms);
	for (size_t i = 0; i < conf->servers.count; i++)
		buf_addf(out, " %.*s*%llu", STR_F(servers[i].text), (unsigned long long)servers[i].weight);
	if (conf->gutter) {
		buf_add(out, STR("; "));
		describe(conf->gutter, out);
	}
}

struct memcached *memcached_get(struct memcacheds *all, const struct memcached_conf *conf)
{
	struct buf text = {};
	describe(conf, &text);
	struct memcached *m = all->first;
	while (m && !str_eq(m->text, buf_str(&text)))
		m = m->next;
	if (!m) {
		m = memcached_new(all, conf, buf_str(&text));
		m->next = all->first;
		all->first = m;
	}
	m->refs++;
	buf_fini(&text);
	return m;
}

void memcached_hold(struct memcached *m)
{
	m->refs++;
}

void memcached_put(struct memcached *m)
{
	if (--m->refs == 0)
		memcached_end(m);
}

struct memcacheds *memcacheds_new(struct loop *control, unsigned loops, struct log *log)
{
	struct memcacheds *all = MEM_NEW(struct memcacheds);
	all->control = control;
	all->loops = loops;
	all->seats = mem_new((loops + 1) * sizeof *all->seats);
	for (unsigned i = 0; i <= loops; i++)
		link_init(&all->seats[i].places);
	all->seats[loops].loop = control;
	all->ring = log_ring_new(log);
	return all;
}

void memcacheds_free(struct memcacheds *all)
{
	must(!all->first);
	if (all->resolver)
		resolver_free(all->resolver);
	mem_free(all->seats);
	mem_free(all);
}

void memcacheds_loop(struct memcacheds *all, unsigned index, struct loop *l)
{
	all->seats[index].loop = l;
}

void memcacheds_stop(struct memcacheds *all, unsigned index)
{
	struct link *places = &all->seats[index].places;
	while (!link_alone(places))
		place_close(container_of(places->next, struct mc_place, link));
}

void memcacheds_end(struct memcacheds *all, unsigned index)
{
	for (struct memcached *m = all->first; m; m = m->next)
		places_close(m, index);
	all->seats[index].loop = NULL;
}

void memcacheds_each(struct memcacheds *all, void (*see)(void *arg, struct memcached *m), void *arg)
{
	for (struct memcached *m = all->first, *next; m; m = next) {
		next = m->next;
		see(arg, m);
	}
}

/* --- What they say. --- */

struct str memcached_name(const struct memcached *m)
{
	return m->name;
}

size_t memcached_server_count(const struct memcached *m)
{
	return m->server_count;
}

static void add(struct memcached_server_stats *out, const struct mc_counts *n)
{
	out->gets += counter_get(&n->gets);
	out->hits += counter_get(&n->hits);
	out->misses += counter_get(&n->misses);
	out->sets += counter_get(&n->sets);
	out->deletes += counter_get(&n->deletes);
	out->late += counter_get(&n->late);
	out->lost += counter_get(&n->lost);
	out->errors += counter_get(&n->errors);
	out->skipped += counter_get(&n->skipped);
	out->full += counter_get(&n->full);
	out->connects += counter_get(&n->connects);
}

void memcached_stats(const struct memcached *m, size_t server, struct memcached_server_stats *out)
{
	const struct mc_server *s = &m->servers[server];
	*out = (struct memcached_server_stats){ .name = s->text, .state = breaker_state(&s->breaker),
		                                .why = breaker_why(&s->breaker), .opened = breaker_term(&s->breaker),
		                                .kept = counter_get(&s->nurse.kept_now),
		                                .kept_lost = counter_get(&s->nurse.kept_lost) };
	for (unsigned i = 0; i <= m->all->loops; i++)
		add(out, &s->places[i].counts);
}

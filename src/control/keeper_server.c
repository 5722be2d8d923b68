/* Servers: where they are, and whether they are well.  See keeper.h.
 *
 * A server with a name has a place for each address; one that was not found yet has a place without an address, so that
 * everybody sees that it is waited for.  A name that is lost keeps the addresses that it had. */
#include <netinet/in.h>
#include <stdio.h>

#include "base/mem.h"
#include "control/keeper_in.h"

enum {
	ASK_MS = 10000,            /* for one answer */
	RETRY_LEAST_MS = 1000,     /* after a failure; twice as long after each further one */
	RETRY_MOST_MS = 30000,
	TTL_LEAST_MS = 1000,
	TTL_MOST_MS = 3600000,
};

static struct kept_place *place_at(struct link *at)
{
	return container_of(at, struct kept_place, link);
}

static bool is_alone(const struct kept_server *s)
{
	return s->places.next->next == &s->places;
}

/* --- Health. --- */

static void place_apply(struct kept_place *p)
{
	struct kept_pool *kept = p->server->pool;
	struct peer *peer = pool_find(kept->pool, buf_str(&p->name));
	uint32_t all = PEER_DRAINING | PEER_DOWN | PEER_SICK;
	uint32_t set = p->wish | (p->probed && p->probe.known && !p->probe.well ? PEER_SICK : 0);
	if (peer)
		peer_set_state(kept->pool, peer, set, all & ~set, kept->keeper->loop->now_ms);
}

static void health_changed(struct probe *probe, bool well, const char *why)
{
	struct kept_place *p = container_of(probe, struct kept_place, probe);
	struct kept_pool *kept = p->server->pool;
	struct peer *peer = pool_find(kept->pool, buf_str(&p->name));
	bool was_sick = peer && peer->state & PEER_SICK;
	struct str pool = pool_name(kept->pool), name = buf_str(&p->name);
	place_apply(p);
	if (!well)
		log_note(kept->keeper->ring, LOG_LEVEL_WARN, "pool %.*s: %.*s is sick: it %s", STR_F(pool), STR_F(name), why);
	else if (was_sick)
		log_note(kept->keeper->ring, LOG_LEVEL_INFO, "pool %.*s: %.*s is well again: it %s", STR_F(pool), STR_F(name),
		         why);
}

static void place_unprobe(struct kept_place *p)
{
	if (p->probed)
		probe_fini(&p->probe);
	p->probed = false;
}

static void place_probe(struct kept_place *p)
{
	struct kept_server *s = p->server;
	const struct health_conf *h = &s->pool->health;
	bool local = str_starts(s->conf.text, STR("unix:"));
	if (p->probed || !h->on || !p->at.addr.length)
		return;
	probe_init(&p->probe, s->pool->keeper->loop, h, local ? STR("localhost") : s->conf.text);
	p->probe.changed = health_changed;
	p->probed = true;
	probe_start(&p->probe, &p->at.addr.storage, p->at.addr.length);
}

void server_unprobe(struct kept_server *s)
{
	for (struct link *at = s->places.next; at != &s->places; at = at->next)
		place_unprobe(place_at(at));
}

/* --- Publishing. --- */

/* The server's own name where there is only one of it: it stays the same while its address changes. */
static void place_name(struct kept_place *p)
{
	const struct kept_server *s = p->server;
	char ip[INET6_ADDRSTRLEN];
	buf_clear(&p->name);
	buf_add(&p->name, s->conf.text);
	if (is_alone(s))
		return;
	buf_add_char(&p->name, '/');
	struct ip of = ip_of(&p->at.addr.storage);
	if (s->conf.srv)
		addr_print(&p->name, &p->at.addr);
	else
		buf_add(&p->name, str_make(ip, ip_print(ip, &of)));
}

/* The lowest number comes first (RFC 2782). */
static uint16_t priority_of(const struct kept_server *s)
{
	uint16_t first = UINT16_MAX;
	for (struct link *at = s->places.next; at != &s->places; at = at->next)
		if (place_at(at)->at.priority < first)
			first = place_at(at)->at.priority;
	return first;
}

/* Weights of SRV records go up to 65535, and mean something among those of one priority. */
static uint64_t srv_weight(const struct kept_place *p)
{
	const struct kept_server *s = p->server;
	uint64_t greatest = 0, weight = p->at.weight;
	for (struct link *at = s->places.next; at != &s->places; at = at->next)
		if (place_at(at)->at.priority == p->at.priority && place_at(at)->at.weight > greatest)
			greatest = place_at(at)->at.weight;
	if (greatest > POOL_WEIGHT_MAX)
		weight = weight * POOL_WEIGHT_MAX / greatest;
	return weight ? weight : 1;
}

static unsigned weight_of(const struct kept_place *p)
{
	uint64_t weight = p->server->conf.weight * srv_weight(p);
	if (p->weight)
		return p->weight;
	return weight < POOL_WEIGHT_MAX ? (unsigned)weight : POOL_WEIGHT_MAX;
}

static struct peer_spec spec_of(struct kept_place *p, uint16_t first)
{
	const struct server_conf *conf = &p->server->conf;
	place_name(p);
	return (struct peer_spec){ .name = buf_str(&p->name), .addr = p->at.addr.storage, .addr_b = p->at.addr.length,
	                           .weight = weight_of(p), .connections = (unsigned)conf->connections,
	                           .backup = conf->backup || p->at.priority > first };
}

struct specs {
	struct peer_spec *p;
	size_t count;
};

static void add_specs(struct specs *specs, const struct kept_server *s)
{
	uint16_t first = priority_of(s);
	for (struct link *at = s->places.next; at != &s->places; at = at->next) {
		specs->p = mem_grow(specs->p, (specs->count + 1) * sizeof *specs->p);
		specs->p[specs->count++] = spec_of(place_at(at), first);
	}
}

static void server_apply(struct kept_server *s)
{
	for (struct link *at = s->places.next; at != &s->places; at = at->next) {
		if (s->removed)
			place_unprobe(place_at(at));
		else
			place_probe(place_at(at));
		place_apply(place_at(at));
	}
}

void servers_publish(struct kept_pool *p)
{
	struct specs specs = {};
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next) {
		struct kept_server *s = container_of(at, struct kept_server, link);
		if (!s->removed)
			add_specs(&specs, s);
	}
	pool_set_peers(p->pool, specs.p, specs.count);
	mem_free(specs.p);
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next)
		server_apply(container_of(at, struct kept_server, link));
}

/* --- Places. --- */

/* What the operator wants of all places, a new one inherits from the first. */
static struct kept_place *place_new(struct kept_server *s, const struct resolved *at)
{
	struct kept_place *p = MEM_NEW(struct kept_place);
	p->server = s;
	p->at = *at;
	if (!link_alone(&s->places)) {
		p->wish = place_at(s->places.next)->wish;
		p->weight = place_at(s->places.next)->weight;
	}
	link_add(&s->places, &p->link);
	return p;
}

static void place_free(struct kept_place *p)
{
	place_unprobe(p);
	link_del(&p->link);
	buf_fini(&p->name);
	mem_free(p);
}

static struct kept_place *place_find(struct kept_server *s, const struct addr *a)
{
	for (struct link *at = s->places.next; at != &s->places; at = at->next) {
		const struct addr *here = &place_at(at)->at.addr;
		if (here->length && addr_eq(here, a))
			return place_at(at);
	}
	return NULL;
}

struct kept_place *place_named(const struct kept_server *s, struct str name)
{
	for (struct link *at = s->places.next; at != &s->places; at = at->next)
		if (str_eq(buf_str(&place_at(at)->name), name))
			return place_at(at);
	return NULL;
}

/* True where anything is not as it was. */
static bool place_take(struct kept_server *s, const struct resolved *r)
{
	struct kept_place *p = place_find(s, &r->addr);
	bool changed = !p || p->at.priority != r->priority || p->at.weight != r->weight;
	if (!p)
		p = place_new(s, r);
	p->at = *r;
	p->found = true;
	return changed;
}

static void places_take(struct kept_server *s, const struct resolver_answer *a)
{
	bool changed = false;
	struct link *next;
	for (struct link *at = s->places.next; at != &s->places; at = at->next)
		place_at(at)->found = false;
	for (size_t i = 0; i < a->count; i++)
		changed |= place_take(s, &a->found[i]);
	for (struct link *at = s->places.next; at != &s->places; at = next) {
		next = at->next;
		if (place_at(at)->found)
			continue;
		place_free(place_at(at));
		changed = true;
	}
	if (changed && !s->removed)
		servers_publish(s->pool);
}

/* --- Names. --- */

static void ask_again(struct kept_server *s, uint64_t in_ms)
{
	struct loop *l = s->pool->keeper->loop;
	timer_set(&l->wheel, &s->again, l->now_ms + in_ms);
}

static void lost(struct kept_server *s, const char *why)
{
	struct str pool = pool_name(s->pool->pool);
	bool known = place_at(s->places.next)->at.addr.length;
	snprintf(s->why, sizeof s->why, "has no address: %s", why);
	if (!s->retry_ms)
		log_note(s->pool->keeper->ring, LOG_LEVEL_WARN, "pool %.*s: %.*s can't be found: %s; %s", STR_F(pool),
		         STR_F(s->conf.text), why, known ? "it is asked where it was" : "it gets no requests until it is");
	s->retry_ms = s->retry_ms ? 2 * s->retry_ms : RETRY_LEAST_MS;
	if (s->retry_ms > RETRY_MOST_MS)
		s->retry_ms = RETRY_MOST_MS;
	ask_again(s, s->retry_ms);
}

static void answered(struct resolver_query *q, const struct resolver_answer *a)
{
	struct kept_server *s = container_of(q, struct kept_server, query);
	if (a->err) {
		lost(s, a->why);
		return;
	}
	if (s->retry_ms)
		log_note(s->pool->keeper->ring, LOG_LEVEL_INFO, "pool %.*s: %.*s was found", STR_F(pool_name(s->pool->pool)),
		         STR_F(s->conf.text));
	s->retry_ms = 0;
	s->why[0] = '\0';
	uint64_t ttl_ms = a->ttl_ms < TTL_LEAST_MS ? TTL_LEAST_MS : a->ttl_ms;
	ask_again(s, ttl_ms > TTL_MOST_MS ? TTL_MOST_MS : ttl_ms);
	places_take(s, a);
}

static void ask(struct timer *t)
{
	struct kept_server *s = container_of(t, struct kept_server, again);
	struct keeper *k = s->pool->keeper;
	int err = k->resolver ? 0 : resolver_new(&k->resolver, k->loop, k->servers);
	if (err)
		lost(s, strerror(-err));
	else
		resolver_ask(k->resolver, &s->query);
}

/* --- Servers. --- */

/* False: it has a name. */
static bool address_of(const struct server_conf *conf, struct addr *out)
{
	struct type_range none = {};
	struct type_in in = {};
	return !conf->srv && TYPE_ADDRESS.parse(&in, conf->text, &none, out) == 0;
}

/* A port is there, and is a number: TYPE_SERVER saw to that. */
static uint16_t port_of(struct str text, size_t colon)
{
	unsigned port = 0;
	for (size_t i = colon + 1; i < text.n; i++)
		port = port * 10 + (unsigned)(text.p[i] - '0');
	return (uint16_t)port;
}

struct kept_server *server_new(struct kept_pool *p, const struct server_conf *conf)
{
	struct kept_server *s = MEM_NEW(struct kept_server);
	struct resolved at = {};
	s->pool = p;
	s->conf = *conf;
	s->conf.text = mem_str(conf->text);
	link_init(&s->places);
	timer_init(&s->again, ask);
	if (!address_of(&s->conf, &at.addr)) {
		size_t colon = conf->srv ? s->conf.text.n : str_rfind(s->conf.text, ':');
		s->query = (struct resolver_query){ .name = str_head(s->conf.text, colon), .srv = conf->srv,
		                                    .port = port_of(s->conf.text, colon), .timeout_ms = ASK_MS,
		                                    .done = answered };
		snprintf(s->why, sizeof s->why, "has no address yet");
		ask_again(s, 0);
	}
	place_new(s, &at);
	link_add(&p->servers, &s->link);
	return s;
}

void server_free(struct kept_server *s)
{
	while (!link_alone(&s->places))
		place_free(place_at(s->places.next));
	resolver_cancel(&s->query);
	timer_stop(&s->again);
	link_del(&s->link);
	mem_str_free(s->conf.text);
	mem_free(s);
}

struct kept_server *server_find(const struct kept_pool *p, struct str text)
{
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next) {
		struct kept_server *s = container_of(at, struct kept_server, link);
		if (str_eq_nocase(s->conf.text, text))
			return s;
	}
	return NULL;
}

void server_reset(struct kept_server *s)
{
	s->removed = s->keep = false;
	for (struct link *at = s->places.next; at != &s->places; at = at->next) {
		place_at(at)->wish = 0;
		place_at(at)->weight = 0;
	}
}

bool server_moved(const struct kept_server *s, const struct server_conf *conf)
{
	return s->conf.srv != conf->srv || !str_eq(s->conf.text, conf->text);
}

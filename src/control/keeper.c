/* The keeper's pools: taken from the configuration, put when they are gone; and what has to be looked at now and then:
 * ejections.  See keeper.h. */
#include "base/mem.h"
#include "control/keeper_in.h"
#include "http/conf.h"

enum {
	TICK_MS = 250,
	LATENCY_LEAST_US = 10000,   /* who answers faster than this is not slow, whatever the others do */
};

/* --- Ejections. --- */

struct sight {
	struct kept_pool *kept;
	uint64_t latency_us;        /* of all that are ready, added up */
	unsigned count;
	struct peer *slow;
};

static void ejection_end(struct kept_pool *kept, struct peer *peer, const char *why)
{
	peer_set_state(kept->pool, peer, 0, PEER_EJECTED, kept->keeper->loop->now_ms);
	log_note(kept->keeper->ring, LOG_LEVEL_INFO, "pool %.*s: %.*s gets requests again%s", STR_F(pool_name(kept->pool)),
	         STR_F(peer->name), why);
}

static struct kept_place *place_of(const struct kept_pool *kept, const struct peer *peer)
{
	struct kept_place *p = NULL;
	for (struct link *at = kept->servers.next; at != &kept->servers && !p; at = at->next)
		p = place_named(container_of(at, struct kept_server, link), peer->name);
	return p;
}

/* It failed requests, and since then its health check has found it well as often as a sick one has to be.  Of one that
 * is slow a look says nothing. */
static bool is_well_since(struct kept_pool *kept, const struct peer *peer)
{
	struct kept_place *p = place_of(kept, peer);
	unsigned most = pool_rules(kept->pool).eject_after;
	if (!p || !p->probed || !most || peer->failures < most)
		return false;
	const struct probe *probe = &p->probe;
	if (p->ejection_ms != peer->ejected_until_ms) {
		p->ejection_ms = peer->ejected_until_ms;
		p->looks_before = probe->looks + (probe->at != PROBE_PAUSE);
	}
	return probe->looks >= p->looks_before + kept->health.rise && probe->good >= kept->health.rise;
}

/* Loops eject without a word; whoever was ejected since the last tick is named here. */
static void see_ejection(struct kept_pool *kept, struct peer *peer)
{
	struct keeper *k = kept->keeper;
	uint64_t until_ms = peer->ejected_until_ms;
	if (!(peer->state & PEER_EJECTED))
		return;
	if (until_ms <= k->loop->now_ms)
		ejection_end(kept, peer, "");
	else if (is_well_since(kept, peer))
		ejection_end(kept, peer, ": its health check has found it well since");
	else if (until_ms - kept->eject_ms > k->ticked_ms)
		log_note(k->ring, LOG_LEVEL_WARN, "pool %.*s: %.*s gets no requests for %llu ms: %u failed in a row",
		         STR_F(pool_name(kept->pool)), STR_F(peer->name), (unsigned long long)kept->eject_ms,
		         (unsigned)peer->failures);
}

static void see_peer(void *arg, struct pool *pool, struct peer *peer)
{
	struct sight *sight = arg;
	(void)pool;
	see_ejection(sight->kept, peer);
	uint32_t latency_us = peer->latency_us;
	if (peer->state || !latency_us)
		return;
	sight->latency_us += latency_us;
	sight->count++;
	if (!sight->slow || latency_us > sight->slow->latency_us)
		sight->slow = peer;
}

/* One at a time: without the slowest the others may look different. */
static void eject_slow(struct sight *sight)
{
	struct kept_pool *kept = sight->kept;
	struct keeper *k = kept->keeper;
	uint64_t slow_us = sight->slow ? sight->slow->latency_us : 0;
	if (!kept->latency_factor || sight->count < 2 || slow_us < LATENCY_LEAST_US)
		return;
	uint64_t others_us = (sight->latency_us > slow_us ? sight->latency_us - slow_us : 0) / (sight->count - 1);
	if (slow_us <= kept->latency_factor * others_us)
		return;
	peer_eject(kept->pool, sight->slow, k->loop->now_ms + kept->eject_ms, k->loop->now_ms);
	log_note(k->ring, LOG_LEVEL_WARN, "pool %.*s: %.*s gets no requests for %llu ms: it takes %llu ms, the others %llu ms",
	         STR_F(pool_name(kept->pool)), STR_F(sight->slow->name), (unsigned long long)kept->eject_ms,
	         (unsigned long long)slow_us / 1000, (unsigned long long)others_us / 1000);
}

static void tick(struct timer *t)
{
	struct keeper *k = container_of(t, struct keeper, tick);
	for (struct link *at = k->kept.next; at != &k->kept; at = at->next) {
		struct sight sight = { .kept = container_of(at, struct kept_pool, link) };
		pool_each(sight.kept->pool, see_peer, &sight);
		eject_slow(&sight);
	}
	k->ticked_ms = k->loop->now_ms;
	if (!link_alone(&k->kept))
		timer_set(&k->loop->wheel, &k->tick, k->loop->now_ms + TICK_MS);
}

/* --- Pools. --- */

static struct kept_pool *kept_find(struct keeper *k, const struct backend *b)
{
	for (struct link *at = k->kept.next; at != &k->kept; at = at->next) {
		struct kept_pool *p = container_of(at, struct kept_pool, link);
		if (str_eq(pool_name(p->pool), b->name) && p->is_app == b->is_app)
			return p;
	}
	return NULL;
}

static struct kept_pool *kept_new(struct keeper *k, const struct backend *b)
{
	struct kept_pool *p = MEM_NEW(struct kept_pool);
	p->keeper = k;
	p->pool = pool_get(k->pools, b->name);
	p->is_app = b->is_app;
	arena_init(&p->arena, NULL, 0);
	link_init(&p->servers);
	link_add(&k->kept, &p->link);
	return p;
}

static void servers_free(struct link *servers)
{
	while (!link_alone(servers))
		server_free(container_of(servers->next, struct kept_server, link));
}

static void kept_free(struct kept_pool *p)
{
	servers_free(&p->servers);
	if (!p->is_app)
		pool_set_peers(p->pool, NULL, 0);
	pool_put(p->pool);
	arena_fini(&p->arena);
	link_del(&p->link);
	mem_free(p);
}

static bool health_eq(const struct health_conf *a, const struct health_conf *b)
{
	return a->on == b->on && a->tcp == b->tcp && str_eq(a->method, b->method) && str_eq(a->path, b->path) &&
	       str_eq(a->body, b->body) && str_eq(a->host, b->host) && a->status == b->status && a->every_ms == b->every_ms &&
	       a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall;
}

/* What is known of the servers' health is forgotten where it was asked in another way. */
static void take_health(struct kept_pool *p, const struct health_conf *h)
{
	if (health_eq(&p->health, h))
		return;
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next)
		server_unprobe(container_of(at, struct kept_server, link));
	arena_fini(&p->arena);
	arena_init(&p->arena, NULL, 0);
	p->health = *h;
	p->health.method = arena_str(&p->arena, h->method);
	p->health.path = arena_str(&p->arena, h->path);
	p->health.body = arena_str(&p->arena, h->body);
	p->health.host = arena_str(&p->arena, h->host);
}

/* The server of this line, at the end of the list. */
static void take_server(struct kept_pool *p, const struct server_conf *conf)
{
	struct kept_server *s = server_find(p, conf->text);
	if (s && server_moved(s, conf)) {
		server_free(s);
		s = NULL;
	}
	if (!s)
		s = server_new(p, conf);
	struct str text = s->conf.text;
	s->conf = *conf;
	s->conf.text = text;
	s->configured = true;
	s->added = false;
	if (p->keeper->fresh && !s->keep)
		server_reset(s);
	link_del(&s->link);
	link_add(&p->servers, &s->link);
}

/* Of those that the configuration does not name, only what the operator added for good stays, behind the others. */
static void take_servers(struct kept_pool *p, const struct items *servers)
{
	const struct server_conf *list = servers->p;
	struct link *next;
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next)
		container_of(at, struct kept_server, link)->configured = false;
	for (size_t i = 0; i < servers->count; i++)
		take_server(p, &list[i]);
	struct link *first = &p->servers;
	for (struct link *at = p->servers.next; at != first; at = next) {
		struct kept_server *s = container_of(at, struct kept_server, link);
		next = at->next;
		if (s->configured)
			break;  /* those that were taken stand at the end, all others before them */
		if (!s->added || (p->keeper->fresh && !s->keep)) {
			server_free(s);
			continue;
		}
		link_del(&s->link);
		link_add(&p->servers, &s->link);
		first = first == &p->servers ? &s->link : first;
	}
}

static struct pool_rules rules_of(const struct backend *b)
{
	return (struct pool_rules){ .balance = (enum balance)b->balance, .queue = (unsigned)b->queue,
	                            .slow_start_ms = b->slow_start_ms, .eject_after = (unsigned)b->eject_after,
	                            .eject_ms = b->eject_ms, .retry_percent = (unsigned)b->retry_percent };
}

static void take(void *arg, struct backend *b)
{
	struct keeper *k = arg;
	struct kept_pool *p = kept_find(k, b);
	if (!p)
		p = kept_new(k, b);
	struct pool_rules rules = rules_of(b);
	p->latency_factor = b->latency_factor;
	p->eject_ms = b->eject_ms;
	pool_set_rules(p->pool, &rules);
	if (b->is_app)
		return;
	take_health(p, &b->health);
	take_servers(p, &b->servers);
	servers_publish(p);
}

static bool keeps_any(const struct kept_pool *p)
{
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next)
		if (container_of(at, struct kept_server, link)->keep)
			return true;
	return false;
}

/* Before the new ones come: a pool may take over the name of an app, and the other way round. */
static void drop(struct keeper *k, const struct conf *c)
{
	struct link *next;
	for (struct link *at = k->kept.next; at != &k->kept; at = next) {
		struct kept_pool *p = container_of(at, struct kept_pool, link);
		const struct backend *b = c ? backend_find(c, pool_name(p->pool)) : NULL;
		next = at->next;
		if (b && b->is_app == p->is_app)
			continue;
		if (c && keeps_any(p))
			log_note(k->ring, LOG_LEVEL_WARN, "pool %.*s is gone, and with it what was kept of its servers",
			         STR_F(pool_name(p->pool)));
		kept_free(p);
	}
}

void keeper_adopt(struct keeper *k, const struct conf *c, bool fresh)
{
	k->fresh = fresh;
	drop(k, c);
	backends_each(c, take, k);
	if (!link_alone(&k->kept) && !timer_is_set(&k->tick))
		timer_set(&k->loop->wheel, &k->tick, k->loop->now_ms + TICK_MS);
}

/* --- Its life. --- */

struct keeper *keeper_new(struct loop *l, struct pools *pools, struct log_ring *ring, struct str servers)
{
	struct keeper *k = MEM_NEW(struct keeper);
	k->servers = mem_str(servers);
	k->loop = l;
	k->pools = pools;
	k->ring = ring;
	k->ticked_ms = l->now_ms;
	link_init(&k->kept);
	timer_init(&k->tick, tick);
	return k;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	drop(k, NULL);
	timer_stop(&k->tick);
	resolver_free(k->resolver);
	mem_str_free(k->servers);
	mem_free(k);
}

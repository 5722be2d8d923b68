/* What the operator changes in a running server's pools.  See keeper.h. */
#include <errno.h>

#include "base/mem.h"
#include "control/keeper_in.h"

enum { WISHES = PEER_DRAINING | PEER_DOWN };

/* What an operator named: a server, or one place of it. */
struct named {
	struct kept_pool *pool;
	struct kept_server *server;
	struct kept_place *place;        /* NULL: all of them */
};

static struct kept_pool *pool_named(const struct keeper *k, struct str name)
{
	for (struct link *at = k->kept.next; at != &k->kept; at = at->next) {
		struct kept_pool *p = container_of(at, struct kept_pool, link);
		if (str_eq(pool_name(p->pool), name))
			return p;
	}
	return NULL;
}

static struct kept_place *place_named(const struct kept_server *s, struct str name)
{
	for (struct link *at = s->places.next; at != &s->places; at = at->next) {
		struct kept_place *p = container_of(at, struct kept_place, link);
		if (str_eq(buf_str(&p->name), name))
			return p;
	}
	return NULL;
}

static bool named(const struct kept_pool *p, struct str name, struct named *out)
{
	out->server = server_find(p, name);
	out->place = NULL;
	if (out->server)
		return !out->server->removed;
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next) {
		out->server = container_of(at, struct kept_server, link);
		out->place = place_named(out->server, name);
		if (out->place)
			return !out->server->removed;
	}
	return false;
}

static void list_servers(const struct kept_pool *p, struct buf *out)
{
	size_t before = out->n;
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next) {
		const struct kept_server *s = container_of(at, struct kept_server, link);
		if (!s->removed)
			buf_addf(out, "%s%.*s", out->n > before ? ", " : "", STR_F(s->conf.text));
	}
	if (out->n == before)
		buf_add(out, STR("none at all"));
}

static int pool_find_named(const struct keeper *k, struct str pool, struct kept_pool **out, struct buf *why)
{
	*out = pool_named(k, pool);
	if (!*out) {
		buf_addf(why, "there is no pool \"%.*s\"", STR_F(pool));
		return -ENOENT;
	}
	if ((*out)->is_app) {
		buf_addf(why, "%.*s is an app: its servers are its processes, which come and go by themselves", STR_F(pool));
		return -EINVAL;
	}
	return 0;
}

static int server_find_named(const struct keeper *k, struct str pool, struct str server, struct named *out,
                             struct buf *why)
{
	int err = pool_find_named(k, pool, &out->pool, why);
	if (err || named(out->pool, server, out))
		return err;
	buf_addf(why, "there is no server \"%.*s\" in the pool %.*s; there are: ", STR_F(server), STR_F(pool));
	list_servers(out->pool, why);
	return -ENOENT;
}

/* --- Changes. --- */

int keeper_server_add(struct keeper *k, struct str pool, const struct server_conf *server, bool keep, struct buf *why)
{
	struct kept_pool *p;
	int err = pool_find_named(k, pool, &p, why);
	if (err)
		return err;
	struct kept_server *s = server_find(p, server->text);
	if (s && !s->removed) {
		buf_addf(why, "%.*s is in the pool %.*s already", STR_F(server->text), STR_F(pool));
		return -EEXIST;
	}
	if (s)
		server_free(s);
	s = server_new(p, server);
	s->added = true;
	s->keep = keep;
	servers_publish(p);
	return 0;
}

int keeper_server_remove(struct keeper *k, struct str pool, struct str server, bool keep, struct buf *why)
{
	struct named n;
	int err = server_find_named(k, pool, server, &n, why);
	if (err)
		return err;
	if (n.place) {
		buf_addf(why, "%.*s is an address of %.*s: that server can be removed, or this address put down", STR_F(server),
		         STR_F(n.server->conf.text));
		return -EINVAL;
	}
	/* A configured one is remembered, so that the next configuration does not bring it back where it is to stay away. */
	n.server->removed = true;
	n.server->keep = keep;
	servers_publish(n.pool);
	if (n.server->added)
		server_free(n.server);
	return 0;
}

static void wish_state(struct kept_pool *p, struct kept_place *place, unsigned set, unsigned clear)
{
	struct peer *peer = pool_find(p->pool, buf_str(&place->name));
	uint64_t now_ms = p->keeper->loop->now_ms;
	place->wish = (place->wish & ~clear) | (set & WISHES);
	if (peer)
		peer_set_state(p->pool, peer, set & WISHES, clear & (WISHES | PEER_EJECTED), now_ms);
}

int keeper_server_state(struct keeper *k, struct str pool, struct str server, unsigned set, unsigned clear, bool keep,
                        struct buf *why)
{
	struct named n;
	int err = server_find_named(k, pool, server, &n, why);
	if (err)
		return err;
	n.server->keep |= keep;
	if (n.place)
		wish_state(n.pool, n.place, set, clear);
	for (struct link *at = n.server->places.next; !n.place && at != &n.server->places; at = at->next)
		wish_state(n.pool, container_of(at, struct kept_place, link), set, clear);
	return 0;
}

int keeper_server_weight(struct keeper *k, struct str pool, struct str server, unsigned weight, bool keep,
                         struct buf *why)
{
	struct named n;
	int err = server_find_named(k, pool, server, &n, why);
	if (err)
		return err;
	if (weight < 1 || weight > POOL_WEIGHT_MAX) {
		buf_addf(why, "a weight is a number from 1 to %d; a server that is to get nothing is drained or put down",
		         POOL_WEIGHT_MAX);
		return -EINVAL;
	}
	n.server->keep |= keep;
	if (n.place)
		n.place->weight = weight;
	for (struct link *at = n.server->places.next; !n.place && at != &n.server->places; at = at->next)
		container_of(at, struct kept_place, link)->weight = weight;
	servers_publish(n.pool);
	return 0;
}

struct str keeper_why(const struct keeper *k, struct str pool, struct str peer)
{
	struct kept_pool *p = pool_named(k, pool);
	if (!p)
		return (struct str){};
	for (struct link *at = p->servers.next; at != &p->servers; at = at->next) {
		const struct kept_server *s = container_of(at, struct kept_server, link);
		const struct kept_place *place = place_named(s, peer);
		if (place)
			return str_of(place->probed && place->probe.looks ? place->probe.why : s->why);
	}
	return (struct str){};
}

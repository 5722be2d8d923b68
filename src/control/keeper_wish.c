/* What the operator changes in a running server's pools.  See keeper.h. */
#include <errno.h>

#include "base/mem.h"
#include "control/keeper_in.h"

enum { WISHES = PEER_DRAINING | PEER_DOWN, CONNECTIONS_MOST = 1000000 };

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

/* --- What is kept. --- */

static const char *state_word(uint32_t wish)
{
	return wish & PEER_DOWN ? "down" : wish & PEER_DRAINING ? "drain" : NULL;
}

static void set_wish(json_t *one, const struct kept_place *p)
{
	const char *state = state_word(p->wish);
	if (state)
		json_object_set_new(one, "state", json_string(state));
	if (p->weight)
		json_object_set_new(one, "weight", json_integer(p->weight));
}

/* Places of one server that are not all as its first one stand there by their own names. */
static bool is_uniform(const struct kept_server *s)
{
	const struct kept_place *first = container_of(s->places.next, struct kept_place, link);
	for (struct link *at = s->places.next; at != &s->places; at = at->next) {
		const struct kept_place *p = container_of(at, struct kept_place, link);
		if (p->wish != first->wish || p->weight != first->weight)
			return false;
	}
	return true;
}

static json_t *server_named(struct str pool, struct str server)
{
	return json_pack("{s:s#, s:s#}", "pool", pool.p, (int)pool.n, "server", server.p, (int)server.n);
}

static void add_kept(json_t *list, struct str pool, const struct kept_server *s)
{
	json_t *one = server_named(pool, s->conf.text);
	json_array_append_new(list, one);
	if (s->removed) {
		json_object_set_new(one, "removed", json_true());
		return;
	}
	if (s->added)
		json_object_set_new(one, "add", json_pack("{s:I, s:I, s:b}", "weight", (json_int_t)s->conf.weight, "connections",
		                                          (json_int_t)s->conf.connections, "backup", (int)s->conf.backup));
	if (is_uniform(s)) {
		set_wish(one, container_of(s->places.next, struct kept_place, link));
		return;
	}
	for (struct link *at = s->places.next; at != &s->places; at = at->next) {
		const struct kept_place *p = container_of(at, struct kept_place, link);
		json_t *place = server_named(pool, buf_str(&p->name));
		set_wish(place, p);
		json_array_append_new(list, place);
	}
}

json_t *keeper_kept(const struct keeper *k)
{
	json_t *list = json_array();
	for (struct link *at = k ? k->kept.next : NULL; k && at != &k->kept; at = at->next) {
		const struct kept_pool *p = container_of(at, struct kept_pool, link);
		for (struct link *of = p->servers.next; of != &p->servers; of = of->next) {
			const struct kept_server *s = container_of(of, struct kept_server, link);
			if (s->keep)
				add_kept(list, pool_name(p->pool), s);
		}
	}
	return list;
}

/* --- And back. --- */

static struct str text_of(const json_t *one, const char *name)
{
	const char *text = json_string_value(json_object_get(one, name));
	return text ? str_of(text) : (struct str){};
}

static int restore_added(struct keeper *k, struct str pool, struct str server, const json_t *add, struct buf *why)
{
	struct type_in in = {};
	struct type_range none = {};
	struct server_conf conf = { .weight = (uint64_t)json_integer_value(json_object_get(add, "weight")),
		                    .connections = (uint64_t)json_integer_value(json_object_get(add, "connections")),
		                    .backup = json_is_true(json_object_get(add, "backup")) };
	struct arena arena = {};
	in.arena = &arena;
	int err = TYPE_SERVER.parse(&in, server, &none, &conf.text);
	if (err || conf.weight < 1 || conf.weight > POOL_WEIGHT_MAX || conf.connections > CONNECTIONS_MOST ||
	    str_rfind(conf.text, ':') == conf.text.n) {
		buf_add(why, STR("it is no server"));
		err = -EINVAL;
	} else {
		err = keeper_server_add(k, pool, &conf, true, why);
	}
	arena_fini(&arena);
	/* The configuration has it by now. */
	if (err == -EEXIST)
		buf_clear(why);
	return err == -EEXIST ? 0 : err;
}

static int restore_one(struct keeper *k, const json_t *one, struct buf *why)
{
	struct str pool = text_of(one, "pool"), server = text_of(one, "server"), state = text_of(one, "state");
	const json_t *add = json_object_get(one, "add"), *weight = json_object_get(one, "weight");
	int err = 0;
	if (json_is_true(json_object_get(one, "removed")))
		return keeper_server_remove(k, pool, server, true, why);
	if (add)
		err = restore_added(k, pool, server, add, why);
	if (!err && state.n)
		err = keeper_server_state(k, pool, server, str_eq(state, STR("down")) ? PEER_DOWN : PEER_DRAINING, 0, true, why);
	if (!err && weight)
		err = keeper_server_weight(k, pool, server, (unsigned)json_integer_value(weight), true, why);
	return err;
}

void keeper_restore(struct keeper *k, const json_t *list, struct buf *lost)
{
	size_t i;
	json_t *one;
	json_array_foreach(list, i, one) {
		struct buf why = {};
		if (restore_one(k, one, &why))
			buf_addf(lost, "%sserver %.*s of pool %.*s: %.*s", lost->n ? "; " : "", STR_F(text_of(one, "server")),
			         STR_F(text_of(one, "pool")), STR_F(buf_str(&why)));
		buf_fini(&why);
	}
}

/* --- As configuration. --- */

static bool is_changed(const struct kept_server *s)
{
	const struct kept_place *first = container_of(s->places.next, struct kept_place, link);
	return s->added || s->removed || !is_uniform(s) || first->wish || first->weight;
}

/* What no configuration can say stands in a comment. */
static void print_line(struct buf *out, const struct kept_server *s)
{
	const struct kept_place *first = container_of(s->places.next, struct kept_place, link);
	uint64_t weight = is_uniform(s) && first->weight ? first->weight : s->conf.weight;
	const char *state = is_uniform(s) ? state_word(first->wish) : "some addresses changed";
	buf_addf(out, "    %sserver ", s->removed ? "# removed: " : "");
	type_print_word(out, s->conf.text);
	if (weight > 1)
		buf_addf(out, " weight %llu", (unsigned long long)weight);
	if (s->conf.connections)
		buf_addf(out, " connections %llu", (unsigned long long)s->conf.connections);
	buf_addf(out, "%s%s;", s->conf.backup ? " backup" : "", s->conf.srv ? " srv" : "");
	if (state && !s->removed)
		buf_addf(out, "  # now: %s", state);
	buf_add_char(out, '\n');
}

bool keeper_lines(const struct keeper *k, struct str pool, bool always, struct buf *out)
{
	const struct kept_pool *p = pool_named(k, pool);
	bool changed = false;
	for (struct link *at = p ? p->servers.next : NULL; p && at != &p->servers; at = at->next)
		changed |= is_changed(container_of(at, struct kept_server, link));
	for (struct link *at = p ? p->servers.next : NULL; p && (changed || always) && at != &p->servers; at = at->next)
		print_line(out, container_of(at, struct kept_server, link));
	return changed;
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

/* Pools over the admin socket: what there is of them as JSON, and changes of their servers.  On the control thread; what is
 * printed was true at some time while it was. */
#include <errno.h>
#include <inttypes.h>

#include "base/mem.h"
#include "control/errand.h"
#include "control/keeper.h"

/* --- What there is. --- */

static const struct {
	enum peer_state bit;
	const char *name;
} STATES[] = {
	/* Where several hold, the first is the one that matters. */
	{ PEER_RETIRED, "retired" },       { PEER_DOWN, "down" }, { PEER_DRAINING, "drain" },
	{ PEER_UNRESOLVED, "unresolved" }, { PEER_SICK, "sick" }, { PEER_EJECTED, "ejected" },
};

static void print_states(struct buf *out, uint32_t state)
{
	bool any = false;
	buf_add(out, STR("\"states\":["));
	for (size_t i = 0; i < countof(STATES); i++) {
		if (!(state & STATES[i].bit))
			continue;
		buf_addf(out, "%s\"%s\"", any ? "," : "", STATES[i].name);
		any = true;
	}
	buf_add(out, any ? STR("],") : STR("\"ready\"],"));
}

const char *peer_state_name(uint32_t state)
{
	for (size_t i = 0; i < countof(STATES); i++)
		if (state & STATES[i].bit)
			return STATES[i].name;
	return "ready";
}

static void print_text(struct buf *out, const char *name, struct str text)
{
	buf_add_member(out, name, text);
	buf_add_char(out, ',');
}

static void print_address(struct buf *out, const struct peer *peer)
{
	struct addr a = { .length = peer->addr_b, .storage = peer->addr };
	struct buf text = {};
	if (peer->addr_b)
		addr_print(&text, &a);
	print_text(out, "address", buf_str(&text));
	buf_fini(&text);
}

struct printing {
	const struct control *control;
	struct buf *out;
	bool any;
};

static void print_peer(void *arg, struct pool *pool, struct peer *peer)
{
	struct printing *p = arg;
	struct buf *out = p->out;
	buf_add(out, p->any ? STR(",\n  {") : STR("\n  {"));
	p->any = true;
	print_text(out, "server", peer->name);
	print_address(out, peer);
	print_states(out, peer->state);
	print_text(out, "why", keeper_why(p->control->keeper, pool_name(pool), peer->name));
	buf_addf(out,
	         "\"backup\":%s,\"weight\":%" PRIu32 ",\"connections\":%" PRIu32 ",\"busy\":%" PRIu32 ",\"open\":%" PRIu32
	         ",\"requests\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"failures\":%" PRIu32 ",\"retried\":%" PRIu64
	         ",\"connects\":%" PRIu64 ",\"latency_ms\":%" PRIu32 ".%03" PRIu32 "}",
	         peer->backup ? "true" : "false", peer->weight, peer->connections, peer->busy, peer->open, peer->requests,
	         peer->failed, peer->failures, peer->retried, peer->connects, peer->latency_us / 1000,
	         peer->latency_us % 1000);
}

static void print_pool(const struct control *c, struct buf *out, const struct backend *b)
{
	struct pool_stats s = pool_stats(b->pool);
	struct printing servers = { c, out, false };
	buf_add_char(out, '{');
	print_text(out, "name", b->name);
	print_text(out, "kind", b->is_app ? STR("app") : str_find(b->name, ':') < b->name.n ? STR("address") : STR("pool"));
	print_text(out, "protocol", backend_protocol(b));
	print_text(out, "balance", backend_balance(b));
	buf_addf(out,
	         "\n \"requests\":%" PRIu64 ",\"retries\":%" PRIu64 ",\"no_server\":%" PRIu64
	         ",\"queue\":{\"length\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"waited\":%" PRIu64 ",\"full\":%" PRIu64
	         ",\"late\":%" PRIu64 "},\n \"servers\":[",
	         s.requests, s.retries, s.none, b->queue, s.waiting, s.queued, s.queue_full, s.queue_late);
	pool_each(b->pool, print_peer, &servers);
	buf_add(out, STR("]}"));
}

static void see_pool(void *arg, struct backend *b)
{
	struct printing *p = arg;
	buf_add(p->out, p->any ? STR(",\n") : STR("\n"));
	p->any = true;
	print_pool(p->control, p->out, b);
}

void errand_pools(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	struct printing p = { c, &json, false };
	buf_add(&json, STR("{\"pools\":["));
	backends_each(c->conf, see_pool, &p);
	buf_add(&json, STR("]}\n"));
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

static void add_name(void *arg, struct backend *b)
{
	struct buf *names = arg;
	buf_addf(names, "%s%.*s", names->n ? ", " : "", STR_F(b->name));
}

/* The pool that the path names, or NULL after answering that there is none. */
static const struct backend *pool_named(const struct control *c, struct admin_call *call)
{
	struct buf names = {};
	const struct backend *b = backend_find(c->conf, call->stars[0]);
	if (b)
		return b;
	backends_each(c->conf, add_name, &names);
	admin_refuse(call, 404, "there is no pool \"%.*s\"; %s%.*s", STR_F(call->stars[0]),
	             names.n ? "there are: " : "there is none at all", STR_F(buf_str(&names)));
	buf_fini(&names);
	return NULL;
}

void errand_pool(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	const struct backend *b = pool_named(c, call);
	if (!b)
		return;
	print_pool(c, &json, b);
	buf_add_char(&json, '\n');
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

/* --- Changes. --- */

/* Whose servers may be changed: an app's processes come and go by themselves. */
static const struct backend *changeable(const struct control *c, struct admin_call *call)
{
	const struct backend *b = pool_named(c, call);
	if (!b || !b->is_app)
		return b;
	admin_refuse(call, 409, "%.*s is an app, whose processes petrel starts and ends itself; POST /apps/%.*s/restart "
	             "replaces them", STR_F(b->name), STR_F(b->name));
	return NULL;
}

/* The pool's refusal: 404 where it has no such server. */
static void refuse(struct admin_call *call, int err, struct buf *why)
{
	admin_refuse(call, err == -ENOENT ? 404 : err == -EEXIST ? 409 : 422, "%.*s", STR_F(buf_str(why)));
	buf_fini(why);
}

static uint64_t number_or(const json_t *body, const char *name, uint64_t preset)
{
	const json_t *value = json_object_get(body, name);
	return value ? (uint64_t)json_integer_value(value) : preset;
}

static bool server_of(struct admin_call *call, const json_t *body, struct arena *arena, struct server_conf *out)
{
	struct type_in in = { .arena = arena };
	struct type_range none = {};
	struct str text = errand_text(body, "server");
	*out = (struct server_conf){ .weight = number_or(body, "weight", 1), .connections = number_or(body, "connections", 0),
		                     .backup = json_is_true(json_object_get(body, "backup")) };
	if (!TYPE_SERVER.parse(&in, text, &none, &out->text) && str_rfind(out->text, ':') < out->text.n)
		return true;
	admin_refuse(call, 422, "\"%.*s\" is no server: %s", STR_F(text), *in.error ? in.error : "the port is missing");
	return false;
}

static void say_added(struct admin_call *call, const struct backend *b, const struct server_conf *s)
{
	char bound[48] = "";
	if (s->connections)
		snprintf(bound, sizeof bound, " and at most %" PRIu64 " connections", s->connections);
	admin_did(call, "pool %.*s: %.*s was added with weight %" PRIu64 "%s%s", STR_F(b->name), STR_F(s->text),
	          s->weight, bound, s->backup ? ", as a backup" : "");
}

void errand_server_add(struct control *c, struct admin_call *call)
{
	struct server_conf server;
	struct arena arena = {};
	struct buf why = {};
	const struct backend *b = changeable(c, call);
	json_t *json = b ? errand_body(call) : NULL;
	arena_init(&arena, NULL, 0);
	if (json && server_of(call, json, &arena, &server)) {
		int err = keeper_server_add(c->keeper, b->name, &server, call->keep, &why);
		if (err)
			refuse(call, err, &why);
		else
			say_added(call, b, &server);
	}
	json_decref(json);
	arena_fini(&arena);
}

/* The words of "state": errand_body() lets no others through. */
static const struct wish {
	const char *word;
	unsigned set, clear;
	const char *did;
} WISHES[] = {
	{ "ready", 0, PEER_DRAINING | PEER_DOWN | PEER_EJECTED, "is ready" },
	{ "drain", PEER_DRAINING, PEER_DOWN, "drains" },
	{ "down", PEER_DOWN, PEER_DRAINING, "is down" },
};

static void change_state(struct control *c, struct admin_call *call, const struct backend *b, struct str word)
{
	struct str server = call->stars[1];
	struct buf why = {};
	const struct wish *w = WISHES;
	while (!str_eq(word, str_of(w->word)))
		w++;
	int err = keeper_server_state(c->keeper, b->name, server, w->set, w->clear, call->keep, &why);
	if (err)
		refuse(call, err, &why);
	else
		admin_did(call, "pool %.*s: %.*s %s", STR_F(b->name), STR_F(server), w->did);
}

static void change_weight(struct control *c, struct admin_call *call, const struct backend *b, unsigned weight)
{
	struct buf why = {};
	int err = keeper_server_weight(c->keeper, b->name, call->stars[1], weight, call->keep, &why);
	if (err)
		refuse(call, err, &why);
	else
		admin_did(call, "pool %.*s: %.*s has weight %u", STR_F(b->name), STR_F(call->stars[1]), weight);
}

void errand_server_change(struct control *c, struct admin_call *call)
{
	const struct backend *b = changeable(c, call);
	json_t *body = b ? errand_body(call) : NULL;
	struct str state = errand_text(body, "state");
	if (state.p)
		change_state(c, call, b, state);
	else if (body)
		change_weight(c, call, b, (unsigned)number_or(body, "weight", 1));
	json_decref(body);
}

void errand_server_remove(struct control *c, struct admin_call *call)
{
	struct buf why = {};
	const struct backend *b = changeable(c, call);
	int err = b ? keeper_server_remove(c->keeper, b->name, call->stars[1], call->keep, &why) : 0;
	if (err)
		refuse(call, err, &why);
	else if (b)
		admin_did(call, "pool %.*s: %.*s was removed", STR_F(b->name), STR_F(call->stars[1]));
}

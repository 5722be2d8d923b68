/* `memcached NAME { … }`: the rows, what their types can't know, and the pools' references while a snapshot is open.  The
 * thread that builds configurations; open and close run on the worker's control thread. */
#include "base/mem.h"
#include "http/backend.h"
#include "http/check.h"
#include "http/memcached_in.h"

enum { NAME_MOST_B = 63, LIST_MOST = 20, WEIGHT_MOST = 65535 };

/* The module's values: of main alone. */
struct memcached_values {
	struct items pools;              /* struct memcached_conf */
};

#define AT(member) offsetof(struct memcached_conf, member)
#define SERVER_AT(member) offsetof(struct memcached_server_conf, member)

static const char *const HASHES[] = { "ketama", NULL };

static const struct directive ROWS[] = {
	{ .name = "server", .kind = DIR_LIST, .offset = AT(servers), .item_size = sizeof(struct memcached_server_conf),
	  .required = true, .fixed = FIXED_RELOAD,
	  .args = ARGS({ "address", &TYPE_SERVER, SERVER_AT(text) },
	               { "weight", &TYPE_NUMBER, SERVER_AT(weight), ARG_KEYWORD, { 1, WEIGHT_MOST, NULL }, "1" }),
	  .doc = "A server: an address and a port, a name and a port, or unix:/path. Keys are placed by this text and the "
	         "weights, so that other clients have to be given the same. A name that can't be looked up is a server that "
	         "is away.",
	  .example = "server 10.0.1.1:11211 weight 2;\nserver cache3.example.net:11211;" },
	{ .name = "hash", .offset = AT(hash), .fixed = FIXED_RELOAD,
	  .args = ARGS({ "way", &TYPE_CHOICE, .range = { .words = HASHES }, .preset = "ketama" }),
	  .doc = "How keys are placed: ketama, as libmemcached's KETAMA_WEIGHTED does, bit for bit (php-memcached: "
	         "OPT_LIBKETAMA_COMPATIBLE; pylibmc: ketama_weighted)." },
	{ .name = "timeout", .offset = AT(timeout_ms), .fixed = FIXED_RELOAD,
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1, 10000, NULL }, .preset = "20ms" }),
	  .doc = "How long a get may take; past it, it is a miss. A request waits at most a quarter longer for memcached, all "
	         "in all; nothing that is stored or deleted is waited for." },
	{ .name = "gutter", .offset = AT(gutter_name), .fixed = FIXED_RELOAD, .args = ARGS({ "name", &TYPE_WORD }),
	  .doc = "Another memcached block, whose servers stand in for those that are away, for a minute at a time. Without it "
	         "the keys of a server that is away are misses." },
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "memcached", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = offsetof(struct memcached_values, pools),
	  .item_size = sizeof(struct memcached_conf), .args = ARGS({ "name", &TYPE_WORD, AT(name) }), .inner = ROWS,
	  .doc = "A pool of memcached servers, which caches and applications may share, by the name that caches and routes ask "
	         "it by. A server that is dead, hung or slow is a miss, and no visitor notices.",
	  .example = "memcached shared {\n    server  10.0.1.1:11211 weight 1;\n    server  10.0.1.2:11211;\n"
	             "    hash    ketama;\n    timeout 20ms;\n}" },
	{},
};

/* --- By name. --- */

static struct memcached_values *values_of(const struct conf *c)
{
	for (size_t i = 0; c && i < c->module_count; i++)
		if (c->modules[i] == &MEMCACHEDS)
			return c->values[i];
	return NULL;
}

static struct memcached_conf *find(const struct memcached_values *v, struct str name)
{
	struct memcached_conf *all = v->pools.p;
	for (size_t i = 0; i < v->pools.count; i++)
		if (str_eq(all[i].name, name))
			return &all[i];
	return NULL;
}

const struct memcached_conf *memcached_conf_find(const struct conf *c, struct str name)
{
	const struct memcached_values *v = values_of(c);
	return v ? find(v, name) : NULL;
}

void memcached_confs_each(const struct conf *c, void (*see)(void *arg, const struct memcached_conf *m), void *arg)
{
	const struct memcached_values *v = values_of(c);
	for (size_t i = 0; v && i < v->pools.count; i++)
		see(arg, (const struct memcached_conf *)v->pools.p + i);
}

/* The nearest name, or one that is empty; all of them are put into the list. */
static struct str nearest(const struct memcached_values *v, struct str name, struct buf *list)
{
	const struct memcached_conf *all = v->pools.p;
	unsigned least = name.n <= 3 ? 2 : 3;
	struct str best = {};
	for (size_t i = 0; i < v->pools.count; i++) {
		unsigned distance = str_distance(name, all[i].name);
		if (i < LIST_MOST)
			buf_addf(list, "%s%.*s", list->n ? ", " : "", STR_F(all[i].name));
		if (distance >= least || distance >= all[i].name.n)
			continue;
		best = all[i].name;
		least = distance;
	}
	return best;
}

const struct memcached_conf *memcached_check(struct checker *c, const void *value, struct str name)
{
	const struct memcached_values *v = values_of(check_conf(c));
	const struct memcached_conf *conf = v ? find(v, name) : NULL;
	if (conf || !v)
		return conf;
	struct buf list = {};
	struct str best = nearest(v, name, &list);
	check_error(c, value, "there is no memcached \"%.*s\"", STR_F(name));
	if (best.n)
		check_hint(c, "did you mean \"%.*s\"?", STR_F(best));
	if (list.n)
		check_hint(c, "there are: %.*s", STR_F(buf_str(&list)));
	else
		check_hint(c, "it is defined outside of all sites: memcached %.*s { server 10.0.1.1:11211; }", STR_F(name));
	buf_fini(&list);
	return NULL;
}

/* --- Checks. --- */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return s.n && s.n <= NAME_MOST_B && ascii_alpha(s.p[0]);
}

static void check_name(struct checker *c, const struct memcached_values *v, const struct memcached_conf *m)
{
	if (!is_name(m->name)) {
		check_error(c, &m->name, "\"%.*s\" can't be a name here", STR_F(m->name));
		check_hint(c, "a name begins with a letter, has letters, digits and - _ . only, and at most %d of them",
		           NAME_MOST_B);
	} else if (find(v, m->name) != m) {
		check_error(c, &m->name, "there is a memcached \"%.*s\" already", STR_F(m->name));
	}
}

static void check_servers(struct checker *c, const struct memcached_conf *m)
{
	const struct memcached_server_conf *all = m->servers.p;
	if (m->servers.count > KETAMA_SERVERS_MOST)
		check_error(c, &all[KETAMA_SERVERS_MOST].text, "more than %d servers", KETAMA_SERVERS_MOST);
	for (size_t i = 0; i < m->servers.count; i++) {
		bool local = str_starts(all[i].text, STR("unix:"));
		if (!local && str_rfind(all[i].text, ':') == all[i].text.n)
			check_error(c, &all[i].text, "the port is missing: %.*s:11211", STR_F(all[i].text));
		for (size_t k = 0; k < i; k++)
			if (str_eq(all[i].text, all[k].text))
				check_error(c, &all[i].text, "%.*s is in this pool already", STR_F(all[i].text));
	}
}

static void check_gutter(struct checker *c, struct memcached_conf *m)
{
	if (!m->gutter_name.n)
		return;
	m->gutter = memcached_check(c, &m->gutter_name, m->gutter_name);
	if (m->gutter == m)
		check_error(c, &m->gutter_name, "it can't stand in for itself");
	else if (m->gutter && m->gutter->gutter_name.n)
		check_error(c, &m->gutter_name, "\"%.*s\" has a gutter itself", STR_F(m->gutter_name));
}

static void memcacheds_check(struct checker *c, void *values)
{
	struct memcached_values *v = values;
	struct memcached_conf *all = v->pools.p;
	for (size_t i = 0; i < v->pools.count; i++) {
		check_name(c, v, &all[i]);
		check_servers(c, &all[i]);
		check_gutter(c, &all[i]);
	}
}

static void memcacheds_open(void *values, const struct commons *with)
{
	struct memcached_values *v = values;
	struct memcached_conf *all = v->pools.p;
	for (size_t i = 0; i < v->pools.count; i++)
		all[i].memcached = memcached_get(with->memcacheds, &all[i]);
}

static void memcacheds_close(void *values, const struct commons *with)
{
	struct memcached_values *v = values;
	struct memcached_conf *all = v->pools.p;
	(void)with;
	for (size_t i = 0; i < v->pools.count; i++)
		memcached_put(all[i].memcached);
}

const struct module MEMCACHEDS = {
	.name = "memcacheds",
	.doc = "Pools of memcached servers, which other machines and applications use as well.",
	.size = sizeof(struct memcached_values),
	.directives = DIRECTIVES,
	.check = memcacheds_check,
	.open = memcacheds_open,
	.close = memcacheds_close,
};

/* What the types of pools and apps can't know, and what routes name: target_check().  Runs on the thread that builds the
 * configuration; what it computes lives in the snapshot's arena. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "http/backend_in.h"
#include "http/check.h"
#include "http/conf.h"
#include "http/head.h"

enum { KEEP = 64, CONNECTIONS_HTTP = 128, LIST_MOST = 20 };

/* --- The index. --- */

static size_t bucket(struct str name)
{
	return hash_bytes(name, 0) % BACKEND_BUCKETS;
}

struct backend *backends_find(const struct backends *v, struct str name)
{
	struct backend *b = v->by_name[bucket(name)];
	while (b && !str_eq(b->name, name))
		b = b->next;
	return b;
}

/* At the end of its chain: of two of one name the first is found. */
void backends_insert(struct backends *v, struct backend *b)
{
	struct backend **at = &v->by_name[bucket(b->name)];
	while (*at)
		at = &(*at)->next;
	*at = b;
}

void backends_index(struct backends *v)
{
	if (v->indexed)
		return;
	v->indexed = true;
	link_init(&v->addresses);
	for (size_t i = 0; i < v->pools.count; i++)
		backends_insert(v, (struct backend *)v->pools.p + i);
	for (size_t i = 0; i < v->apps.count; i++) {
		struct backend *app = (struct backend *)v->apps.p + i;
		app->is_app = app->spoken = true;
		backends_insert(v, app);
	}
}

/* --- What pools and apps share. --- */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return s.n && s.n <= BACKEND_NAME_B && ascii_alpha(s.p[0]);
}

static void check_name(struct checker *c, const struct backends *v, const struct backend *b)
{
	const struct backend *first = backends_find(v, b->name);
	if (!is_name(b->name)) {
		check_error(c, &b->name, "\"%.*s\" can't be a name here", STR_F(b->name));
		check_hint(c, "a name begins with a letter, has letters, digits and - _ . only, and at most %d of them",
		           BACKEND_NAME_B);
	} else if (first != b) {
		check_error(c, &b->name, "\"%.*s\" already names %s", STR_F(b->name), first->is_app ? "an app" : "a pool");
		if (first->is_app != b->is_app)
			check_hint(c, "routes name either by its name, so that the two can't share one");
	}
}

/* Whether the text needs what is known only after the answer. */
static bool is_late(const struct tmpl *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->pieces[i].var && t->pieces[i].var->at_end)
			return true;
	return false;
}

static void check_balance(struct checker *c, const struct backend *b)
{
	bool hash = b->balance == BALANCE_HASH;
	if (hash && !b->hash_key.count)
		check_error(c, &b->balance, "\"hash\" lacks its key: balance hash $client;");
	else if (!hash && b->hash_key.count)
		check_error(c, &b->hash_key, "only \"hash\" takes a key");
	else if (is_late(&b->hash_key))
		check_error(c, &b->hash_key, "the key has to be known before the answer");
	if (hash && b->sticky.n)
		check_error(c, &b->sticky_kind, "\"hash\" and \"sticky\" both say which server a client gets");
	if (b->sticky.n && !str_is_token(b->sticky))
		check_error(c, &b->sticky, "\"%.*s\" can't be a cookie's name", STR_F(b->sticky));
}

static void check_retry(struct checker *c, struct backend *b)
{
	const int *words = b->retry_words.p;
	size_t count = b->retry_words.count;
	if (count && words[0] != RETRY_WORD_ON)
		check_error(c, &words[0], "before what to retry on stands \"on\": retry 2 on connect;");
	else if (count == 1)
		check_error(c, &words[0], "\"on\" what?  retry 2 on connect broken;");
	for (size_t i = 1; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (words[i] == words[k])
				check_error(c, &words[i], "\"%s\" stands twice", RETRY_WORDS[words[i]]);
	b->retry_on = retry_bits(&b->retry_words);
}

static void check_shared(struct checker *c, const struct backends *v, struct backend *b)
{
	check_name(c, v, b);
	check_balance(c, b);
	check_retry(c, b);
	if (is_late(&b->queue_class))
		check_error(c, &b->queue_class, "the class has to be known before the answer");
}

/* --- Pools. --- */

static void check_server(struct checker *c, const struct server_conf *s)
{
	bool local = str_starts(s->text, STR("unix:"));
	bool port = str_rfind(s->text, ':') < s->text.n;
	if (!port && !s->srv) {
		check_error(c, &s->text, "the port is missing: %.*s:80", STR_F(s->text));
		check_hint(c, "only SRV records name a port: server _http._tcp.app.internal srv;");
	} else if (port && s->srv) {
		check_error(c, &s->srv, local ? "a Unix socket has no SRV records"
		                              : "SRV records name the port: it can't be given, too");
	}
}

static void check_servers(struct checker *c, const struct backend *b)
{
	const struct server_conf *list = b->servers.p;
	size_t backups = 0;
	for (size_t i = 0; i < b->servers.count; i++) {
		check_server(c, &list[i]);
		backups += list[i].backup;
		for (size_t k = 0; k < i; k++) {
			if (!str_eq_nocase(list[i].text, list[k].text))
				continue;
			check_error(c, &list[i].text, "%.*s is in this pool already", STR_F(list[i].text));
			check_hint(c, "give it a weight to have it asked more often");
			break;
		}
	}
	if (backups && backups == b->servers.count)
		check_warn(c, &list[0].backup, "all servers of the pool are backups");
}

static bool is_target(struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] <= ' ' || (unsigned char)path.p[i] >= 0x7f || path.p[i] == '#')
			return false;
	return path.n && path.p[0] == '/';
}

static void check_health_http(struct checker *c, const struct health_conf *h)
{
	if (!str_is_token(h->method))
		check_error(c, &h->method, "\"%.*s\" is no method: health GET /healthz; or health tcp;", STR_F(h->method));
	else if (!h->path.n)
		check_error(c, &h->method, "\"health\" lacks the path to ask for: health %.*s /healthz;", STR_F(h->method));
	else if (!is_target(h->path))
		check_error(c, &h->path, "a path begins with / and has no blanks: %%20 stands for one");
	if (h->body.n && str_eq(h->method, STR("HEAD")))
		check_error(c, &h->body, "an answer to HEAD has no body");
	if (!str_is_printable(h->host) || str_find(h->host, ' ') < h->host.n)
		check_error(c, &h->host, "\"%.*s\" can't be a host's name", STR_F(h->host));
}

static void check_health_tcp(struct checker *c, const struct health_conf *h)
{
	const void *extra = h->path.n ? (const void *)&h->path : h->status ? (const void *)&h->status :
	                    h->body.n ? (const void *)&h->body : h->host.n ? (const void *)&h->host : NULL;
	if (extra)
		check_error(c, extra, "\"health tcp\" only connects: there is no answer to look at");
}

static void check_health(struct checker *c, struct health_conf *h)
{
	h->on = h->method.n;
	h->tcp = str_eq(h->method, STR("tcp"));
	if (!h->on)
		return;
	if (h->tcp)
		check_health_tcp(c, h);
	else
		check_health_http(c, h);
	if (h->timeout_ms > h->every_ms && check_was_set(c, &h->every_ms))
		check_warn(c, &h->every_ms, "the next check is due before the last one is late");
}

static void check_pool(struct checker *c, const struct backends *v, struct backend *b)
{
	check_shared(c, v, b);
	check_servers(c, b);
	check_health(c, &b->health);
}

/* --- Apps. --- */

static void check_person(struct checker *c, const struct app_conf *a)
{
	if (!check_files(c))
		return;
	if (a->user.n && !getpwnam(a->user.p))
		check_error(c, &a->user, "there is no user %.*s on this machine", STR_F(a->user));
	else if (a->group.n && !getgrnam(a->group.p))
		check_error(c, &a->group, "there is no group %.*s on this machine", STR_F(a->group));
	else if (geteuid() != 0 && (a->user.n || a->group.n))
		check_warn(c, a->user.n ? &a->user : &a->group, "only root can start processes as someone else");
}

static void check_folder(struct checker *c, const struct app_conf *a)
{
	struct stat st;
	if (!check_files(c) || !a->folder.n)
		return;
	if (stat(a->folder.p, &st) < 0)
		check_warn(c, &a->folder, "the folder %.*s can't be reached: %s", STR_F(a->folder), strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		check_warn(c, &a->folder, "%.*s is no folder", STR_F(a->folder));
}

static void check_env(struct checker *c, struct app_conf *a)
{
	const struct env_line *lines = a->env_lines.p;
	struct str *env = arena_new(check_arena(c), a->env_lines.count * sizeof *env);
	for (size_t i = 0; i < a->env_lines.count; i++) {
		struct str name = lines[i].name;
		if (!name.n || str_find(name, '=') < name.n)
			check_error(c, &lines[i].name, "\"%.*s\" can't be a variable's name: env NAME VALUE;", STR_F(name));
		for (size_t k = 0; k < i; k++)
			if (str_eq(name, lines[k].name))
				check_error(c, &lines[i].name, "%.*s is set twice", STR_F(name));
		env[i] = arena_strf(check_arena(c), "%.*s=%.*s", STR_F(name), STR_F(lines[i].value));
	}
	a->env = (struct items){ env, a->env_lines.count };
}

static void check_numbers(struct checker *c, struct backend *b)
{
	struct app_conf *a = &b->app;
	if (!a->processes_max)
		check_error(c, &a->processes_min, "an app without processes answers nothing");
	if (a->recycle_descriptors && a->max_descriptors && a->recycle_descriptors >= a->max_descriptors)
		check_warn(c, &a->recycle_descriptors, "the process may not have so many: its limit is %llu",
		           (unsigned long long)a->max_descriptors);
	if (!a->connections)
		a->connections = b->protocol == PROTOCOL_HTTP ? CONNECTIONS_HTTP : 1;
}

static void check_app(struct checker *c, const struct backends *v, struct backend *b)
{
	check_shared(c, v, b);
	if (!str_trim(b->app.command).n)
		check_error(c, &b->app.command, "the command is empty");
	check_person(c, &b->app);
	check_folder(c, &b->app);
	check_env(c, &b->app);
	check_command(c, &b->app);
	check_numbers(c, b);
}

void backends_check(struct checker *c, void *values)
{
	struct backends *v = values;
	struct backend *pools = v->pools.p, *apps = v->apps.p;
	backends_index(v);
	check_retry(c, &v->direct);
	for (size_t i = 0; i < v->pools.count; i++) {
		pools[i].place = check_place(c, &pools[i]);
		check_pool(c, v, &pools[i]);
	}
	for (size_t i = 0; i < v->apps.count; i++) {
		apps[i].place = check_place(c, &apps[i]);
		check_app(c, v, &apps[i]);
	}
}

/* --- What routes name. --- */

static const char *protocol_name(int protocol)
{
	static const char *const NAMES[] = { [PROTOCOL_FASTCGI] = "FastCGI", [PROTOCOL_SCGI] = "SCGI",
		                             [PROTOCOL_UWSGI] = "uwsgi", [PROTOCOL_HTTP] = "HTTP", [PROTOCOL_RAW] = "TCP",
		                             [PROTOCOL_CGI] = "CGI" };
	return NAMES[protocol];
}

/* The directive that speaks it. */
static const char *handler_name(int protocol)
{
	static const char *const NAMES[] = { [PROTOCOL_FASTCGI] = "fastcgi", [PROTOCOL_SCGI] = "scgi",
		                             [PROTOCOL_UWSGI] = "uwsgi", [PROTOCOL_HTTP] = "proxy", [PROTOCOL_RAW] = "stream",
		                             [PROTOCOL_CGI] = "cgi" };
	return NAMES[protocol];
}

/* Idle connections keep processes of FastCGI servers from serving others, unless petrel knows how many there may be. */
static uint64_t keep_for(const struct backend *b)
{
	const struct server_conf *list = b->servers.p;
	for (size_t i = 0; i < b->servers.count && b->protocol != PROTOCOL_HTTP; i++)
		if (!list[i].connections)
			return 0;
	return KEEP;
}

static void speak(struct checker *c, const struct target *t, struct backend *b, enum protocol protocol)
{
	if (!b->spoken) {
		b->spoken = true;
		b->protocol = protocol;
	} else if (b->protocol != (int)protocol) {
		check_error(c, &t->text, "%s%.*s speaks %s, not %s", b->is_app ? "the app " : "", STR_F(b->name),
		            protocol_name(b->protocol), protocol_name(protocol));
		check_hint(c, b->is_app ? "%s %.*s; or another protocol in its block" : "another route asks it by %s %.*s;",
		           handler_name(b->protocol), STR_F(b->name));
		return;
	}
	if (b->keepalive == KEEP_AUTO)
		b->keepalive = keep_for(b);
}

static struct backend *address_new(struct checker *c, struct backends *v, struct str address)
{
	struct backend *b = ARENA_NEW(check_arena(c), struct backend);
	struct server_conf *server = ARENA_NEW(check_arena(c), struct server_conf);
	*server = (struct server_conf){ .text = address, .weight = 1 };
	*b = v->direct;
	b->name = address;
	b->servers = (struct items){ server, 1 };
	b->retry_on = retry_bits(&b->retry_words);
	b->next = NULL;
	link_add(&v->addresses, &b->link);
	backends_insert(v, b);
	return b;
}

static void add_name(struct buf *out, size_t *count, const struct backend *b)
{
	if ((*count)++ < LIST_MOST)
		buf_addf(out, "%s%.*s", out->n ? ", " : "", STR_F(b->name));
}

/* The nearest name, or one that is empty; all of them are put into the list. */
static struct str nearest(const struct backends *v, struct str name, struct buf *list)
{
	const struct items *kinds[] = { &v->pools, &v->apps };
	struct str best = {};
	unsigned least = name.n <= 3 ? 2 : 3;
	size_t count = 0;
	for (size_t k = 0; k < countof(kinds); k++) {
		for (size_t i = 0; i < kinds[k]->count; i++) {
			const struct backend *b = (const struct backend *)kinds[k]->p + i;
			unsigned distance = str_distance(name, b->name);
			add_name(list, &count, b);
			if (distance >= least || distance >= b->name.n)
				continue;
			best = b->name;
			least = distance;
		}
	}
	if (count > LIST_MOST)
		buf_addf(list, " and %zu more", count - LIST_MOST);
	return best;
}

static void say_unknown(struct checker *c, const struct backends *v, const struct target *t)
{
	struct buf list = {};
	struct str best = nearest(v, t->text, &list);
	check_error(c, &t->text, "there is no pool or app \"%.*s\"", STR_F(t->text));
	if (best.n)
		check_hint(c, "did you mean \"%.*s\"?", STR_F(best));
	if (list.n)
		check_hint(c, "there are: %.*s", STR_F(buf_str(&list)));
	else
		check_hint(c, "a server alone is named by its address: 127.0.0.1:9000 or unix:/run/x.sock");
	buf_fini(&list);
}

void target_check(struct checker *c, struct target *t, enum protocol protocol)
{
	struct backends *v = (struct backends *)(uintptr_t)conf_backends(check_conf(c));
	if (!t->text.n)
		return;
	backends_index(v);
	struct backend *b = backends_find(v, t->text);
	if (!b && str_find(t->text, ':') == t->text.n) {
		say_unknown(c, v, t);
		return;
	}
	if (t->http && protocol != PROTOCOL_HTTP) {
		check_error(c, &t->text, "http:// can't stand before a server that %s is spoken to", protocol_name(protocol));
		return;
	}
	if (!b)
		b = address_new(c, v, t->text);
	speak(c, t, b, protocol);
	t->backend = b;
}

const struct backend *backend_own(struct checker *c, struct str name, enum protocol protocol)
{
	struct backends *v = (struct backends *)(uintptr_t)conf_backends(check_conf(c));
	backends_index(v);
	struct backend *b = backends_find(v, name);
	if (b)
		return b;
	b = address_new(c, v, name);
	b->servers = (struct items){};
	b->is_app = b->spoken = true;
	b->protocol = protocol;
	b->retry_most = b->keepalive = 0;
	return b;
}

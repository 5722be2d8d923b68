/* The core's table of directives.  Its values are read by whoever needs them: the worker, the connections, the steps. */
#include "http/core.h"

#include <errno.h>
#include <limits.h>
#include <grp.h>
#include <pwd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event/disk.h"
#include "http/backend.h"
#include "http/check.h"
#include "http/log_file.h"
#include "share/log.h"

#define AT(member) offsetof(struct core, member)
#define LISTEN_AT(member) offsetof(struct listen_spec, member)

static const char *const ENGINES[] = { [DISK_AUTO] = "auto", [DISK_URING] = "io_uring", [DISK_THREADS] = "threads",
	                               NULL };

static const char *const LEVELS[] = { [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_INFO] = "info",
	                              [LOG_LEVEL_DEBUG] = "debug", NULL };

static const struct directive LIMITS[] = {
	{ .name = "connections", .scopes = SCOPE_MAIN, .offset = AT(connections),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { .max = 10000000 }, .preset = "100000" }),
	  .doc = "How many connections there may be at a time; one more is answered 503 and closed. 0: no bound but the "
	         "descriptors." },
	{ .name = "connections_per_address", .scopes = SCOPE_MAIN, .offset = AT(connections_per_address),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { .max = 10000000 }, .preset = "0" }),
	  .doc = "How many of them may come from one address; one more is answered 429 and closed. 0: no bound." },
	{ .name = "header", .offset = AT(header_b),
	  .args = ARGS({ "size", &TYPE_SIZE, .range = { 512, 32768, NULL }, .preset = "16k" }),
	  .doc = "The largest request head. A longer request line is answered 414, larger fields 431." },
	{ .name = "fields", .offset = AT(fields),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 255, NULL }, .preset = "100" }),
	  .doc = "How many fields a request head may have; more are answered 431." },
	{ .name = "body", .offset = AT(body_b),
	  .args = ARGS({ "size", &TYPE_SIZE, .preset = "64m" }),
	  .doc = "The largest request body; a larger one is answered 413." },
	{ .name = "requests", .offset = AT(requests_per_connection),
	  .args = ARGS({ "count", &TYPE_NUMBER, .preset = "0" }),
	  .doc = "After this many requests a connection is closed. 0: never." },
	{ .name = "header_timeout", .offset = AT(header_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1, 86400000, NULL }, .preset = "10s" }),
	  .doc = "A request head has to be complete within this time of its first byte, else 408." },
	{ .name = "body_timeout", .offset = AT(body_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1, 86400000, NULL }, .preset = "30s" }),
	  .doc = "Between two pieces of a request body at most this time may pass, else 408." },
	{ .name = "idle_timeout", .offset = AT(idle_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1, 86400000, NULL }, .preset = "75s" }),
	  .doc = "A connection on which no request is under way is closed after this time." },
	{ .name = "send_timeout", .offset = AT(send_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1, 86400000, NULL }, .preset = "30s" }),
	  .doc = "A client that takes no byte of its answer for this long is cut off." },
	{ .name = "linger_timeout", .offset = AT(linger_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1, 86400000, NULL }, .preset = "5s" }),
	  .doc = "After the last answer on a connection that is to be closed, what the client still sends is read and thrown "
	         "away for this long, so that it gets to see the answer." },
	{ .name = "min_rate", .offset = AT(min_rate_bps),
	  .args = ARGS({ "bytes_per_second", &TYPE_SIZE, .preset = "100" }),
	  .doc = "Who sends a body or reads an answer more slowly than this, on average over ten seconds, is cut off. 0: "
	         "anyone may be as slow as the other timeouts allow." },
	{},
};

static const struct directive DISK[] = {
	{ .name = "engine", .fixed = FIXED_START, .offset = AT(disk_engine),
	  .args = ARGS({ "engine", &TYPE_CHOICE, .range = { .words = ENGINES }, .preset = "auto" }),
	  .doc = "What reads files that are not in the kernel's page cache: io_uring, or threads. auto takes io_uring where "
	         "the kernel allows it; `petrel version` tells. A change takes effect at the next start." },
	{ .name = "workers", .offset = AT(disk_workers),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 1024, NULL }, .preset = "16" }),
	  .doc = "How many reads may be under way at a time. Two to four for each disk, more for SSDs." },
	{ .name = "queue", .offset = AT(disk_queue),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 1000000, NULL }, .preset = "1024" }),
	  .doc = "How many files may wait for their turn; past that a request for a cold file is shed: 503." },
	{},
};

static const struct directive HOT[] = {
	{ .name = "memory", .offset = AT(hot_memory_b),
	  .args = ARGS({ "size", &TYPE_SIZE, .preset = "256m" }),
	  .doc = "Memory for small files that are asked for often. 0: none." },
	{ .name = "file", .offset = AT(hot_file_b),
	  .args = ARGS({ "size", &TYPE_SIZE, .range = { .max = 16 << 20 }, .preset = "128k" }),
	  .doc = "The largest file that is kept in memory whole; larger ones are sent from the page cache." },
	{ .name = "recheck", .offset = AT(hot_recheck_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .preset = "1s" }),
	  .doc = "How long a file is served before petrel looks whether it changed; nobody waits for that look." },
	{ .name = "list", .fixed = FIXED_RELOAD, .offset = AT(hot_list),
	  .args = ARGS({ "file", &TYPE_PATH }),
	  .doc = "Where the names of hot files are kept when petrel stops, so that the next start can warm them." },
	{ .name = "warm", .fixed = FIXED_RELOAD, .offset = AT(hot_warm_rate),
	  .args = ARGS({ "files_per_second", &TYPE_NUMBER, .range = { .max = 100000 }, .preset = "200" }),
	  .doc = "How many files of that list are read per second after a start." },
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "user", .fixed = FIXED_RELOAD, .scopes = SCOPE_MAIN, .offset = AT(user),
	  .args = ARGS({ "name", &TYPE_WORD }),
	  .doc = "The user that serves, when petrel is started as root. Without it the worker stays root, but without any "
	         "of root's capabilities.",
	  .example = "user www-data;" },
	{ .name = "loops", .fixed = FIXED_START, .scopes = SCOPE_MAIN, .offset = AT(loops),
	  .args = ARGS({ "count", &TYPE_COUNT, .range = { .min = 1, .max = 255 }, .preset = "auto" }),
	  .doc = "Event loops, one thread each. auto: one per core. A change takes effect at the next start." },
	{ .name = "listen", .fixed = FIXED_RELOAD, .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = AT(listens),
	  .item_size = sizeof(struct listen_spec),
	  .args = ARGS({ "address", &TYPE_ADDRESS, LISTEN_AT(addr) },
	               { "stream", &TYPE_WORD, LISTEN_AT(stream), ARG_KEYWORD },
	               { "proxy_protocol", NULL, LISTEN_AT(proxy), ARG_SWITCH },
	               { "reuseport", NULL, LISTEN_AT(reuseport), ARG_SWITCH },
	               { "v6only", NULL, LISTEN_AT(v6only), ARG_SWITCH },
	               { "backlog", &TYPE_NUMBER, LISTEN_AT(backlog), ARG_KEYWORD, { 1, 1000000, NULL }, "4096" },
	               { "mode", &TYPE_WORD, LISTEN_AT(mode), ARG_KEYWORD }),
	  .doc = "An address to serve on: ADDR:PORT, [ADDR6]:PORT, PORT for all addresses, unix:/path. reuseport gives each "
	         "loop a socket of its own; mode is a Unix socket's; stream passes all bytes on to the pool of that name, and "
	         "back; proxy_protocol: a balancer says who the client is, in the first bytes of each connection.",
	  .example = "listen 127.0.0.1:8080;\nlisten [::]:80 v6only;\nlisten unix:/run/petrel/http.sock mode 0660;\n"
	             "listen 127.0.0.1:5432 stream databases;\nlisten 8081 proxy_protocol;" },
	{ .name = "admin", .fixed = FIXED_RELOAD, .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = AT(admins),
	  .item_size = sizeof(struct listen_spec),
	  .args = ARGS({ "address", &TYPE_ADDRESS, LISTEN_AT(addr) },
	               { "mode", &TYPE_WORD, LISTEN_AT(mode), ARG_KEYWORD },
	               { "group", &TYPE_WORD, LISTEN_AT(group), ARG_KEYWORD },
	               { "token", &TYPE_SECRET, LISTEN_AT(token), ARG_KEYWORD, { 16, 512, NULL } }),
	  .doc = "Where `petrel reload`, `petrel ctl` and `petrel top` speak to the server: a Unix socket, which only root and "
	         "the user that started it may open unless mode and group say otherwise; or an address over TCP, where each "
	         "request has to bring the token (Authorization: Bearer). The token goes over the network as it is: better not "
	         "further than this machine.",
	  .example = "admin unix:/run/petrel/admin.sock;\nadmin unix:/run/petrel/ops.sock mode 0660 group ops;\n"
	             "admin 127.0.0.1:9911 token ${env.PETREL_TOKEN};" },
	{ .name = "state", .fixed = FIXED_RELOAD, .scopes = SCOPE_MAIN, .offset = AT(state),
	  .args = ARGS({ "file", &TYPE_PATH }),
	  .doc = "The file of what is changed in the running server with --keep, so that it is there after a restart. Without "
	         "it such changes outlive reloads and crashes only.",
	  .example = "state /var/lib/petrel/state.json;" },
	{ .name = "error_log", .scopes = SCOPE_MAIN,
	  .args = ARGS({ "file", &TYPE_LOG_FILE, AT(error_log), .preset = "stderr" },
	               { "level", &TYPE_CHOICE, AT(error_level), ARG_OPTIONAL, { .words = LEVELS }, "warn" }),
	  .doc = "Where petrel says what an operator should know: a file, stderr, or syslog. At most one line a second of each "
	         "kind; the rest is counted." },
	{ .name = "drain_timeout", .fixed = FIXED_RELOAD, .scopes = SCOPE_MAIN, .offset = AT(drain_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { .max = 86400000 }, .preset = "30s" }),
	  .doc = "How long requests under way may go on after SIGQUIT; what is left then is cut off, and counted in the log." },
	{ .name = "long_turn", .scopes = SCOPE_MAIN, .offset = AT(long_turn_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { .max = 3600000 }, .preset = "100ms" }),
	  .doc = "A turn of an event loop that takes longer is named in the error log, with the request that held it up: all "
	         "other clients of that loop waited for it. 0 turns that off. The longest turns are in the metrics, too." },
	{ .name = "gather", .scopes = SCOPE_MAIN, .offset = AT(gather),
	  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "on" }),
	  .doc = "An event loop that has more than some 5000 requests a second and many of them at applications or servers of "
	         "pools takes what comes from there together, rather than wake up for each: less CPU time for petrel and for "
	         "those that it asks. It waits for at most an eighth of the time that a request takes, and never more than "
	         "0.2 ms. off: never." },
	{ .name = "limits", .kind = DIR_GROUP, .scopes = SCOPE_MAIN | SCOPE_SITE, .inner = LIMITS,
	  .doc = "Bounds and deadlines. Past each of them something is refused, and the log names which one it was." },
	{ .name = "disk", .kind = DIR_GROUP, .scopes = SCOPE_MAIN, .inner = DISK,
	  .doc = "The disk engine: no event loop ever waits for a disk." },
	{ .name = "hot", .kind = DIR_GROUP, .scopes = SCOPE_MAIN, .inner = HOT,
	  .doc = "The hot set: small files kept in memory, ready to be sent." },
	{ .name = "root", .fixed = FIXED_RELOAD, .scopes = SCOPE_ALL, .offset = AT(root),
	  .args = ARGS({ "folder", &TYPE_PATH }),
	  .doc = "The folder that files are served from; the kernel keeps requests inside it.",
	  .example = "root /srv/www;" },
	{ .name = "index", .scopes = SCOPE_ALL, .offset = AT(index),
	  .args = ARGS({ "file", &TYPE_WORD, .form = ARG_MANY, .preset = "index.html" }),
	  .doc = "What is served for a folder: the first of these files that exists.",
	  .example = "index index.html index.php;" },
	{ .name = "temporary", .fixed = FIXED_RELOAD, .scopes = SCOPE_MAIN, .offset = AT(temporary),
	  .args = ARGS({ "folder", &TYPE_PATH, .preset = "/tmp" }),
	  .doc = "Where request bodies are kept that are too large for memory while an application waits for them; the files "
	         "have no names.",
	  .example = "temporary /var/tmp;" },
	{ .name = "include", .kind = DIR_INCLUDE, .scopes = SCOPE_ALL,
	  .args = ARGS({ "pattern", &TYPE_PATH }),
	  .doc = "Reads other files in place of this line, in the order of their names; the path may hold * and ?.",
	  .example = "include conf.d/*.conf;" },
	{ .name = "site", .kind = DIR_SITE, .scopes = SCOPE_MAIN,
	  .args = ARGS({ "name", &TYPE_WORD, .form = ARG_MANY }),
	  .doc = "A site, by the names of its hosts: example.org, *.example.org for all below it, * for whatever no other "
	         "site names.",
	  .example = "site example.org *.example.org {\n    root /srv/www;\n    route * { files; }\n}" },
	{ .name = "route", .kind = DIR_ROUTE, .scopes = SCOPE_SITE,
	  .args = ARGS({ "pattern", &TYPE_WORD, .form = ARG_MANY }),
	  .doc = "What answers a path. Routes are tried from top to bottom, and the first that matches serves. In a pattern * "
	         "stands for any run of characters, / included; = /exact; ~ regex.",
	  .example = "route /static/* { files; expires 30d; }\nroute = /ping     { respond 200 \"pong\\n\"; }\n"
	             "route ~ ^/u/(\\d+)$ { redirect 301 /user/$1; }" },
	{},
};

/* --- What the types can't know. --- */

static void check_root(struct checker *c, struct core *v)
{
	struct stat st;
	if (!check_was_set(c, &v->root) || !check_files(c))
		return;
	if (stat(v->root.p, &st) < 0)
		check_warn(c, &v->root, "the folder %.*s can't be reached: %s", STR_F(v->root), strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		check_warn(c, &v->root, "%.*s is no folder", STR_F(v->root));
}

/* The folder is written to by whoever starts petrel. */
static void check_state(struct checker *c, struct core *v)
{
	struct str folder = str_head(v->state, str_rfind(v->state, '/'));
	if (!v->state.n || !check_was_set(c, &v->state) || !check_files(c))
		return;
	struct str path = folder.n ? arena_strf(check_arena(c), "%.*s", STR_F(folder)) : STR("/");
	if (access(path.p, W_OK | X_OK) < 0)
		check_warn(c, &v->state, "nothing can be kept in %.*s: %s", STR_F(path), strerror(errno));
}

/* Each connection needs a descriptor, and so do open files. */
static void check_connections(struct checker *c, struct core *v)
{
	struct rlimit limit;
	if (!check_was_set(c, &v->connections) || !check_files(c) || getrlimit(RLIMIT_NOFILE, &limit))
		return;
	if (limit.rlim_max != RLIM_INFINITY && v->connections > limit.rlim_max) {
		check_warn(c, &v->connections, "more connections than the %llu descriptors that this process may have",
		           (unsigned long long)limit.rlim_max);
		check_hint(c, "raise the limit (LimitNOFILE in a systemd unit, ulimit -Hn in a shell), or lower this one");
	}
}

static void check_user(struct checker *c, struct core *v)
{
	if (v->user.n && check_was_set(c, &v->user) && check_files(c) && !getpwnam(v->user.p))
		check_error(c, &v->user, "there is no user %.*s on this machine", STR_F(v->user));
}

static bool is_mode(struct str mode)
{
	for (size_t i = 0; i < mode.n; i++)
		if (mode.p[i] < '0' || mode.p[i] > '7')
			return false;
	return mode.n >= 3 && mode.n <= 4;
}

static void check_admin_file(struct checker *c, struct listen_spec *a)
{
	if (a->token.n)
		check_error(c, &a->token, "a Unix socket takes no token: its file says who may open it (mode, group)");
	if (a->mode.n && !is_mode(a->mode))
		check_error(c, &a->mode, "a mode is three or four digits from 0 to 7: mode 0660");
	if (a->group.n && check_files(c) && !getgrnam(a->group.p))
		check_error(c, &a->group, "there is no group %.*s on this machine", STR_F(a->group));
	if (!a->mode.n)
		a->mode = a->group.n ? STR("0660") : STR("0600");
}

static void check_admin_tcp(struct checker *c, const struct listen_spec *a)
{
	struct ip ip = ip_of(&a->addr.storage);
	bool local = ip.family == AF_INET ? ip.bytes[0] == 127 : !memcmp(ip.bytes, &in6addr_loopback, sizeof in6addr_loopback);
	if (!a->token.n) {
		check_error(c, a, "an admin address over TCP needs a token");
		check_hint(c, "whoever reaches it could change the server: admin ADDRESS token \"at least 16 characters\";");
	}
	if (a->mode.n || a->group.n)
		check_error(c, a->mode.n ? &a->mode : &a->group, "only a Unix socket's file has a mode and a group");
	if (!local && a->token.n)
		check_warn(c, a, "the token goes over the network as it is, to whoever listens there");
}

static void check_admins(struct checker *c, struct core *v)
{
	struct listen_spec *specs = v->admins.p;
	for (size_t i = 0; i < v->admins.count; i++) {
		specs[i].admin = true;
		specs[i].backlog = 64;
		if (specs[i].addr.any.sa_family == AF_UNIX)
			check_admin_file(c, &specs[i]);
		else if (specs[i].addr.length)
			check_admin_tcp(c, &specs[i]);
		for (size_t k = 0; k < i; k++)
			if (addr_eq(&specs[i].addr, &specs[k].addr))
				check_error(c, &specs[i], "this address is an admin socket already");
	}
}

/* The same address twice could not be opened; better said here than at start. */
static void check_listens(struct checker *c, struct core *v)
{
	struct listen_spec *specs = v->listens.p;
	for (size_t i = 0; i < v->listens.count; i++)
		for (size_t k = 0; k < i; k++)
			if (addr_eq(&specs[i].addr, &specs[k].addr) && addr_port(&specs[i].addr))
				check_error(c, &specs[i], "this address is listened on already");
}

static void check_streams(struct checker *c, struct core *v)
{
	struct listen_spec *specs = v->listens.p;
	for (size_t i = 0; i < v->listens.count; i++) {
		if (!specs[i].stream.n || backends_know(check_conf(c), specs[i].stream))
			continue;
		check_error(c, &specs[i].stream, "there is no pool or app of this name");
		check_hint(c, "a stream's servers stand in a pool: pool %.*s { server 127.0.0.1:5432; }",
		           STR_F(specs[i].stream));
	}
}

/* Programs are told of the root, and some take no path with ".." in it, such as PHP.  Where that leads only the kernel
 * knows. */
static void resolve_root(struct checker *c, struct core *v)
{
	char real[PATH_MAX];
	if (v->root.n && memmem(v->root.p, v->root.n, "/..", 3) && realpath(v->root.p, real))
		v->root = arena_str(check_arena(c), str_of(real));
}

static void core_check(struct checker *c, void *values)
{
	struct core *v = values;
	check_root(c, v);
	resolve_root(c, v);
	if (check_scope(c) != SCOPE_MAIN)
		return;
	check_connections(c, v);
	check_user(c, v);
	check_state(c, v);
	check_admins(c, v);
	check_listens(c, v);
	check_streams(c, v);
}

const struct module CORE = {
	.name = "core",
	.doc = "What the server is: where it listens, what it may use, and which sites there are.",
	.size = sizeof(struct core),
	.directives = DIRECTIVES,
	.check = core_check,
};

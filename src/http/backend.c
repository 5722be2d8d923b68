/* pool, app, direct: who answers what petrel does not answer itself, and the rules of asking.  The tables, and the pools'
 * references while a snapshot is open.  Checks are in backend_check.c, types in backend_type.c.  The thread that builds
 * configurations; open and close run on the worker's control thread. */
#include "base/mem.h"
#include "http/backend_in.h"
#include "http/conf.h"
#include "share/meter.h"

#define AT(member) offsetof(struct backend, member)
#define APP_AT(member) offsetof(struct backend, app.member)
#define HEALTH_AT(member) offsetof(struct backend, health.member)
#define SERVER_AT(member) offsetof(struct server_conf, member)

enum { DAY_MS = 86400000 };
/* A day and a week bound what can be meant. */
#define SOME_TIME { 1, DAY_MS, NULL }
#define ANY_TIME { 0, 7 * (uint64_t)DAY_MS, NULL }

static const char *const BALANCES[] = { [BALANCE_ROUND_ROBIN] = "round_robin",
	                                [BALANCE_LEAST_CONNECTIONS] = "least_connections",
	                                [BALANCE_RANDOM_TWO] = "random_two", [BALANCE_HASH] = "hash", NULL };
static const char *const PROTOCOLS[] = { [PROTOCOL_FASTCGI] = "fastcgi", [PROTOCOL_SCGI] = "scgi",
	                                 [PROTOCOL_UWSGI] = "uwsgi", [PROTOCOL_HTTP] = "http", NULL };
static const char *const STICKIES[] = { "cookie", NULL };
static const char *const PROXY_VERSIONS[] = { "off", "v1", "v2", NULL };
static const char *const BODY_WAYS[] = { "collect", "stream", NULL };
const char *const RETRY_WORDS[] = { [RETRY_WORD_ON] = "on", "connect", "timeout", "broken", "500", "502", "503", "504",
	                            "429", NULL };

unsigned retry_bits(const struct items *words)
{
	static const unsigned BITS[] = { 0, RETRY_CONNECT, RETRY_TIMEOUT, RETRY_BROKEN, RETRY_500, RETRY_502, RETRY_503,
		                         RETRY_504, RETRY_429 };
	unsigned bits = 0;
	for (size_t i = 0; i < words->count; i++)
		bits |= BITS[((const int *)words->p)[i]];
	return bits;
}

/* --- Rows. --- */

/* Of all three: how servers are asked. */
#define RULES(queue_timeout)                                                                                            \
	{ .name = "queue",                                                                                              \
	  .args = ARGS({ "length", &TYPE_NUMBER, AT(queue), .range = { .max = 1000000 }, .preset = "1000" },            \
	               { "timeout", &TYPE_DURATION, AT(queue_timeout_ms), ARG_KEYWORD, SOME_TIME, queue_timeout }),     \
	  .doc = "How many requests may wait while all servers are busy, and how long each; the rest, and those that "  \
	         "waited so long, are answered 503. Only servers with a bound of connections are ever busy." },         \
	{ .name = "queue_class", .offset = AT(queue_class),                                                             \
	  .args = ARGS({ "class", &TYPE_TEMPLATE }),                                                                    \
	  .doc = "Who is served first of those who wait: a text that makes 0 (before all others), 1 or 2 (after all "   \
	         "others). Anything else, and none, is 1." },                                                           \
	{ .name = "retry",                                                                                              \
	  .args = ARGS({ "times", &TYPE_NUMBER, AT(retry_most), .range = { .max = POOL_TRIED }, .preset = "2" },        \
	               { "what", &TYPE_CHOICE, AT(retry_words), ARG_ANY, { .words = RETRY_WORDS },                      \
	                 "on connect broken" }),                                                                        \
	  .doc = "How often a request is sent once more, to another server where there is one, and on what: connect "   \
	         "(no connection), broken (closed before the answer), timeout, or a status. Never once a byte of the "  \
	         "answer is out; and where a server may have begun to act on it, only what is safe to repeat (GET, "    \
	         "HEAD, PUT, DELETE, OPTIONS). 0: never." },                                                            \
	{ .name = "retry_budget", .offset = AT(retry_percent),                                                          \
	  .args = ARGS({ "percent", &TYPE_PERCENT, .range = { .max = 100 }, .preset = "20" }),                          \
	  .doc = "How many requests in a hundred may be retries, so that servers which fail are not buried in them." }, \
	{ .name = "keepalive",                                                                                          \
	  .args = ARGS({ "count", &TYPE_KEEP, AT(keepalive), .range = { .max = 100000 }, .preset = "auto" },            \
	               { "idle", &TYPE_DURATION, AT(keepalive_ms), ARG_KEYWORD, SOME_TIME, "60s" }),                    \
	  .doc = "How many idle connections to each server an event loop keeps for later requests, and how long. "      \
	         "auto: 64, but none to FastCGI servers without a bound of connections, whose processes serve one "     \
	         "connection at a time and would wait on an idle one." },                                               \
	{ .name = "timeout",                                                                                            \
	  .args = ARGS({ "connect", &TYPE_DURATION, AT(connect_ms), ARG_KEYWORD, SOME_TIME, "3s" },                     \
	               { "send", &TYPE_DURATION, AT(send_ms), ARG_KEYWORD, SOME_TIME, "30s" },                          \
	               { "answer", &TYPE_DURATION, AT(answer_ms), ARG_KEYWORD, SOME_TIME, "60s" },                      \
	               { "read", &TYPE_DURATION, AT(read_ms), ARG_KEYWORD, SOME_TIME, "60s" },                          \
	               { "tunnel", &TYPE_DURATION, AT(tunnel_ms), ARG_KEYWORD, ANY_TIME, "1h" }),                       \
	  .doc = "How long a server may take: to accept a connection; to take in a piece of the request; from the "     \
	         "request's end to the answer's head; between two pieces of the answer; and how long a tunnel "         \
	         "(WebSocket) may be silent. Past it: 504." },                                                          \
	{ .name = "buffer", .offset = AT(buffer_b),                                                                     \
	  .args = ARGS({ "size", &TYPE_SIZE, .range = { 4096, 1 << 30, NULL }, .preset = "256k" }),                     \
	  .doc = "How much of an answer is taken in while its client is slow, so that the server is free for others." },\
	{ .name = "request_body",                                                                                     \
	  .args = ARGS({ "way", &TYPE_CHOICE, AT(streams), .range = { .words = BODY_WAYS }, .preset = "collect" },   \
	               { "memory", &TYPE_SIZE, AT(collect_memory_b), ARG_KEYWORD, { .max = 1 << 30 }, "256k" }),        \
	  .doc = "collect: a request's body is taken in as a whole before a server sees it, so that a slow client holds no " \
	         "server, and it can be sent again; past `memory` it goes to a file (see `temporary`). stream: it is passed " \
	         "on as it comes." },                                                                                   \
	{ .name = "half_close", .offset = AT(half_close), .args = ARGS({ "choice", &TYPE_FLAG, .preset = "off" }),      \
	  .doc = "A client that closes its sending side while a server works on its request is taken for gone, and the " \
	         "server is told by the end of its connection. on: such a client still gets its answer." },             \
	{ .name = "header", .offset = AT(header_b),                                                                     \
	  .args = ARGS({ "size", &TYPE_SIZE, .range = { 1024, 1 << 16, NULL }, .preset = "32k" }),                      \
	  .doc = "The largest head of an answer; a larger one is answered 502. So much may follow a body in chunks, too." }

/* Of pools and apps: which server is asked. */
#define CHOICE(way)                                                                                                     \
	{ .name = "balance",                                                                                            \
	  .args = ARGS({ "way", &TYPE_CHOICE, AT(balance), .range = { .words = BALANCES }, .preset = way },             \
	               { "key", &TYPE_TEMPLATE, AT(hash_key), ARG_OPTIONAL }),                                          \
	  .doc = "Which server gets a request: the next in turn, by weight; the one with the fewest under way; the "    \
	         "better of two drawn by lot; or always the same one for a key, such as $path or $client, as long as "  \
	         "it has room.",                                                                                        \
	  .example = "balance hash $client;" },                                                                         \
	{ .name = "sticky",                                                                                             \
	  .args = ARGS({ "kind", &TYPE_CHOICE, AT(sticky_kind), .range = { .words = STICKIES } },                       \
	               { "name", &TYPE_WORD, AT(sticky) }),                                                             \
	  .doc = "A client stays with the server that it met first, by a cookie of this name that petrel sets.",        \
	  .example = "sticky cookie PETREL_PEER;" },                                                                    \
	{ .name = "send_proxy", .offset = AT(send_proxy),                                                               \
	  .args = ARGS({ "version", &TYPE_CHOICE, .range = { .words = PROXY_VERSIONS }, .preset = "off" }),             \
	  .doc = "Tells servers who the client is, by a PROXY protocol head before each connection; connections are "   \
	         "then not used again." }

static const struct directive DIRECT[] = {
	RULES("5s"),
	{},
};

static const struct directive POOL[] = {
	{ .name = "server", .fixed = FIXED_OWN, .kind = DIR_LIST, .required = true, .offset = AT(servers),
	  .item_size = sizeof(struct server_conf),
	  .args = ARGS({ "address", &TYPE_SERVER, SERVER_AT(text) },
	               { "weight", &TYPE_NUMBER, SERVER_AT(weight), ARG_KEYWORD, { 1, POOL_WEIGHT_MAX, NULL }, "1" },
	               { "connections", &TYPE_NUMBER, SERVER_AT(connections), ARG_KEYWORD, { .max = 1000000 }, "0" },
	               { "backup", NULL, SERVER_AT(backup), ARG_SWITCH },
	               { "srv", NULL, SERVER_AT(srv), ARG_SWITCH }),
	  .doc = "A server: HOST:PORT, [ADDR6]:PORT or unix:/path. A name is looked up again by its time to live, and one "
	         "that can't be found keeps nothing from starting; srv: the name is of SRV records. connections: how many "
	         "requests it gets at a time (0: no bound); backup: only where no other server can be asked.",
	  .example = "server 10.0.0.1:9000 weight 2 connections 100;\nserver _http._tcp.app.internal srv;\n"
	             "server unix:/run/app.sock backup;" },
	CHOICE("round_robin"),
	{ .name = "health",
	  .args = ARGS({ "method", &TYPE_WORD, HEALTH_AT(method) },
	               { "path", &TYPE_WORD, HEALTH_AT(path), ARG_OPTIONAL },
	               { "every", &TYPE_DURATION, HEALTH_AT(every_ms), ARG_KEYWORD, { 10, DAY_MS, NULL }, "5s" },
	               { "timeout", &TYPE_DURATION, HEALTH_AT(timeout_ms), ARG_KEYWORD, SOME_TIME, "2s" },
	               { "rise", &TYPE_NUMBER, HEALTH_AT(rise), ARG_KEYWORD, { 1, 100, NULL }, "2" },
	               { "fall", &TYPE_NUMBER, HEALTH_AT(fall), ARG_KEYWORD, { 1, 100, NULL }, "3" },
	               { "expect", &TYPE_NUMBER, HEALTH_AT(status), ARG_KEYWORD, { 100, 599, NULL } },
	               { "body", &TYPE_WORD, HEALTH_AT(body), ARG_KEYWORD },
	               { "host", &TYPE_WORD, HEALTH_AT(host), ARG_KEYWORD }),
	  .doc = "Asks each server regularly: by an HTTP request, or by a connection alone (health tcp). It leaves after fall "
	         "wrong answers in a row and comes back after rise right ones, also before the time that eject left it out "
	         "for is over. Right is the status of expect (200 to 399 without it), and an answer whose first 64 KB hold "
	         "the text of body.",
	  .example = "health GET /healthz every 2s timeout 1s rise 2 fall 3 expect 200;\nhealth tcp every 5s;" },
	{ .name = "slow_start", .offset = AT(slow_start_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = ANY_TIME, .preset = "0" }),
	  .doc = "How long the weight of a server that comes back takes to grow to its whole." },
	{ .name = "eject",
	  .args = ARGS({ "failures", &TYPE_NUMBER, AT(eject_after), .range = { .max = 1000000 }, .preset = "5" },
	               { "for", &TYPE_DURATION, AT(eject_ms), ARG_KEYWORD, SOME_TIME, "10s" },
	               { "slower", &TYPE_NUMBER, AT(latency_factor), ARG_KEYWORD, { .max = 1000 }, "0" }),
	  .doc = "A server that failed so many requests in a row gets none for a while; then one shows how it is. slower: also "
	         "one whose answers take that many times as long as those of the others. 0: never. Where one that failed is "
	         "found well by `health` as often as rise says, its time is over early." },
	RULES("5s"),
	{},
};

static const struct directive PROCESS_LIMITS[] = {
	{ .name = "memory", .offset = APP_AT(max_memory_b), .args = ARGS({ "size", &TYPE_SIZE, .range = { .min = 1 << 20 } }),
	  .doc = "Address space (RLIMIT_AS)." },
	{ .name = "cpu", .offset = APP_AT(max_cpu_s), .args = ARGS({ "time", &TYPE_SECONDS, .range = { 1000, 0, NULL } }),
	  .doc = "Processor time over its whole life (RLIMIT_CPU)." },
	{ .name = "descriptors", .offset = APP_AT(max_descriptors),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 8, 1 << 20, NULL } }), .doc = "Open files (RLIMIT_NOFILE)." },
	{ .name = "processes", .offset = APP_AT(max_processes),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 1 << 22, NULL } }),
	  .doc = "Processes of its user, those of others included (RLIMIT_NPROC)." },
	{},
};

static const struct directive CGROUP[] = {
	{ .name = "memory", .offset = APP_AT(cgroup_memory_b),
	  .args = ARGS({ "size", &TYPE_SIZE, .range = { .min = 1 << 20 } }),
	  .doc = "Memory of all processes together (memory.max)." },
	{ .name = "cpu", .offset = APP_AT(cgroup_cpu_percent),
	  .args = ARGS({ "percent", &TYPE_PERCENT, .range = { 1, 100000, NULL } }),
	  .doc = "Processor time of all together, of one core: 150% is a core and a half (cpu.max)." },
	{ .name = "tasks", .offset = APP_AT(cgroup_tasks),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 1 << 22, NULL } }),
	  .doc = "Processes and threads together (pids.max)." },
	{},
};

static const struct directive APP[] = {
	{ .name = "command", .fixed = FIXED_RELOAD, .required = true, .offset = APP_AT(command),
	  .args = ARGS({ "command", &TYPE_WORD }),
	  .doc = "What is started, by /bin/sh: once for each process. It finds its socket at descriptor 0 (FastCGI, SCGI, "
	         "uwsgi), or the port that it is to listen on in $PORT (HTTP).",
	  .example = "command php-cgi;\ncommand \"gunicorn -b 127.0.0.1:$PORT app:application\";              # protocol http\n"
	             "command \"uwsgi --plugin python3 --wsgi-file app.py\";                   # protocol uwsgi\n"
	             "command \"uwsgi --protocol scgi --plugin python3 --wsgi-file app.py\";   # protocol scgi" },
	{ .name = "protocol", .fixed = FIXED_RELOAD, .offset = AT(protocol),
	  .args = ARGS({ "protocol", &TYPE_CHOICE, .range = { .words = PROTOCOLS }, .preset = "fastcgi" }),
	  .doc = "What it speaks." },
	{ .name = "processes", .offset = APP_AT(processes_min),
	  .args = ARGS({ "count", &TYPE_SPAN, .range = { .max = 10000 }, .preset = "1..4" }),
	  .doc = "How many processes there are: at least and at most, by what there is to do. From 0: none until there is a "
	         "request." },
	{ .name = "connections", .offset = APP_AT(connections),
	  .args = ARGS({ "count", &TYPE_COUNT, .range = { 1, 100000, NULL }, .preset = "auto" }),
	  .doc = "How many requests one process gets at a time. auto: 1, and 128 where it speaks HTTP." },
	{ .name = "recycle",
	  .args = ARGS({ "requests", &TYPE_NUMBER, APP_AT(recycle_requests), ARG_KEYWORD },
	               { "age", &TYPE_DURATION, APP_AT(recycle_age_ms), ARG_KEYWORD },
	               { "memory", &TYPE_SIZE, APP_AT(recycle_memory_b), ARG_KEYWORD },
	               { "descriptors", &TYPE_NUMBER, APP_AT(recycle_descriptors), ARG_KEYWORD },
	               { "idle", &TYPE_DURATION, APP_AT(recycle_idle_ms), ARG_KEYWORD, .preset = "1m" }),
	  .doc = "When a process is replaced: after so many requests, at this age, when it holds so much memory or so many "
	         "descriptors; and one past the least number ends after so much idleness. It finishes what it has (see "
	         "drain_timeout), and its replacement is ready before. Busy processes are looked at ten times a second: one "
	         "that grows fast gets as far past its bound as it does while its replacement starts. 0: never.",
	  .example = "recycle requests 1000 age 1h memory 256m descriptors 500 idle 5m;" },
	{ .name = "user", .fixed = FIXED_RELOAD, .offset = APP_AT(user), .args = ARGS({ "name", &TYPE_WORD }),
	  .doc = "The user that it runs as, when petrel is started as root; without it, the user that serves." },
	{ .name = "group", .fixed = FIXED_RELOAD, .offset = APP_AT(group), .args = ARGS({ "name", &TYPE_WORD }),
	  .doc = "Its group, in place of the user's own." },
	{ .name = "folder", .fixed = FIXED_RELOAD, .offset = APP_AT(folder), .args = ARGS({ "folder", &TYPE_PATH }),
	  .doc = "Its working directory; without it, /." },
	{ .name = "env", .fixed = FIXED_RELOAD, .kind = DIR_LIST, .offset = APP_AT(env_lines),
	  .item_size = sizeof(struct env_line),
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct env_line, name) },
	               { "value", &TYPE_WORD, offsetof(struct env_line, value) }),
	  .doc = "A variable of its environment, which has little else: PATH, HOME, USER, LANG.",
	  .example = "env APP_MODE production;" },
	{ .name = "start_timeout", .offset = APP_AT(start_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = SOME_TIME, .preset = "30s" }),
	  .doc = "A process that can't be connected to after this time is given up." },
	{ .name = "drain_timeout", .offset = APP_AT(drain_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = SOME_TIME, .preset = "5m" }),
	  .doc = "How long a process that is to be replaced or is no longer needed may take to finish what it has, long "
	         "downloads and tunnels (WebSocket) included; then it is asked to end all the same." },
	{ .name = "stop_timeout", .fixed = FIXED_RELOAD, .offset = APP_AT(stop_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = SOME_TIME, .preset = "10s" }),
	  .doc = "How long a process that was asked to end (SIGTERM) may take, before it is killed." },
	{ .name = "limits_process", .fixed = FIXED_RELOAD, .kind = DIR_GROUP, .inner = PROCESS_LIMITS,
	  .doc = "Limits of each process." },
	{ .name = "cgroup", .fixed = FIXED_RELOAD, .kind = DIR_GROUP, .inner = CGROUP,
	  .doc = "Limits of all processes together, by a control group (cgroup v2), where petrel may make one: the log says "
	         "where it may not." },
	CHOICE("least_connections"),
	RULES("30s"),
	{},
};

_Static_assert(APP_AT(processes_max) == APP_AT(processes_min) + offsetof(struct span, max), "a span is written there");

static const struct directive DIRECTIVES[] = {
	{ .name = "pool", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = offsetof(struct backends, pools),
	  .item_size = sizeof(struct backend), .args = ARGS({ "name", &TYPE_WORD, AT(name) }), .inner = POOL,
	  .doc = "A pool of servers that someone else runs, by the name that routes ask it by.",
	  .example = "pool api {\n    server  10.0.0.1:9000 weight 2 connections 100;\n"
	             "    server  10.0.0.2:9000 connections 100;\n    server  unix:/run/api.sock backup;\n"
	             "    balance least_connections;\n    health  GET /healthz every 2s timeout 1s rise 2 fall 3 expect 200;\n"
	             "    queue   1000 timeout 5s;\n    retry   2 on connect timeout 502 503 504;\n}" },
	{ .name = "app", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = offsetof(struct backends, apps),
	  .item_size = sizeof(struct backend), .args = ARGS({ "name", &TYPE_WORD, AT(name) }), .inner = APP,
	  .doc = "A pool of processes that petrel starts and looks after, by the name that routes ask it by.",
	  .example = "app php {\n    command   php-cgi;\n    protocol  fastcgi;\n    processes 2..16;\n"
	             "    recycle   requests 1000 age 1h memory 256m idle 5m;\n}" },
	{ .name = "direct", .kind = DIR_GROUP, .scopes = SCOPE_MAIN, .inner = DIRECT,
	  .doc = "The rules for servers that a route names by their address, without a pool: proxy http://127.0.0.1:3000.",
	  .example = "direct { timeout answer 5m; }" },
	{},
};

/* --- A snapshot's. --- */

/* NULL where the module is not among those that the configuration is made of. */
static struct backends *values_of(const struct conf *c)
{
	for (size_t i = 0; i < c->module_count; i++)
		if (c->modules[i] == &BACKENDS)
			return c->values[i];
	return NULL;
}

const struct backends *conf_backends(const struct conf *c)
{
	return values_of(c);
}

static void each(struct backends *v, void (*see)(void *arg, struct backend *b), void *arg)
{
	for (size_t i = 0; i < v->pools.count; i++)
		see(arg, (struct backend *)v->pools.p + i);
	for (size_t i = 0; i < v->apps.count; i++)
		see(arg, (struct backend *)v->apps.p + i);
	for (struct link *l = v->addresses.next; l && l != &v->addresses; l = l->next)
		see(arg, container_of(l, struct backend, link));
}

void backends_each(const struct conf *c, void (*see)(void *arg, struct backend *b), void *arg)
{
	each(values_of(c), see, arg);
}

bool backends_know(const struct conf *c, struct str name)
{
	struct backends *v = values_of(c);
	if (v)
		backends_index(v);
	return v && backends_find(v, name);
}

struct backend *backend_find(const struct conf *c, struct str name)
{
	return backends_find(values_of(c), name);
}

struct str backend_protocol(const struct backend *b)
{
	if (!b->spoken)
		return STR("");
	if (b->protocol == PROTOCOL_CGI)
		return STR("cgi");
	return b->protocol == PROTOCOL_RAW ? STR("raw") : str_of(PROTOCOLS[b->protocol]);
}

struct str backend_balance(const struct backend *b)
{
	return str_of(BALANCES[b->balance]);
}

static void take(void *arg, struct backend *b)
{
	const struct commons *with = arg;
	b->pool = pool_get(with->pools, b->name);
	b->meter = meters_number(with->meters, METER_POOL, STR(""), b->name);
}

static void give_back(void *arg, struct backend *b)
{
	(void)arg;
	pool_put(b->pool);
	b->pool = NULL;
}

static void backends_open(void *values, const struct commons *with)
{
	struct commons commons = *with;
	each(values, take, &commons);
}

static void backends_close(void *values, const struct commons *with)
{
	(void)with;
	each(values, give_back, NULL);
}

const struct module BACKENDS = {
	.name = "backends",
	.doc = "Pools of servers, and applications that petrel runs: who is asked, and how.",
	.size = sizeof(struct backends),
	.directives = DIRECTIVES,
	.check = backends_check,
	.open = backends_open,
	.close = backends_close,
};

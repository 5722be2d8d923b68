/* Modules for tests of the configuration: enough directives for a whole site as a person would write it, of every kind
 * that a row can have.  They answer nothing. */
#pragma once

#include "http/check.h"
#include "http/module.h"

struct t_server {
	struct str address;
	uint64_t weight, connections;
	bool backup;
};

struct t_app {
	struct str name, command;
	int protocol;
	struct str processes;
	uint64_t recycle_requests, recycle_age_ms, recycle_memory_b, recycle_idle_ms;
};

struct t_pool {
	struct str name;
	struct items servers;
	int balance;
	struct str key, sticky_kind, sticky_name;
	struct str health_method, health_path;
	uint64_t every_ms, timeout_ms, rise, fall, expect;
	uint64_t queue, queue_timeout_ms, tries;
	struct items retry_on;
	uint64_t slow_start_ms, keepalive;
};

struct t_cache {
	struct str name;
	uint64_t memory_b;
	struct str disk;
	uint64_t disk_b;
	struct str memcached, default_ttl;
	uint64_t revalidate_ms, error_ms;
};

struct t_memcached {
	struct str name;
	struct items servers;
	int hash;
	uint64_t timeout_ms;
};

struct t_listen {
	struct str address;
	bool tls;
	uint64_t backlog;
};

struct t_core {
	struct str user, loops, admin, root, log;
	int log_format;
	struct items listens, index, apps, pools, caches, memcacheds;
	uint64_t connections, header_b, body_b, header_timeout_ms, idle_timeout_ms, min_rate;
	int engine;
	uint64_t workers, queue;
	uint64_t hot_b, hot_file_b, recheck_ms;
	uint64_t retry_after_ms;
	struct str shed_image, certificate, key;
	struct items protocols;
};

struct t_files {
	bool listing;
	struct items try;
};

struct t_text {
	uint64_t status;
	struct str text;
};

struct t_gates {
	bool compress;
	struct str expires, cache, throttle;
	struct items allow;
};

#define CORE_AT(m) offsetof(struct t_core, m)
#define SERVER_AT(m) offsetof(struct t_server, m)
#define APP_AT(m) offsetof(struct t_app, m)
#define POOL_AT(m) offsetof(struct t_pool, m)
#define CACHE_AT(m) offsetof(struct t_cache, m)
#define MEMCACHED_AT(m) offsetof(struct t_memcached, m)
#define LISTEN_AT(m) offsetof(struct t_listen, m)
#define GATES_AT(m) offsetof(struct t_gates, m)

static const char *const T_ENGINES[] = { "auto", "io_uring", "threads", NULL };
static const char *const T_PROTOCOLS[] = { "fastcgi", "scgi", "uwsgi", "http", NULL };
static const char *const T_BALANCE[] = { "round_robin", "least_connections", "random_two", "hash", NULL };
static const char *const T_HASHES[] = { "ketama", "modulo", NULL };
static const char *const T_LOG_FORMATS[] = { "common", "combined", "json", NULL };

static const struct directive T_LIMITS[] = {
	{ .name = "connections", .scopes = SCOPE_MAIN, .offset = CORE_AT(connections),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 10000000, NULL }, .preset = "10000" }),
	  .doc = "How many connections there may be at a time." },
	{ .name = "header", .offset = CORE_AT(header_b),
	  .args = ARGS({ "size", &TYPE_SIZE, .range = { 512, 32768, NULL }, .preset = "16k" }), .doc = "The largest head." },
	{ .name = "body", .offset = CORE_AT(body_b), .args = ARGS({ "size", &TYPE_SIZE, .preset = "64m" }),
	  .doc = "The largest body." },
	{ .name = "header_timeout", .offset = CORE_AT(header_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1, 86400000, NULL }, .preset = "10s" }),
	  .doc = "Time for a head." },
	{ .name = "idle_timeout", .offset = CORE_AT(idle_timeout_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .preset = "75s" }), .doc = "Time between requests." },
	{ .name = "min_rate", .offset = CORE_AT(min_rate),
	  .args = ARGS({ "bytes_per_second", &TYPE_SIZE, .preset = "100" }), .doc = "The least rate." },
	{},
};

static const struct directive T_DISK[] = {
	{ .name = "engine", .offset = CORE_AT(engine),
	  .args = ARGS({ "engine", &TYPE_CHOICE, .range = { .words = T_ENGINES }, .preset = "auto" }),
	  .doc = "What reads files." },
	{ .name = "workers", .offset = CORE_AT(workers), .args = ARGS({ "count", &TYPE_NUMBER, .preset = "16" }),
	  .doc = "Reads under way." },
	{ .name = "queue", .offset = CORE_AT(queue), .args = ARGS({ "count", &TYPE_NUMBER, .preset = "1024" }),
	  .doc = "Reads that wait." },
	{},
};

static const struct directive T_HOT[] = {
	{ .name = "memory", .offset = CORE_AT(hot_b), .args = ARGS({ "size", &TYPE_SIZE, .preset = "256m" }),
	  .doc = "Memory for small files." },
	{ .name = "file", .offset = CORE_AT(hot_file_b), .args = ARGS({ "size", &TYPE_SIZE, .preset = "64k" }),
	  .doc = "The largest file." },
	{ .name = "recheck", .offset = CORE_AT(recheck_ms), .args = ARGS({ "time", &TYPE_DURATION, .preset = "1s" }),
	  .doc = "How often a file is looked at." },
	{},
};

static const struct directive T_SHED[] = {
	{ .name = "retry_after", .offset = CORE_AT(retry_after_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .preset = "2s" }), .doc = "When to come again." },
	{ .name = "image", .offset = CORE_AT(shed_image), .args = ARGS({ "file", &TYPE_PATH }), .doc = "Sent for images." },
	{},
};

static const struct directive T_TLS[] = {
	{ .name = "certificate", .offset = 0,
	  .args = ARGS({ "file", &TYPE_PATH, CORE_AT(certificate) }, { "key", &TYPE_PATH, CORE_AT(key), ARG_KEYWORD }),
	  .doc = "The certificate and its key." },
	{ .name = "protocols", .offset = CORE_AT(protocols),
	  .args = ARGS({ "version", &TYPE_WORD, .form = ARG_MANY, .preset = "1.2 1.3" }), .doc = "Versions of TLS." },
	{},
};

static const struct directive T_APP[] = {
	{ .name = "command", .required = true, .offset = APP_AT(command), .args = ARGS({ "command", &TYPE_WORD }),
	  .doc = "What is started." },
	{ .name = "protocol", .offset = APP_AT(protocol),
	  .args = ARGS({ "protocol", &TYPE_CHOICE, .range = { .words = T_PROTOCOLS }, .preset = "fastcgi" }),
	  .doc = "What it speaks." },
	{ .name = "processes", .offset = APP_AT(processes), .args = ARGS({ "range", &TYPE_WORD, .preset = "1..4" }),
	  .doc = "How many." },
	{ .name = "recycle",
	  .args = ARGS({ "requests", &TYPE_NUMBER, APP_AT(recycle_requests), ARG_KEYWORD },
	               { "age", &TYPE_DURATION, APP_AT(recycle_age_ms), ARG_KEYWORD },
	               { "memory", &TYPE_SIZE, APP_AT(recycle_memory_b), ARG_KEYWORD },
	               { "idle", &TYPE_DURATION, APP_AT(recycle_idle_ms), ARG_KEYWORD }),
	  .doc = "When a process is replaced." },
	{},
};

static const struct directive T_POOL[] = {
	{ .name = "server", .kind = DIR_LIST, .required = true, .offset = POOL_AT(servers),
	  .item_size = sizeof(struct t_server),
	  .args = ARGS({ "address", &TYPE_WORD, SERVER_AT(address) },
	               { "weight", &TYPE_NUMBER, SERVER_AT(weight), ARG_KEYWORD, { 1, 1000, NULL }, "1" },
	               { "connections", &TYPE_NUMBER, SERVER_AT(connections), ARG_KEYWORD },
	               { "backup", NULL, SERVER_AT(backup), ARG_SWITCH }),
	  .doc = "A server of the pool." },
	{ .name = "balance",
	  .args = ARGS({ "way", &TYPE_CHOICE, POOL_AT(balance), .range = { .words = T_BALANCE }, .preset = "round_robin" },
	               { "key", &TYPE_WORD, POOL_AT(key), ARG_OPTIONAL }),
	  .doc = "Which server is picked." },
	{ .name = "sticky",
	  .args = ARGS({ "kind", &TYPE_WORD, POOL_AT(sticky_kind) }, { "name", &TYPE_WORD, POOL_AT(sticky_name) }),
	  .doc = "Keeps a client with its server." },
	{ .name = "health",
	  .args = ARGS({ "method", &TYPE_WORD, POOL_AT(health_method) }, { "path", &TYPE_WORD, POOL_AT(health_path) },
	               { "every", &TYPE_DURATION, POOL_AT(every_ms), ARG_KEYWORD, {}, "5s" },
	               { "timeout", &TYPE_DURATION, POOL_AT(timeout_ms), ARG_KEYWORD, {}, "1s" },
	               { "rise", &TYPE_NUMBER, POOL_AT(rise), ARG_KEYWORD, {}, "2" },
	               { "fall", &TYPE_NUMBER, POOL_AT(fall), ARG_KEYWORD, {}, "3" },
	               { "expect", &TYPE_NUMBER, POOL_AT(expect), ARG_KEYWORD, { 100, 599, NULL }, "200" }),
	  .doc = "How servers are watched." },
	{ .name = "queue",
	  .args = ARGS({ "count", &TYPE_NUMBER, POOL_AT(queue) },
	               { "timeout", &TYPE_DURATION, POOL_AT(queue_timeout_ms), ARG_KEYWORD, {}, "5s" }),
	  .doc = "Requests that wait for a server." },
	{ .name = "retry",
	  .args = ARGS({ "times", &TYPE_NUMBER, POOL_AT(tries) }, { "on", &TYPE_WORD, POOL_AT(retry_on), ARG_ANY }),
	  .doc = "When another server is tried." },
	{ .name = "slow_start", .offset = POOL_AT(slow_start_ms), .args = ARGS({ "time", &TYPE_DURATION }),
	  .doc = "How a server is warmed." },
	{ .name = "keepalive", .offset = POOL_AT(keepalive), .args = ARGS({ "count", &TYPE_NUMBER, .preset = "32" }),
	  .doc = "Connections kept." },
	{},
};

static const struct directive T_CACHE[] = {
	{ .name = "memory", .offset = CACHE_AT(memory_b), .args = ARGS({ "size", &TYPE_SIZE, .preset = "128m" }),
	  .doc = "Memory of the cache." },
	{ .name = "disk",
	  .args = ARGS({ "folder", &TYPE_PATH, CACHE_AT(disk) }, { "size", &TYPE_SIZE, CACHE_AT(disk_b) }),
	  .doc = "A folder of the cache." },
	{ .name = "memcached", .offset = CACHE_AT(memcached), .args = ARGS({ "name", &TYPE_WORD }), .doc = "A second tier." },
	{ .name = "default_ttl", .offset = CACHE_AT(default_ttl), .args = ARGS({ "time", &TYPE_WORD, .preset = "off" }),
	  .doc = "For answers that do not say." },
	{ .name = "stale",
	  .args = ARGS({ "revalidate", &TYPE_DURATION, CACHE_AT(revalidate_ms), ARG_KEYWORD },
	               { "error", &TYPE_DURATION, CACHE_AT(error_ms), ARG_KEYWORD }),
	  .doc = "How long old answers may be used." },
	{},
};

static const struct directive T_MEMCACHED[] = {
	{ .name = "server", .kind = DIR_LIST, .offset = MEMCACHED_AT(servers), .item_size = sizeof(struct t_server),
	  .args = ARGS({ "address", &TYPE_WORD, SERVER_AT(address) },
	               { "weight", &TYPE_NUMBER, SERVER_AT(weight), ARG_KEYWORD, { 1, 1000, NULL }, "1" }),
	  .doc = "A memcached." },
	{ .name = "hash", .offset = MEMCACHED_AT(hash),
	  .args = ARGS({ "way", &TYPE_CHOICE, .range = { .words = T_HASHES }, .preset = "ketama" }), .doc = "Places keys." },
	{ .name = "timeout", .offset = MEMCACHED_AT(timeout_ms), .args = ARGS({ "time", &TYPE_DURATION, .preset = "20ms" }),
	  .doc = "For one request." },
	{},
};

static const struct directive T_CORE_ROWS[] = {
	{ .name = "user", .scopes = SCOPE_MAIN, .offset = CORE_AT(user), .args = ARGS({ "name", &TYPE_WORD }),
	  .doc = "The user that serves. Root otherwise.", .example = "user www-data;" },
	{ .name = "loops", .scopes = SCOPE_MAIN, .offset = CORE_AT(loops),
	  .args = ARGS({ "count", &TYPE_WORD, .preset = "auto" }), .doc = "Event loops, one thread each." },
	{ .name = "listen", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = CORE_AT(listens),
	  .item_size = sizeof(struct t_listen),
	  .args = ARGS({ "address", &TYPE_WORD, LISTEN_AT(address) }, { "tls", NULL, LISTEN_AT(tls), ARG_SWITCH },
	               { "backlog", &TYPE_NUMBER, LISTEN_AT(backlog), ARG_KEYWORD, { 1, 65535, NULL }, "4096" }),
	  .doc = "An address to serve on." },
	{ .name = "access_log", .scopes = SCOPE_ALL,
	  .args = ARGS({ "file", &TYPE_WORD, CORE_AT(log), .preset = "off" },
	               { "format", &TYPE_CHOICE, CORE_AT(log_format), ARG_OPTIONAL, { .words = T_LOG_FORMATS },
	                 "common" }),
	  .doc = "Where requests are written." },
	{ .name = "admin", .scopes = SCOPE_MAIN, .offset = CORE_AT(admin), .args = ARGS({ "socket", &TYPE_WORD }),
	  .doc = "The admin socket." },
	{ .name = "limits", .kind = DIR_GROUP, .scopes = SCOPE_MAIN | SCOPE_SITE, .inner = T_LIMITS, .doc = "Bounds." },
	{ .name = "disk", .kind = DIR_GROUP, .scopes = SCOPE_MAIN, .inner = T_DISK, .doc = "The disk engine." },
	{ .name = "hot", .kind = DIR_GROUP, .scopes = SCOPE_MAIN, .inner = T_HOT, .doc = "The hot set." },
	{ .name = "shed", .kind = DIR_GROUP, .scopes = SCOPE_ALL, .inner = T_SHED, .doc = "What refused requests get." },
	{ .name = "tls", .kind = DIR_GROUP, .scopes = SCOPE_MAIN | SCOPE_SITE, .inner = T_TLS, .doc = "TLS." },
	{ .name = "root", .scopes = SCOPE_ALL, .offset = CORE_AT(root), .args = ARGS({ "folder", &TYPE_PATH }),
	  .doc = "The folder that files are served from." },
	{ .name = "index", .scopes = SCOPE_ALL, .offset = CORE_AT(index),
	  .args = ARGS({ "file", &TYPE_WORD, .form = ARG_MANY, .preset = "index.html" }), .doc = "Served for a folder." },
	{ .name = "app", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = CORE_AT(apps), .item_size = sizeof(struct t_app),
	  .args = ARGS({ "name", &TYPE_WORD, APP_AT(name) }), .inner = T_APP, .doc = "Processes that petrel starts." },
	{ .name = "pool", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = CORE_AT(pools),
	  .item_size = sizeof(struct t_pool), .args = ARGS({ "name", &TYPE_WORD, POOL_AT(name) }), .inner = T_POOL,
	  .doc = "Servers that someone else runs." },
	{ .name = "cache", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = CORE_AT(caches),
	  .item_size = sizeof(struct t_cache), .args = ARGS({ "name", &TYPE_WORD, CACHE_AT(name) }), .inner = T_CACHE,
	  .doc = "Keeps answers." },
	{ .name = "memcached", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = CORE_AT(memcacheds),
	  .item_size = sizeof(struct t_memcached), .args = ARGS({ "name", &TYPE_WORD, MEMCACHED_AT(name) }),
	  .inner = T_MEMCACHED, .doc = "A tier that machines share." },
	{ .name = "include", .kind = DIR_INCLUDE, .scopes = SCOPE_ALL, .args = ARGS({ "pattern", &TYPE_PATH }),
	  .doc = "Reads other files in place of this line." },
	{ .name = "site", .kind = DIR_SITE, .scopes = SCOPE_MAIN, .args = ARGS({ "name", &TYPE_WORD, .form = ARG_MANY }),
	  .doc = "A site.", .example = "site example.org {\n    root /srv/www;\n    route * { files; }\n}" },
	{ .name = "route", .kind = DIR_ROUTE, .scopes = SCOPE_SITE,
	  .args = ARGS({ "pattern", &TYPE_WORD, .form = ARG_MANY }), .doc = "What answers a path." },
	{},
};

static enum go t_go(struct req *r, const void *values)
{
	(void)r;
	(void)values;
	return GO_NEXT;
}

static void t_done(struct req *r, const void *values)
{
	(void)r;
	(void)values;
}

/* A check that needs no file, so that messages of checks can be tested anywhere. */
static void t_core_check(struct checker *c, void *values)
{
	struct t_core *v = values;
	if (check_files(c) && check_was_set(c, &v->root) && str_starts(v->root, STR("/missing"))) {
		check_warn(c, &v->root, "the folder %.*s does not exist", STR_F(v->root));
		check_hint(c, "files below it are answered 404");
	}
	const struct t_listen *listens = v->listens.p;
	for (size_t i = 0; i < v->listens.count; i++)
		for (size_t j = 0; j < i; j++)
			if (str_eq(listens[i].address, listens[j].address))
				check_error(c, &listens[i].address, "petrel already listens on %.*s", STR_F(listens[i].address));
}

static const struct module T_CORE = { .name = "core", .doc = "What the server is.", .size = sizeof(struct t_core),
	                              .directives = T_CORE_ROWS, .on_done = t_done, .check = t_core_check };

static const struct module T_GATES = {
	.name = "gates", .doc = "What stands before a handler.", .size = sizeof(struct t_gates),
	.directives = (const struct directive[]){
		{ .name = "compress", .scopes = SCOPE_ALL, .offset = GATES_AT(compress),
		  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }), .doc = "Compresses answers." },
		{ .name = "expires", .scopes = SCOPE_ALL, .offset = GATES_AT(expires),
		  .args = ARGS({ "time", &TYPE_WORD, .preset = "off" }), .doc = "How long clients keep it." },
		{ .name = "cache", .scopes = SCOPE_ROUTE, .offset = GATES_AT(cache),
		  .args = ARGS({ "name", &TYPE_WORD }), .doc = "Looks into a cache first." },
		{ .name = "throttle", .scopes = SCOPE_SITE | SCOPE_ROUTE, .offset = GATES_AT(throttle),
		  .args = ARGS({ "rate", &TYPE_WORD, .preset = "off" }), .doc = "Bytes a second." },
		{ .name = "allow", .kind = DIR_LIST, .scopes = SCOPE_ALL, .offset = GATES_AT(allow),
		  .item_size = sizeof(struct str), .args = ARGS({ "network", &TYPE_WORD }), .doc = "Who may ask." },
		{} },
	.gate = t_go, .on_head = t_go
};

static bool t_files_active(const void *values)
{
	return ((const struct t_files *)values)->listing;
}

static const struct module T_FILES = {
	.name = "files", .doc = "Files of a folder.", .size = sizeof(struct t_files),
	.directives = (const struct directive[]){
		{ .name = "files", .kind = DIR_HANDLER, .scopes = SCOPE_ALL, .doc = "Serves files.",
		  .inner = (const struct directive[]){
			{ .name = "listing", .offset = offsetof(struct t_files, listing),
			  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }), .doc = "Lists folders." },
			{ .name = "try", .offset = offsetof(struct t_files, try),
			  .args = ARGS({ "path", &TYPE_WORD, .form = ARG_MANY, .preset = "$path $path/" }),
			  .doc = "What is tried." },
			{} } },
		{} },
	.active = t_files_active, .handle = t_go, .on_head = t_go
};

#define T_HANDLER(symbol, what, arguments) \
	static const struct module symbol = { \
		.name = what, .doc = "Answers.", .size = sizeof(struct t_text), \
		.directives = (const struct directive[]){ { .name = what, .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, \
			.args = arguments, .doc = "Answers." }, {} }, \
		.handle = t_go }

T_HANDLER(T_REDIRECT, "redirect", ARGS({ "status", &TYPE_NUMBER, 0, ARG_ONE, { 300, 399, NULL } },
                                       { "target", &TYPE_WORD, offsetof(struct t_text, text) }));
T_HANDLER(T_RESPOND, "respond", ARGS({ "status", &TYPE_NUMBER, 0, ARG_ONE, { 100, 599, NULL } },
                                     { "text", &TYPE_WORD, offsetof(struct t_text, text), ARG_OPTIONAL }));
T_HANDLER(T_FASTCGI, "fastcgi", ARGS({ "target", &TYPE_WORD, offsetof(struct t_text, text) }));
T_HANDLER(T_PROXY, "proxy", ARGS({ "target", &TYPE_WORD, offsetof(struct t_text, text) }));

static const struct module T_CGI = {
	.name = "cgi", .doc = "Answers.",
	.directives = (const struct directive[]){
		{ .name = "cgi", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .doc = "Runs programs." }, {} },
	.handle = t_go
};

static const struct module T_STATUS = {
	.name = "status", .doc = "Answers.",
	.directives = (const struct directive[]){
		{ .name = "status", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .doc = "How the server is." }, {} },
	.handle = t_go
};

static const struct module *const T_MODULES[] = { &T_CORE, &T_GATES, &T_FILES, &T_REDIRECT, &T_RESPOND, &T_FASTCGI,
	                                          &T_PROXY, &T_CGI, &T_STATUS };

enum { T_CORE_AT, T_GATES_AT, T_FILES_AT, T_REDIRECT_AT, T_RESPOND_AT,
       T_COUNT = sizeof T_MODULES / sizeof *T_MODULES };

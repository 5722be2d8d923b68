/* struct backend: a pool or an app as the configuration describes it, and the rules of calling it: timeouts, queue,
 * retries, buffers.  Values of the module BACKENDS (http/backend.c); immutable while the snapshot lives. */
#pragma once

#include "base/directive.h"
#include "base/list.h"
#include "http/conf.h"
#include "http/vars.h"
#include "share/pool.h"

extern const struct module BACKENDS;

enum protocol { PROTOCOL_FASTCGI, PROTOCOL_SCGI, PROTOCOL_UWSGI, PROTOCOL_HTTP, PROTOCOL_RAW, PROTOCOL_CGI };

/* A `server` line. */
struct server_conf {
	struct str text;             /* "10.0.0.1:9000", "unix:/run/api.sock", "api.internal:80" */
	uint64_t weight, connections;
	bool backup;
	bool srv;                    /* the name is of SRV records */
};

enum { RETRY_CONNECT = 1, RETRY_TIMEOUT = 2, RETRY_BROKEN = 4, RETRY_500 = 8, RETRY_502 = 16, RETRY_503 = 32,
       RETRY_504 = 64, RETRY_429 = 128 };

struct health_conf {
	bool on, tcp;
	struct str method, path, body;   /* body: bytes that the answer's body has to contain; empty: any */
	struct str host;                 /* of the Host field; empty: the server's name */
	uint64_t status;                 /* expected; 0: any of 200 … 399 */
	uint64_t every_ms, timeout_ms, rise, fall;
};

/* An `env` line. */
struct env_line {
	struct str name, value;
};

/* An `app` block has these, too. */
struct app_conf {
	struct str command;              /* run by /bin/sh */
	uint64_t processes_min, processes_max;
	uint64_t recycle_requests, recycle_age_ms, recycle_memory_b, recycle_descriptors, recycle_idle_ms;   /* 0: never */
	struct str user, group, folder;
	uint64_t connections;            /* requests under way on one process at a time; at least 1 after the check */
	struct items env_lines;          /* struct env_line: as configured */
	struct items env;                /* struct str, "NAME=value", NUL behind it */
	uint64_t start_timeout_ms, drain_timeout_ms, stop_timeout_ms;
	uint64_t max_memory_b, max_cpu_s, max_descriptors, max_processes;   /* rlimits; 0: as inherited */
	uint64_t cgroup_memory_b, cgroup_cpu_percent, cgroup_tasks;         /* 0: none */
};

struct backend {
	struct str name;                 /* of the pool or app; an address that a route named: that address */
	bool is_app;
	int protocol;                    /* enum protocol: an app's; of others what the handlers speak that name them */
	bool spoken;                     /* protocol is known: an app's, and of others once a handler named them */
	struct app_conf app;
	struct items servers;            /* struct server_conf */
	int balance;                     /* enum balance */
	struct tmpl hash_key;
	int sticky_kind;                 /* 0: cookie */
	struct str sticky;               /* the cookie's name; empty: not sticky */
	struct health_conf health;
	uint64_t queue, queue_timeout_ms;
	struct tmpl queue_class;         /* a template that makes 0, 1 or 2; empty: 1 */
	uint64_t retry_most;             /* attempts after the first */
	struct items retry_words;        /* int: index in the words of `retry`, as configured */
	unsigned retry_on;               /* RETRY_…, of those words */
	uint64_t retry_percent;
	uint64_t slow_start_ms;
	uint64_t keepalive;              /* idle connections to a server, on each loop; KEEP_AUTO until it is spoken */
	uint64_t keepalive_ms;
	uint64_t eject_after, eject_ms;  /* passive health */
	uint64_t latency_factor;         /* ejected when this many times slower than the others; 0: never */
	uint64_t connect_ms, send_ms, answer_ms, read_ms, tunnel_ms;   /* timeouts */
	uint64_t buffer_b;               /* of an answer, taken in while the client is slow */
	uint64_t header_b;               /* an answer's head at most */
	int streams;                     /* 0: a request's body is taken in as a whole first */
	uint64_t collect_memory_b;       /* in memory up to this size, else in a file */
	bool half_close;                 /* a client that sends no more still wants its answer */
	int send_proxy;                  /* PROXY protocol to the servers: 0 none, 1, 2 */

	struct place place;              /* of a pool or app; line 0: an address that a route named */
	struct pool *pool;               /* share's, while the snapshot is open */
	unsigned meter;                  /* its number, too */
	struct link link;                /* of backends that routes named by address */
	struct backend *next;            /* of those with the same hash of the name */
};

#define KEEP_AUTO UINT64_MAX
/* Where an app's shell looks for programs, unless its env says otherwise. */
#define APP_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
enum { BACKEND_BUCKETS = 256, BACKEND_NAME_B = 63 };

/* The module's values: of main alone. */
struct backends {
	struct backend direct;           /* the rules of backends that a route names by their address; the first member, so
	                                  * that its rows are those of an item */
	struct items pools, apps;        /* struct backend */
	struct link addresses;           /* struct backend: what routes named by address, in that order */
	struct backend *by_name[BACKEND_BUCKETS];
	bool indexed;
};

/* All of a snapshot's. */
const struct backends *conf_backends(const struct conf *c);
/* Each pool, then each app, then each address, in the order of the configuration. */
void backends_each(const struct conf *c, void (*see)(void *arg, struct backend *b), void *arg);
/* For checks, once main's values are read: whether there is a pool or an app of this name. */
bool backends_know(const struct conf *c, struct str name);
/* By the name of its pool; NULL. */
struct backend *backend_find(const struct conf *c, struct str name);

/* "http", "fastcgi" …; empty where nobody named it yet.  "round_robin" … */
struct str backend_protocol(const struct backend *b);
struct str backend_balance(const struct backend *b);

/* What `proxy`, `fastcgi` … name: TYPE_TARGET's value.  Resolved by target_check() in the handler's check hook. */
struct target {
	struct str text;                 /* a name, or an address without http:// */
	bool http;                       /* http:// stood before it */
	const struct backend *backend;
};

/* "php", "127.0.0.1:9000", "unix:/run/php.sock", "http://127.0.0.1:3000". */
extern const struct type TYPE_TARGET;

/* A server's address: as TYPE_ADDRESS has it, or a name and a port, which is not looked up. */
extern const struct type TYPE_SERVER;      /* struct str */

/* In a handler's check: finds the pool or app of that name, or makes a backend of the address.  Says what is wrong, with
 * "did you mean".  protocol: what the handler speaks; an app that speaks something else is an error. */
void target_check(struct checker *c, struct target *t, enum protocol protocol);
/* In a handler's check: a backend of petrel's own, whose servers are somebody else's business, with the rules of `direct`
 * but for retries; the same one for each who asks by this name. */
const struct backend *backend_own(struct checker *c, struct str name, enum protocol protocol);

/* Pools and apps as they are configured, and what routes name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../config/golden.h"
#include "config/dump.h"
#include "http/backend.h"
#include "http/check.h"
#include "http/core.h"

/* Handlers that name targets and answer nothing. */
struct t_route {
	struct target target;
};

static void t_proxy_check(struct checker *c, void *values)
{
	target_check(c, &((struct t_route *)values)->target, PROTOCOL_HTTP);
}

static void t_fastcgi_check(struct checker *c, void *values)
{
	target_check(c, &((struct t_route *)values)->target, PROTOCOL_FASTCGI);
}

#define T_HANDLER(what)                                                                                                 \
	((const struct directive[]){ { .name = what, .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE,                        \
	                               .args = ARGS({ "target", &TYPE_TARGET, offsetof(struct t_route, target) }),      \
	                               .doc = "Names a target." },                                                      \
	                             {} })

static const struct module T_PROXY = { .name = "proxy", .doc = ".", .size = sizeof(struct t_route),
	                               .directives = T_HANDLER("proxy"), .check = t_proxy_check };
static const struct module T_FASTCGI = { .name = "fastcgi", .doc = ".", .size = sizeof(struct t_route),
	                                 .directives = T_HANDLER("fastcgi"), .check = t_fastcgi_check };
static const struct module *const MODULES_HERE[] = { &CORE, &BACKENDS, &T_PROXY, &T_FASTCGI };

static struct conf *built(const char *text)
{
	struct sources s = {};
	struct messages m = {};
	struct buf out = {};
	struct conf *c = NULL;
	sources_from_text(&s, STR("t"), STR("/"), str_of(text));
	int err = conf_build(&s, MODULES_HERE, countof(MODULES_HERE), false, &m, &c);
	messages_print(&m, false, &out);
	if (err)
		fail_msg("%s\n%.*s", text, STR_F(buf_str(&out)));
	buf_fini(&out);
	messages_fini(&m);
	sources_fini(&s);
	return c;
}

static void same(struct str got, const char *expected)
{
	if (!str_eq(got, str_of(expected)))
		fail_msg("\"%.*s\", not \"%s\"", STR_F(got), expected);
}

static void messages(void **state)
{
	(void)state;
	golden_all("tests/golden/backend/*.conf", MODULES_HERE, countof(MODULES_HERE));
}

static void a_pool(void **state)
{
	(void)state;
	struct conf *c = built("pool api { server 10.0.0.1:9000 weight 2 connections 100; server _a._tcp.b srv backup;\n"
	                       "balance hash $path; health GET /healthz every 2s timeout 1s rise 1 fall 4 expect 204 body ok;\n"
	                       "queue 10 timeout 20ms; queue_class $field_x; retry 3 on timeout 429; retry_budget 7%;\n"
	                       "slow_start 10s; keepalive 9 idle 8s; eject 6 for 5s slower 4; buffer 64k; header 8k;\n"
	                       "timeout connect 1s answer 2s; send_proxy v2; }");
	struct backend *b = backend_find(c, STR("api"));
	const struct server_conf *servers = b->servers.p;
	assert_int_equal(b->servers.count, 2);
	same(servers[0].text, "10.0.0.1:9000");
	assert_true(servers[0].weight == 2 && servers[0].connections == 100 && !servers[0].backup && !servers[0].srv);
	assert_true(servers[1].weight == 1 && !servers[1].connections && servers[1].backup && servers[1].srv);
	assert_int_equal(b->balance, BALANCE_HASH);
	same(b->hash_key.text, "$path");
	assert_true(b->health.on && !b->health.tcp && b->health.status == 204 && b->health.every_ms == 2000);
	assert_true(b->health.timeout_ms == 1000 && b->health.rise == 1 && b->health.fall == 4);
	same(b->health.method, "GET");
	same(b->health.path, "/healthz");
	same(b->health.body, "ok");
	assert_true(b->queue == 10 && b->queue_timeout_ms == 20);
	same(b->queue_class.text, "$field_x");
	assert_true(b->retry_most == 3 && b->retry_on == (RETRY_TIMEOUT | RETRY_429) && b->retry_percent == 7);
	assert_true(b->slow_start_ms == 10000 && b->keepalive == 9 && b->keepalive_ms == 8000);
	assert_true(b->eject_after == 6 && b->eject_ms == 5000 && b->latency_factor == 4);
	assert_true(b->connect_ms == 1000 && b->answer_ms == 2000 && b->read_ms == 60000 && b->tunnel_ms == 3600000);
	assert_true(b->buffer_b == 65536 && b->header_b == 8192 && b->send_proxy == 2);
	conf_free(c);
}

static void an_app(void **state)
{
	(void)state;
	struct conf *c = built("app web { command \"node app.js\"; protocol http; processes 0..3; recycle age 1h idle 1s;\n"
	                       "env A \"b c\"; env D \"\"; limits_process { cpu 2m; memory 64m; }\n"
	                       "cgroup { cpu 150; tasks 9; } }\n"
	                       "app php { command php-cgi; }\n"
	                       "site * { route * { proxy web; } }");
	struct backend *web = backend_find(c, STR("web")), *php = backend_find(c, STR("php"));
	const struct app_conf *a = &web->app;
	const struct str *env = a->env.p;
	same(a->command, "node app.js");
	assert_true(web->is_app && web->protocol == PROTOCOL_HTTP && web->balance == BALANCE_LEAST_CONNECTIONS);
	assert_true(a->processes_min == 0 && a->processes_max == 3 && a->connections == 128);
	assert_true(a->recycle_age_ms == 3600000 && a->recycle_idle_ms == 1000 && !a->recycle_requests);
	assert_int_equal(a->env.count, 2);
	assert_string_equal(env[0].p, "A=b c");
	assert_string_equal(env[1].p, "D=");
	assert_true(a->max_cpu_s == 120 && a->max_memory_b == 64 << 20 && !a->max_processes);
	assert_true(a->cgroup_cpu_percent == 150 && a->cgroup_tasks == 9 && !a->cgroup_memory_b);
	assert_true(web->queue == 1000 && web->queue_timeout_ms == 30000 && web->keepalive == 64);
	assert_true(php->app.processes_min == 1 && php->app.processes_max == 4 && php->app.connections == 1);
	assert_true(php->retry_most == 2 && php->retry_on == (RETRY_CONNECT | RETRY_BROKEN));
	assert_true(php->protocol == PROTOCOL_FASTCGI && !php->health.on && !php->eject_after);
	conf_free(c);
}

static void targets(void **state)
{
	(void)state;
	static const struct {
		const char *route, *name;
		enum protocol protocol;
		uint64_t keepalive;
	} ROWS[] = {
		{ "proxy late", "late", PROTOCOL_HTTP, 64 },
		{ "fastcgi bound", "bound", PROTOCOL_FASTCGI, 64 },
		{ "fastcgi unbound", "unbound", PROTOCOL_FASTCGI, 0 },
		{ "fastcgi php", "php", PROTOCOL_FASTCGI, 64 },
		{ "fastcgi unix:/run/php.sock", "unix:/run/php.sock", PROTOCOL_FASTCGI, 0 },
		{ "fastcgi 127.0.0.1:9000", "127.0.0.1:9000", PROTOCOL_FASTCGI, 0 },
		{ "proxy http://127.0.0.1:3000", "127.0.0.1:3000", PROTOCOL_HTTP, 64 },
		{ "proxy http://127.0.0.1:3000/", "127.0.0.1:3000", PROTOCOL_HTTP, 64 },
		{ "proxy 127.0.0.1:3000", "127.0.0.1:3000", PROTOCOL_HTTP, 64 },
		{ "proxy HTTP://app.internal", "app.internal:80", PROTOCOL_HTTP, 64 },
		{ "proxy http://[::1]", "[::1]:80", PROTOCOL_HTTP, 64 },
		{ "proxy [0:0::1]:80", "[::1]:80", PROTOCOL_HTTP, 64 },
		{ "proxy http://unix:/run/app.sock", "unix:/run/app.sock", PROTOCOL_HTTP, 64 },
		{ "proxy unix:@abstract", "unix:@abstract", PROTOCOL_HTTP, 64 },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf text = {};
		buf_addf(&text, "direct { timeout connect 7s; retry 1 on 503; }\nsite * { route * { %s; } }\n"
		         "app php { command php-cgi; timeout connect 7s; retry 1 on 503; }\n"
		         "pool late { server a:1; timeout connect 7s; retry 1 on 503; }\n"
		         "pool unbound { server a:1; timeout connect 7s; retry 1 on 503; }\n"
		         "pool bound { server a:1 connections 5; timeout connect 7s; retry 1 on 503; }\n%c", ROWS[i].route, '\0');
		struct conf *c = built(text.p);
		const struct t_route *r = c->sites[0].routes[0].handler.values;
		const struct backend *b = r->target.backend;
		same(b->name, ROWS[i].name);
		assert_int_equal(b->protocol, ROWS[i].protocol);
		assert_int_equal(b->keepalive, ROWS[i].keepalive);
		assert_int_equal(b->connect_ms, 7000);
		assert_int_equal(b->retry_on, RETRY_503);
		assert_ptr_equal(backend_find(c, b->name), b);
		conf_free(c);
		buf_fini(&text);
	}
}

static void count_one(void *arg, struct backend *b)
{
	struct buf *names = arg;
	buf_addf(names, "%.*s ", STR_F(b->name));
}

/* However often an address is named, and however it is written, it is one backend; and each is seen once. */
static void one_for_each_address(void **state)
{
	(void)state;
	struct buf names = {};
	struct conf *c = built("app php { command x; }\npool api { server a:1; }\n"
	                       "site * { route /1 { proxy http://127.0.0.1:80; } route /2 { proxy http://127.0.0.1; }\n"
	                       "route /3 { proxy b:2; } route /4 { proxy api; } route /5 { fastcgi php; }\n"
	                       "route /6 { proxy 127.0.0.1:80; } }");
	backends_each(c, count_one, &names);
	same(buf_str(&names), "api php 127.0.0.1:80 b:2 ");
	assert_null(backend_find(c, STR("other")));
	buf_fini(&names);
	conf_free(c);
	c = built("");
	backends_each(c, count_one, &names);
	assert_int_equal(names.n, 0);
	conf_free(c);
}

/* What `petrel config` prints is read back as the same. */
static void reads_back(void **state)
{
	(void)state;
	struct buf text = golden_contents("tests/golden/backend/fine.conf"), first = {}, second = {};
	buf_add_char(&text, '\0');
	struct conf *c = built(text.p);
	conf_dump(c, &first);
	conf_free(c);
	buf_add_char(&first, '\0');
	c = built(first.p);
	conf_dump(c, &second);
	conf_free(c);
	buf_add_char(&second, '\0');
	assert_string_equal(first.p, second.p);
	buf_fini(&text);
	buf_fini(&first);
	buf_fini(&second);
}

/* Routes find their pools in a table: many of both take no time. */
static void many(void **state)
{
	(void)state;
	struct buf text = {};
	for (int i = 0; i < 5000; i++)
		buf_addf(&text, "pool p%d { server 10.0.0.1:80; }\n"
		         "site s%d { route /a { proxy p%d; } route /b { proxy h%d:80; } }\n", i, i, i, i);
	buf_add_char(&text, '\0');
	struct conf *c = built(text.p);
	const struct t_route *r = c->sites[4321].routes[0].handler.values;
	same(r->target.backend->name, "p4321");
	conf_free(c);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(messages), cmocka_unit_test(a_pool), cmocka_unit_test(an_app), cmocka_unit_test(targets),
		cmocka_unit_test(one_for_each_address), cmocka_unit_test(reads_back), cmocka_unit_test(many),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}

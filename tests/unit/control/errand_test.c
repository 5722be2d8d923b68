/* What the admin socket answers, without a socket: paths, bodies, sentences, and the list of changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "config/build.h"
#include "control/errand.h"
#include "http/core.h"

static struct home home;
static struct epoch *epoch;
static struct pools *pools;
static struct conf *conf;
static char done[256];      /* what the worker was asked to do last */
static int refusal;         /* what it says to it */

/* --- The worker's part. --- */

static int answer(struct buf *why)
{
	if (refusal)
		buf_add(why, STR("the pool says no"));
	return refusal;
}

static int t_add(struct control *c, struct str pool, const struct server_conf *s, struct buf *why)
{
	(void)c;
	snprintf(done, sizeof done, "add %.*s %.*s %llu %llu%s", STR_F(pool), STR_F(s->text), (unsigned long long)s->weight,
	         (unsigned long long)s->connections, s->backup ? " backup" : "");
	return answer(why);
}

static int t_remove(struct control *c, struct str pool, struct str server, struct buf *why)
{
	(void)c;
	snprintf(done, sizeof done, "remove %.*s %.*s", STR_F(pool), STR_F(server));
	return answer(why);
}

static int t_state(struct control *c, struct str pool, struct str server, unsigned set, unsigned clear, struct buf *why)
{
	(void)c;
	snprintf(done, sizeof done, "state %.*s %.*s +%u -%u", STR_F(pool), STR_F(server), set, clear);
	return answer(why);
}

static int t_weight(struct control *c, struct str pool, struct str server, unsigned weight, struct buf *why)
{
	(void)c;
	snprintf(done, sizeof done, "weight %.*s %.*s %u", STR_F(pool), STR_F(server), weight);
	return answer(why);
}

static void t_apps(struct control *c, struct buf *out)
{
	(void)c;
	buf_add(out, STR("[\n{\"name\":\"php\",\"min\":1},\n{\"name\":\"web\",\"min\":2}]\n"));
}

static bool t_restart(struct control *c, struct str name)
{
	(void)c;
	if (!str_eq(name, STR("php")))
		return false;
	snprintf(done, sizeof done, "restart %.*s", STR_F(name));
	return true;
}

static void t_reopen(struct control *c)
{
	(void)c;
	snprintf(done, sizeof done, "reopen");
}

static void t_reload(struct control *c, struct admin_call *call)
{
	(void)c;
	admin_answer(call, 200, STR("{\"ok\":true}\n"));
}

static const struct control_ops OPS = {
	.status = t_reload, .reload = t_reload, .reopen = t_reopen, .server_add = t_add, .server_remove = t_remove,
	.server_state = t_state, .server_weight = t_weight, .apps_print = t_apps, .app_restart = t_restart,
};

static struct control control = { .ops = &OPS };

/* --- Asking. --- */

struct asked {
	unsigned status;
	char json[8192];
};

static void ask(const char *method, const char *path, const char *body, struct asked *out)
{
	struct buf methods = {};
	struct admin_call call = { .control = &control, .home = &home, .caller = { 7, 1000 } };
	call.errand = errand_find(method_of(str_of(method)), str_of(path), call.stars, &methods);
	*out = (struct asked){};
	done[0] = '\0';
	if (call.errand) {
		buf_add(&call.body, str_of(body));
		call.errand->run(&control, &call);
		out->status = call.status;
		snprintf(out->json, sizeof out->json, "%.*s", STR_F(buf_str(&call.json)));
		json_t *json = json_loads(out->json, 0, NULL);
		assert_non_null(json);
		json_decref(json);
	} else {
		out->status = methods.n ? 405 : 404;
		snprintf(out->json, sizeof out->json, "%.*s", STR_F(buf_str(&methods)));
	}
	/* It would be on its way to its loop now. */
	atomic_store(&home.loop.mailbox.top, NULL);
	buf_fini(&call.body);
	buf_fini(&call.json);
	buf_fini(&methods);
}

static const char CONF[] =
	"pool api { server 10.0.0.1:9000 weight 2 connections 5; server unix:/run/api.sock backup; balance random_two;\n"
	"           queue 7; }\n"
	"app php { command php-cgi; }\n";

static int setup(void **state)
{
	static const struct module *const MODULES[] = { &CORE, &BACKENDS };
	struct sources s = {};
	struct messages m = {};
	(void)state;
	sources_from_text(&s, STR("t"), STR("/"), str_of(CONF));
	assert_int_equal(conf_build(&s, MODULES, countof(MODULES), false, &m, &conf), 0);
	sources_fini(&s);
	messages_fini(&m);
	epoch = epoch_new();
	pools = pools_new(epoch, 1);
	BACKENDS.open(conf->values[1], &(struct commons){ .pools = pools });
	struct peer_spec specs[2] = { { .name = STR("10.0.0.1:9000"), .weight = 2, .connections = 5 },
		                      { .name = STR("unix:/run/api.sock"), .weight = 1, .backup = true } };
	struct addr a;
	assert_int_equal(TYPE_ADDRESS.parse(&(struct type_in){}, specs[0].name, &(struct type_range){}, &a), 0);
	specs[0].addr = a.storage;
	specs[0].addr_b = a.length;
	pool_set_peers(backend_find(conf, STR("api"))->pool, specs, 2);
	control.conf = conf;
	return mailbox_init(&home.loop.mailbox);
}

static int teardown(void **state)
{
	(void)state;
	mailbox_fini(&home.loop.mailbox);
	BACKENDS.close(conf->values[1], &(struct commons){ .pools = pools });
	pools_free(pools);
	epoch_free(epoch);
	conf_free(conf);
	changes_fini(&control.changes);
	return 0;
}

/* --- Tests. --- */

static void answers(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path, *body;
		unsigned status;
		const char *says, *done;
	} ROWS[] = {
		{ "GET", "/nothing", "", 404, "", "" },
		{ "POST", "/pools", "", 405, "GET", "" },
		{ "GET", "/pools/", "", 404, "", "" },
		{ "GET", "/apps/php/restart", "", 404, "there is no app \\\"php/restart\\\"; there are: php", "" },
		{ "PUT", "/pools/api/servers/x:1", "", 405, "PATCH, DELETE, GET", "" },
		{ "POST", "/log/reopen", "", 200, "\"did\":\"the logs are opened anew\"", "reopen" },
		{ "GET", "/pools/apj", "", 404, "there is no pool \\\"apj\\\"; there are: api, php", "" },
		{ "GET", "/pools/api", "", 200, "\"name\":\"api\"", "" },
		{ "GET", "/apps", "", 200, "{\"apps\":[\n{\"name\":\"php\",\"min\":1},", "" },
		{ "GET", "/apps/php", "", 200, "{\"name\":\"php\",\"min\":1}\n", "" },
		{ "POST", "/apps/php/restart", "", 200, "app php: restarts", "restart php" },
		{ "POST", "/apps/api/restart", "", 404, "there is no app \\\"api\\\"; there are: php", "" },

		{ "POST", "/pools/api/servers", "{\"server\":\"10.0.0.3:9000\"}", 200,
		  "pool api: 10.0.0.3:9000 was added with weight 1", "add api 10.0.0.3:9000 1 0" },
		{ "POST", "/pools/api/servers", "{\"server\":\"h:1\",\"weight\":3,\"connections\":4,\"backup\":true}", 200,
		  "h:1 was added with weight 3 and at most 4 connections, as a backup", "add api h:1 3 4 backup" },
		{ "POST", "/pools/api/servers", "", 400, "the body has to be a JSON object such as", "" },
		{ "POST", "/pools/api/servers", "[]", 400, "the body has to be a JSON object such as", "" },
		{ "POST", "/pools/api/servers", "{\"server\":\"a:1\",\"wait\":3}", 400,
		  "the body can't have a \\\"wait\\\"", "" },
		{ "POST", "/pools/api/servers", "{}", 422, "\\\"server\\\" has to be an address", "" },
		{ "POST", "/pools/api/servers", "{\"server\":5}", 422, "\\\"server\\\" has to be an address", "" },
		{ "POST", "/pools/api/servers", "{\"server\":\"api\"}", 422, "is no server: the port is missing", "" },
		{ "POST", "/pools/api/servers", "{\"server\":\"http://a\"}", 422, "without a scheme", "" },
		{ "POST", "/pools/api/servers", "{\"server\":\"a:1\",\"weight\":0}", 422, "a whole number from 1 to 256", "" },
		{ "POST", "/pools/api/servers", "{\"server\":\"a:1\",\"weight\":-1}", 422, "a whole number from 1 to 256", "" },
		{ "POST", "/pools/api/servers", "{\"server\":\"a:1\",\"weight\":\"2\"}", 422, "a whole number", "" },
		{ "POST", "/pools/api/servers", "{\"server\":\"a:1\",\"backup\":1}", 422, "has to be true or false", "" },
		{ "POST", "/pools/x/servers", "{\"server\":\"a:1\"}", 404, "there is no pool \\\"x\\\"", "" },
		{ "POST", "/pools/php/servers", "{\"server\":\"a:1\"}", 409, "php is an app", "" },

		{ "DELETE", "/pools/api/servers/10.0.0.1:9000", "", 200, "10.0.0.1:9000 was removed", "remove api 10.0.0.1:9000" },
		{ "DELETE", "/pools/api/servers/unix:/run/api.sock", "", 200, "was removed", "remove api unix:/run/api.sock" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"state\":\"drain\"}", 200, "a:1 drains", "state api a:1 +1 -2" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"state\":\"down\"}", 200, "a:1 is down", "state api a:1 +2 -1" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"state\":\"ready\"}", 200, "a:1 is ready", "state api a:1 +0 -11" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"state\":\"up\"}", 422,
		  "\\\"ready\\\", \\\"drain\\\" or \\\"down\\\"", "" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"state\":1}", 422, "\\\"ready\\\", \\\"drain\\\" or \\\"down\\\"", "" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"weight\":9}", 200, "a:1 has weight 9", "weight api a:1 9" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"weight\":257}", 422, "from 1 to 256", "" },
		{ "PATCH", "/pools/api/servers/a:1", "{\"weight\":9,\"state\":\"down\"}", 400, "one change at a time", "" },
		{ "PATCH", "/pools/api/servers/a:1", "{}", 400, "one change at a time", "" },
	};
	struct asked got;
	for (size_t i = 0; i < countof(ROWS); i++) {
		ask(ROWS[i].method, ROWS[i].path, ROWS[i].body, &got);
		if (got.status != ROWS[i].status || !strstr(got.json, ROWS[i].says) || strcmp(done, ROWS[i].done) != 0)
			fail_msg("row %zu, %s %s %s: %u %s (%s)", i, ROWS[i].method, ROWS[i].path, ROWS[i].body, got.status,
			         got.json, done);
	}
}

static void refusals(void **state)
{
	(void)state;
	static const struct {
		int err;
		unsigned status;
	} ROWS[] = { { -ENOENT, 404 }, { -EEXIST, 409 }, { -EINVAL, 422 } };
	struct asked got;
	uint64_t before = control.changes.count;
	for (size_t i = 0; i < countof(ROWS); i++) {
		refusal = ROWS[i].err;
		ask("DELETE", "/pools/api/servers/a:1", "", &got);
		assert_int_equal(got.status, ROWS[i].status);
		assert_string_equal(got.json, "{\"ok\":false,\"error\":\"the pool says no\"}\n");
	}
	refusal = 0;
	assert_int_equal(control.changes.count, before);
}

static void pools_as_json(void **state)
{
	(void)state;
	struct asked got;
	ask("GET", "/pools", "", &got);
	assert_string_equal(got.json,
		"{\"pools\":[\n"
		"{\"name\":\"api\",\"kind\":\"pool\",\"protocol\":\"\",\"balance\":\"random_two\",\n"
		" \"requests\":0,\"retries\":0,\"no_server\":0,\"queue\":{\"length\":7,\"waiting\":0,\"waited\":0,\"full\":0,"
		"\"late\":0},\n"
		" \"servers\":[\n"
		"  {\"server\":\"10.0.0.1:9000\",\"address\":\"10.0.0.1:9000\",\"states\":[\"ready\"],\"backup\":false,"
		"\"weight\":2,"
		"\"connections\":5,\"busy\":0,\"open\":0,\"requests\":0,\"failed\":0,\"failures\":0,\"retried\":0,\"connects\":0,"
		"\"latency_ms\":0.000},\n"
		"  {\"server\":\"unix:/run/api.sock\",\"address\":\"\",\"states\":[\"unresolved\"],\"backup\":true,\"weight\":1,"
		"\"connections\":0,\"busy\":0,\"open\":0,\"requests\":0,\"failed\":0,\"failures\":0,\"retried\":0,\"connects\":0,"
		"\"latency_ms\":0.000}]},\n"
		"{\"name\":\"php\",\"kind\":\"app\",\"protocol\":\"fastcgi\",\"balance\":\"least_connections\",\n"
		" \"requests\":0,\"retries\":0,\"no_server\":0,\"queue\":{\"length\":1000,\"waiting\":0,\"waited\":0,\"full\":0,"
		"\"late\":0},\n"
		" \"servers\":[]}]}\n");
}

/* The newest are kept, each with its time and who asked. */
static void changes_are_kept(void **state)
{
	(void)state;
	struct asked got;
	struct buf out = {};
	changes_fini(&control.changes);
	ask("GET", "/changes", "", &got);
	assert_string_equal(got.json, "{\"count\":0,\"changes\":[]}\n");
	changes_add(&control.changes, 1795168800000, &(struct caller){}, STR("a \"b\""));
	changes_print(&control.changes, &out);
	buf_add_char(&out, '\0');
	assert_string_equal(out.p,
	                    "{\"count\":1,\"changes\":[\n{\"time\":\"2026-11-20T10:00:00Z\",\"did\":\"a \\\"b\\\"\"}]}\n");
	for (int i = 0; i < 250; i++)
		ask("POST", "/log/reopen", "", &got);
	assert_int_equal(control.changes.count, 251);
	buf_clear(&out);
	changes_print(&control.changes, &out);
	buf_add_char(&out, '\0');
	json_t *json = json_loads(out.p, 0, NULL);
	const json_t *list = json_object_get(json, "changes"), *last = json_array_get(list, 99);
	assert_int_equal(json_array_size(list), 100);
	assert_int_equal(json_integer_value(json_object_get(last, "uid")), 1000);
	assert_int_equal(json_integer_value(json_object_get(last, "pid")), 7);
	json_decref(json);
	buf_fini(&out);
}

/* Before there is a configuration. */
static void nothing_yet(void **state)
{
	(void)state;
	struct asked got;
	control.conf = NULL;
	ask("GET", "/pools", "", &got);
	assert_string_equal(got.json, "{\"pools\":[]}\n");
	ask("GET", "/pools/api", "", &got);
	assert_non_null(strstr(got.json, "there is no pool \\\"api\\\"; there is none at all"));
	control.conf = conf;
}

static void the_list_of_errands(void **state)
{
	(void)state;
	struct buf list = {};
	errand_list(&list);
	assert_true(str_starts(buf_str(&list), STR("GET /status.json, POST /reload, ")));
	buf_fini(&list);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(answers),          cmocka_unit_test(refusals),    cmocka_unit_test(pools_as_json),
		cmocka_unit_test(changes_are_kept), cmocka_unit_test(nothing_yet), cmocka_unit_test(the_list_of_errands),
	};
	return cmocka_run_group_tests(TESTS, setup, teardown);
}

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
#include "control/apps.h"
#include "control/errand.h"
#include "control/keeper.h"
#include "http/core.h"
#include "share/meter.h"

static struct home home;
static struct epoch *epoch;
static struct pools *pools;
static struct meters *meters;
static struct log *logs;
static struct conf *conf;
static bool reopened, keep;

/* --- The worker in little. --- */

static void t_reopen(struct control *c)
{
	(void)c;
	reopened = true;
}

static void t_reload(struct control *c, struct admin_call *call)
{
	(void)c;
	admin_answer(call, 200, STR("{\"ok\":true}\n"));
}

/* What the worker was to lay over its configuration, and the supervisor to keep. */
static char laid[4096], document[4096];

static int t_lay(struct control *c, struct str overlay, struct buf *why)
{
	snprintf(laid, sizeof laid, "%.*s", STR_F(overlay));
	if (memmem(overlay.p, overlay.n, "wrong", 5)) {
		buf_add(why, STR("that is wrong"));
		return -EINVAL;
	}
	(void)c;
	return 0;
}

static void t_keep(struct control *c, struct str text)
{
	snprintf(document, sizeof document, "%.*s", STR_F(text));
	state_kept(c, STR(""));
}

static void t_hot_clear(struct control *c)
{
	(void)c;
}

static const struct control_ops OPS = { .reload = t_reload, .reopen = t_reopen, .lay = t_lay,
	                                .keep = t_keep, .hot_clear = t_hot_clear };

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
	call.keep = keep;
	*out = (struct asked){};
	if (call.errand) {
		buf_add(&call.body, str_of(body));
		errand_run(&call);
		settings_laid(&control);
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
	buf_fini(&call.did);
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
	if (conf_build(&s, MODULES, countof(MODULES), false, &m, &conf) || loop_init(&home.loop, 0) || log_new(&logs, 1 << 16))
		return -1;
	sources_fini(&s);
	messages_fini(&m);
	epoch = epoch_new();
	pools = pools_new(epoch, 1);
	meters = meters_new(1);
	BACKENDS.open(conf->values[1], &(struct commons){ .pools = pools, .meters = meters });
	control.apps = apps_new(&home.loop, log_ring_new(logs), pools, epoch);
	control.keeper = keeper_new(&home.loop, pools, log_ring_new(logs), STR("127.0.0.1:1"));
	apps_conf(control.apps, conf);
	keeper_adopt(control.keeper, conf, true);
	control.conf = conf;
	control.modules = conf->modules;
	control.module_count = conf->module_count;
	settings_init(&control.settings);
	state_init(&control.state);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keeper_free(control.keeper);
	apps_free(control.apps);
	BACKENDS.close(conf->values[1], &(struct commons){ .pools = pools, .meters = meters });
	pools_free(pools);
	meters_free(meters);
	epoch_free(epoch);
	log_free(logs);
	conf_free(conf);
	loop_fini(&home.loop);
	changes_fini(&control.changes);
	settings_fini(&control.settings);
	state_fini(&control.state);
	return 0;
}

static void add_peer(void *arg, struct pool *pool, struct peer *peer)
{
	struct buf *out = arg;
	(void)pool;
	buf_addf(out, "%s%.*s*%u", out->n ? " " : "", STR_F(peer->name), peer->weight);
	if (peer->state)
		buf_addf(out, "!%u", peer->state);
}

/* "10.0.0.1:9000*2!1": weight 2, draining. */
static struct buf peers(void)
{
	struct buf out = {};
	pool_each(backend_find(conf, STR("api"))->pool, add_peer, &out);
	return out;
}

/* --- Tests. --- */

static void answers(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path;
		unsigned status;
		const char *says;
	} ROWS[] = {
		{ "GET", "/nothing", 404, "" },
		{ "POST", "/pools", 405, "GET" },
		{ "GET", "/pools/", 404, "" },
		{ "GET", "/apps/php/restart", 404, "there is no app \\\"php/restart\\\"; there are: php" },
		{ "PUT", "/pools/api/servers/x:1", 405, "PATCH, DELETE, GET" },
		{ "POST", "/log/reopen", 200, "\"did\":\"the logs are opened anew\"" },
		{ "GET", "/pools/apj", 404, "there is no pool \\\"apj\\\"; there are: api, php" },
		{ "GET", "/pools/api", 200, "\"name\":\"api\"" },
		{ "GET", "/apps", 200, "{\"apps\":[\n{\"name\":\"php\"," },
		{ "GET", "/apps/php", 200, "{\"name\":\"php\"," },
		{ "POST", "/apps/php/restart", 200, "app php: restarts" },
		{ "POST", "/apps/api/restart", 404, "there is no app \\\"api\\\"; there are: php" },
	};
	struct asked got;
	for (size_t i = 0; i < countof(ROWS); i++) {
		ask(ROWS[i].method, ROWS[i].path, "", &got);
		if (got.status != ROWS[i].status || !strstr(got.json, ROWS[i].says))
			fail_msg("row %zu, %s %s: %u %s", i, ROWS[i].method, ROWS[i].path, got.status, got.json);
	}
	assert_true(reopened);
}

#define ADD "POST", "/pools/api/servers"
#define A "PATCH", "/pools/api/servers/10.0.0.1:9000"
#define FIRST "10.0.0.1:9000*2 unix:/run/api.sock*1"

/* One after the other; each leaves the servers as its last column says, NULL: as they were. */
static void changes_of_servers(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path, *body;
		unsigned status;
		const char *says, *then;
	} ROWS[] = {
		{ "GET", "/pools/api", "", 200, "", FIRST },
		{ ADD, "{\"server\":\"10.0.0.3:9000\"}", 200, "pool api: 10.0.0.3:9000 was added with weight 1\"",
		  FIRST " 10.0.0.3:9000*1" },
		{ ADD, "{\"server\":\"10.0.0.3:9000\"}", 409, "10.0.0.3:9000 is in the pool api already", NULL },
		{ "DELETE", "/pools/api/servers/10.0.0.3:9000", "", 200, "10.0.0.3:9000 was removed\"", FIRST },
		{ "DELETE", "/pools/api/servers/10.0.0.3:9000", "", 404, "there is no server \\\"10.0.0.3:9000\\\"", NULL },
		{ ADD, "{\"server\":\"10.0.0.4:1\",\"weight\":3,\"connections\":4,\"backup\":true}", 200,
		  "was added with weight 3 and at most 4 connections, as a backup", FIRST " 10.0.0.4:1*3" },
		{ "DELETE", "/pools/api/servers/10.0.0.4:1", "", 200, "was removed", FIRST },
		{ "DELETE", "/pools/api/servers/unix:/run/api.sock", "", 200, "unix:/run/api.sock was removed", "10.0.0.1:9000*2" },
		{ ADD, "{\"server\":\"unix:/run/api.sock\",\"backup\":true}", 200, "was added", FIRST },

		{ ADD, "", 400, "it is a JSON object such as", NULL },
		{ ADD, "[]", 400, "it is a JSON object such as", NULL },
		{ ADD, "{\"server\":\"a:1\",\"wait\":3}", 400, "the body can't have a \\\"wait\\\"", NULL },
		{ ADD, "{}", 422, "\\\"server\\\" has to be a text such as", NULL },
		{ ADD, "{\"server\":5}", 422, "\\\"server\\\" has to be a text such as", NULL },
		{ ADD, "{\"server\":\"api\"}", 422, "is no server: the port is missing", NULL },
		{ ADD, "{\"server\":\"http://a\"}", 422, "without a scheme", NULL },
		{ ADD, "{\"server\":\"a:1\",\"weight\":0}", 422, "a whole number from 1 to 256", NULL },
		{ ADD, "{\"server\":\"a:1\",\"weight\":-1}", 422, "a whole number from 1 to 256", NULL },
		{ ADD, "{\"server\":\"a:1\",\"weight\":\"2\"}", 422, "a whole number", NULL },
		{ ADD, "{\"server\":\"a:1\",\"backup\":1}", 422, "has to be true or false", NULL },
		{ "POST", "/pools/x/servers", "{\"server\":\"a:1\"}", 404, "there is no pool \\\"x\\\"", NULL },
		{ "POST", "/pools/php/servers", "{\"server\":\"a:1\"}", 409, "php is an app", NULL },

		{ A, "{\"state\":\"drain\"}", 200, "10.0.0.1:9000 drains\"", "10.0.0.1:9000*2!1 unix:/run/api.sock*1" },
		{ A, "{\"state\":\"down\"}", 200, "10.0.0.1:9000 is down", "10.0.0.1:9000*2!2 unix:/run/api.sock*1" },
		{ A, "{\"state\":\"ready\"}", 200, "10.0.0.1:9000 is ready", FIRST },
		{ A, "{\"weight\":9}", 200, "10.0.0.1:9000 has weight 9\"", "10.0.0.1:9000*9 unix:/run/api.sock*1" },
		{ A, "{\"weight\":2}", 200, "has weight 2", FIRST },
		{ A, "{\"state\":\"up\"}", 422, "\\\"ready\\\", \\\"drain\\\" or \\\"down\\\"", NULL },
		{ A, "{\"state\":1}", 422, "\\\"ready\\\", \\\"drain\\\" or \\\"down\\\"", NULL },
		{ A, "{\"weight\":257}", 422, "from 1 to 256", NULL },
		{ A, "{\"weight\":9,\"state\":\"down\"}", 400, "one change at a time", NULL },
		{ A, "{}", 400, "one change at a time", NULL },
		{ "PATCH", "/pools/api/servers/a:1", "{\"weight\":9}", 404, "there is no server \\\"a:1\\\"", NULL },
	};
	struct asked got;
	const char *expected = FIRST;
	for (size_t i = 0; i < countof(ROWS); i++) {
		uint64_t before = control.changes.count;
		bool change = ROWS[i].status == 200 && strcmp(ROWS[i].method, "GET") != 0;
		ask(ROWS[i].method, ROWS[i].path, ROWS[i].body, &got);
		struct buf now = peers();
		expected = ROWS[i].then ? ROWS[i].then : expected;
		if (got.status != ROWS[i].status || !strstr(got.json, ROWS[i].says) || !str_eq(buf_str(&now), str_of(expected)))
			fail_msg("row %zu, %s %s %s: %u %s (%.*s)", i, ROWS[i].method, ROWS[i].path, ROWS[i].body, got.status,
			         got.json, STR_F(buf_str(&now)));
		assert_int_equal(control.changes.count, before + change);
		buf_fini(&now);
	}
}

/* What is to be kept is there after the next configuration, the rest is as configured. */
static void kept_over_a_reload(void **state)
{
	(void)state;
	struct asked got;
	ask(ADD, "{\"server\":\"10.0.0.5:1\"}", &got);
	keep = true;
	ask(ADD, "{\"server\":\"10.0.0.6:1\"}", &got);
	assert_non_null(strstr(got.json, "10.0.0.6:1 was added with weight 1; kept\",\"kept\":true"));
	keep = false;
	ask(A, "{\"state\":\"down\"}", &got);
	keeper_adopt(control.keeper, conf, true);
	struct buf now = peers();
	buf_add_char(&now, '\0');
	assert_string_equal(now.p, FIRST " 10.0.0.6:1*1");
	buf_fini(&now);
	ask("DELETE", "/pools/api/servers/10.0.0.6:1", "", &got);
	assert_int_equal(got.status, 200);
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
		"  {\"server\":\"10.0.0.1:9000\",\"address\":\"10.0.0.1:9000\","
		"\"states\":[\"ready\"],\"why\":\"\",\"backup\":false,"
		"\"weight\":2,"
		"\"connections\":5,\"busy\":0,\"open\":0,\"requests\":0,\"failed\":0,\"failures\":0,\"retried\":0,\"connects\":0,"
		"\"latency_ms\":0.000},\n"
		"  {\"server\":\"unix:/run/api.sock\",\"address\":\"unix:/run/api.sock\","
		"\"states\":[\"ready\"],\"why\":\"\",\"backup\":true,\"weight\":1,"
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

static void the_list_of_errands(void **state)
{
	(void)state;
	struct buf list = {};
	errand_list(&list);
	assert_true(str_starts(buf_str(&list), STR("GET /status.json, GET /metrics, GET /openapi.json, POST /reload, ")));
	buf_fini(&list);
}

/* What a star of a row stands for in the tests. */
static void path_of(char *out, size_t out_n, const struct errand *e)
{
	struct buf path = {};
	for (const char *p = e->path; *p; p++)
		buf_add(&path, *p == '*' ? STR("x:1") : str_make(p, 1));
	snprintf(out, out_n, "%.*s", STR_F(buf_str(&path)));
	buf_fini(&path);
}

static void check_given(const struct given *g, const char *path)
{
	for (; g && g->name; g++) {
		json_t *example = g->example ? json_loads(g->example, JSON_DECODE_ANY, NULL) : NULL;
		bool right = g->kind == GIVEN_NUMBER ? json_is_integer(example) && g->max >= g->min :
		             g->kind == GIVEN_FLAG ? json_is_boolean(example) : json_is_string(example);
		if (!g->doc || !right)
			fail_msg("%s: \"%s\" lacks its sentence, its example or its range", path, g->name);
		json_decref(example);
	}
}

/* Each row is found by its path, and has all that its description needs. */
static void rows_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; errand_at(i); i++) {
		const struct errand *e = errand_at(i);
		struct str stars[ADMIN_STARS] = {};
		struct buf methods = {};
		char path[128];
		size_t count = 0;
		path_of(path, sizeof path, e);
		if (errand_find(e->method, str_of(path), stars, &methods) != e)
			fail_msg("row %zu, %s: another row is found", i, e->path);
		for (const char *p = e->path; *p; p++)
			count += *p == '*';
		for (const struct given *g = e->stars; g && g->name; g++)
			count--;
		if (count || !e->doc || (!e->change && !e->example && !e->type) || (e->one && !e->body))
			fail_msg("row %zu, %s: something is not described", i, e->path);
		check_given(e->stars, e->path);
		check_given(e->query, e->path);
		check_given(e->body, e->path);
		buf_fini(&methods);
	}
}

static void described(void **state)
{
	(void)state;
	struct buf out = {};
	openapi_print(&out);
	json_t *all = json_loadb(out.p, out.n, JSON_REJECT_DUPLICATES, NULL), *paths = json_object_get(all, "paths");
	const json_t *add = json_object_get(json_object_get(paths, "/pools/{pool}/servers"), "post");
	assert_non_null(add);
	assert_string_equal(json_string_value(json_object_get(add, "summary")), "One server more.");
	json_decref(all);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(answers),          cmocka_unit_test(changes_of_servers), cmocka_unit_test(kept_over_a_reload),
		cmocka_unit_test(changes_are_kept), cmocka_unit_test(pools_as_json),      cmocka_unit_test(the_list_of_errands),
		cmocka_unit_test(rows_are_whole),   cmocka_unit_test(described),
	};
	return cmocka_run_group_tests(TESTS, setup, teardown);
}

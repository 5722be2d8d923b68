/* The table of errands, and those that need few words.  No state; finding runs on any thread, the errands themselves on the
 * control thread. */
#include "control/errand.h"

#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "control/apps.h"
#include "control/audience.h"
#include "control/explain.h"
#include "control/metric.h"
#include "control/status.h"

static void run_status(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	status_print(&json, c->observer);
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

static void run_metrics(struct control *c, struct admin_call *call)
{
	struct buf text = {};
	metrics_print(&text, c, observer_look(c->observer));
	admin_answer(call, 200, buf_str(&text));
	buf_fini(&text);
}

static void run_reload(struct control *c, struct admin_call *call)
{
	c->ops->reload(c, call);
}

static void run_reopen(struct control *c, struct admin_call *call)
{
	c->ops->reopen(c);
	admin_did(call, "the logs are opened anew");
}

static void run_hot_clear(struct control *c, struct admin_call *call)
{
	c->ops->hot_clear(c);
	admin_did(call, "the hot set was emptied");
}

static void run_settings(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	settings_print(&c->settings, &json);
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

static void run_changes(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	changes_print(&c->changes, &json);
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

/* --- Apps. --- */

static void see_app(void *arg, struct backend *b)
{
	struct buf *names = arg;
	if (b->is_app)
		buf_addf(names, "%s%.*s", names->n ? ", " : "", STR_F(b->name));
}

static void refuse_app(const struct control *c, struct admin_call *call)
{
	struct buf names = {};
	backends_each(c->conf, see_app, &names);
	admin_refuse(call, 404, "there is no app \"%.*s\"; %s%.*s", STR_F(call->stars[0]),
	             names.n ? "there are: " : "there is none at all", STR_F(buf_str(&names)));
	buf_fini(&names);
}

static void run_apps(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	buf_add(&json, STR("{\"apps\":"));
	apps_print(c->apps, &json);
	buf_add(&json, STR("}\n"));
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

static void answer_json(struct admin_call *call, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct buf line = {};
	buf_addf(&line, "%s\n", text);
	admin_answer(call, 200, buf_str(&line));
	buf_fini(&line);
	free(text);
}

static void run_app(struct control *c, struct admin_call *call)
{
	struct buf list = {};
	apps_print(c->apps, &list);
	json_t *apps = json_loadb(list.p, list.n, 0, NULL), *app, *found = NULL;
	size_t i;
	json_array_foreach(apps, i, app)
		if (str_eq(str_of(json_string_value(json_object_get(app, "name"))), call->stars[0]))
			found = app;
	if (found)
		answer_json(call, found);
	else
		refuse_app(c, call);
	json_decref(apps);
	buf_fini(&list);
}

static void run_restart(struct control *c, struct admin_call *call)
{
	if (apps_restart(c->apps, call->stars[0]))
		admin_did(call, "app %.*s: restarts, one process after the other", STR_F(call->stars[0]));
	else
		refuse_app(c, call);
}

static void run_openapi(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	(void)c;
	openapi_print(&json);
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

/* --- The table. --- */

#define POOL { "pool", .doc = "The name of a pool.", .example = "\"api\"" }
#define SERVER { "server", .doc = "A server as it is configured, or one of its addresses.", .example = "\"10.0.0.3:9000\"" }
#define APP { "app", .doc = "The name of an application.", .example = "\"php\"" }
#define CACHE_NAME { "cache", .doc = "The name of a cache.", .example = "\"pages\"" }
#define ALERT { "alert", .doc = "The name of an alert.", .example = "\"slow\"" }
#define NO_ALERT { 404, "There is no such alert." }
#define NO_POOL { 404, "There is no such pool." }
#define NO_SERVER { 404, "There is no such pool, or no such server in it." }
#define NO_APP { 404, "There is no such application." }
#define IS_APP { 409, "It is an app, whose processes petrel starts and ends itself." }

static const char *const STATES[] = { "ready", "drain", "down", NULL };

/* Of two whose paths match, the first is meant. */
static const struct errand ERRANDS[] = {
	{ METHOD_GET, "/status.json", "The server's counters.", .example = "{}", .run = run_status },
	{ METHOD_GET, "/metrics", "The same for Prometheus, in its text format.", .run = run_metrics,
	  .type = "text/plain; version=0.0.4; charset=utf-8" },
	{ METHOD_GET, "/openapi.json", "This description.", .example = "{\"openapi\":\"3.0.3\"}", .run = run_openapi },
	{ METHOD_POST, "/reload", "Reads the configuration again. Where anything is wrong with it, all stays as it was.",
	  .refusals = REFUSALS({ 422, "The configuration is wrong; the messages say where." },
	                       { 503, "The server is stopping." }),
	  .example = "{\"ok\":true,\"messages\":[]}", .run = run_reload },
	{ METHOD_POST, "/log/reopen", "Opens the files of all logs anew, after they were renamed.", .change = true,
	  .run = run_reopen },
	{ METHOD_GET, "/changes", "What was changed over this socket, when and by whom; the newest ones.",
	  .example = "{\"count\":1,\"changes\":[{\"time\":\"2026-11-20T10:00:00Z\",\"uid\":0,\"pid\":4711,"
	             "\"did\":\"pool api: 10.0.0.1:9000 drains\"}]}", .run = run_changes },
	{ METHOD_GET, "/explain", "Which way a request would take, and why. It is routed as any other, but nobody is asked.",
	  .query = GIVEN({ "url", .required = true, .doc = "What is asked for: a URL, or host and path.",
	                   .example = "\"http://example.org/blog/\"" },
	                 { "method", .doc = "Its method; GET where it is left out.", .example = "\"POST\"" },
	                 { "client", .doc = "The client's address; 127.0.0.1 where it is left out.",
	                   .example = "\"192.0.2.1\"" },
	                 { "header", .doc = "A field of it.", .example = "\"Cookie: a=b\"" }),
	  .refusals = REFUSALS({ 422, "Such a request is malformed; the sentence says why." }),
	  .example = "{\"method\":\"GET\",\"host\":\"example.org\",\"target\":\"/blog/\",\"ways\":[]}",
	  .run = errand_explain },
	{ METHOD_GET, "/trace",
	  "Requests as they come and are answered, a line of JSON for each, at its end; without an end itself. Lines with "
	  "left_out or dropped say how many were not shown: beyond the rate, or since who reads is too slow.",
	  .query = GIVEN({ "route", .doc = "Of this route: its pattern.", .example = "\"/api/*\"" },
	                 { "host", .doc = "For this host.", .example = "\"example.org\"" },
	                 { "path", .doc = "Whose path is like this pattern.", .example = "\"*.php\"" },
	                 { "client", .doc = "Of this client or network.", .example = "\"192.0.2.0/24\"" },
	                 { "status", .doc = "Answered so.", .example = "\"5xx\"" },
	                 { "slow", GIVEN_NUMBER, .min = 1, .max = INT_MAX, .doc = "That took so many milliseconds.",
	                   .example = "500" },
	                 { "max-rate", GIVEN_NUMBER, .min = 1, .max = TAP_RATE_MOST, .doc = "At most so many a second.",
	                   .example = "20" },
	                 { "secrets", GIVEN_FLAG, .doc = "With passwords, cookies and bodies of requests.",
	                   .example = "false" }),
	  .type = "application/x-ndjson",
	  .refusals = REFUSALS({ 422, "A condition can't be meant." }, { 429, "There are too many traces already." }),
	  .run = errand_trace, .begin = audience_begin },
	{ METHOD_GET, "/changes.conf", "What is changed now, servers and settings, as configuration that can be pasted.",
	  .type = "text/plain", .run = errand_as_config },
	{ METHOD_GET, "/settings", "What operators set in this server, over what its configuration says.",
	  .example = "{\"settings\":[{\"time\":\"2026-11-20T10:00:00Z\",\"uid\":0,\"pid\":4711,\"keep\":false,"
	             "\"set\":\"limits connections 5000\"}]}", .run = run_settings },
	{ METHOD_POST, "/settings",
	  "Sets a directive in the running server, at once on all loops, or takes it back. The same words as in the "
	  "configuration, with those of its block before it: limits connections 5000; pool api queue 2000 timeout 3s; site "
	  "example.org route /api/* throttle 500k. Of two for the same thing the later one wins.",
	  .change = true, .keeps = true, .one = true,
	  .body = GIVEN({ "set", .doc = "A directive and its values.", .example = "\"limits connections 5000\"" },
	                { "unset", .doc = "A directive without its values, or the block that holds it.",
	                  .example = "\"limits connections\"" }),
	  .refusals = REFUSALS({ 404, "It is not set here." }, { 409, "There are too many settings." },
	                       { 422, "There is no such thing, or a value that it can't have, or it needs a reload." },
	                       { 503, "The server is stopping." }), .run = settings_ask },
	{ METHOD_POST, "/hot/clear", "Empties the hot set: files are read anew.", .change = true, .run = run_hot_clear },
	{ METHOD_GET, "/caches", "All caches: their sizes, tiers, hits and fills.", .example = "{\"caches\":[]}",
	  .run = errand_caches },
	{ METHOD_POST, "/caches/purge",
	  "Purges what caches have of a URL, of a tag, of URLs like a pattern, or all of it: one of the four. At once on all "
	  "loops and in all tiers; hard, so that it is gone, or softly, so that it is stale.", .change = true,
	  .body = GIVEN({ "url", .doc = "A URL; http and https are the same. All its variants are purged.",
	                  .example = "\"http://example.org/news/\"" },
	                { "tag", .doc = "What answers were tagged with, in Surrogate-Key, Cache-Tag or xkey.",
	                  .example = "\"article-17\"" },
	                { "match", .doc = "A pattern of URLs: * stands for any run of characters. Without a host, of any.",
	                  .example = "\"example.org/news/*\"" },
	                { "all", GIVEN_FLAG, .doc = "Everything.", .example = "false" },
	                { "soft", GIVEN_FLAG, .doc = "It is stale, not gone: served where stale pages may be.",
	                  .example = "false" },
	                { "cache", .doc = "Only of this cache.", .example = "\"pages\"" }),
	  .refusals = REFUSALS({ 404, "There is no such cache, or none at all." },
	                       { 422, "Not one of the four is given, or it is too long, or a cache's keys can't be told from a "
	                              "URL." }), .run = errand_purge },
	{ METHOD_GET, "/caches/*", "One cache, and its fills by the pools that they ask.", .stars = GIVEN(CACHE_NAME),
	  .refusals = REFUSALS({ 404, "There is no such cache." }),
	  .example = "{\"name\":\"pages\"}", .run = errand_cache },
	{ METHOD_GET, "/memcached", "All pools of memcached servers, and how it goes with them.",
	  .example = "{\"memcached\":[]}", .run = errand_memcached },
	{ METHOD_GET, "/pools", "All pools and their servers.", .example = "{\"pools\":[]}", .run = errand_pools },
	{ METHOD_POST, "/pools/*/servers", "One server more.", .change = true, .keeps = true, .stars = GIVEN(POOL),
	  .body = GIVEN({ "server", .required = true, .doc = "Its address, or its name and port.",
	                  .example = "\"10.0.0.3:9000\"" },
	                { "weight", GIVEN_NUMBER, .min = 1, .max = POOL_WEIGHT_MAX, .doc = "Its share.", .example = "2" },
	                { "connections", GIVEN_NUMBER, .max = 1000000,
	                  .doc = "How many requests it may have at a time; 0: any.", .example = "100" },
	                { "backup", GIVEN_FLAG, .doc = "It is asked only when no other can be.", .example = "false" }),
	  .refusals = REFUSALS(NO_POOL, { 409, "The server is there already; or the pool is an app." }),
	  .run = errand_server_add },
	{ METHOD_PATCH, "/pools/*/servers/*", "Changes a server's state or weight.", .change = true, .keeps = true, .one = true,
	  .stars = GIVEN(POOL, SERVER),
	  .body = GIVEN({ "state", .words = STATES, .doc = "drain: no new clients. down: no new requests at all.",
	                  .example = "\"drain\"" },
	                { "weight", GIVEN_NUMBER, .min = 1, .max = POOL_WEIGHT_MAX, .doc = "Its share.", .example = "2" }),
	  .refusals = REFUSALS(NO_SERVER, IS_APP), .run = errand_server_change },
	{ METHOD_DELETE, "/pools/*/servers/*", "Removes a server. What is under way there ends.", .change = true,
	  .keeps = true,
	  .stars = GIVEN(POOL, SERVER), .refusals = REFUSALS(NO_SERVER, IS_APP), .run = errand_server_remove },
	{ METHOD_GET, "/pools/*", "One pool and its servers.", .stars = GIVEN(POOL), .refusals = REFUSALS(NO_POOL),
	  .example = "{\"name\":\"api\",\"servers\":[]}", .run = errand_pool },
	{ METHOD_GET, "/apps", "All applications and their processes.", .example = "{\"apps\":[]}", .run = run_apps },
	{ METHOD_POST, "/apps/*/restart", "A new process for each, one after the other. No request is dropped.",
	  .change = true, .stars = GIVEN(APP), .refusals = REFUSALS(NO_APP), .run = run_restart },
	{ METHOD_GET, "/apps/*", "One application and its processes.", .stars = GIVEN(APP), .refusals = REFUSALS(NO_APP),
	  .example = "{\"name\":\"php\",\"processes\":[]}", .run = run_app },
	{ METHOD_GET, "/alerts", "All alerts with their states and values, the ways to tell of them, and the silences.",
	  .example = "{\"alerts\":[],\"notify\":[],\"silences\":[]}", .run = errand_alerts },
	{ METHOD_POST, "/alerts/test", "Sends a message to try a way to tell, or all, and answers what became of it.",
	  .body = GIVEN({ "notify", .doc = "The name of a notify block; without it, all.", .example = "\"sms\"" }),
	  .refusals = REFUSALS({ 404, "There is no such notify block, or none at all." }),
	  .example = "{\"ok\":true,\"tests\":[{\"notify\":\"sms\",\"ok\":true,\"outcome\":\"delivered\"}]}",
	  .run = errand_test },
	{ METHOD_POST, "/alerts/*/silence", "Nobody is told of an alert for a while.", .change = true,
	  .stars = GIVEN(ALERT),
	  .body = GIVEN({ "for", .required = true, .doc = "How long: 30m, 2h, 1d.", .example = "\"2h\"" },
	                { "reason", .doc = "Why, for others.", .example = "\"deploying\"" }),
	  .refusals = REFUSALS(NO_ALERT, { 409, "There are too many silences." }), .run = errand_silence },
	{ METHOD_DELETE, "/alerts/*/silence", "Ends the silence of an alert.", .change = true, .stars = GIVEN(ALERT),
	  .refusals = REFUSALS({ 404, "There is no such alert, or it is not silenced." }), .run = errand_unsilence },
};

const struct errand *errand_at(size_t i)
{
	return i < countof(ERRANDS) ? &ERRANDS[i] : NULL;
}

struct str errand_method(const struct errand *e)
{
	switch (e->method) {
	case METHOD_POST: return STR("POST");
	case METHOD_PUT: return STR("PUT");
	case METHOD_PATCH: return STR("PATCH");
	case METHOD_DELETE: return STR("DELETE");
	default: return STR("GET");
	}
}

/* What stands before the next star has to be at the beginning of the path, and the star for a byte at least, up to the
 * first place where its literal goes on. */
static bool matches(struct str pattern, struct str path, struct str *stars)
{
	size_t star = str_find(pattern, '*');
	if (!str_starts(path, str_head(pattern, star)))
		return false;
	path = str_from(path, star);
	if (star == pattern.n)
		return !path.n;
	pattern = str_from(pattern, star + 1);
	if (!pattern.n) {
		*stars = path;
		return path.n > 0;
	}
	for (size_t n = 1; n < path.n; n++) {
		*stars = str_head(path, n);
		if (matches(pattern, str_from(path, n), stars + 1))
			return true;
	}
	return false;
}

const struct errand *errand_find(enum method method, struct str path, struct str stars[ADMIN_STARS],
                                 struct buf *methods)
{
	for (size_t i = 0; i < countof(ERRANDS); i++) {
		struct str found[ADMIN_STARS + 1] = {};
		if (!matches(str_of(ERRANDS[i].path), path, found))
			continue;
		buf_addf(methods, "%s%.*s", methods->n ? ", " : "", STR_F(errand_method(&ERRANDS[i])));
		if (ERRANDS[i].method != method)
			continue;
		memcpy(stars, found, ADMIN_STARS * sizeof *stars);
		return &ERRANDS[i];
	}
	return NULL;
}

void errand_list(struct buf *out)
{
	for (size_t i = 0; i < countof(ERRANDS); i++)
		buf_addf(out, "%s%.*s %s", i ? ", " : "", STR_F(errand_method(&ERRANDS[i])), ERRANDS[i].path);
}

/* The table of errands, and those that need few words.  No state; finding runs on any thread, the errands themselves on the
 * control thread. */
#include "control/errand.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/mem.h"
#include "control/apps.h"
#include "control/status.h"

static void run_status(struct control *c, struct admin_call *call)
{
	struct buf json = {};
	status_print(&json, c->observer);
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
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

/* --- The table. --- */

/* Of two whose paths match, the first is meant. */
static const struct errand ERRANDS[] = {
	{ METHOD_GET, "/status.json", false, run_status },
	{ METHOD_POST, "/reload", false, run_reload },
	{ METHOD_POST, "/log/reopen", false, run_reopen },
	{ METHOD_GET, "/changes", false, run_changes },
	{ METHOD_GET, "/pools", false, errand_pools },
	{ METHOD_POST, "/pools/*/servers", true, errand_server_add },
	{ METHOD_PATCH, "/pools/*/servers/*", true, errand_server_change },
	{ METHOD_DELETE, "/pools/*/servers/*", false, errand_server_remove },
	{ METHOD_GET, "/pools/*", false, errand_pool },
	{ METHOD_GET, "/apps", false, run_apps },
	{ METHOD_POST, "/apps/*/restart", false, run_restart },
	{ METHOD_GET, "/apps/*", false, run_app },
};

static struct str method_name(enum method method)
{
	switch (method) {
	case METHOD_POST: return STR("POST");
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
		buf_addf(methods, "%s%.*s", methods->n ? ", " : "", STR_F(method_name(ERRANDS[i].method)));
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
		buf_addf(out, "%s%.*s %s", i ? ", " : "", STR_F(method_name(ERRANDS[i].method)), ERRANDS[i].path);
}

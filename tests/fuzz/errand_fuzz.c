/* Any bytes as a request on the admin socket: its first line is a method and a path with its query, the rest the body.
 * Found in the table or not, it is answered exactly once, with JSON that can be read; a setting that is taken reads back
 * the same, and builds or is explained. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "../unit/config/table.h"
#include "base/must.h"
#include "config/build.h"
#include "config/overlay.h"
#include "control/errand.h"
#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char CONF[] = "site example.org { route /a* { files; } }\npool api { server a:1; }\n";

static struct conf *build(struct str overlay)
{
	struct sources s = {};
	struct messages m = {};
	struct buf why = {};
	struct conf *c = NULL;
	sources_from_text(&s, STR("fuzz"), STR("/"), str_of(CONF));
	sources_overlay(&s, overlay);
	if (conf_build(&s, T_MODULES, T_COUNT, false, &m, &c)) {
		overlay_why(&m, true, &why);
		must(why.n);
	}
	buf_fini(&why);
	messages_fini(&m);
	sources_fini(&s);
	return c;
}

/* What was taken apart means the same when it is read again. */
static void read_again(const struct overlay_line *line)
{
	struct overlay_line again;
	struct buf why = {};
	must(!overlay_line_read(T_MODULES, T_COUNT, buf_str(&line->words), &again, &why));
	must(str_eq(buf_str(&again.words), buf_str(&line->words)) && str_eq(buf_str(&again.name), buf_str(&line->name)));
	must(str_eq(buf_str(&again.text), buf_str(&line->text)));
	overlay_line_fini(&again);
	buf_fini(&why);
}

static void try_setting(struct str words)
{
	struct overlay_line line;
	struct buf why = {};
	if (!overlay_line_read(T_MODULES, T_COUNT, words, &line, &why)) {
		read_again(&line);
		conf_free(build(buf_str(&line.text)));
	} else {
		must(why.n);
	}
	overlay_line_fini(&line);
	buf_fini(&why);
}

static void answered_once(struct admin_call *call)
{
	json_t *json = json_loadb(call->json.p, call->json.n, 0, NULL);
	must(call->status >= 200 && call->status < 600 && json_is_object(json));
	json_decref(json);
}

/* The errand's own function is not run: it would need a whole server. */
static void took(struct control *c, struct admin_call *call)
{
	json_t *body = call->errand->body ? errand_body(call) : NULL;
	(void)c;
	if (!call->errand->body || body)
		admin_answer(call, 200, STR("{}"));
	struct str set = errand_text(body, "set"), unset = errand_text(body, "unset");
	if (set.p || unset.p)
		try_setting(set.p ? set : unset);
	json_decref(body);
}

static void ask(const struct errand *e, struct str query, struct str body, const struct str *stars)
{
	static struct home home;
	struct control control = {};
	struct errand row = *e;
	row.run = took;
	struct admin_call call = { .control = &control, .home = &home, .errand = &row, .query = query };
	memcpy(call.stars, stars, sizeof call.stars);
	home.loop.mailbox.awake = true;
	buf_add(&call.body, body);
	errand_run(&call);
	answered_once(&call);
	home.loop.mailbox.top = NULL;
	buf_fini(&call.body);
	buf_fini(&call.json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, stars[ADMIN_STARS] = {};
	struct str line = str_cut(&rest, '\n'), method = str_cut(&line, ' '), path = str_cut(&line, '?');
	struct buf methods = {};
	const struct errand *e = errand_find(method_of(method), path, stars, &methods);
	for (size_t i = 0; e && i < ADMIN_STARS; i++)
		must(!stars[i].n || (stars[i].p >= path.p && stars[i].p + stars[i].n <= path.p + path.n));
	if (e)
		ask(e, line, rest, stars);
	else
		try_setting(rest);
	buf_fini(&methods);
	return 0;
}

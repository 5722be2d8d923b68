/* Settings: the list, and changes of it, one after the other.  The control thread. */
#include "control/setting.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/overlay.h"
#include "control/admin.h"
#include "control/errand.h"

/* --- The list. --- */

static void setting_fini(struct setting *s)
{
	buf_fini(&s->words);
	buf_fini(&s->name);
	buf_fini(&s->text);
}

static void list_free(struct setting *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		setting_fini(&list[i]);
	mem_free(list);
}

static void copy_text(struct buf *to, const struct buf *from)
{
	*to = (struct buf){};
	buf_add(to, buf_str(from));
}

static void list_add(struct settings *s, const struct setting *one)
{
	s->list = mem_grow(s->list, (s->count + 1) * sizeof *s->list);
	struct setting *copy = &s->list[s->count++];
	*copy = *one;
	copy_text(&copy->words, &one->words);
	copy_text(&copy->name, &one->name);
	copy_text(&copy->text, &one->text);
}

void settings_init(struct settings *s)
{
	*s = (struct settings){};
	link_init(&s->waiting);
}

void settings_fini(struct settings *s)
{
	list_free(s->list, s->count);
	buf_fini(&s->did);
	settings_init(s);
}

void settings_text(const struct settings *s, bool kept, struct buf *out)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].keep || !kept)
			buf_add(out, buf_str(&s->list[i].text));
}

/* --- A change. --- */

/* "pool api" means all that is set in it. */
static bool is_within(struct str name, struct str whole)
{
	return str_starts(name, whole) && (name.n == whole.n || name.p[whole.n] == ' ');
}

/* The list with the line in place of what has its name. */
static void with(const struct settings *s, const struct overlay_line *line, struct admin_call *call, struct settings *out)
{
	struct setting one = { .words = line->words, .name = line->name, .text = line->text, .keep = call->keep,
		               .wall_ms = clock_wall_ms(), .who = call->caller };
	settings_init(out);
	for (size_t i = 0; i < s->count; i++)
		if (!str_eq(buf_str(&s->list[i].name), buf_str(&line->name)))
			list_add(out, &s->list[i]);
	list_add(out, &one);
}

static void without(const struct settings *s, const struct overlay_line *line, struct settings *out)
{
	settings_init(out);
	for (size_t i = 0; i < s->count; i++)
		if (!is_within(buf_str(&s->list[i].name), buf_str(&line->words)))
			list_add(out, &s->list[i]);
}

static void refuse_unset(struct admin_call *call, const struct settings *s, const struct overlay_line *line)
{
	struct buf names = {};
	for (size_t i = 0; i < s->count; i++)
		buf_addf(&names, "%s%.*s", i ? "; " : "", STR_F(buf_str(&s->list[i].words)));
	admin_refuse(call, 404, "\"%.*s\" is not set here; %s%.*s", STR_F(buf_str(&line->words)),
	             names.n ? "there are: " : "nothing is", STR_F(buf_str(&names)));
	buf_fini(&names);
}

/* The candidate is in the hands of the loops: from now on it is the list. */
static void take_over(struct settings *s, struct settings *candidate, struct admin_call *call)
{
	list_free(s->list, s->count);
	s->list = candidate->list;
	s->count = candidate->count;
	*candidate = (struct settings){};
	s->call = call;
}

/* 0, -EBUSY: later; else it was answered. */
static int lay(struct control *c, struct admin_call *call, struct settings *candidate)
{
	struct buf text = {}, why = {};
	settings_text(candidate, false, &text);
	int err = c->ops->lay(c, buf_str(&text), &why);
	if (!err)
		take_over(&c->settings, candidate, call);
	else if (err != -EBUSY)
		admin_refuse(call, err == -ESHUTDOWN ? 503 : 422, "%.*s", STR_F(buf_str(&why)));
	buf_fini(&text);
	buf_fini(&why);
	return err;
}

static int set_line(struct control *c, struct admin_call *call, const struct overlay_line *line)
{
	struct settings *s = &c->settings, candidate;
	int err = -EINVAL;
	if (line->block) {
		admin_refuse(call, 422, "\"%.*s\" is a block: what is to be set in it?", STR_F(buf_str(&line->words)));
		return err;
	}
	with(s, line, call, &candidate);
	buf_clear(&s->did);
	buf_addf(&s->did, "set: %.*s", STR_F(buf_str(&line->words)));
	if (candidate.count > SETTINGS_MOST)
		admin_refuse(call, 409, "more than %d settings: time for another configuration (petrel ctl changes --as-config)",
		             SETTINGS_MOST);
	else
		err = lay(c, call, &candidate);
	list_free(candidate.list, candidate.count);
	return err;
}

static int unset_line(struct control *c, struct admin_call *call, const struct overlay_line *line)
{
	struct settings *s = &c->settings, candidate;
	int err = -EINVAL;
	without(s, line, &candidate);
	buf_clear(&s->did);
	buf_addf(&s->did, "unset: %.*s; what the configuration says holds again", STR_F(buf_str(&line->words)));
	if (candidate.count == s->count)
		refuse_unset(call, s, line);
	else
		err = lay(c, call, &candidate);
	list_free(candidate.list, candidate.count);
	return err;
}

static int begin(struct control *c, struct admin_call *call)
{
	json_t *body = errand_body(call);
	struct str set = errand_text(body, "set"), unset = errand_text(body, "unset");
	struct overlay_line line = {};
	struct buf why = {};
	int err = -EINVAL;
	if (body)
		err = overlay_line_read(c->modules, c->module_count, set.p ? set : unset, &line, &why);
	if (body && err)
		admin_refuse(call, 422, "%.*s", STR_F(buf_str(&why)));
	else if (body)
		err = set.p ? set_line(c, call, &line) : unset_line(c, call, &line);
	overlay_line_fini(&line);
	buf_fini(&why);
	json_decref(body);
	return err;
}

void settings_step(struct control *c)
{
	struct settings *s = &c->settings;
	while (!s->call && !link_alone(&s->waiting)) {
		struct admin_call *call = container_of(s->waiting.next, struct admin_call, link);
		link_del(&call->link);
		if (begin(c, call) != -EBUSY)
			continue;
		link_add(s->waiting.next, &call->link);  /* before all others */
		return;
	}
}

void settings_ask(struct control *c, struct admin_call *call)
{
	link_add(&c->settings.waiting, &call->link);
	settings_step(c);
}

void settings_laid(struct control *c)
{
	struct admin_call *call = c->settings.call;
	c->settings.call = NULL;
	if (call)
		admin_did(call, "%.*s", STR_F(buf_str(&c->settings.did)));
	settings_step(c);
}

/* --- A new configuration. --- */

static void drop(struct settings *s, size_t i)
{
	setting_fini(&s->list[i]);
	memmove(&s->list[i], &s->list[i + 1], (s->count - i - 1) * sizeof *s->list);
	s->count--;
}

void settings_forget(struct settings *s)
{
	for (size_t i = s->count; i-- > 0;)
		if (!s->list[i].keep)
			drop(s, i);
}

void settings_fit(struct settings *s, bool (*fits)(void *arg, struct str overlay, struct buf *why), void *arg,
                  struct buf *lost)
{
	struct buf text = {}, why = {};
	for (size_t i = 0; i < s->count;) {
		size_t before = text.n;
		buf_add(&text, buf_str(&s->list[i].text));
		buf_clear(&why);
		if (fits(arg, buf_str(&text), &why)) {
			i++;
			continue;
		}
		buf_addf(lost, "%s\"%.*s\": %.*s", lost->n ? "; " : "", STR_F(buf_str(&s->list[i].words)),
		         STR_F(buf_str(&why)));
		text.n = before;
		drop(s, i);
	}
	buf_fini(&text);
	buf_fini(&why);
}

/* --- Printing, keeping. --- */

void settings_print(const struct settings *s, struct buf *out)
{
	buf_add(out, STR("{\"settings\":["));
	for (size_t i = 0; i < s->count; i++) {
		const struct setting *one = &s->list[i];
		buf_add(out, i ? STR(",\n{") : STR("\n{"));
		change_print_who(out, one->wall_ms, &one->who);
		buf_addf(out, "\"keep\":%s,\"set\":\"", one->keep ? "true" : "false");
		buf_add_json(out, buf_str(&one->words));
		buf_add(out, STR("\"}"));
	}
	buf_add(out, STR("]}\n"));
}

json_t *settings_kept(const struct control *c)
{
	json_t *list = json_array();
	for (size_t i = 0; i < c->settings.count; i++) {
		const struct setting *one = &c->settings.list[i];
		if (one->keep)
			json_array_append_new(list, json_pack("{s:s#, s:I, s:I, s:I}", "set", one->words.p, (int)one->words.n, "time",
			                                      (json_int_t)one->wall_ms, "uid", (json_int_t)one->who.uid, "pid",
			                                      (json_int_t)one->who.pid));
	}
	return list;
}

static void lose(struct buf *lost, const char *what, struct str why)
{
	buf_addf(lost, "%s\"%s\": %.*s", lost->n ? "; " : "", what, STR_F(why));
}

void settings_restore(struct control *c, const json_t *list, struct buf *lost)
{
	size_t i;
	json_t *one;
	json_array_foreach(list, i, one) {
		const char *words = json_string_value(json_object_get(one, "set"));
		struct overlay_line line = {};
		struct buf why = {};
		int err = words && i < SETTINGS_MOST
		              ? overlay_line_read(c->modules, c->module_count, str_of(words), &line, &why) : -EINVAL;
		struct setting setting = { .words = line.words, .name = line.name, .text = line.text, .keep = true,
			                   .wall_ms = (uint64_t)json_integer_value(json_object_get(one, "time")),
			                   .who = { .uid = (uid_t)json_integer_value(json_object_get(one, "uid")),
			                            .pid = (pid_t)json_integer_value(json_object_get(one, "pid")) } };
		if (!err && !line.block)
			list_add(&c->settings, &setting);
		else
			lose(lost, words ? words : "a setting", why.n ? buf_str(&why) : STR("it can't be read"));
		overlay_line_fini(&line);
		buf_fini(&why);
	}
}

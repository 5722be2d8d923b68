/* What was given to an errand, checked against its row: the query's names, the body's members.  No state; the control
 * thread. */
#include <inttypes.h>
#include <string.h>

#include "control/errand.h"

static const struct given *given_named(const struct given *rows, struct str name)
{
	for (; rows && rows->name; rows++)
		if (str_eq(str_of(rows->name), name))
			return rows;
	return NULL;
}

static void list_names(struct buf *out, const struct given *rows, bool keep)
{
	size_t before = out->n;
	for (; rows && rows->name; rows++)
		buf_addf(out, "%s\"%s\"", out->n > before ? ", " : "", rows->name);
	if (keep)
		buf_addf(out, "%s\"keep\"", out->n > before ? ", " : "");
}

/* --- The query. --- */

static void refuse_name(struct admin_call *call, struct str name)
{
	const struct errand *e = call->errand;
	struct buf names = {};
	list_names(&names, e->query, e->keeps);
	admin_refuse(call, 400, "the query can't have a \"%.*s\"; it can have %.*s", STR_F(name),
	             STR_F(names.n ? buf_str(&names) : STR("nothing")));
	buf_fini(&names);
}

static bool query_is_right(struct admin_call *call)
{
	const struct errand *e = call->errand;
	for (struct str rest = call->query; rest.n;) {
		struct str value = str_cut(&rest, '&'), name = str_cut(&value, '=');
		bool keep = e->keeps && str_eq(name, STR("keep"));
		if (keep && value.n) {
			admin_refuse(call, 400, "\"keep\" takes no value: where it stands the change is kept");
			return false;
		}
		if (name.n && !keep && !given_named(e->query, name)) {
			refuse_name(call, name);
			return false;
		}
		call->keep |= keep;
	}
	return true;
}

void errand_run(struct admin_call *call)
{
	if (query_is_right(call))
		call->errand->run(call->control, call);
}

/* --- The body. --- */

static void print_example(struct buf *out, const struct errand *e)
{
	buf_add_char(out, '{');
	for (const struct given *g = e->body; g && g->name; g++)
		if (g->example && (!e->one || g == e->body) && (g->required || g == e->body))
			buf_addf(out, "%s\"%s\":%s", out->p[out->n - 1] == '{' ? "" : ",", g->name, g->example);
	buf_add_char(out, '}');
}

static void refuse_body(struct admin_call *call, unsigned status, struct str what)
{
	struct buf example = {}, names = {};
	print_example(&example, call->errand);
	list_names(&names, call->errand->body, false);
	admin_refuse(call, status, "%.*s; it is a JSON object such as %.*s, and can have %.*s", STR_F(what),
	             STR_F(buf_str(&example)), STR_F(buf_str(&names)));
	buf_fini(&example);
	buf_fini(&names);
}

static void add_words(struct buf *out, const struct given *g)
{
	for (size_t i = 0; g->words[i]; i++)
		buf_addf(out, "%s\"%s\"", !i ? "" : g->words[i + 1] ? ", " : " or ", g->words[i]);
}

static bool is_word(const struct given *g, const char *text)
{
	for (size_t i = 0; g->words && g->words[i]; i++)
		if (strcmp(g->words[i], text) == 0)
			return true;
	return !g->words;
}

static bool value_is_right(const struct given *g, const json_t *value)
{
	json_int_t n = json_integer_value(value);
	switch (g->kind) {
	case GIVEN_NUMBER: return json_is_integer(value) && n >= (json_int_t)g->min && n <= (json_int_t)g->max;
	case GIVEN_FLAG: return json_is_boolean(value);
	default: return json_is_string(value) && is_word(g, json_string_value(value));
	}
}

static void refuse_value(struct admin_call *call, const struct given *g)
{
	struct buf what = {};
	if (g->kind == GIVEN_NUMBER)
		buf_addf(&what, "a whole number from %" PRIu64 " to %" PRIu64, g->min, g->max);
	else if (g->kind == GIVEN_FLAG)
		buf_add(&what, STR("true or false"));
	else if (g->words)
		add_words(&what, g);
	else
		buf_addf(&what, "a text such as %s", g->example);
	admin_refuse(call, 422, "\"%s\" has to be %.*s", g->name, STR_F(buf_str(&what)));
	buf_fini(&what);
}

static bool member_is_right(struct admin_call *call, const char *name, const json_t *value)
{
	const struct given *g = given_named(call->errand->body, str_of(name));
	struct buf what = {};
	if (!g) {
		buf_addf(&what, "the body can't have a \"%s\"", name);
		refuse_body(call, 400, buf_str(&what));
		buf_fini(&what);
		return false;
	}
	if (!value_is_right(g, value)) {
		refuse_value(call, g);
		return false;
	}
	return true;
}

static bool body_is_right(struct admin_call *call, const json_t *json)
{
	const struct errand *e = call->errand;
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)json, name, value)
		if (!member_is_right(call, name, value))
			return false;
	for (const struct given *g = e->body; g->name; g++) {
		if (!g->required || json_object_get(json, g->name))
			continue;
		refuse_value(call, g);
		return false;
	}
	if (!e->one || json_object_size(json) == 1)
		return true;
	refuse_body(call, 400, STR("one change at a time"));
	return false;
}

json_t *errand_body(struct admin_call *call)
{
	json_error_t error;
	json_t *json = json_loadb(call->body.p ? call->body.p : "", call->body.n, JSON_REJECT_DUPLICATES, &error);
	bool object = json_is_object(json);
	if (!object)
		refuse_body(call, 400, STR("the body can't be read"));
	if (object && body_is_right(call, json))
		return json;
	json_decref(json);
	return NULL;
}

struct str errand_text(const json_t *body, const char *name)
{
	const json_t *value = json_object_get(body, name);
	return value ? str_make(json_string_value(value), json_string_length(value)) : (struct str){};
}

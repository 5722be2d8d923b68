/* The OpenAPI 3.0 description of the admin socket, from the table of errands.  No state; any thread. */
#include <stdlib.h>

#include "base/must.h"
#include "control/errand.h"

/* Texts of the tables are UTF-8; anything else would be our own mistake. */
static void set(json_t *object, const char *name, json_t *value)
{
	must(json_object_set_new(object, name, value) == 0);
}

static json_t *schema_of(const struct given *g)
{
	static const char *const TYPES[] = { [GIVEN_TEXT] = "string", [GIVEN_NUMBER] = "integer", [GIVEN_FLAG] = "boolean" };
	json_t *schema = json_pack("{s:s}", "type", TYPES[g->kind]);
	if (g->kind == GIVEN_NUMBER) {
		set(schema, "minimum", json_integer((json_int_t)g->min));
		set(schema, "maximum", json_integer((json_int_t)g->max));
	}
	json_t *words = json_array();
	for (size_t i = 0; g->words && g->words[i]; i++)
		json_array_append_new(words, json_string(g->words[i]));
	if (g->words)
		set(schema, "enum", json_incref(words));
	json_decref(words);
	if (g->example)
		set(schema, "example", json_loads(g->example, JSON_DECODE_ANY, NULL));
	return schema;
}

static void add_parameters(json_t *list, const struct given *g, const char *in)
{
	bool path = str_eq(str_of(in), STR("path"));
	for (; g && g->name; g++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", g->name, "in", in, "required",
		                                      path || g->required, "description", g->doc, "schema", schema_of(g)));
}

static json_t *parameters_of(const struct errand *e)
{
	static const struct given KEEP[] = {
		{ "keep", .doc = "The change outlives reloads and restarts, and the answer says so.", .example = "\"\"" },
		{},
	};
	json_t *list = json_array();
	add_parameters(list, e->stars, "path");
	add_parameters(list, e->query, "query");
	add_parameters(list, e->keeps ? KEEP : NULL, "query");
	return list;
}

static json_t *body_of(const struct errand *e)
{
	json_t *properties = json_object(), *required = json_array();
	for (const struct given *g = e->body; g->name; g++) {
		json_t *schema = schema_of(g);
		set(schema, "description", json_string(g->doc));
		set(properties, g->name, schema);
		if (g->required)
			json_array_append_new(required, json_string(g->name));
	}
	json_t *schema = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
	if (json_array_size(required))
		set(schema, "required", json_incref(required));
	json_decref(required);
	if (e->one) {
		set(schema, "minProperties", json_integer(1));
		set(schema, "maxProperties", json_integer(1));
	}
	return json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", "application/json", "schema", schema);
}

/* --- Answers. --- */

static json_t *reference(const char *to)
{
	return json_pack("{s:s}", "$ref", to);
}

static json_t *refused(const char *when)
{
	return json_pack("{s:s, s:{s:{s:o}}}", "description", when, "content", "application/json", "schema",
	                 reference("#/components/schemas/Refused"));
}

static json_t *answer_of(const struct errand *e)
{
	const char *type = e->type ? e->type : "application/json";
	json_t *media = json_object();
	if (e->change)
		set(media, "schema", reference("#/components/schemas/Did"));
	else
		set(media, "schema", json_pack("{s:s}", "type", e->type ? "string" : "object"));
	if (e->example)
		set(media, "example", json_loads(e->example, JSON_DECODE_ANY, NULL));
	return json_pack("{s:s, s:{s:o}}", "description", e->change ? "It was done." : "What was asked for.", "content",
	                 type, media);
}

static void add_refused(json_t *responses, unsigned status, const char *when)
{
	char number[8];
	snprintf(number, sizeof number, "%u", status);
	set(responses, number, refused(when));
}

static json_t *responses_of(const struct errand *e)
{
	json_t *responses = json_pack("{s:o}", "200", answer_of(e));
	add_refused(responses, 400, e->body ? "The body or the query is not as described." : "The query is not as described.");
	add_refused(responses, 401, "Over TCP, without the right token.");
	if (e->body)
		add_refused(responses, 413, "The body is larger than 64 KB.");
	if (e->body)
		add_refused(responses, 422, "A value is out of its range.");
	for (const struct refusal *r = e->refusals; r && r->status; r++)
		add_refused(responses, r->status, r->when);
	return responses;
}

/* --- Operations. --- */

/* "/pools/{pool}/servers/{server}" */
static void path_of(struct buf *out, const struct errand *e)
{
	const struct given *star = e->stars;
	for (const char *p = e->path; *p; p++) {
		if (*p != '*')
			buf_add_char(out, *p);
		else
			buf_addf(out, "{%s}", star++->name);
	}
	buf_add_char(out, '\0');
}

static struct str summary_of(const struct errand *e)
{
	struct str doc = str_of(e->doc);
	const char *end = memmem(doc.p, doc.n, ". ", 2);
	return end ? str_head(doc, (size_t)(end - doc.p) + 1) : doc;
}

static json_t *operation_of(const struct errand *e)
{
	struct str summary = summary_of(e);
	json_t *operation = json_pack("{s:s#, s:s}", "summary", summary.p, (int)summary.n, "description", e->doc);
	json_t *parameters = parameters_of(e);
	if (json_array_size(parameters))
		set(operation, "parameters", json_incref(parameters));
	json_decref(parameters);
	if (e->body)
		set(operation, "requestBody", body_of(e));
	set(operation, "responses", responses_of(e));
	return operation;
}

static void add_errand(json_t *paths, const struct errand *e)
{
	struct buf path = {};
	char method[12] = "";
	path_of(&path, e);
	struct str name = errand_method(e);
	for (size_t i = 0; i < name.n && i + 1 < sizeof method; i++)
		method[i] = ascii_lower(name.p[i]);
	json_t *item = json_object_get(paths, path.p);
	if (!item) {
		item = json_object();
		set(paths, path.p, item);
	}
	set(item, method, operation_of(e));
	buf_fini(&path);
}

static json_t *components(void)
{
	return json_pack("{s:{s:{s:s, s:[s,s], s:{s:{s:s}, s:{s:s, s:s}, s:{s:s, s:s}}},"
	                 "    s:{s:s, s:[s], s:{s:{s:s}, s:{s:s, s:s}}}},"
	                 " s:{s:{s:s, s:s}}}",
	                 "schemas",
	                 "Did", "type", "object", "required", "ok", "did", "properties", "ok", "type", "boolean",
	                 "did", "type", "string", "description", "What was done, as it stands in the list of changes.",
	                 "kept", "type", "boolean", "description", "Where keep was asked for: whether a restart finds it.",
	                 "Refused", "type", "object", "required", "ok", "properties", "ok", "type", "boolean",
	                 "error", "type", "string", "description", "What was wrong, and what there is.",
	                 "securitySchemes", "token", "type", "http", "scheme", "bearer");
}

void openapi_print(struct buf *out)
{
	json_t *paths = json_object();
	for (size_t i = 0; errand_at(i); i++)
		add_errand(paths, errand_at(i));
	json_t *all = json_pack("{s:s, s:{s:s, s:s, s:s}, s:[{}, {s:[]}], s:o, s:o}", "openapi", "3.0.3", "info", "title",
	                        "petrel's admin socket", "version", PETREL_VERSION, "description",
	                        "Over the Unix socket without a token; over TCP with one. What a path's parameter stands "
	                        "for may hold slashes.",
	                        "security", "token", "paths", paths, "components", components());
	must(all && "an errand's example that is no JSON");
	char *text = json_dumps(all, JSON_INDENT(1));
	buf_addf(out, "%s\n", text);
	free(text);
	json_decref(all);
}

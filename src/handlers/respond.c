/* respond: an answer that stands in the configuration.  Runs on the request's loop; keeps nothing. */
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/explain.h"
#include "http/req.h"
#include "http/vars.h"

struct respond {
	uint64_t status;
	struct tmpl text;
	struct str type;
};

static enum go respond_handle(struct req *r, const void *values)
{
	const struct respond *v = values;
	answer_bytes(r, (unsigned)v->status, v->type, tmpl_str(&v->text, r));
	return GO_ANSWER;
}

static void respond_explain(struct req *r, const void *values, struct explained *out)
{
	const struct respond *v = values;
	(void)r;
	explain_say(out, "answers %u, with the text that stands there", (unsigned)v->status);
}

static void respond_check(struct checker *c, void *values)
{
	struct respond *v = values;
	if (!str_is_printable(v->type))
		check_error(c, &v->type, "a media type can't hold a control character");
}

static const struct directive DIRECTIVES[] = {
	{ .name = "respond", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE,
	  .args = ARGS({ "status", &TYPE_NUMBER, offsetof(struct respond, status), .range = { 200, 599, NULL } },
	               { "text", &TYPE_TEMPLATE, offsetof(struct respond, text), ARG_OPTIONAL, .preset = "\"\"" },
	               { "type", &TYPE_WORD, offsetof(struct respond, type), ARG_KEYWORD,
	                 .preset = "\"text/plain; charset=utf-8\"" }),
	  .doc = "Answers with this status and text. The text may hold variables; type is its Content-Type.",
	  .example = "route = /ping { respond 200 \"pong\\n\"; }\nroute /private/* { respond 403; }" },
	{},
};

const struct module RESPOND = {
	.name = "respond",
	.doc = "An answer that stands in the configuration: health checks, robots.txt, a closed door.",
	.size = sizeof(struct respond),
	.directives = DIRECTIVES,
	.handle = respond_handle,
	.explain = respond_explain,
	.check = respond_check,
};

/* redirect: sends the client elsewhere.  Runs on the request's loop; keeps nothing. */
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/explain.h"
#include "http/req.h"
#include "http/vars.h"

struct redirect {
	uint64_t status;
	struct tmpl target;
};

static enum go redirect_handle(struct req *r, const void *values)
{
	const struct redirect *v = values;
	struct str target = tmpl_url(&v->target, r);
	req_answer(r, (unsigned)v->status);
	answer_add(r, STR("Location"), target);
	return GO_ANSWER;
}

static void redirect_explain(struct req *r, const void *values, struct explained *out)
{
	const struct redirect *v = values;
	explain_say(out, "answers %u, to %.*s", (unsigned)v->status, STR_F(tmpl_url(&v->target, r)));
}

static void redirect_check(struct checker *c, void *values)
{
	struct redirect *v = values;
	static const uint64_t ALLOWED[] = { 301, 302, 303, 307, 308 };
	for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++)
		if (v->status == ALLOWED[i])
			return;
	check_error(c, &v->status, "a redirect's status is 301, 302, 303, 307 or 308");
}

static const struct directive DIRECTIVES[] = {
	{ .name = "redirect", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE,
	  .args = ARGS({ "status", &TYPE_NUMBER, offsetof(struct redirect, status), .range = { 301, 308, NULL } },
	               { "target", &TYPE_TEMPLATE, offsetof(struct redirect, target) }),
	  .doc = "Sends the client to another URL: 301 and 308 for good, 302, 303 and 307 for now; 307 and 308 keep the "
	         "method. $1 is what the route's first * stood for.",
	  .example = "route /old/* { redirect 301 /new/$1; }\nroute * { redirect 308 https://$host$target; }" },
	{},
};

const struct module REDIRECT = {
	.name = "redirect",
	.doc = "Sends the client to another URL.",
	.size = sizeof(struct redirect),
	.directives = DIRECTIVES,
	.handle = redirect_handle,
	.explain = redirect_explain,
	.check = redirect_check,
};

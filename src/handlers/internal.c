/* internal: a route that only petrel itself leads to.  Runs on the request's loop; keeps nothing. */
#include "handlers/handlers.h"
#include "http/req.h"

struct mark {
	char here;
};

struct internal {
	struct items marks;   /* struct mark; one says it all */
};

static bool internal_active(const void *values)
{
	return ((const struct internal *)values)->marks.count > 0;
}

static enum go internal_gate(struct req *r, const void *values)
{
	(void)values;
	return r->again ? GO_NEXT : req_answer(r, 404);
}

static const struct directive DIRECTIVES[] = {
	{ .name = "internal", .kind = DIR_LIST, .scopes = SCOPE_ROUTE, .offset = offsetof(struct internal, marks),
	  .item_size = sizeof(struct mark),
	  .doc = "A client that asks for such a path itself gets 404: only an application's X-Accel-Redirect or X-Sendfile, a "
	         "try of files, or an error page leads there.",
	  .example = "route /protected/* { internal; root /srv/files; files; }" },
	{},
};

const struct module INTERNAL = {
	.name = "internal",
	.doc = "Routes that only petrel itself leads to: files that an application decides about.",
	.size = sizeof(struct internal),
	.directives = DIRECTIVES,
	.active = internal_active,
	.gate = internal_gate,
	.gate_foretells = true,
};

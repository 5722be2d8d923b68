/* redirect: sends the client elsewhere.  Runs on the request's loop; keeps nothing. */
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/req.h"
#include "http/target.h"
#include "http/vars.h"

struct redirect {
	uint64_t status;
	struct tmpl target;
};

/* A Location may hold what a URL may; this also keeps control characters out of the field. */
static struct str clean(struct arena *a, struct str target)
{
	static const char HEX[] = "0123456789ABCDEF";
	char *p = arena_raw(a, target.n * 3 + 1);
	size_t n = 0;
	for (size_t i = 0; i < target.n; i++) {
		unsigned char c = (unsigned char)target.p[i];
		if (c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\') {
			p[n++] = (char)c;
			continue;
		}
		p[n++] = '%';
		p[n++] = HEX[c >> 4];
		p[n++] = HEX[c & 15];
	}
	return (struct str){ p, n };
}

/* Parts that were decoded are encoded again: a '?' or '%' that was one letter of a name stays one. */
static struct str target_of(struct req *r, const struct tmpl *t)
{
	struct buf out = {};
	for (size_t i = 0; i < t->count; i++) {
		const struct piece *p = &t->pieces[i];
		size_t from = out.n;
		piece_print(&out, p, r);
		if (!p->capture && !(p->var && p->var->decoded))
			continue;
		struct str encoded = target_encode(&r->arena, str_from(buf_str(&out), from));
		out.n = from;
		buf_add(&out, encoded);
	}
	struct str target = clean(&r->arena, buf_str(&out));
	buf_fini(&out);
	return target;
}

static enum go redirect_handle(struct req *r, const void *values)
{
	const struct redirect *v = values;
	struct str target = target_of(r, &v->target);
	req_answer(r, (unsigned)v->status);
	answer_add(r, STR("Location"), target);
	return GO_ANSWER;
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
	.check = redirect_check,
};

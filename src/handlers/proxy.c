/* proxy: answers by a server that speaks HTTP/1.1.  The handler and its directives; constant while the snapshot lives. */
#include "handlers/proxy.h"

#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/explain.h"
#include "http/sendfile.h"

const struct codec PROXY_CODEC = {
	.name = "HTTP",
	.decode = DECODE_HTTP,
	.state_b = sizeof(struct proxy_state),
	.ask = proxy_ask,
	.frame = proxy_frame,
	.hear = proxy_hear,
	.fin = proxy_fin,
};

static enum go proxy_handle(struct req *r, const void *values)
{
	return upstream_handle(r, &((const struct proxy *)values)->outward);
}

static const struct outward *proxy_outward(const void *values)
{
	return &((const struct proxy *)values)->outward;
}

static void proxy_explain(struct req *r, const void *values, struct explained *out)
{
	const struct proxy *v = values;
	struct buf target = {};
	proxy_target(r, v, &target);
	explain_say(out, "asks the server for %.*s %.*s", STR_F(ask_method(&r->ask)), STR_F(buf_str(&target)));
	buf_fini(&target);
}

/* --- Configuration. --- */

static int host_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	struct proxy_host *host = out;
	(void)range;
	*host = (struct proxy_host){ .kind = HOST_TEXT };
	if (str_eq(text, STR("pass")))
		host->kind = HOST_PASS;
	else if (str_eq(text, STR("server")))
		host->kind = HOST_SERVER;
	else if (!str_is_printable(text) || str_find(text, ' ') < text.n || !text.n)
		return type_wrong(in, "no blank or control character may stand in a host's name");
	return host->kind == HOST_TEXT ? tmpl_parse(in, text, &host->text) : 0;
}

static void host_print(struct buf *out, const struct type_range *range, const void *value)
{
	const struct proxy_host *host = value;
	(void)range;
	if (host->kind == HOST_TEXT)
		type_print_word(out, host->text.text);
	else
		buf_add(out, host->kind == HOST_PASS ? STR("pass") : STR("server"));
}

static const struct type TYPE_HOST = { "host", "pass, server, or a host's name, which may hold variables",
	                               sizeof(struct proxy_host), host_parse, host_print };

/* What follows from how a request is sent, and what has a directive of its own. */
static bool is_ours(struct str name)
{
	return field_is_hop(name) || str_eq_nocase(name, STR("content-length")) || str_eq_nocase(name, STR("expect")) ||
	       str_eq_nocase(name, STR("host"));
}

static void check_fields(struct checker *c, const struct items *items)
{
	const struct proxy_field *fields = items->p;
	for (size_t i = 0; i < items->count; i++) {
		if (!str_is_token(fields[i].name))
			check_error(c, &fields[i].name, "\"%.*s\" can't be a field's name", STR_F(fields[i].name));
		else if (str_eq_nocase(fields[i].name, STR("host")))
			check_error(c, &fields[i].name, "Host is set by the directive host");
		else if (is_ours(fields[i].name))
			check_error(c, &fields[i].name, "%.*s follows from how a request is sent; it can't be changed",
			            STR_F(fields[i].name));
		if (!str_is_printable(fields[i].value.text))
			check_error(c, &fields[i].value, "a field's value can't hold a control character");
	}
}

static void check_rewrites(struct checker *c, const struct items *items)
{
	const struct proxy_rewrite *rules = items->p;
	for (size_t i = 0; i < items->count; i++)
		if (!str_is_printable(rules[i].to.text))
			check_error(c, &rules[i].to, "a field's value can't hold a control character");
}

static void proxy_check(struct checker *c, void *values)
{
	struct proxy *v = values;
	check_fields(c, &v->fields);
	check_rewrites(c, &v->redirects);
	check_rewrites(c, &v->cookie_paths);
	check_rewrites(c, &v->cookie_domains);
	if (str_find(v->path.text, '#') < v->path.text.n)
		check_error(c, &v->path, "a # and what follows it is never sent to a server");
	target_check(c, &v->target, PROTOCOL_HTTP);
	v->outward = (struct outward){ &PROXY_CODEC, v->target.backend, v, proxy_reply };
}

#define AT(member) offsetof(struct proxy, member)
#define REWRITE_ARGS                                                                                                    \
	ARGS({ "from", &TYPE_WORD, offsetof(struct proxy_rewrite, from) },                                              \
	     { "to", &TYPE_TEMPLATE, offsetof(struct proxy_rewrite, to) })

static const struct directive INNER[] = {
	{ .name = "host", .args = ARGS({ "name", &TYPE_HOST, AT(host), .preset = "pass" }),
	  .doc = "The Host field that the server gets: the client's (pass), the server's own name, or this text.",
	  .example = "host api.internal;" },
	{ .name = "path", .args = ARGS({ "path", &TYPE_TEMPLATE, AT(path), .preset = "\"\"" }),
	  .doc = "The path that the server is asked for; the client's query follows, unless a ? stands in it. Without this "
	         "the server gets the target as the client wrote it.",
	  .example = "route /api/* { proxy api { path /v2/$1; } }" },
	{ .name = "forwarded",
	  .args = ARGS({ "how", &TYPE_CHOICE, AT(forwarded), .preset = "replace",
	                 .range = { .words = (const char *const[]){ "replace", "append", "pass", "off", NULL } } }),
	  .doc = "X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and Forwarded (RFC 7239): what is known of the "
	         "client, in place of what it claims (replace) or behind it (append: only where all clients are proxies that "
	         "can be trusted); the client's claims as they are (pass); or none of them (off).",
	  .example = "forwarded append;" },
	{ .name = "via", .args = ARGS({ "flag", &TYPE_FLAG, AT(via), .preset = "on" }),
	  .doc = "Whether the server is told that a proxy stands before it (Via), as RFC 9110 wants it. Some servers compress "
	         "nothing then.",
	  .example = "via off;" },
	{ .name = "set_field", .kind = DIR_LIST, .offset = AT(fields), .item_size = sizeof(struct proxy_field),
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct proxy_field, name) },
	               { "value", &TYPE_TEMPLATE, offsetof(struct proxy_field, value) }),
	  .doc = "A field of the request to the server, in place of the client's; where the value turns out empty there is "
	         "none.",
	  .example = "set_field X-Request-Id $id;\nset_field Authorization \"\";" },
	{ .name = "redirect_rewrite", .kind = DIR_LIST, .offset = AT(redirects),
	  .item_size = sizeof(struct proxy_rewrite), .args = REWRITE_ARGS,
	  .doc = "In Location and Refresh, replaces what they begin with; the first that fits counts. Without it, a URL of the "
	         "server's own address becomes one of the host that the client asked.",
	  .example = "redirect_rewrite http://intranet:8000/v2/ /api/;" },
	{ .name = "cookie_path", .kind = DIR_LIST, .offset = AT(cookie_paths),
	  .item_size = sizeof(struct proxy_rewrite), .args = REWRITE_ARGS,
	  .doc = "Replaces what the path of a cookie begins with; the first that fits counts.",
	  .example = "cookie_path /v2/ /api/;" },
	{ .name = "cookie_domain", .kind = DIR_LIST, .offset = AT(cookie_domains),
	  .item_size = sizeof(struct proxy_rewrite), .args = REWRITE_ARGS,
	  .doc = "Replaces the domain of a cookie; \"\" leaves it out, so that the cookie is for the host that was asked.",
	  .example = "cookie_domain intranet example.org;" },
	SENDFILE_ROW(AT(sendfile)),
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "proxy", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .inner = INNER,
	  .args = ARGS({ "target", &TYPE_TARGET, AT(target) }),
	  .doc = "Answers by a server that speaks HTTP/1.1: a pool or app of this name, or an address. Connections are kept; "
	         "WebSockets are passed through; trailers reach clients that ask for them (TE: trailers).",
	  .example = "route /api/* { proxy api; }\nroute * { proxy http://127.0.0.1:3000; }" },
	{},
};

const struct module PROXY = {
	.name = "proxy",
	.doc = "Servers that speak HTTP/1.1, and WebSockets through them.",
	.size = sizeof(struct proxy),
	.directives = DIRECTIVES,
	.handle = proxy_handle,
	.outward = proxy_outward,
	.explain = proxy_explain,
	.check = proxy_check,
};

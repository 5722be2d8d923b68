/* cgi: answers by a program that is started for each request (RFC 3875).  On the request's loop; state in the call's
 * memory.
 *
 * A loop starts no program: it connects to the control thread (control/programs.c), as to any server of a pool, and says
 * what is asked for in variables; the control thread has the spawner start the program with that connection as its
 * standard input and output. */
#include "handlers/cgi.h"

#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/core.h"
#include "http/sendfile.h"

struct lines_out {
	struct cgi_sink sink;
	struct buf *out;
};

static void put_line(struct cgi_sink *sink, struct str name, struct str value)
{
	struct buf *out = container_of(sink, struct lines_out, sink)->out;
	buf_add(out, name);
	buf_add_char(out, '=');
	buf_add(out, value);
	buf_add_char(out, '\0');
}

static const struct cgi *cgi_of(const struct call *c)
{
	return (const struct cgi *)gateway_of(c);
}

static unsigned cgi_ask(struct call *c, struct buf *out)
{
	struct lines_out lines = { { put_line }, out };
	struct cgi_frame frame = { .timeout_ms = (uint32_t)cgi_of(c)->timeout_ms };
	size_t from = out->n;
	buf_add(out, str_make((const char *)&frame, sizeof frame));
	cgi_vars(c->req, &gateway_of(c)->cgi, c->body_b, &lines.sink);
	frame.vars_b = (uint32_t)(out->n - from - sizeof frame);
	memcpy(out->p + from, &frame, sizeof frame);
	return 0;
}

/* A status line is no part of a CGI program's answer: programs that send their own ("nph-") are refused. */
static enum heard hear(struct call *c, struct str *in, struct str *data)
{
	struct cgi_answer *a = c->state;
	return a->told && a->bodiless ? HEARD_END : cgi_hear(c, a, in, data);
}

const struct codec CGI_CODEC = {
	.name = "CGI",
	.decode = DECODE_CGI,
	.state_b = sizeof(struct cgi_answer),
	.needs_length = true,
	.shuts = true,
	.ask = cgi_ask,
	.hear = hear,
	.fin = gateway_fin,
};

static enum go cgi_handle(struct req *r, const void *values)
{
	const struct cgi *v = values;
	return req_core(r)->root.n ? upstream_handle(r, &v->gateway.outward) : req_answer(r, 404);
}

/* --- For who starts them. --- */

/* Its place among the modules. */
static size_t index_of(const struct conf *c)
{
	size_t i = 0;
	while (i < c->module_count && c->modules[i] != &CGI)
		i++;
	return i;
}

/* As DOCUMENT_ROOT has it. */
static bool is_root(const struct core *core, struct str root)
{
	struct str own = core->root;
	return str_eq(own, root) || (own.n && own.p[own.n - 1] == '/' && str_eq(str_head(own, own.n - 1), root));
}

/* NULL: any root. */
static const struct cgi *find(const struct conf *c, const struct str *root)
{
	for (size_t i = 0; i < c->site_count; i++) {
		for (size_t k = 0; k < c->sites[i].route_count; k++) {
			const struct route *route = &c->sites[i].routes[k];
			const struct core *core = route->values ? route->values[0] : NULL;
			if (route->handler.module == &CGI && (!root || is_root(core, *root)))
				return route->handler.values;
		}
	}
	return NULL;
}

const struct cgi *cgi_below(const struct conf *c, struct str root)
{
	return root.n ? find(c, &root) : NULL;
}

bool cgi_is_used(const struct conf *c)
{
	return find(c, NULL) != NULL;
}

uint64_t cgi_at_once(const struct conf *c)
{
	size_t i = index_of(c);
	return i < c->module_count ? ((const struct cgi *)c->values[i])->at_once : 0;
}

/* --- Configuration. --- */

static void cgi_check(struct checker *c, void *values)
{
	struct cgi *v = values;
	gateway_check(c, &v->gateway, &CGI_CODEC, PROTOCOL_CGI);
	v->gateway.outward.backend = backend_own(c, CGI_POOL, PROTOCOL_CGI);
}

#define AT(member) offsetof(struct cgi, member)

static const struct directive INNER[] = {
	{ .name = "timeout",
	  .args = ARGS({ "time", &TYPE_DURATION, AT(timeout_ms), .range = { 1, 86400000, NULL }, .preset = "1m" }),
	  .doc = "A program that runs longer is ended." },
	{ .name = "memory", .args = ARGS({ "size", &TYPE_SIZE, AT(memory_b), .range = { .min = 1 << 20 } }),
	  .doc = "Address space of a program (RLIMIT_AS)." },
	{ .name = "cpu", .args = ARGS({ "seconds", &TYPE_NUMBER, AT(cpu_s), .range = { 1, 86400, NULL } }),
	  .doc = "Seconds of processor time of a program (RLIMIT_CPU)." },
	{ .name = "descriptors", .args = ARGS({ "count", &TYPE_NUMBER, AT(descriptors), .range = { 8, 1 << 20, NULL } }),
	  .doc = "Open files of a program (RLIMIT_NOFILE)." },
	{ .name = "processes", .args = ARGS({ "count", &TYPE_NUMBER, AT(processes), .range = { 1, 1 << 22, NULL } }),
	  .doc = "Processes of its user, those of others included (RLIMIT_NPROC)." },
	{ .name = "user", .args = ARGS({ "name", &TYPE_WORD, AT(user) }),
	  .doc = "The user that programs run as, when petrel is started as root; without it, the user that serves." },
	{ .name = "param", .kind = DIR_LIST, .offset = AT(gateway.cgi.params), .item_size = sizeof(struct cgi_param),
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct cgi_param, name) },
	               { "value", &TYPE_TEMPLATE, offsetof(struct cgi_param, value) }),
	  .doc = "A variable for programs, beside those of CGI/1.1 or in place of one of them.",
	  .example = "param APP_ENV production;" },
	SENDFILE_ROW(AT(gateway.sendfile)),
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "cgi", .fixed = FIXED_RELOAD, .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .inner = INNER,
	  .doc = "Answers by the program below `root` that the path leads to, started for each request (CGI/1.1). What follows "
	         "the program's file in the path is PATH_INFO; its folder is its working directory; what it writes to its "
	         "standard error goes to the error log.",
	  .example = "route /cgi-bin/* { cgi; }\nroute /tools/* { root /srv; cgi { timeout 10s; memory 256m; user tools; } }" },
	{ .name = "cgi_processes", .scopes = SCOPE_MAIN,
	  .args = ARGS({ "count", &TYPE_NUMBER, AT(at_once), .range = { 1, 10000, NULL }, .preset = "32" }),
	  .doc = "How many CGI programs may run at a time; further requests wait, as long as direct { queue } says." },
	{},
};

const struct module CGI = {
	.name = "cgi",
	.doc = "Programs that answer one request each.",
	.size = sizeof(struct cgi),
	.directives = DIRECTIVES,
	.handle = cgi_handle,
	.outward = gateway_outward,
	.explain = gateway_explain,
	.check = cgi_check,
};

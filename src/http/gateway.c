/* Values and checks of the handlers that speak CGI's variables.  Constant while the snapshot lives. */
#include "http/gateway.h"

#include <errno.h>

#include "base/mem.h"
#include "http/check.h"
#include "http/core.h"
#include "http/explain.h"
#include "http/hot_look.h"
#include "http/sendfile.h"

static enum go on_reply(struct req *r, struct call *c)
{
	return sendfile_reply(r, c, gateway_of(c)->sendfile);
}

/* --- Whether the script is there. --- */

/* Of one request, in its arena. */
struct script_look {
	struct tree tree;
	struct hot_search look;
};

static void script_close(struct req *r, void *state)
{
	hot_look_close(r, &((struct script_look *)state)->look);
}

static struct script_look *script_look_of(struct req *r)
{
	if (!r->state) {
		struct script_look *s = ARENA_NEW(&r->arena, struct script_look);
		s->tree = (struct tree){ req_core(r)->root, FOLLOW_ANY };
		r->state = s;
		r->state_close = script_close;
	}
	return r->state;
}

/* With a path that leads past a file, PHP would run that file, whatever it is: /picture.jpg/x.php. */
static bool is_missing(const struct hot *h, bool split)
{
	return h->kind == HOT_ERROR && (h->err == -ENOTDIR || (h->err == -ENOENT && split));
}

static enum go find_script(struct req *r, struct str script, bool split)
{
	struct script_look *s = script_look_of(r);
	int err;
	struct hot *h = hot_look_up(r, &s->look, &s->tree, script, &err);
	if (err == -EAGAIN)
		return GO_WAIT;
	enum go go = err ? hot_look_said(r, err) : is_missing(h, split) ? req_answer(r, 404) : GO_NEXT;
	script_close(r, s);
	r->state = NULL;
	r->hot = HOT_UNASKED;  /* no file was asked for */
	return go;
}

static bool checks(const struct req *r, const struct gateway *g)
{
	bool here = g->check == CHECK_ON || (g->check == CHECK_AUTO && g->outward.backend->is_app);
	return here && !r->call && req_core(r)->root.n;
}

enum go gateway_handle(struct req *r, const void *values)
{
	const struct gateway *g = values;
	bool split = false;
	struct str script = checks(r, g) ? cgi_script(r, &g->cgi, &split) : (struct str){};
	enum go go = script.n ? find_script(r, script, split) : GO_NEXT;
	return go == GO_NEXT ? upstream_handle(r, &g->outward) : go;
}

/* Of all variables, those that say what is run. */
struct told {
	struct cgi_sink sink;
	struct explained *out;
};

static void tell(struct cgi_sink *sink, struct str name, struct str value)
{
	struct told *t = container_of(sink, struct told, sink);
	if (str_eq(name, STR("SCRIPT_FILENAME")) || str_eq(name, STR("SCRIPT_NAME")) || str_eq(name, STR("PATH_INFO")))
		explain_say(t->out, "%.*s is \"%.*s\"", STR_F(name), STR_F(value));
}

void gateway_explain(struct req *r, const void *values, struct explained *out)
{
	const struct gateway *g = values;
	struct told told = { { tell }, out };
	bool split = false;
	cgi_vars(r, &g->cgi, (int64_t)r->ask.length_b, &told.sink);
	if (checks(r, g) && cgi_script(r, &g->cgi, &split).n && split)
		explain_say(out, "answers 404 where there is no such file");
}

const struct outward *gateway_outward(const void *values)
{
	return &((const struct gateway *)values)->outward;
}

enum heard gateway_hear(struct call *c, struct str *in, struct str *data)
{
	struct cgi_answer *a = c->state;
	a->status_line = true;
	return a->told && a->bodiless ? HEARD_END : cgi_hear(c, a, in, data);
}

enum heard gateway_fin(struct call *c)
{
	return cgi_fin(c, c->state);
}

/* --- Configuration. --- */

/* What any application can look up. */
static bool is_variable(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_alpha(name.p[i]) && !ascii_digit(name.p[i]) && name.p[i] != '_')
			return false;
	return name.n > 0;
}

static void check_params(struct checker *c, const struct items *params)
{
	const struct cgi_param *p = params->p;
	for (size_t i = 0; i < params->count; i++) {
		if (!is_variable(p[i].name))
			check_error(c, &p[i].name, "a variable's name holds letters, digits and _ only");
		if (str_find(p[i].value.text, '\0') < p[i].value.text.n)
			check_error(c, &p[i].value, "a variable can't hold a NUL");
		for (size_t k = 0; k < i; k++)
			if (str_eq(p[k].name, p[i].name))
				check_error(c, &p[i].name, "%.*s is given twice", STR_F(p[i].name));
	}
}

void gateway_check(struct checker *c, struct gateway *g, const struct codec *codec, enum protocol protocol)
{
	struct cgi_conf *cgi = &g->cgi;
	check_params(c, &cgi->params);
	if (cgi->mount.n && cgi->mount.p[0] != '/')
		check_error(c, &cgi->mount, "a path begins with a slash");
	if (str_find(cgi->index, '/') < cgi->index.n)
		check_error(c, &cgi->index, "a file's name holds no slash");
	cgi->mounted = cgi->mount.n > 0;
	while (cgi->mount.n && cgi->mount.p[cgi->mount.n - 1] == '/')
		cgi->mount.n--;
	target_check(c, &g->target, protocol);
	g->outward = (struct outward){ codec, g->target.backend, g, on_reply };
}

#define AT(member) offsetof(struct gateway, member)

#define ROW_PARAM                                                                                                       \
	{ .name = "param", .kind = DIR_LIST, .offset = AT(cgi.params), .item_size = sizeof(struct cgi_param),           \
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct cgi_param, name) },                                        \
	               { "value", &TYPE_TEMPLATE, offsetof(struct cgi_param, value) }),                                 \
	  .doc = "A variable for the application, beside those of CGI/1.1 or in place of one of them.",                 \
	  .example = "param APP_ENV production;" }

const struct directive GATEWAY_SCRIPTS[] = {
	{ .name = "split", .args = ARGS({ "ending", &TYPE_WORD, AT(cgi.split), .preset = ".php" }),
	  .doc = "The script's path ends with the first segment that ends so; what follows is PATH_INFO. \"\": all of it is "
	         "the script's.",
	  .example = "split .php;" },
	{ .name = "index", .args = ARGS({ "file", &TYPE_WORD, AT(cgi.index), .preset = "index.php" }),
	  .doc = "The script of a path that ends in a slash. \"\": such a path is handed on as it is.",
	  .example = "index app.php;" },
	{ .name = "mount", .args = ARGS({ "path", &TYPE_WORD, AT(cgi.mount), .preset = "\"\"" }),
	  .doc = "The route is one application that is no file: its path is SCRIPT_NAME, what follows is PATH_INFO, and there "
	         "is no SCRIPT_FILENAME.",
	  .example = "mount /app;" },
	{ .name = "check",
	  .args = ARGS({ "choice", &TYPE_CHOICE, AT(check), .preset = "auto",
	                 .range = { .words = (const char *const[]){ "auto", "on", "off", NULL } } }),
	  .doc = "Whether a script has to be a file below root: 404 where there is none. php-cgi would run any file that "
	         "stands where the path has a folder: what a visitor uploaded, by /picture.jpg/x.php. auto: for apps, whose "
	         "files are on this machine.",
	  .example = "check off;" },
	ROW_PARAM,
	SENDFILE_ROW(AT(sendfile)),
	{},
};

const struct directive GATEWAY_APPS[] = {
	{ .name = "mount", .args = ARGS({ "path", &TYPE_WORD, AT(cgi.mount), .preset = "/" }),
	  .doc = "Where the application is: SCRIPT_NAME. What follows of the path is PATH_INFO.",
	  .example = "mount /app;" },
	ROW_PARAM,
	SENDFILE_ROW(AT(sendfile)),
	{},
};

const struct arg GATEWAY_ARGS[] = {
	{ "target", &TYPE_TARGET, AT(target) },
	{},
};

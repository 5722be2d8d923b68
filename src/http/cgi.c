/* CGI/1.1 variables (RFC 3875, 4.1) of a request.  On the request's loop; what has to be put together goes to its arena. */
#include "http/cgi.h"

#include "base/mem.h"
#include "base/num.h"
#include "http/core.h"
#include "http/ids.h"
#include "http/target.h"

/* The run of one request: who takes the variables, and what several of them are made of. */
struct run {
	struct req *r;
	const struct cgi_conf *conf;
	struct cgi_sink *to;
	struct str root, path, script, info;
};

static void put(const struct run *run, struct str name, struct str value)
{
	const struct cgi_param *params = run->conf->params.p;
	for (size_t i = 0; i < run->conf->params.count; i++)
		if (str_eq(params[i].name, name))
			return;
	run->to->put(run->to, name, value.p ? value : STR(""));
}

static void put_number(const struct run *run, struct str name, uint64_t n)
{
	char text[20];
	put(run, name, str_make(text, num_print(text, n)));
}

static struct str join(struct req *r, struct str a, struct str b)
{
	char *p = arena_raw(&r->arena, a.n + b.n + 1);
	if (a.n)
		memcpy(p, a.p, a.n);
	if (b.n)
		memcpy(p + a.n, b.p, b.n);
	return str_make(p, a.n + b.n);
}

/* --- Which part of the path is the script. --- */

static void split_mounted(struct run *run)
{
	struct str mount = run->conf->mount;
	bool below = str_starts(run->path, mount) && (run->path.n == mount.n || run->path.p[mount.n] == '/');
	run->script = below ? mount : (struct str){ "", 0 };
	run->info = below ? str_from(run->path, mount.n) : run->path;
}

static void split_script(struct run *run)
{
	struct str split = run->conf->split;
	run->script = run->path;
	for (size_t at = 0; split.n && at < run->path.n;) {
		size_t end = at + 1 + str_find(str_from(run->path, at + 1), '/');
		if (str_ends(str_make(run->path.p + at, end - at), split)) {
			run->script = str_head(run->path, end);
			break;
		}
		at = end;
	}
	run->info = str_from(run->path, run->script.n);
}

/* Of a folder the index is run. */
static void add_index(struct run *run)
{
	struct str index = run->conf->index;
	if (index.n && run->script.n && run->script.p[run->script.n - 1] == '/')
		run->path = run->script = join(run->r, run->script, index);
}

static void split_path(struct run *run)
{
	run->path = run->r->ask.path;
	if (run->conf->mounted) {
		split_mounted(run);
		return;
	}
	split_script(run);
	add_index(run);
}

struct str cgi_script(struct req *r, const struct cgi_conf *conf, bool *split)
{
	struct run run = { .r = r, .conf = conf };
	if (conf->mounted)
		return (struct str){};
	split_path(&run);
	*split = conf->split.n && str_ends(run.script, conf->split);
	return run.script;
}

static void put_path(const struct run *run)
{
	put(run, STR("SCRIPT_NAME"), run->script);
	put(run, STR("DOCUMENT_URI"), run->path);
	put(run, STR("DOCUMENT_ROOT"), run->root);
	if (run->conf->mounted) {
		put(run, STR("PATH_INFO"), run->info);
		return;
	}
	put(run, STR("SCRIPT_FILENAME"), join(run->r, run->root, run->script));
	if (!run->info.n)
		return;
	put(run, STR("PATH_INFO"), run->info);
	put(run, STR("PATH_TRANSLATED"), join(run->r, run->root, run->info));
}

/* --- Who asks whom for what. --- */

static void put_ends(const struct run *run)
{
	const struct req *r = run->r;
	char text[46];
	put(run, STR("SERVER_NAME"), r->ask.host.n || !r->site ? r->ask.host : r->site->names[0]);
	put_number(run, STR("SERVER_PORT"), r->ask.port ? r->ask.port : 80);
	put(run, STR("REMOTE_ADDR"), str_make(text, ip_print(text, &r->peer)));
	if (ip_length(&r->peer))
		put_number(run, STR("REMOTE_PORT"), r->peer.port);
}

static void put_request(const struct run *run, int64_t body_b)
{
	struct req *r = run->r;
	char id[REQ_ID_B];
	req_id_print(r, id);
	put(run, STR("REQUEST_METHOD"), ask_method(&r->ask));
	put(run, STR("REQUEST_SCHEME"), req_scheme(r));
	put(run, STR("REQUEST_URI"), target_origin_form(&r->arena, r->ask.target));
	put(run, STR("QUERY_STRING"), r->ask.query);
	put(run, STR("REQUEST_ID"), str_make(id, sizeof id));
	if (ask_field(&r->ask, FIELD_CONTENT_TYPE).p)
		put(run, STR("CONTENT_TYPE"), ask_field(&r->ask, FIELD_CONTENT_TYPE));
	if (body_b > 0 || (body_b == 0 && ask_field(&r->ask, FIELD_CONTENT_LENGTH).p))
		put_number(run, STR("CONTENT_LENGTH"), (uint64_t)body_b);
}

/* --- Fields. --- */

/* "X-Forwarded-For" is HTTP_X_FORWARDED_FOR.  Empty where the name holds anything but letters, digits and '-': a '_'
 * could not be told from a '-' any more, and so one field would pass for another. */
static struct str field_var(struct req *r, struct str name)
{
	char *p = arena_raw(&r->arena, name.n + 5);
	memcpy(p, "HTTP_", 5);
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!ascii_alpha(c) && !ascii_digit(c) && c != '-')
			return (struct str){};
		p[5 + i] = c == '-' ? '_' : ascii_alpha(c) ? (char)(c & ~0x20) : c;
	}
	return str_make(p, name.n + 5);
}

/* What has a variable of its own, what belongs to the connection to the client, and Proxy: programs take HTTP_PROXY for
 * the proxy that they are to use themselves ("httpoxy"). */
static bool is_hidden(const struct field *f)
{
	return f->id == FIELD_CONTENT_TYPE || f->id == FIELD_CONTENT_LENGTH || f->id == FIELD_EXPECT ||
	       field_is_hop(f->name) || str_eq_nocase(f->name, STR("proxy"));
}

static bool same_name(const struct field *a, const struct field *b)
{
	return a->id == b->id && a->name.n == b->name.n && str_eq_nocase(a->name, b->name);
}

/* Fields of one name are one variable (RFC 3875, 4.1.18). */
static struct str joined(struct req *r, size_t first)
{
	const struct field *fields = r->ask.fields, *f = &fields[first];
	struct str value = f->value, separator = f->id == FIELD_COOKIE ? STR("; ") : STR(", ");
	for (size_t i = first + 1; i < r->ask.field_count; i++)
		if (same_name(f, &fields[i]))
			value = join(r, join(r, value, separator), fields[i].value);
	return value;
}

static void put_fields(const struct run *run)
{
	const struct ask *ask = &run->r->ask;
	const struct ids *ids = req_ids(run->r);
	for (size_t i = 0; i < ask->field_count; i++) {
		const struct field *f = &ask->fields[i];
		size_t k = 0;
		while (k < i && !same_name(&ask->fields[k], f))
			k++;
		if (k < i || is_hidden(f) || !ids_pass(ids, f->name))
			continue;
		struct str name = field_var(run->r, f->name);
		if (name.n)
			put(run, name, joined(run->r, i));
	}
	for (unsigned i = 0; i < ids->own_count; i++)
		put(run, field_var(run->r, ids->own[i].name), ids->own[i].value);
}

static void put_params(const struct run *run)
{
	const struct cgi_param *params = run->conf->params.p;
	for (size_t i = 0; i < run->conf->params.count; i++)
		run->to->put(run->to, params[i].name, tmpl_str(&params[i].value, run->r));
}

void cgi_vars(struct req *r, const struct cgi_conf *conf, int64_t body_b, struct cgi_sink *to)
{
	struct run run = { .r = r, .conf = conf, .to = to, .root = req_core(r)->root };
	if (!run.root.n)
		run.root = STR("");
	else if (run.root.p[run.root.n - 1] == '/')
		run.root.n--;
	split_path(&run);
	put(&run, STR("GATEWAY_INTERFACE"), STR("CGI/1.1"));
	put(&run, STR("SERVER_SOFTWARE"), STR("petrel/" PETREL_VERSION));
	put(&run, STR("SERVER_PROTOCOL"), r->ask.minor ? STR("HTTP/1.1") : STR("HTTP/1.0"));
	/* PHP refuses to be called without it where it was built to run behind a redirect. */
	put(&run, STR("REDIRECT_STATUS"), STR("200"));
	put_request(&run, body_b);
	put_path(&run);
	put_ends(&run);
	put_fields(&run);
	put_params(&run);
}

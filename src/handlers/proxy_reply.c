/* What an HTTP server says about itself, said about petrel: redirects, and the paths and domains of cookies.  On the
 * request's loop; new values go to its arena. */
#include "handlers/proxy.h"
#include "http/req.h"
#include "http/sendfile.h"

static struct str joined(struct call *c, struct str a, struct str b)
{
	return arena_strf(c->arena, "%.*s%.*s", STR_F(a), STR_F(b));
}

/* --- Redirects. --- */

/* Of http URLs, where port 80 may be left out. */
static bool same_authority(struct str a, struct str b)
{
	static const struct str PORT = { ":80", 3 };
	a.n -= str_ends(a, PORT) ? PORT.n : 0;
	b.n -= str_ends(b, PORT) ? PORT.n : 0;
	return str_eq_nocase(a, b);
}

/* A server that was asked under its own name redirects to that; the client can't or shouldn't go there.  What it says under
 * the name that the client used is meant for the client. */
static struct str to_client(struct call *c, struct str url)
{
	static const struct str HTTP = { "http://", 7 };
	struct str client = ask_field(&c->req->ask, FIELD_HOST), rest = str_from(url, HTTP.n);
	if (!client.n || !str_eq_nocase(str_head(url, HTTP.n), HTTP))
		return url;
	size_t end = 0;
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	struct str name = str_head(rest, end);
	if (same_authority(name, client))
		return url;
	if (!same_authority(name, proxy_host(c)) && !same_authority(name, str_of(c->peer_name)))
		return url;
	struct str front = arena_strf(c->arena, "%.*s://%.*s", STR_F(req_scheme(c->req)), STR_F(client));
	return joined(c, front, str_from(rest, end));
}

/* The first rule whose beginning fits decides. */
static bool rewrite(struct call *c, const struct items *rules, struct str value, struct str *out)
{
	const struct proxy_rewrite *rule = rules->p;
	for (size_t i = 0; i < rules->count; i++) {
		if (!str_starts(value, rule[i].from))
			continue;
		*out = joined(c, tmpl_field(&rule[i].to, c->req), str_from(value, rule[i].from.n));
		return true;
	}
	return false;
}

static struct str redirect(struct call *c, struct str url)
{
	struct str out;
	return rewrite(c, &proxy_of(c)->redirects, url, &out) ? out : to_client(c, url);
}

/* "5; url=http://…" */
static struct str refresh(struct call *c, struct str value)
{
	for (size_t i = 0; i + 4 <= value.n; i++)
		if (str_eq_nocase(str_head(str_from(value, i), 4), STR("url="))) {
			size_t at = i + 4;
			at += at < value.n && (value.p[at] == '"' || value.p[at] == '\'');
			return joined(c, str_head(value, at), redirect(c, str_from(value, at)));
		}
	return value;
}

/* --- Cookies. --- */

static bool is_domain(struct str a, struct str b)
{
	return str_eq_nocase(str_from(a, a.n && a.p[0] == '.'), str_from(b, b.n && b.p[0] == '.'));
}

/* The whole of a domain is replaced; by nothing: the attribute goes, and the cookie is for the host that was asked. */
static bool rewrite_domain(struct call *c, struct str value, struct str *out)
{
	const struct items *rules = &proxy_of(c)->cookie_domains;
	const struct proxy_rewrite *rule = rules->p;
	for (size_t i = 0; i < rules->count; i++)
		if (is_domain(rule[i].from, value)) {
			*out = tmpl_field(&rule[i].to, c->req);
			return true;
		}
	return false;
}

static void add_attribute(struct call *c, struct buf *out, struct str attribute)
{
	struct str value = attribute, name = str_trim(str_cut(&value, '=')), changed = {};
	value = str_trim(value);
	bool is_path = str_eq_nocase(name, STR("path")), is_of_domain = str_eq_nocase(name, STR("domain"));
	bool new = (is_path && rewrite(c, &proxy_of(c)->cookie_paths, value, &changed)) ||
	           (is_of_domain && rewrite_domain(c, value, &changed));
	if (!new)
		buf_addf(out, ";%.*s", STR_F(attribute));
	else if (changed.n)
		buf_addf(out, "; %.*s=%.*s", STR_F(name), STR_F(changed));
}

/* A ';' ends the value and each attribute, whatever quotes there are (RFC 6265, 5.2). */
static struct str cookie(struct call *c, struct str value)
{
	struct buf out = {};
	buf_add(&out, str_cut(&value, ';'));
	while (value.p)
		add_attribute(c, &out, str_cut(&value, ';'));
	struct str s = arena_str(c->arena, buf_str(&out));
	buf_fini(&out);
	return s;
}

enum go proxy_reply(struct req *r, struct call *c)
{
	const struct proxy *v = proxy_of(c);
	enum go go = sendfile_reply(r, c, v->sendfile);
	bool cookies = v->cookie_paths.count || v->cookie_domains.count;
	for (size_t i = 0; go == GO_NEXT && i < c->reply.field_count; i++) {
		struct field *f = &c->reply.fields[i];
		if (str_eq_nocase(f->name, STR("location")))
			f->value = redirect(c, f->value);
		else if (str_eq_nocase(f->name, STR("refresh")))
			f->value = refresh(c, f->value);
		else if (cookies && str_eq_nocase(f->name, STR("set-cookie")))
			f->value = cookie(c, f->value);
	}
	return go;
}

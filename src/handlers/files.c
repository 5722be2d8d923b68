/* files: serves what lies below a root.  Runs on the request's loop; the disk is asked by http/hot_look.c.
 *
 * The handler may be called several times for a request, once after each wait.  It begins anew each time: what it has
 * found before is in the hot set, or held by its struct hot_search, so that there is no place to come back to. */
#include <errno.h>

#include "base/mem.h"
#include "base/must.h"
#include "handlers/files_listing.h"
#include "http/hot_look.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/conditional.h"
#include "http/core.h"
#include "http/encoding.h"
#include "http/explain.h"
#include "http/mime.h"
#include "http/range.h"
#include "http/route.h"
#include "http/target.h"
#include "http/vars.h"

struct type_of_ending {
	struct str ending, type;
};

struct files {
	bool listing, hidden, precompressed;
	int follow;
	struct items try;       /* struct tmpl */
	struct items types;     /* struct type_of_ending */
};

/* Of one request, in its arena. */
struct state {
	struct tree tree;
	struct hot_search look;
	struct listing *listing;
};

static void state_close(struct req *r, void *state)
{
	struct state *s = state;
	hot_look_close(r, &s->look);
	if (s->listing)
		listing_close(s->listing);
	s->listing = NULL;
}

/* --- Serving what was found. --- */

static struct str type_of(const struct files *v, const struct hot *h, struct str path)
{
	const struct type_of_ending *types = v->types.p;
	for (size_t i = 0; i < v->types.count; i++)
		if (str_ends(path, types[i].ending))
			return types[i].type;
	return h->type;
}

static struct body *range_part(struct req *r, void *hot, struct range at)
{
	return hot_body(r, hot, at.from_b, at.length_b);
}

/* Answers that are not the whole of it: 304, 412, 206, 416.  False: it is the whole. */
static bool answer_in_part(struct req *r, struct hot *h)
{
	int64_t modified_s = hot_modified_s(h);
	unsigned status = conditional(r, h->etag, modified_s);
	struct ranges ranges;
	if (status == 412) {
		req_answer(r, 412);
		return true;
	}
	if (status == 304) {
		answer_unchanged(r);
		return true;
	}
	struct str field = ask_field(&r->ask, FIELD_RANGE);
	if (!field.p || r->ask.method != METHOD_GET || !range_applies(r, h->etag, modified_s))
		return false;
	switch (ranges_parse(field, h->size_b, &ranges)) {
	case RANGED_WHOLE:
		return false;
	case RANGED_NONE:
		answer_no_range(r, h->size_b);
		return true;
	case RANGED_PARTS:
		r->answer.hot = NULL;
		answer_ranges(r, h->size_b, &ranges, range_part, h);
		return true;
	}
	return false;
}

/* type is that of the file as it was asked for, whatever encoding h brings it in. */
static enum go serve(struct req *r, const struct files *v, struct state *s, struct hot *h, struct str type,
                     enum encoding encoding)
{
	r->answer.field_count = 0;
	answer_hot(r, h);
	if (type.p != h->type.p)
		answer_set(r, STR("Content-Type"), type);
	if (encoding != ENCODING_IDENTITY)
		answer_add(r, STR("Content-Encoding"), encoding_name(encoding));
	if (v->precompressed && (h->compresses || encoding != ENCODING_IDENTITY))
		answer_vary(r, STR("Accept-Encoding"));
	answer_add(r, STR("Accept-Ranges"), STR("bytes"));
	answer_in_part(r, h);
	/* What only this request holds stays as long as its body. */
	if (s->look.got && r->answer.body)
		body_keep(r->answer.body, &(struct str){});
	return GO_ANSWER;
}

/* The sibling of this encoding, where it is there and not older than the file itself. */
static struct hot *sibling(struct req *r, struct state *s, const struct hot *h, struct str path, enum encoding e,
                           int *err)
{
	struct str suffix = encoding_suffix(e);
	struct str name = arena_strf(&r->arena, "%.*s%.*s", STR_F(path), STR_F(suffix));
	struct hot *found = hot_look_up(r, &s->look, &s->tree, name, err);
	if (!found)
		return NULL;
	bool usable = (found->kind == HOT_BYTES || found->kind == HOT_FILE) && found->mtime_ns >= h->mtime_ns;
	return usable ? found : NULL;
}

/* The best encoding that lies beside the file, or the file itself. */
static enum go serve_file(struct req *r, const struct files *v, struct state *s, struct hot *h, struct str path)
{
	struct str type = type_of(v, h, path);
	if (!v->precompressed || !r->ask.first[FIELD_ACCEPT_ENCODING] || !h->compresses)
		return serve(r, v, s, h, type, ENCODING_IDENTITY);
	struct accepts accepts = accepts_of(&r->ask);
	unsigned have = 0;
	struct hot *siblings[ENCODING_COUNT] = {};
	/* A lookup may put another object in h's place, but what is borrowed stays for the turn. */
	for (enum encoding e = ENCODING_GZIP; e < ENCODING_COUNT; e++) {
		int err = 0;
		if (accepts.quality[e])
			siblings[e] = sibling(r, s, h, path, e, &err);
		if (err)
			return hot_look_said(r, err);
		have |= (siblings[e] != NULL) << e;
	}
	enum encoding best = accepts_best(&accepts, have);
	return serve(r, v, s, best == ENCODING_IDENTITY ? h : siblings[best], type, best);
}

static enum go missing(struct req *r, const struct hot *h)
{
	return req_answer(r, h->err == -EACCES || h->err == -EXDEV || h->err == -ELOOP ? 403 : 404);
}

/* --- Folders. --- */

/* The same URL with a slash behind its path. */
static enum go add_slash(struct req *r)
{
	struct str path = target_encode(&r->arena, r->ask.path);
	struct str to = arena_strf(&r->arena, "%.*s/%s%.*s", STR_F(path), r->ask.query.p ? "?" : "", STR_F(r->ask.query));
	req_answer(r, 301);
	answer_add(r, STR("Location"), to);
	return GO_ANSWER;
}

static enum go list(struct req *r, const struct files *v, struct state *s, struct str path)
{
	if (!v->listing)
		return req_answer(r, 404);
	if (!s->listing)
		s->listing = listing_start(r, &s->tree, path, v->hidden);
	if (!s->listing)
		return req_shed(r, END_DISK_QUEUE);
	int err = listing_ready(s->listing);
	if (err)
		return hot_look_said(r, err);
	listing_answer(r, s->listing);
	return GO_ANSWER;
}

/* An index file may be another route's: /index.php is run, not sent. */
static enum go serve_index(struct req *r, const struct files *v, struct state *s, struct hot *h, struct str path)
{
	struct captures captures;
	if (route_pick(r->site, path, &captures) != r->route)
		return req_again(r, path);
	return serve_file(r, v, s, h, path);
}

static enum go serve_folder(struct req *r, const struct files *v, struct state *s, struct str path)
{
	const struct core *core = req_core(r);
	const struct str *names = core->index.p;
	if (path.p[path.n - 1] != '/')
		return add_slash(r);
	for (size_t i = 0; i < core->index.count; i++) {
		int err;
		struct str name = arena_strf(&r->arena, "%.*s%.*s", STR_F(path), STR_F(names[i]));
		struct hot *h = hot_look_up(r, &s->look, &s->tree, name, &err);
		if (err)
			return hot_look_said(r, err);
		if (h->kind == HOT_BYTES || h->kind == HOT_FILE)
			return serve_index(r, v, s, h, name);
	}
	return list(r, v, s, path);
}

/* --- The way through. --- */

/* A part of the path begins with a dot.  /.well-known/ is meant to be seen (RFC 8615). */
static bool is_hidden(struct str path)
{
	if (str_starts(path, STR("/.well-known/")))
		path = str_from(path, sizeof "/.well-known" - 1);
	for (size_t i = 0; i + 1 < path.n; i++)
		if (path.p[i] == '/' && path.p[i + 1] == '.')
			return true;
	return false;
}

static enum go serve_path(struct req *r, const struct files *v, struct state *s, struct str path)
{
	int err;
	struct hot *h = hot_look_up(r, &s->look, &s->tree, path, &err);
	if (err)
		return hot_look_said(r, err);
	switch (h->kind) {
	case HOT_ERROR:
		return missing(r, h);
	case HOT_FOLDER:
		return serve_folder(r, v, s, path);
	case HOT_BYTES:
	case HOT_FILE:
		return serve_file(r, v, s, h, path);
	}
	return GO_FAIL;
}

/* Whether a candidate of `try` is there: a file, or, where it ends in a slash, a folder. */
static bool is_there(const struct hot *h, struct str path)
{
	bool folder = path.p[path.n - 1] == '/';
	return folder ? h->kind == HOT_FOLDER : h->kind == HOT_BYTES || h->kind == HOT_FILE;
}

static enum go last_resort(struct req *r, struct str text)
{
	if (str_eq(text, STR("=404")) || str_eq(text, r->ask.path))
		return req_answer(r, 404);
	return req_again(r, text);
}

/* The first candidate that is there; the last one is where the request goes otherwise, whatever it is. */
static enum go try(struct req *r, const struct files *v, struct state *s)
{
	const struct tmpl *tries = v->try.p;
	for (size_t i = 0; i < v->try.count; i++) {
		struct str text = tmpl_str(&tries[i], r);
		if (i + 1 == v->try.count)
			return last_resort(r, text);
		int err;
		if (!text.n || text.p[0] != '/')
			continue;
		struct hot *h = hot_look_up(r, &s->look, &s->tree, text, &err);
		if (err)
			return hot_look_said(r, err);
		if (!is_there(h, text))
			continue;
		if (!req_reads(r))
			return GO_ANSWER;
		/* Served in place, the folder's own links would lead beside it. */
		if (h->kind == HOT_FOLDER && str_eq(r->ask.path, str_head(text, text.n - 1)))
			return add_slash(r);
		return serve_path(r, v, s, text);
	}
	return req_answer(r, 404);
}

static struct state *state_of(struct req *r, const struct files *v)
{
	if (!r->state) {
		struct state *s = ARENA_NEW(&r->arena, struct state);
		s->tree = (struct tree){ req_core(r)->root, v->follow };
		r->state = s;
		r->state_close = state_close;
	}
	return r->state;
}

static enum go files_handle(struct req *r, const void *values)
{
	const struct files *v = values;
	/* With `try`, what is no file may go to an application, whatever the method. */
	if (!v->try.count && !req_reads(r))
		return GO_ANSWER;
	if (!v->hidden && is_hidden(r->ask.path))
		return req_answer(r, 404);
	struct state *s = state_of(r, v);
	if (!s->tree.root.n)
		return req_answer(r, 404);
	enum go go = v->try.count ? try(r, v, s) : serve_path(r, v, s, r->ask.path);
	if (go != GO_WAIT)
		state_close(r, s);
	return go;
}

/* What is on the disk is nothing that the control thread could wait for. */
static void files_explain(struct req *r, const void *values, struct explained *out)
{
	const struct files *v = values;
	const struct tmpl *tries = v->try.p;
	struct str root = req_core(r)->root;
	if (!root.n)
		explain_say(out, "there is no root: 404");
	else if (!v->hidden && is_hidden(r->ask.path))
		explain_say(out, "a part of the path begins with a dot: 404");
	else if (!v->try.count)
		explain_say(out, "serves %.*s%.*s, where it is there", STR_F(root), STR_F(r->ask.path));
	for (size_t i = 0; root.n && (v->hidden || !is_hidden(r->ask.path)) && i < v->try.count; i++) {
		struct str text = tmpl_str(&tries[i], r);
		if (i + 1 < v->try.count)
			explain_say(out, "serves %.*s%.*s, where it is there", STR_F(root), STR_F(text));
		else if (str_eq(text, STR("=404")) || str_eq(text, r->ask.path))
			explain_say(out, "else answers 404");
		else
			out->again = text;
	}
}

/* --- Configuration. --- */

static void files_check(struct checker *c, void *values)
{
	struct files *v = values;
	const struct tmpl *tries = v->try.p;
	const struct type_of_ending *types = v->types.p;
	for (size_t i = 0; i < v->types.count; i++)
		if (!str_is_printable(types[i].type))
			check_error(c, &types[i].type, "a media type can't hold a control character");
	if (!v->try.count || !check_was_set(c, &v->try))
		return;
	const struct tmpl *last = &tries[v->try.count - 1];
	if (last->text.n && last->text.p[0] != '/' && last->text.p[0] != '$' && !str_eq(last->text, STR("=404")))
		check_error(c, last, "the last word of `try` is a path that begins with a slash, or =404");
}

#define AT(member) offsetof(struct files, member)

static const char *const FOLLOWS[] = { [FOLLOW_BENEATH] = "beneath", [FOLLOW_NONE] = "none", [FOLLOW_ANY] = "any", NULL };

static const struct directive INNER[] = {
	{ .name = "listing", .offset = AT(listing),
	  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "Shows what is in a folder that has no index file: as a page, or as JSON to who prefers that." },
	{ .name = "try", .offset = AT(try),
	  .args = ARGS({ "path", &TYPE_TEMPLATE, .form = ARG_MANY }),
	  .doc = "The first of these that exists is served: a file, or a folder where it ends in a slash. The last one is "
	         "where the request goes otherwise: routed anew by that path, or =404.",
	  .example = "try $path $path/ /index.php;" },
	{ .name = "hidden", .offset = AT(hidden),
	  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "Serves files and folders whose names begin with a dot. /.well-known/ is always served." },
	{ .name = "follow", .offset = AT(follow),
	  .args = ARGS({ "links", &TYPE_CHOICE, .range = { .words = FOLLOWS }, .preset = "beneath" }),
	  .doc = "Symbolic links: beneath follows those that stay below the root, none follows none, any follows all." },
	{ .name = "precompressed", .offset = AT(precompressed),
	  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "on" }),
	  .doc = "Serves page.html.zst, .br or .gz for page.html to who accepts it, where it is not older." },
	{ .name = "type", .kind = DIR_LIST, .offset = AT(types), .item_size = sizeof(struct type_of_ending),
	  .args = ARGS({ "ending", &TYPE_WORD, offsetof(struct type_of_ending, ending) },
	               { "type", &TYPE_WORD, offsetof(struct type_of_ending, type) }),
	  .doc = "The Content-Type of files whose names end so; others have it from the built-in table.",
	  .example = "type .foo \"text/x-foo; charset=utf-8\";" },
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "files", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .inner = INNER,
	  .doc = "Serves files below the root.",
	  .example = "route /download/* { files { listing on; } }" },
	{},
};

const struct module FILES = {
	.name = "files",
	.doc = "Files below a root: index, listing, conditional requests, ranges, precompressed siblings. Small files are kept "
	       "in memory; no file is ever waited for on an event loop.",
	.size = sizeof(struct files),
	.directives = DIRECTIVES,
	.handle = files_handle,
	.explain = files_explain,
	.check = files_check,
};

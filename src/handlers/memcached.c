/* memcached: answers from what applications stored in a memcached pool under the request's key; what is not there, or can't
 * be had in time, is a miss, and the next route that matches serves the request.  Runs on the request's loop; a value is in
 * the request's arena. */
#include "base/hash.h"
#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/conditional.h"
#include "http/explain.h"
#include "http/memcached.h"
#include "http/mime.h"
#include "http/range.h"
#include "http/req.h"
#include "http/vars.h"

enum miss { MISS_NEXT, MISS_404 };

struct kv {
	struct str name;
	struct tmpl key;             /* empty: the path behind the route's prefix */
	struct str type;             /* empty: by the path's ending */
	int format, miss;            /* enum format, enum miss */
	const struct memcached_conf *conf;
};

/* --- What is a value that can be sent as it is. --- */

/* What an application's client says by the flags that it stores with a value. */
enum format {
	FORMAT_PLAIN,    /* none are set */
	FORMAT_PHP,      /* php-memcached's: strings, numbers and JSON that are not compressed */
	FORMAT_ANY,      /* whatever they say */
};

enum { PHP_TYPE = 15, PHP_COMPRESSED = 0xf0 };

/* php_memcached.c: the type is in the lowest four bits; serialised values and booleans are nothing for a browser. */
static bool is_php_plain(uint64_t flags)
{
	enum { STRING = 0, LONG = 1, DOUBLE = 2, JSON = 6 };
	uint64_t type = flags & PHP_TYPE;
	return !(flags & PHP_COMPRESSED) && (type == STRING || type == LONG || type == DOUBLE || type == JSON);
}

static bool is_plain(const struct kv *v, uint64_t flags)
{
	return v->format == FORMAT_ANY || (v->format == FORMAT_PHP ? is_php_plain(flags) : flags == 0);
}

/* --- Keys. --- */

/* petrel's own, in which pages of other routes are, whoever may see those. */
static bool is_ours(struct str key)
{
	static const struct str OURS[] = { { "pc1:", 4 }, { "pt1:", 4 }, { "pu1:", 4 }, { "pj1:", 4 } };
	for (size_t i = 0; i < countof(OURS); i++)
		if (str_starts(key, OURS[i]))
			return true;
	return false;
}

static struct str key_of(const struct kv *v, struct req *r)
{
	if (v->key.count)
		return tmpl_str(&v->key, r);
	if (r->captures.count)
		return r->captures.at[0];
	return str_from(r->ask.path, 1);
}

/* --- Answering. --- */

/* A value on its way, in the arena. */
struct wanted {
	struct mc_op op;
};

static void wanted_close(struct req *r, void *state)
{
	struct wanted *w = state;
	(void)r;
	mc_cancel(&w->op);
}

static enum go missed(struct req *r, const struct kv *v)
{
	return v->miss == MISS_NEXT ? req_pass(r) : req_answer(r, 404);
}

static struct body *part(struct req *r, void *arg, struct range at)
{
	const struct str *value = arg;
	return body_of_str(&r->arena, str_head(str_from(*value, at.from_b), at.length_b));
}

/* What the request's conditions make of it. */
static void refine(struct req *r, struct str *value, struct str etag)
{
	struct ranges ranges;
	unsigned status = conditional(r, etag, -1);
	struct str field = ask_field(&r->ask, FIELD_RANGE);
	if (status == 304) {
		answer_unchanged(r);
		return;
	}
	if (status == 412) {
		req_answer(r, 412);
		return;
	}
	if (!field.p || r->ask.method != METHOD_GET || !range_applies(r, etag, -1))
		return;
	switch (ranges_parse(field, value->n, &ranges)) {
	case RANGED_WHOLE:
		return;
	case RANGED_NONE:
		answer_no_range(r, value->n);
		return;
	case RANGED_PARTS:
		answer_ranges(r, value->n, &ranges, part, value);
		return;
	}
}

static enum go answer(struct req *r, const struct kv *v, struct str bytes)
{
	struct str *value = ARENA_NEW(&r->arena, struct str);
	*value = arena_str(&r->arena, bytes);
	struct str etag = arena_strf(&r->arena, "\"%016llx-%zx\"", (unsigned long long)hash_bytes(*value, 0), value->n);
	answer_bytes(r, 200, v->type.n ? v->type : mime_of(r->ask.path), *value);
	answer_add(r, STR("ETag"), etag);
	answer_add(r, STR("Accept-Ranges"), STR("bytes"));
	refine(r, value, etag);
	return GO_ANSWER;
}

/* An empty value that somebody is about to fill is none. */
static bool is_hit(const struct kv *v, const struct mc_op *op)
{
	const struct mc_answer *a = &op->answer;
	bool stub = !a->size_b && a->marks & (MC_WON | MC_SENT);
	return op->got == MC_ANSWERED && a->code == MC_VA && op->value.p && !stub && is_plain(v, a->flags);
}

static enum go begin(struct req *r, const struct kv *v)
{
	struct memcached *m = v->conf->memcached;
	struct mc_request ask = { .verb = "mg", .key = key_of(v, r), .flags = STR("f v") };
	struct wanted *w = ARENA_NEW(&r->arena, struct wanted);
	w->op.task = r->task;
	if (is_ours(ask.key) || !memcached_ask(m, r->home, &ask, &w->op, memcached_patience_ms(m)))
		return missed(r, v);
	r->state = w;
	r->state_close = wanted_close;
	return GO_WAIT;
}

static enum go kv_handle(struct req *r, const void *values)
{
	const struct kv *v = values;
	struct wanted *w = r->state;
	bool reads = r->ask.method == METHOD_GET || r->ask.method == METHOD_HEAD;
	if (!reads && v->miss == MISS_NEXT)
		return req_pass(r);
	if (!req_reads(r))
		return GO_ANSWER;
	if (!w)
		return begin(r, v);
	if (w->op.got == MC_WAITING)
		return GO_WAIT;
	enum go go = is_hit(v, &w->op) ? answer(r, v, w->op.value) : missed(r, v);
	mc_cancel(&w->op);
	return go;
}

static bool kv_passes(const void *values)
{
	const struct kv *v = values;
	return v->miss == MISS_NEXT;
}

static void kv_explain(struct req *r, const void *values, struct explained *out)
{
	const struct kv *v = values;
	struct memcached *m = v->conf->memcached;
	struct str key = key_of(v, r);
	struct memcached_server_stats stats;
	out->passes = v->miss == MISS_NEXT;
	if (is_ours(key) || !mc_key_fits(key)) {
		explain_say(out, "asks nobody: \"%.*s\" is no key that an application can have", STR_F(str_head(key, 300)));
		return;
	}
	memcached_stats(m, memcached_pick(m, key), &stats);
	explain_say(out, "asks memcached %.*s for the key \"%.*s\", which %.*s has%s%s", STR_F(v->name), STR_F(key),
	            STR_F(stats.name), stats.state == BREAKER_OPEN ? "; that is not asked for now: it " : "",
	            stats.state == BREAKER_OPEN ? breaker_sentence(stats.why) : "");
	explain_say(out, v->miss == MISS_NEXT ? "where it is not there, the next route that matches serves the request"
	                                      : "where it is not there, answers 404");
}

/* --- Configuration. --- */

static void kv_check(struct checker *c, void *values)
{
	struct kv *v = values;
	if (!str_is_printable(v->type))
		check_error(c, &v->type, "a media type can't hold a control character");
	if (check_was_set(c, &v->name) || v->name.n)
		v->conf = memcached_check(c, &v->name, v->name);
}

#define AT(member) offsetof(struct kv, member)

static const char *const FORMATS[] = { [FORMAT_PLAIN] = "plain", [FORMAT_PHP] = "php", [FORMAT_ANY] = "any", NULL };
static const char *const MISSES[] = { [MISS_NEXT] = "next", [MISS_404] = "404", NULL };

static const struct directive INNER[] = {
	{ .name = "key", .args = ARGS({ "template", &TYPE_TEMPLATE, AT(key), .preset = "\"\"" }),
	  .doc = "The key that is asked for. Without it, what the pattern's first * stands for, decoded, or the path without "
	         "its first slash. Whoever can ask can read every key that can be made so: a prefix of its own keeps sessions "
	         "out of reach.",
	  .example = "key page:$host$path;" },
	{ .name = "type", .args = ARGS({ "type", &TYPE_WORD, AT(type), .preset = "\"\"" }),
	  .doc = "The Content-Type. Without it, by the ending of the path.",
	  .example = "type \"text/html; charset=utf-8\";" },
	{ .name = "flags",
	  .args = ARGS({ "format", &TYPE_CHOICE, AT(format), .preset = "plain", .range = { .words = FORMATS } }),
	  .doc = "Which values are answered, by the flags that the application's client stored with them: plain, those without "
	         "flags; php, what php-memcached stores as strings, numbers or JSON, and not compressed; any, all, as they "
	         "are. Others are misses." },
	{ .name = "miss", .args = ARGS({ "what", &TYPE_CHOICE, AT(miss), .preset = "next", .range = { .words = MISSES } }),
	  .doc = "What becomes of a request whose key is not there: the next route that matches serves it, or it is answered "
	         "404. With next, other methods than GET and HEAD go there, too." },
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "memcached", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE, .inner = INNER,
	  .args = ARGS({ "name", &TYPE_WORD, AT(name) }),
	  .doc = "Answers from what applications stored in this memcached pool. A key that is not there, and a server that "
	         "does not answer in time, are misses: the next route that matches serves the request.",
	  .example = "route /kv/* { memcached shared { key page:$1; type text/html; } }\nroute /kv/* { proxy app; }" },
	{},
};

const struct module MEMCACHED = {
	.name = "memcached",
	.doc = "Answers from keys that applications store in memcached, without asking them.",
	.size = sizeof(struct kv),
	.directives = DIRECTIVES,
	.handle = kv_handle,
	.passes = kv_passes,
	.explain = kv_explain,
	.check = kv_check,
};

/* Caches over the admin socket: what there is of them as JSON, and purging.  On the control thread; purges take effect on
 * all loops before they are answered. */
#include <errno.h>

#include "base/mem.h"
#include "control/errand.h"
#include "control/sample.h"
#include "http/cache.h"

/* --- What there is. --- */

void errand_caches(struct control *c, struct admin_call *call)
{
	const struct sample *now = observer_look(c->observer);
	struct buf json = {};
	buf_add(&json, STR("{\"caches\":"));
	cache_samples_print(&json, now->caches, now->cache_count);
	buf_add(&json, STR("}\n"));
	admin_answer(call, 200, buf_str(&json));
	buf_fini(&json);
}

static void add_name(void *arg, struct cache *cache)
{
	struct buf *names = arg;
	buf_addf(names, "%s%.*s", names->n ? ", " : "", STR_F(cache->name));
}

static void refuse_name(struct control *c, struct admin_call *call, struct str name)
{
	struct buf names = {};
	caches_each(c->caches, add_name, &names);
	admin_refuse(call, 404, "there is no cache \"%.*s\"; %s%.*s", STR_F(name),
	             names.n ? "there are: " : "there is none at all", STR_F(buf_str(&names)));
	buf_fini(&names);
}

void errand_cache(struct control *c, struct admin_call *call)
{
	const struct sample *now = observer_look(c->observer);
	struct cache *cache = caches_find(c->caches, call->stars[0]);
	struct buf json = {};
	for (unsigned i = 0; i < now->cache_count; i++) {
		if (!cache || !str_eq(str_of(now->caches[i].name), call->stars[0]))
			continue;
		buf_add_char(&json, '{');
		cache_sample_print(&json, &now->caches[i]);
		buf_add(&json, STR(",\n  \"lines\":"));
		cache_lines_print(&json, cache);
		buf_add(&json, STR("}\n"));
		admin_answer(call, 200, buf_str(&json));
		buf_fini(&json);
		return;
	}
	refuse_name(c, call, call->stars[0]);
}

/* --- Purging. --- */

/* One request to purge, on its way through the caches, and until their journals have it. */
struct purging {
	struct cache_noted noted;
	struct control *control;
	struct admin_call *call;
	unsigned left;               /* caches whose journals are written, and one while there may be more */
	int err;                     /* of a journal */
	json_t *body;                /* which the texts are of */
	enum purge_kind kind;
	struct str text;             /* as it was given */
	struct buf match;            /* PURGE_MATCH: as keys are */
	bool soft;
	struct str only;             /* the cache; .p NULL: all */
	struct buf done;             /* names of those that were purged */
	unsigned count;
	struct buf why;              /* what was wrong with others */
};

/* Keys begin with the host: a scheme is none of it, and a path alone means any host. */
static void match_as_key(struct str glob, struct buf *out)
{
	static const struct str SCHEMES[] = { { "http://", 7 }, { "https://", 8 } };
	for (size_t i = 0; i < countof(SCHEMES); i++)
		if (str_starts(glob, SCHEMES[i]))
			glob = str_from(glob, SCHEMES[i].n);
	if (str_starts(glob, STR("/")))
		buf_add_char(out, '*');
	buf_add(out, glob);
}

static int purge_url(struct purging *p, struct cache *cache)
{
	struct buf key = {};
	const struct cache_rules *rules = cache_rules_find(p->control->conf, cache->name);
	/* One that no configuration has any more: its pages go when the last request that uses it is over. */
	int err = rules && cache_key_of_url(rules, p->text, &key) ? 0 : -ENOENT;
	if (!err)
		err = cache_purge(cache, p->control->box, PURGE_URL, buf_str(&key), p->soft, &p->noted);
	else if (rules)
		buf_addf(&p->why, "%scache %.*s: its keys can't be told from a URL: purge by tag or pattern", p->why.n ? "; " : "",
		         STR_F(cache->name));
	buf_fini(&key);
	return err;
}

static int purge_one(struct purging *p, struct cache *cache)
{
	if (p->kind == PURGE_URL)
		return purge_url(p, cache);
	struct str text = p->kind == PURGE_MATCH ? buf_str(&p->match) : p->text;
	return cache_purge(cache, p->control->box, p->kind, text, p->soft, &p->noted);
}

static void see_cache(void *arg, struct cache *cache)
{
	struct purging *p = arg;
	if (p->only.p && !str_eq(p->only, cache->name))
		return;
	p->left++;
	int err = purge_one(p, cache);
	if (err)
		p->left--;
	if (err == -E2BIG && !p->why.n)
		buf_addf(&p->why, "the pattern has more than %d bytes", PURGES_MATCH_MOST_B);
	if (!err)
		buf_addf(&p->done, "%s%.*s", p->count++ ? ", " : "", STR_F(cache->name));
}

static void answer(const struct purging *p)
{
	static const char *const WHAT[] = { [PURGE_URL] = "", [PURGE_TAG] = "tag ", [PURGE_MATCH] = "all like ",
		                            [PURGE_ALL] = "everything" };
	if (p->count)
		admin_did(p->call, "%s %.*s: %s%.*s %s%s%.*s%s%s", p->count > 1 ? "caches" : "cache", STR_F(buf_str(&p->done)),
		          WHAT[p->kind], STR_F(p->text), p->soft ? "is stale" : "was purged", p->why.n ? "; " : "",
		          STR_F(buf_str(&p->why)), p->err ? "; it may come back after a restart, for the journal can't be written: "
		                                          : "", p->err ? strerror(-p->err) : "");
	else if (p->why.n)
		admin_refuse(p->call, 422, "%.*s", STR_F(buf_str(&p->why)));
	else
		admin_refuse(p->call, 404, "there is no cache at all");
}

static void purging_end(struct purging *p)
{
	json_decref(p->body);
	buf_fini(&p->match);
	buf_fini(&p->done);
	buf_fini(&p->why);
	mem_free(p);
}

/* One of those that there may be more of. */
static void step(struct purging *p)
{
	if (--p->left)
		return;
	answer(p);
	purging_end(p);
}

static void noted(struct cache_noted *then, int err)
{
	struct purging *p = container_of(then, struct purging, noted);
	p->err = err ? err : p->err;
	step(p);
}

/* What is to be purged, of the body's members: false after answering that it is not just one. */
static bool take_kind(struct purging *p, struct admin_call *call, const json_t *body)
{
	static const struct {
		const char *name;
		enum purge_kind kind;
	} KINDS[] = { { "url", PURGE_URL }, { "tag", PURGE_TAG }, { "match", PURGE_MATCH } };
	unsigned given = json_is_true(json_object_get(body, "all"));
	p->kind = PURGE_ALL;
	p->text = STR("");
	for (size_t i = 0; i < countof(KINDS); i++) {
		struct str text = errand_text(body, KINDS[i].name);
		if (!text.p)
			continue;
		given++;
		p->kind = KINDS[i].kind;
		p->text = text;
	}
	bool fine = given == 1 && (p->kind == PURGE_ALL || (p->text.n && str_is_printable(p->text)));
	if (!fine)
		admin_refuse(call, 422, given == 1 ? "it is empty, or holds control characters"
		                                   : "what is to be purged?  One of url, tag, match and all has to be given");
	return fine;
}

void errand_purge(struct control *c, struct admin_call *call)
{
	json_t *body = errand_body(call);
	if (!body)
		return;
	struct purging *p = MEM_NEW(struct purging);
	*p = (struct purging){ .noted = { noted }, .control = c, .call = call, .left = 1, .body = body,
		               .soft = json_is_true(json_object_get(body, "soft")), .only = errand_text(body, "cache") };
	if (!take_kind(p, call, body)) {
		purging_end(p);
	} else if (p->only.p && !caches_find(c->caches, p->only)) {
		refuse_name(c, call, p->only);
		purging_end(p);
	} else {
		if (p->kind == PURGE_MATCH)
			match_as_key(p->text, &p->match);
		caches_each(c->caches, see_cache, p);
		step(p);
	}
}

/* compress: answers encoded as their client likes it.  Runs on the request's loop.
 *
 * What a file's answer is the whole of, in memory, is encoded once more as small as it gets, by a thread of the disk
 * engine, and kept in the hot set beside the file: the next request is answered from there.  Everything else, and the
 * first request, is encoded on its way out. */
#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/coder.h"
#include "http/conditional.h"
#include "http/hot.h"
#include "http/mime.h"
#include "http/trailers.h"

struct compress {
	bool on;
	struct items types;     /* struct str; none: those that mime.c thinks worth while */
	uint64_t min_b, level;  /* level LEVEL_AUTO: each encoder's own */
};

static bool compress_active(const void *values)
{
	const struct compress *v = values;
	return v->on;
}

/* --- Which answers. --- */

static bool type_matches(struct str type, struct str pattern)
{
	if (str_ends(pattern, STR("/*")))
		return str_eq_nocase(str_head(type, pattern.n - 1), str_head(pattern, pattern.n - 1));
	return str_eq_nocase(type, pattern);
}

static bool type_is_wanted(const struct compress *v, struct str type)
{
	const struct str *patterns = v->types.p;
	struct str name = str_trim(str_head(type, str_find(type, ';')));
	for (size_t i = 0; i < v->types.count; i++)
		if (type_matches(name, patterns[i]))
			return true;
	return !v->types.count && mime_compresses(type);
}

/* Whether its encoding is for us to choose, whoever asks for it. */
static bool is_eligible(const struct req *r, const struct compress *v)
{
	unsigned status = r->answer.status;
	/* What follows a body may speak of its very bytes, such as a digest: it goes with them as they are. */
	return r->answer.body && (status == 200 || status >= 400) && !answer_field(r, STR("Content-Encoding")).p &&
	       !answer_field(r, STR("Content-Range")).p && !trailers_expected(r->answer.trailers) &&
	       !list_has(answer_field(r, STR("Cache-Control")), STR("no-transform")) &&
	       type_is_wanted(v, answer_field(r, STR("Content-Type")));
}

static enum encoding encoding_wanted(const struct req *r)
{
	struct accepts accepts = accepts_parse(ask_field(&r->ask, FIELD_ACCEPT_ENCODING));
	return accepts_best(&accepts, 1 << ENCODING_GZIP | 1 << ENCODING_BR | 1 << ENCODING_ZSTD);
}

/* --- Variants of what is in the hot set. --- */

/* One that is being made; outlives its request. */
struct variant {
	struct disk_job job;
	struct waiter waiter;
	struct home *home;
	struct hot *from;        /* referenced */
	struct hot *made;        /* NULL: not yet */
	enum encoding encoding;
	uint64_t hash;
	struct str key;
	char key_bytes[];
};

static void variant_free(struct variant *x)
{
	object_put(x->home->epoch, &x->from->object);
	mem_free(x);
}

/* On a thread.  What does not get smaller is kept as nothing, so that nobody tries again. */
static void variant_call(struct disk_job *job)
{
	struct variant *x = container_of(job, struct variant, job);
	struct buf out = {};
	bytes_encode(x->encoding, x->from->bytes, &out);
	if (out.n >= x->from->bytes.n)
		buf_fini(&out);
	else
		out.p = mem_grow(out.p, out.n);
	x->made = hot_of_variant(x->home->hot, x->key, x->from, encoding_name(x->encoding), buf_str(&out));
}

static void variant_done(struct mail *m)
{
	struct variant *x = container_of(m, struct variant, job.done);
	if (x->made)
		store_put(x->home->hot, &x->made->object);
	store_land(x->home->hot, x->key, x->hash, x->job.err, NULL);
	variant_free(x);
}

/* Somebody else made it. */
static void variant_joined(struct mail *m)
{
	struct variant *x = container_of(m, struct variant, waiter.mail);
	if (x->waiter.object)
		object_put(x->home->epoch, x->waiter.object);
	variant_free(x);
}

/* Has it made, unless somebody does; nobody waits for it, and where the engine has enough to do it is not made now. */
static void variant_make(struct req *r, struct hot *from, enum encoding e, struct str key, uint64_t hash)
{
	struct home *home = r->home;
	struct variant *x = mem_new(sizeof *x + key.n);
	*x = (struct variant){ .home = home, .from = from, .encoding = e, .hash = hash };
	memcpy(x->key_bytes, key.p, key.n);
	x->key = str_make(x->key_bytes, key.n);
	object_get(&from->object);
	x->waiter.mail.deliver = variant_joined;
	x->waiter.to = &home->loop.mailbox;
	if (store_join(home->hot, x->key, hash, &x->waiter) == FLIGHT_JOINED)
		return;
	x->job = (struct disk_job){ .done.deliver = variant_done, .to = &home->loop.mailbox, .op = DISK_CALL,
		                    .call = variant_call };
	/* Before the flight was ours, another may have landed. */
	struct object *now = store_find(home->hot, x->key, hash);
	bool there = now && hot_is_variant(hot_of(now), from);
	int err = there ? 0 : disk_submit(home->disk, &x->job);
	if (!there && !err)
		return;
	store_land(home->hot, x->key, hash, err, NULL);
	variant_free(x);
}

/* What the answer's file is in this encoding; NULL where it is not known yet. */
static struct hot *variant_find(struct req *r, enum encoding e)
{
	struct hot *from = r->answer.hot;
	struct str key = hot_variant_key(&r->arena, from, encoding_name(e));
	uint64_t hash = store_hash(r->home->hot, key);
	struct object *found = store_find(r->home->hot, key, hash);
	if (found && hot_is_variant(hot_of(found), from))
		return hot_of(found);
	variant_make(r, from, e, key, hash);
	return NULL;
}

/* --- The answer. --- */

/* Encoded by us, it is the same thing, but not byte for byte the same each time: a weak ETag of its own (RFC 9110,
 * 8.8.3.3). */
static void weaken_etag(struct req *r, struct str name)
{
	struct str etag = answer_field(r, STR("ETag"));
	if (etag.n < 2)
		return;
	struct str opaque = str_head(etag, etag.n - 1);
	answer_set(r, STR("ETag"), arena_strf(&r->arena, "%s%.*s-%.*s\"", str_starts(etag, STR("W/")) ? "" : "W/",
	                                      STR_F(opaque), STR_F(name)));
}

static void say_encoding(struct req *r, enum encoding e)
{
	answer_add(r, STR("Content-Encoding"), encoding_name(e));
	answer_remove(r, STR("Accept-Ranges"));
}

static bool encode(struct req *r, const struct compress *v, enum encoding e)
{
	struct body *body = body_encode(r, r->answer.body, e, (unsigned)v->level, r->answer.length_b);
	if (!body)
		return false;
	r->answer.body = body;
	r->answer.hot = NULL;
	r->answer.length_b = LENGTH_UNKNOWN;
	r->answer.trailers = NULL;
	weaken_etag(r, encoding_name(e));
	say_encoding(r, e);
	return true;
}

static void swap_in(struct req *r, struct hot *variant, enum encoding e)
{
	body_close(r->answer.body);
	r->answer.body = hot_body(r, variant, 0, variant->size_b);
	r->answer.length_b = (int64_t)variant->size_b;
	r->answer.hot = variant;
	if (answer_field(r, STR("ETag")).p)  /* an error page has none */
		answer_set(r, STR("ETag"), variant->etag);
	say_encoding(r, e);
}

static bool is_in_memory(const struct hot *h)
{
	return h && h->kind == HOT_BYTES && !h->encoding.n;
}

/* The client may have this very encoding: whoever answered compared the ETag of the unencoded thing only. */
static void compare_etag(struct req *r)
{
	bool reads = r->ask.method == METHOD_GET || r->ask.method == METHOD_HEAD;
	struct str etag = answer_field(r, STR("ETag"));
	if (reads && r->answer.status == 200 && etag.n && conditional(r, etag, -1) == 304)
		answer_unchanged(r);
}

static enum go compress_head(struct req *r, const void *values)
{
	const struct compress *v = values;
	if (!is_eligible(r, v))
		return GO_NEXT;
	answer_vary(r, STR("Accept-Encoding"));
	enum encoding e = encoding_wanted(r);
	bool small = r->answer.length_b >= 0 && (uint64_t)r->answer.length_b < v->min_b;
	if (small || e == ENCODING_IDENTITY)
		return GO_NEXT;
	struct hot *variant = is_in_memory(r->answer.hot) ? variant_find(r, e) : NULL;
	if (variant && !variant->size_b)
		return GO_NEXT;
	if (variant)
		swap_in(r, variant, e);
	else if (!encode(r, v, e))
		return GO_NEXT;
	compare_etag(r);
	return GO_NEXT;
}

/* --- Configuration. --- */

static void compress_check(struct checker *c, void *values)
{
	struct compress *v = values;
	const struct str *types = v->types.p;
	for (size_t i = 0; i < v->types.count; i++)
		if (str_find(types[i], '/') == types[i].n && check_was_set(c, &v->types))
			check_error(c, &types[i], "\"%.*s\" is no media type; they look like text/css or text/*",
			            STR_F(types[i]));
}

#define AT(member) offsetof(struct compress, member)

static const struct directive DIRECTIVES[] = {
	{ .name = "compress", .scopes = SCOPE_ALL, .offset = AT(on),
	  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "Compresses answers with zstd, brotli or gzip, whichever the client likes best. Small files are compressed "
	         "once, as well as it goes, and kept in memory.",
	  .example = "route /static/* { files; compress on; }" },
	{ .name = "compress_types", .scopes = SCOPE_ALL, .offset = AT(types),
	  .args = ARGS({ "type", &TYPE_WORD, .form = ARG_MANY }),
	  .doc = "Which media types are compressed; text/* stands for all kinds of text. Without this: text, and what is like "
	         "it, such as JSON, SVG, WebAssembly and uncompressed fonts.",
	  .example = "compress_types text/* application/json image/svg+xml;" },
	{ .name = "compress_min", .scopes = SCOPE_ALL, .offset = AT(min_b),
	  .args = ARGS({ "size", &TYPE_SIZE, .preset = "256" }),
	  .doc = "Answers that are smaller stay as they are." },
	{ .name = "compress_level", .scopes = SCOPE_ALL, .offset = AT(level),
	  .args = ARGS({ "level", &TYPE_COUNT, .range = { 1, LEVEL_MOST, NULL }, .preset = "auto" }),
	  .doc = "How hard to try on what is compressed on its way out, 1 to 11. auto: gzip 5, brotli 4, zstd 3." },
	{},
};

const struct module COMPRESS = {
	.name = "compress",
	.doc = "Answers compressed as their client likes it.",
	.size = sizeof(struct compress),
	.directives = DIRECTIVES,
	.active = compress_active,
	.on_head = compress_head,
	.check = compress_check,
};

/* compress: answers encoded as their client likes it.  Runs on the request's loop.
 *
 * What an answer is the whole of, in memory (a file, a cache's page), is encoded once more as small as it gets, by a thread
 * of the disk engine, and kept beside it: the next request is answered from there.  Everything else, and the first request,
 * is encoded on its way out. */
#include "base/mem.h"
#include "handlers/compress_variant.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/coder.h"
#include "http/conditional.h"
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
	struct accepts accepts = accepts_of(&r->ask);
	return accepts_best(&accepts, 1 << ENCODING_GZIP | 1 << ENCODING_BR | 1 << ENCODING_ZSTD);
}

/* --- The answer. --- */

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
	r->answer.page = NULL;
	r->answer.length_b = LENGTH_UNKNOWN;
	r->answer.trailers = NULL;
	etag_weaken(r, encoding_name(e));
	say_encoding(r, e);
	return true;
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
	switch (variant_swap_in(r, e)) {
	case VARIANT_SWAPPED:
		say_encoding(r, e);
		break;
	case VARIANT_USELESS:
		return GO_NEXT;
	case VARIANT_NONE:
		if (!encode(r, v, e))
			return GO_NEXT;
		break;
	}
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

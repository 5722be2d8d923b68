/* The directives of `cache NAME { }`, and what their types can't know. Runs on the thread that builds the
 * configuration. */
#include "base/num.h"
#include "http/cache.h"
#include "http/check.h"
#include "http/memcached.h"
#include "net/addr.h"

enum { NAME_MOST_B = 64 };

/* --- A time, or off. --- */

static int ttl_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	if (str_eq(text, STR("off"))) {
		*(uint64_t *)out = 0;
		return 0;
	}
	return TYPE_DURATION.parse(in, text, range, out);
}

static void ttl_print(struct buf *out, const struct type_range *range, const void *value)
{
	if (*(const uint64_t *)value)
		TYPE_DURATION.print(out, range, value);
	else
		buf_add(out, STR("off"));
}

static const struct type TYPE_TTL = { "duration", "a duration such as 30s, 10m or 1h, or off", sizeof(uint64_t), ttl_parse,
	                              ttl_print };

static int slice_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	if (str_eq(text, STR("off"))) {
		*(uint64_t *)out = 0;
		return 0;
	}
	return TYPE_SIZE.parse(in, text, range, out);
}

static void slice_print(struct buf *out, const struct type_range *range, const void *value)
{
	if (*(const uint64_t *)value)
		TYPE_SIZE.print(out, range, value);
	else
		buf_add(out, STR("off"));
}

static const struct type TYPE_SLICE = { "size", "a size such as 1m, or off", sizeof(uint64_t), slice_parse, slice_print };

/* --- Rows. --- */

#define AT(member) offsetof(struct cache_rules, member)

_Static_assert(offsetof(struct status_ttl, to) == offsetof(struct status_ttl, from) + offsetof(struct span, max),
               "a span is written there");

const struct directive CACHE_ROWS[] = {
	{ .name = "memory", .offset = AT(memory_b), .args = ARGS({ "size", &TYPE_SIZE, .range = { 1 << 20 }, .preset = "64m" }),
	  .doc = "How much memory its pages may take, heads and keys included. Past it, what was asked for least goes first." },
	{ .name = "disk", .fixed = FIXED_RELOAD,
	  .args = ARGS({ "folder", &TYPE_PATH, AT(folder) }, { "size", &TYPE_SIZE, AT(disk_b), .range = { 64 << 20 } }),
	  .doc = "A folder, made where it is missing, that keeps pages over restarts, and how much it may hold. Each cache "
	         "has a folder of its own. A page that is good for less than ten seconds, stale times included, is not "
	         "written, unless its origin can be asked whether it still holds (ETag, Last-Modified).",
	  .example = "disk /var/cache/petrel 20g;" },
	{ .name = "memcached", .fixed = FIXED_RELOAD, .args = ARGS({ "name", &TYPE_WORD, AT(memcached_name) }),
	  .doc = "A memcached block: pages are shared with other machines that use the same servers and the same name "
	         "of cache." },
	{ .name = "default_ttl", .args = ARGS({ "time", &TYPE_TTL, AT(fresh.default_ttl_ms), .preset = "off" }),
	  .doc = "How long an answer is fresh that says nothing of it itself. Not for answers to requests with a Cookie." },
	{ .name = "min_ttl", .args = ARGS({ "time", &TYPE_TTL, AT(fresh.least_ttl_ms), .preset = "off" }),
	  .doc = "An answer that may be kept is fresh for at least so long, whatever less it says." },
	{ .name = "max_ttl", .args = ARGS({ "time", &TYPE_TTL, AT(fresh.most_ttl_ms), .preset = "off" }),
	  .doc = "And for at most so long." },
	{ .name = "ttl", .kind = DIR_LIST, .offset = AT(fresh.negative), .item_size = sizeof(struct status_ttl),
	  .args = ARGS({ "status", &TYPE_SPAN, offsetof(struct status_ttl, from), .range = { 200, 599, NULL } },
	               { "time", &TYPE_TTL, offsetof(struct status_ttl, ttl_ms) }),
	  .doc = "How long answers of these statuses are fresh that say nothing of it themselves.",
	  .example = "ttl 404..410 1m;\nttl 301 1h;" },
	{ .name = "heuristic", .offset = AT(fresh.heuristic), .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "An answer that says only when it was modified last is fresh for a tenth of the time since then, and a day at "
	         "most (RFC 9111, 4.2.2)." },
	{ .name = "client_control", .offset = AT(fresh.asks), .args = ARGS({ "flag", &TYPE_FLAG, .preset = "on" }),
	  .doc = "Whether clients have a say: Cache-Control and Pragma of requests, such as a reload's no-cache. off: they are "
	         "passed on and otherwise ignored." },
	{ .name = "drop_set_cookie", .offset = AT(fresh.cookies), .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "Answers that set cookies are kept, without these, where they may be kept otherwise. off: they are "
	         "not kept." },
	{ .name = "stale",
	  .args = ARGS({ "revalidate", &TYPE_DURATION, AT(fresh.revalidate_ms), ARG_KEYWORD, .preset = "0s" },
	               { "error", &TYPE_DURATION, AT(fresh.error_ms), ARG_KEYWORD, .preset = "0s" }),
	  .doc = "For how long a page that is no longer fresh may be served while it is asked for anew in the background, and "
	         "while its origin is ill; where the page does not say so itself (RFC 5861).",
	  .example = "stale revalidate 30s error 1h;" },
	{ .name = "key", .args = ARGS({ "template", &TYPE_TEMPLATE, AT(key), .preset = "\"\"" }),
	  .doc = "What tells pages apart. Without it: the host and the target as it was asked for. What an answer "
	         "depends on and "
	         "is not in the key lets clients poison the cache.",
	  .example = "key \"$host$path?$query $cookie_language\";" },
	{ .name = "ignore_query", .offset = AT(ignore), .args = ARGS({ "parameter", &TYPE_WORD, .form = ARG_MANY }),
	  .doc = "Parameters of the query that are no part of the key, and are not passed on to the origin either; a * "
	         "at the end "
	         "stands for any.",
	  .example = "ignore_query utm_* fbclid gclid;" },
	{ .name = "sort_query", .offset = AT(sort_query), .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "The order of the query's parameters does not matter." },
	{ .name = "bypass", .offset = AT(bypass), .args = ARGS({ "condition", &TYPE_TEMPLATE, .form = ARG_MANY }),
	  .doc = "Where one of these is neither empty nor 0 the request goes to its origin, and what comes is not kept.",
	  .example = "bypass $cookie_session $field_authorization;" },
	{ .name = "no_store", .offset = AT(no_store), .args = ARGS({ "condition", &TYPE_TEMPLATE, .form = ARG_MANY }),
	  .doc = "Where one of these is neither empty nor 0 what comes is not kept; what is kept may be served.",
	  .example = "no_store $cookie_preview;" },
	{ .name = "uses", .offset = AT(uses), .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 255, NULL }, .preset = "1" }),
	  .doc = "A page is kept when it was asked for about so often lately." },
	{ .name = "object", .offset = AT(object_b), .args = ARGS({ "size", &TYPE_SIZE, .range = { 1 }, .preset = "16m" }),
	  .doc = "The largest answer that is kept." },
	{ .name = "slice", .args = ARGS({ "size", &TYPE_SLICE, AT(slice_b), .range = { 64 << 10, 64 << 20, NULL },
	                                  .preset = "off" }),
	  .doc = "What is larger than this is fetched and kept in slices of this size, each for itself, where its "
	         "origin answers "
	         "ranges and tells versions apart (a strong ETag or Last-Modified). For routes with large files.",
	  .example = "cache downloads { memory 64m; disk /var/cache/downloads 100g; slice 1m; }" },
	{ .name = "variants", .offset = AT(variants),
	  .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1, 10000, NULL }, .preset = "64" }),
	  .doc = "How many variants of one URL are kept within an hour, where its answers depend on other fields (Vary)." },
	{ .name = "fills", .offset = AT(fills), .args = ARGS({ "count", &TYPE_NUMBER, .range = { 1 }, .preset = "256" }),
	  .doc = "How many pages are fetched from one pool, app or address at a time; the others wait in its line. A cold "
	         "cache then does not run its origins down, and one that hangs holds up no other's pages. What petrel "
	         "answers by itself has a line, too." },
	{ .name = "wait", .offset = AT(wait_ms), .args = ARGS({ "time", &TYPE_DURATION, .range = { 1 }, .preset = "5s" }),
	  .doc = "How long a request waits for a page that is being fetched for another one, before it gets what is "
	         "stale or asks "
	         "the origin itself." },
	{ .name = "purge_from", .offset = AT(purge_from), .args = ARGS({ "network", &TYPE_NETWORK, .form = ARG_MANY }),
	  .doc = "From where the method PURGE is taken: it purges the URL that it names, or the tags in its Surrogate-Key, "
	         "Cache-Tag and xkey fields; softly with Soft-Purge: 1. Without this: from nowhere.",
	  .example = "purge_from 127.0.0.0/8 10.0.0.0/8;" },
	{ .name = "show_key", .offset = AT(show_key), .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "Cache-Status tells the key." },
	{},
};

/* --- Checks. --- */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return s.n && s.n <= NAME_MOST_B && ascii_alpha(s.p[0]);
}

void cache_rules_check(struct checker *c, struct cache_rules *rules)
{
	if (!is_name(rules->name) || str_eq(rules->name, STR("off"))) {
		check_error(c, &rules->name, "\"%.*s\" can't be a cache's name", STR_F(rules->name));
		check_hint(c, "a name begins with a letter, has letters, digits and - _ . only, and at most %d of them",
		           NAME_MOST_B);
	}
	if (rules->memcached_name.n)
		rules->shared = memcached_check(c, &rules->memcached_name, rules->memcached_name);
	if (rules->object_b > rules->memory_b && check_was_set(c, &rules->object_b))
		check_warn(c, &rules->object_b, "the largest object (%llu bytes) is larger than the cache's memory (%llu bytes)",
		           (unsigned long long)rules->object_b, (unsigned long long)rules->memory_b);
	if (rules->slice_b > rules->object_b)
		check_error(c, &rules->slice_b, "a slice (%llu bytes) is larger than the largest object (%llu bytes)",
		            (unsigned long long)rules->slice_b, (unsigned long long)rules->object_b);
	if (rules->fresh.most_ttl_ms && rules->fresh.least_ttl_ms > rules->fresh.most_ttl_ms)
		check_error(c, &rules->fresh.least_ttl_ms, "min_ttl is more than max_ttl");
}

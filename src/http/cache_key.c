/* The keys of requests and of URLs, and conditions of requests, as a cache's rules have them.  No state; any thread. */
#include <stdlib.h>

#include "base/num.h"
#include "http/cache.h"
#include "http/slices.h"
#include "http/target.h"

/* "utm_*" stands for all that begin so. */
static bool is_ignored(const struct cache_rules *rules, struct str pair)
{
	const struct str *names = rules->ignore.p;
	struct str name = str_head(pair, str_find(pair, '='));
	for (size_t i = 0; i < rules->ignore.count; i++) {
		bool begins = str_ends(names[i], STR("*"));
		if (begins ? str_starts(name, str_head(names[i], names[i].n - 1)) : str_eq(name, names[i]))
			return true;
	}
	return false;
}

static int pair_order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The pairs of a query that count, in the order that counts. */
static size_t pairs_of(const struct cache_rules *rules, struct str query, struct str *out)
{
	size_t n = 0;
	while (query.p) {
		struct str pair = str_cut(&query, '&');
		if (pair.n && !is_ignored(rules, pair))
			out[n++] = pair;
	}
	if (rules->sort_query)
		qsort(out, n, sizeof *out, pair_order);
	return n;
}

static size_t count_pairs(struct str query)
{
	size_t n = 1;
	for (size_t i = 0; i < query.n; i++)
		n += query.p[i] == '&';
	return n;
}

static struct str with_pairs(const struct cache_rules *rules, struct str path, struct str query, struct arena *a)
{
	struct str *pairs = arena_raw(a, count_pairs(query) * sizeof *pairs);
	size_t n = pairs_of(rules, query, pairs);
	char *start = arena_raw(a, path.n + 1 + query.n + 1), *at = start;
	memcpy(at, path.p, path.n);
	at += path.n;
	for (size_t i = 0; i < n; i++) {
		*at++ = i ? '&' : '?';
		memcpy(at, pairs[i].p, pairs[i].n);
		at += pairs[i].n;
	}
	return str_make(start, (size_t)(at - start));
}

static struct str target_of(const struct cache_rules *rules, struct str target, struct arena *a)
{
	size_t at = str_find(target, '?');
	if (at == target.n || (!rules->ignore.count && !rules->sort_query))
		return target;
	return with_pairs(rules, str_head(target, at), str_from(target, at + 1), a);
}

struct str cache_target(const struct cache_rules *rules, const struct req *r, struct arena *a)
{
	return target_of(rules, target_origin_form(a, r->ask.target), a);
}

enum { HTTP_PORT = 80, PORT_B = 6 };

/* ":8080", at p: applications make links of it.  Empty where it is the usual one, or none was named. */
static size_t put_port(char *p, uint16_t port)
{
	if (!port || port == HTTP_PORT)
		return 0;
	p[0] = ':';
	return 1 + num_print(p + 1, port);
}

static struct str joined(struct arena *a, const struct ask *ask, struct str target)
{
	struct str host = ask->host;
	char *p = arena_raw(a, host.n + PORT_B + target.n), *at = p;
	if (host.n)
		at = mempcpy(at, host.p, host.n);
	at += put_port(at, ask->port);
	at = mempcpy(at, target.p, target.n);
	return str_make(p, (size_t)(at - p));
}

struct str cache_key(const struct cache_rules *rules, struct req *r)
{
	struct str key = rules->key.count ? tmpl_str(&rules->key, r)
	                                  : joined(&r->arena, &r->ask, cache_target(rules, r, &r->arena));
	/* Of what may come in slices these have to have keys, too. */
	size_t most = rules->slice_b ? IMAGE_KEY_MOST - SLICE_KEY_MORE_B : IMAGE_KEY_MOST;
	return key.n <= most ? key : (struct str){};
}

bool cache_key_of_url(const struct cache_rules *rules, struct str url, struct buf *out)
{
	struct str authority, host, target = url;
	const char *why;
	uint16_t port;
	struct arena a;
	if (rules->key.count)
		return false;
	arena_init(&a, NULL, 0);
	struct str path;
	bool fine = target_take_authority(&target, &authority) && !target_authority(&a, authority, &host, &port);
	struct str origin = target.n ? target : STR("/");
	fine = fine && origin.p[0] == '/' && !target_path(&a, str_head(origin, str_find(origin, '?')), &path, &why);
	if (fine) {
		buf_add(out, host);
		out->n += put_port(buf_room(out, PORT_B), port);
		buf_add(out, target_of(rules, origin, &a));
	}
	arena_fini(&a);
	return fine;
}

bool cache_key_of_location(const struct cache_rules *rules, const struct req *r, struct str url, struct buf *out)
{
	if (rules->key.count)
		return false;
	struct arena a;
	arena_init(&a, NULL, 0);
	struct str front = joined(&a, &r->ask, STR("/"));
	bool here = str_starts(url, STR("/"));
	if (here) {
		buf_add(out, str_head(front, front.n - 1));
		buf_add(out, url);
	} else {
		here = cache_key_of_url(rules, url, out) && str_starts(buf_str(out), front);
	}
	arena_fini(&a);
	return here;
}

bool cache_condition(const struct tmpl *t, struct req *r)
{
	struct str text = tmpl_str(t, r);
	return text.n && !str_eq(text, STR("0"));
}

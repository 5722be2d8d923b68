/* Taps: from a query, and against a request.  Immutable afterwards; any thread. */
#include "http/tap.h"

#include <limits.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/query.h"
#include "http/req.h"

/* The parameter's value, in the tap's arena; false where it was not given. */
static bool given(struct tap *t, struct str query, const char *name, struct str *out)
{
	struct buf text = {};
	bool there = query_get(query, str_of(name), &text);
	if (there)
		*out = arena_str(&t->arena, buf_str(&text));
	buf_fini(&text);
	return there;
}

static int wrong(struct buf *why, const char *name, struct str value, const char *what)
{
	buf_addf(why, "\"%s\" can't be \"%.*s\": %s", name, STR_F(str_head(value, 100)), what);
	return -1;
}

static int set_client(struct tap *t, struct str query, struct buf *why)
{
	struct type_in in = { .arena = &t->arena };
	struct type_range none = {};
	struct str text;
	if (!given(t, query, "client", &text))
		return 0;
	t->has_client = true;
	return TYPE_NETWORK.parse(&in, text, &none, &t->client) ? wrong(why, "client", text, in.error) : 0;
}

static int set_path(struct tap *t, struct str query, struct buf *why)
{
	struct type_in in = { .arena = &t->arena };
	struct str text;
	if (!given(t, query, "path", &text))
		return 0;
	t->has_path = true;
	return pattern_parse(&in, STR(""), text, &t->path) ? wrong(why, "path", text, in.error) : 0;
}

/* "404", "5xx". */
static int set_status(struct tap *t, struct str query, struct buf *why)
{
	struct str text;
	uint64_t n;
	if (!given(t, query, "status", &text))
		return 0;
	bool class = text.n == 3 && str_eq_nocase(str_from(text, 1), STR("xx"));
	if (num_parse(class ? str_head(text, 1) : text, class ? 5 : 599, &n) || n < (class ? 1 : 100))
		return wrong(why, "status", text, "it is a status such as 404, or a class such as 5xx");
	t->status_from = (unsigned)(class ? n * 100 : n);
	t->status_to = (unsigned)(class ? n * 100 + 99 : n);
	return 0;
}

static int number(struct tap *t, struct str query, const char *name, uint64_t most, uint64_t *out, struct buf *why)
{
	struct str text;
	if (!given(t, query, name, &text) || (num_parse(text, most, out) == 0 && *out))
		return 0;
	return wrong(why, name, text, "it is a number, and not so large");
}

static int set_all(struct tap *t, struct str query, struct buf *why)
{
	uint64_t rate = TAP_RATE, slow_ms = 0;
	struct str secrets = {};
	given(t, query, "route", &t->route);
	if (given(t, query, "host", &t->host))
		for (size_t i = 0; i < t->host.n; i++)
			((char *)(uintptr_t)t->host.p)[i] = ascii_lower(t->host.p[i]);
	if (set_client(t, query, why) || set_path(t, query, why) || set_status(t, query, why) ||
	    number(t, query, "max-rate", TAP_RATE_MOST, &rate, why) || number(t, query, "slow", INT_MAX, &slow_ms, why))
		return -1;
	t->secrets = given(t, query, "secrets", &secrets) && !str_eq(secrets, STR("false"));
	t->slow_ns = slow_ms * 1000000;
	t->quota = quota_new((uint32_t)rate);
	return 0;
}

struct tap *tap_new(struct str query, struct buf *why)
{
	struct tap *t = MEM_NEW(struct tap);
	arena_init(&t->arena, NULL, 0);
	if (set_all(t, query, why) == 0)
		return t;
	tap_free(t);
	return NULL;
}

void tap_free(struct tap *t)
{
	if (t->feed)
		feed_put(t->feed);
	if (t->quota)
		quota_put(t->quota);
	arena_fini(&t->arena);
	mem_free(t);
}

static bool is_route(const struct req *r, struct str wanted)
{
	struct buf text = {};
	if (r->route && r->site && r->route != &r->site->fallback)
		pattern_print(&text, &r->route->pattern);
	bool same = str_eq(buf_str(&text), wanted);
	buf_fini(&text);
	return same;
}

bool tap_wants(const struct tap *t, const struct req *r)
{
	if (t->has_client && !network_has(&t->client, &r->peer))
		return false;
	if (t->host.n && !str_eq(t->host, r->ask.host))
		return false;
	if (t->has_path && !pattern_match(&t->path, r->ask.path, NULL))
		return false;
	return !t->route.n || is_route(r, t->route);
}

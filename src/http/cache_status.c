/* Cache-Status, as a structured field (RFC 9651) of one member.  No state; memory of the arena. */
#include "http/cache_status.h"

#include "base/must.h"
#include "base/num.h"

/* It is said of every answer: room for the longest is taken at once, and nothing printed by format. */
enum { KEY_MOST_B = 1024, PARTS_B = 192 };

struct str cached_name(enum cached c)
{
	static const struct str NAMES[] = {
		[CACHED_NONE] = { "", 0 },        [CACHED_HIT] = { "hit", 3 },       [CACHED_STALE] = { "stale", 5 },
		[CACHED_RENEWED] = { "renewed", 7 }, [CACHED_MISS] = { "miss", 4 },  [CACHED_JOINED] = { "joined", 6 },
		[CACHED_PASS] = { "pass", 4 },    [CACHED_BYPASS] = { "bypass", 6 },
	};
	return NAMES[c];
}

static struct str forward_name(enum forward f)
{
	static const struct str NAMES[] = {
		[FORWARD_NONE] = { "", 0 },
		[FORWARD_BYPASS] = { "bypass", 6 },
		[FORWARD_METHOD] = { "method", 6 },
		[FORWARD_URI_MISS] = { "uri-miss", 8 },
		[FORWARD_VARY_MISS] = { "vary-miss", 9 },
		[FORWARD_MISS] = { "miss", 4 },
		[FORWARD_REQUEST] = { "request", 7 },
		[FORWARD_STALE] = { "stale", 5 },
		[FORWARD_PARTIAL] = { "partial", 7 },
	};
	return NAMES[f];
}

static char *put(char *at, struct str s)
{
	return s.n ? mempcpy(at, s.p, s.n) : at;
}

static char *put_number(char *at, int64_t n)
{
	if (n < 0)
		*at++ = '-';
	return at + num_print(at, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

/* A string of RFC 9651 holds printable ASCII alone; other bytes are shown as URLs show them. */
static char *put_key(char *at, struct str key)
{
	static const char HEX[] = "0123456789ABCDEF";
	at = put(at, STR("; key=\""));
	for (size_t i = 0; i < key.n && i < KEY_MOST_B; i++) {
		char c = key.p[i];
		if (c < ' ' || c > '~') {
			*at++ = '%';
			*at++ = HEX[(unsigned char)c >> 4];
			*at++ = HEX[c & 15];
			continue;
		}
		if (c == '"' || c == '\\')
			*at++ = '\\';
		*at++ = c;
	}
	return put(at, STR("\""));
}

static char *put_forward(char *at, const struct cache_status *s)
{
	at = put(put(at, STR("; fwd=")), forward_name(s->forward));
	if (s->origin_status)
		at = put_number(put(at, STR("; fwd-status=")), s->origin_status);
	if (s->stored)
		at = put(at, STR("; stored"));
	return s->collapsed ? put(at, STR("; collapsed")) : at;
}

struct str cache_status_print(struct arena *a, const struct cache_status *s)
{
	struct str detail = s->tier.n ? s->tier : s->why ? stored_name(s->why) : STR("");
	size_t room_b = PARTS_B + detail.n + (s->key.n ? 3 * (size_t)KEY_MOST_B : 0);
	char *p = arena_raw(a, room_b), *at = put(p, STR("petrel"));
	if (s->forward)
		at = put_forward(at, s);
	else if (s->cached == CACHED_HIT || s->cached == CACHED_STALE)
		at = put(at, STR("; hit"));
	if (s->ttl_s != INT64_MIN)
		at = put_number(put(at, STR("; ttl=")), s->ttl_s);
	if (s->key.n)
		at = put_key(at, s->key);
	if (detail.n)
		at = put(put(at, STR("; detail=")), detail);
	must((size_t)(at - p) <= room_b);
	return str_make(p, (size_t)(at - p));
}

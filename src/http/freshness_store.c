/* Whether an answer may be kept, and for how long (RFC 9111, 3 and 4.2).  No state; any thread. */
#include "base/mem.h"
#include "base/num.h"
#include "http/date.h"
#include "http/freshness.h"
#include "http/tags.h"

enum { GUESS_MOST_S = 86400, GUESS_PART = 10 };

/* --- Reasons. --- */

static const struct reason {
	struct str name;
	const char *sentence;
	enum lasting lasts;
} REASONS[] = {
	[STORED_YES] = { { "stored", 6 }, "It was stored.", LASTS_NOT },
	[STORED_METHOD] = { { "method", 6 }, "Only answers to GET and HEAD are stored.", LASTS_NOT },
	[STORED_REQUEST_NO_STORE] = { { "request-no-store", 16 }, "The client said no-store.", LASTS_ALONE },
	[STORED_NO_STORE] = { { "no-store", 8 }, "The answer says no-store.", LASTS },
	[STORED_PRIVATE] = { { "private", 7 }, "The answer says private.", LASTS },
	[STORED_AUTHORIZATION] = { { "authorization", 13 },
	                           "The request had Authorization, and the answer says neither public, s-maxage nor "
	                           "must-revalidate.",
	                           LASTS_ALONE },
	[STORED_SET_COOKIE] = { { "set-cookie", 10 }, "The answer sets a cookie.", LASTS },
	[STORED_VARY_ALL] = { { "vary", 4 }, "The answer's Vary is *, or can't be read.", LASTS },
	[STORED_STATUS] = { { "status", 6 }, "Answers of this status are not stored.", LASTS_NOT },
	[STORED_NOT_FRESH] = { { "not-fresh", 9 },
	                       "The answer does not say how long it may be kept, or is stale already and has no validator.",
	                       LASTS },
	[STORED_RANGE] = { { "range", 5 }, "The answer is a part that was not asked for.", LASTS_NOT },
	[STORED_LARGE] = { { "large", 5 }, "The answer is larger than the cache's largest object.", LASTS },
	[STORED_CROWDED] = { { "crowded", 7 },
	                     "Too much is being fetched, or sent to slow clients, to take a large answer into memory.",
	                     LASTS_NOT },
	[STORED_CONDITION] = { { "condition", 9 }, "The configuration says that it is not to be stored.", LASTS_ALONE },
	[STORED_USES] = { { "uses", 4 }, "It was not asked for often enough yet.", LASTS_NOT },
	[STORED_CUT] = { { "cut", 3 }, "The answer broke off, or was not as long as it said.", LASTS_NOT },
	[STORED_HEAD] = { { "head", 4 }, "The answer has too many fields or tags, or too long ones.", LASTS },
	[STORED_VARIANTS] = { { "variants", 8 }, "There are too many variants of this URL.", LASTS },
	[STORED_REDIRECTED] = { { "redirected", 10 }, "The application sent the request to another place inside.", LASTS },
	[STORED_ADDRESSED] = { { "request-body", 12 }, "The request has a body.", LASTS_NOT },
	[STORED_COOKIE] = { { "cookie", 6 },
	                    "The request had a cookie, and the answer does not say how long it may be kept.", LASTS_ALONE },
	[STORED_OTHER] = { { "other-version", 13 }, "The origin spoke of another version than the one that is kept.",
	                   LASTS_NOT },
};

struct str stored_name(enum stored s)
{
	return REASONS[s].name;
}

const char *stored_sentence(enum stored s)
{
	return REASONS[s].sentence;
}

enum lasting stored_lasts(enum stored s)
{
	return REASONS[s].lasts;
}

/* --- What an answer's head says. --- */

struct heard {
	struct cache_control cc;
	int64_t now_s, date_s, age_s;
	int64_t expires_s;           /* the earliest; EXPIRES_NONE; 0 where one is no date */
	int64_t modified_s;          /* of a Last-Modified that is a date */
	bool dated, modified, etag;
	bool pragma;                 /* no-cache: means nothing in an answer, but is not the word of one to be kept */
	bool cookie, vary_all;
};

enum { EXPIRES_NONE = -1 };

static int64_t at_least_0(int64_t n)
{
	return n > 0 ? n : 0;
}

static int64_t bounded(int64_t seconds)
{
	return seconds < CC_SECONDS_MOST ? at_least_0(seconds) : CC_SECONDS_MOST;
}

/* A second that was not a date is long past. */
static void hear_expires(struct heard *h, struct str value)
{
	int64_t s;
	if (date_parse(value, h->now_s, &s))
		s = 0;
	s = at_least_0(s);
	if (h->expires_s == EXPIRES_NONE || s < h->expires_s)
		h->expires_s = s;
}

/* The first of a list counts (RFC 9111, 5.1); what is no number is not there. */
static void hear_age(struct heard *h, struct str value)
{
	struct str first;
	uint64_t n = 0;
	if (!list_next(&value, &first))
		return;
	int err = num_parse(first, CC_SECONDS_MOST, &n);
	for (size_t i = 0; i < first.n; i++)
		if (!ascii_digit(first.p[i]))
			return;
	h->age_s = err ? CC_SECONDS_MOST : (int64_t)n;
}

static void hear_vary(struct heard *h, struct str list)
{
	struct str name;
	while (list_next(&list, &name))
		h->vary_all |= str_eq(name, STR("*")) || !str_is_token(name);
}

static void hear_date(struct heard *h, struct str value)
{
	if (!h->dated)
		h->dated = !date_parse(value, h->now_s, &h->date_s);
}

static void hear_field(struct heard *h, const struct came *c, const struct field *f)
{
	switch (f->id ? f->id : field_id(f->name)) {
	case FIELD_AGE:
		if (h->age_s < 0)
			hear_age(h, f->value);
		return;
	case FIELD_DATE: hear_date(h, f->value); return;
	case FIELD_ETAG: h->etag |= f->value.n > 0; return;
	case FIELD_EXPIRES: hear_expires(h, f->value); return;
	case FIELD_LAST_MODIFIED: h->modified |= !date_parse(f->value, h->now_s, &h->modified_s); return;
	case FIELD_PRAGMA: h->pragma |= list_has(f->value, STR("no-cache")); return;
	case FIELD_SET_COOKIE:
		h->cookie |= !cache_control_names(&h->cc, c->fields, c->field_count, f->name);
		return;
	case FIELD_VARY: hear_vary(h, f->value); return;
	default:;
	}
}

static void hear(struct heard *h, const struct came *c)
{
	*h = (struct heard){ .now_s = (int64_t)(c->came_ms / 1000), .age_s = -1, .expires_s = EXPIRES_NONE };
	cache_control_of_answer(c->fields, c->field_count, &h->cc);
	if (c->date.n)
		hear_date(h, c->date);
	for (size_t i = 0; i < c->field_count; i++)
		hear_field(h, c, &c->fields[i]);
	h->age_s = at_least_0(h->age_s);
	/* RFC 9110, 6.6.1: what has no date is of when it came. */
	if (!h->dated)
		h->date_s = h->now_s;
}

/* corrected_initial_age (RFC 9111, 4.2.3). */
static uint32_t initial_age(const struct heard *h, const struct came *c)
{
	int64_t apparent = at_least_0(h->now_s - h->date_s);
	int64_t delay = c->came_ms > c->asked_ms ? (int64_t)((c->came_ms - c->asked_ms) / 1000) : 0;
	int64_t corrected = h->age_s + delay;
	return (uint32_t)bounded(apparent > corrected ? apparent : corrected);
}

/* --- Statuses. --- */

/* Heuristically cacheable (RFC 9110, 15.1), without 206. */
static bool is_cacheable(unsigned status)
{
	static const uint16_t THESE[] = { 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501 };
	for (size_t i = 0; i < countof(THESE); i++)
		if (THESE[i] == status)
			return true;
	return false;
}

/* Statuses that speak of this request and not of its URL: of credentials, conditions, ranges, expectations, of its
 * length, its form, or how many there were (RFC 6585: not to be stored).  What they depend on is in no key, so that one
 * client's odd request would be answered to all. */
static bool is_of_request(unsigned status)
{
	static const uint16_t THESE[] = { 400, 401, 407, 408, 411, 412, 413, 415, 416, 417, 421, 425, 426, 428, 429,
		                          431, 511 };
	for (size_t i = 0; i < countof(THESE); i++)
		if (THESE[i] == status)
			return true;
	return status < 200 || status == 304;
}

static bool is_understood(unsigned status)
{
	return !str_eq(status_reason(status), STR("Unknown"));
}

/* --- Lifetimes. --- */

static int64_t said_lifetime(const struct heard *h)
{
	if (h->cc.s_maxage != CC_ABSENT)
		return h->cc.s_maxage;
	if (h->cc.max_age != CC_ABSENT)
		return h->cc.max_age;
	if (h->expires_s == EXPIRES_NONE || h->cc.targeted)
		return CC_ABSENT;
	return h->expires_s ? bounded(h->expires_s - h->date_s) : 0;
}

/* Less than a second is a second: what is kept for no time at all says so by 0. */
static int64_t seconds(uint64_t ms)
{
	uint64_t s = (ms + 999) / 1000;
	return s < CC_SECONDS_MOST ? (int64_t)s : CC_SECONDS_MOST;
}

static int64_t negative_lifetime(const struct freshness_rules *rules, unsigned status)
{
	const struct status_ttl *ttl = rules->negative.p;
	for (size_t i = 0; i < rules->negative.count; i++)
		if (status >= ttl[i].from && status <= ttl[i].to)
			return seconds(ttl[i].ttl_ms);
	return CC_ABSENT;
}

/* What the rules say of an answer that does not say it itself. */
static int64_t assumed_lifetime(const struct heard *h, const struct came *c, const struct freshness_rules *rules,
                                uint16_t *flags)
{
	int64_t lifetime = negative_lifetime(rules, c->status);
	bool may = is_cacheable(c->status) || (h->cc.flags & CC_PUBLIC);
	if (h->pragma)
		return CC_ABSENT;
	if (lifetime != CC_ABSENT || !may)
		return lifetime;
	if (rules->default_ttl_ms && c->status < 400)
		return seconds(rules->default_ttl_ms);
	if (!rules->heuristic || !h->modified || h->modified_s >= h->date_s)
		return CC_ABSENT;
	lifetime = (h->date_s - h->modified_s) / GUESS_PART;
	*flags |= IMAGE_HEURISTIC;
	return lifetime < GUESS_MOST_S ? lifetime : GUESS_MOST_S;
}

static int64_t ruled_lifetime(int64_t lifetime, unsigned status, const struct freshness_rules *rules)
{
	int64_t least = seconds(rules->least_ttl_ms), most = seconds(rules->most_ttl_ms);
	if (is_cacheable(status) && lifetime < least)
		lifetime = least;
	return most && lifetime > most ? most : lifetime;
}

/* How long it may be used stale: 0 where that is forbidden; what was never fresh is used so only where it says that
 * itself. */
static uint32_t stale_window(const struct image *i, int64_t said, uint64_t rule_ms)
{
	if (i->flags & (IMAGE_VALIDATE | IMAGE_NO_STALE))
		return 0;
	return (uint32_t)(said != CC_ABSENT ? said : i->fresh_s ? seconds(rule_ms) : 0);
}

/* --- The decision. --- */

static uint16_t flags_of(const struct heard *h, const struct came *c)
{
	uint16_t flags = 0;
	if (h->cc.flags & CC_NO_CACHE)
		flags |= IMAGE_VALIDATE;
	if ((h->cc.flags & (CC_MUST_REVALIDATE | CC_PROXY_REVALIDATE)) || h->cc.s_maxage != CC_ABSENT)
		flags |= IMAGE_NO_STALE;
	if (c->ask->first[FIELD_AUTHORIZATION] && !(h->cc.flags & CC_PUBLIC))
		flags |= IMAGE_ALONE;
	return flags;
}

static enum stored ask_forbids(const struct ask *a, const struct freshness_rules *rules)
{
	struct cache_control cc;
	if (a->method != METHOD_GET && a->method != METHOD_HEAD)
		return STORED_METHOD;
	if (a->framing == FRAMING_CHUNKED || a->length_b)
		return STORED_ADDRESSED;
	if (!rules->asks || !a->first[FIELD_CACHE_CONTROL])
		return STORED_YES;
	cache_control_of_ask(a, &cc);
	return cc.flags & CC_NO_STORE ? STORED_REQUEST_NO_STORE : STORED_YES;
}

static enum stored status_forbids(const struct came *c)
{
	if (c->status == 206)
		return c->slice ? STORED_YES : STORED_RANGE;
	return is_of_request(c->status) ? STORED_STATUS : STORED_YES;
}

/* RFC 9111, 5.2.2.3: who understands the status goes by must-understand, others by the no-store beside it. */
static enum stored directives_forbid(const struct heard *h, const struct came *c)
{
	if ((h->cc.flags & CC_MUST_UNDERSTAND) && !is_understood(c->status))
		return STORED_STATUS;
	if ((h->cc.flags & CC_NO_STORE) && !(h->cc.flags & CC_MUST_UNDERSTAND))
		return STORED_NO_STORE;
	return h->cc.flags & CC_PRIVATE ? STORED_PRIVATE : STORED_YES;
}

static enum stored head_forbids(const struct heard *h, const struct came *c, const struct freshness_rules *rules)
{
	enum stored why = directives_forbid(h, c);
	if (why)
		return why;
	bool allowed = (h->cc.flags & (CC_PUBLIC | CC_MUST_REVALIDATE)) || h->cc.s_maxage != CC_ABSENT;
	if (c->ask->first[FIELD_AUTHORIZATION] && !allowed)
		return STORED_AUTHORIZATION;
	if (h->cookie && !rules->cookies)
		return STORED_SET_COOKIE;
	return h->vary_all ? STORED_VARY_ALL : STORED_YES;
}

/* The lifetime, or why there is none. */
static enum stored lifetime_of(const struct heard *h, const struct came *c, const struct freshness_rules *rules,
                               struct image *i)
{
	int64_t lifetime = said_lifetime(h);
	if (lifetime == CC_ABSENT && !(i->flags & IMAGE_VALIDATE)) {
		if (c->ask->first[FIELD_COOKIE] && !rules->cookies)
			return STORED_COOKIE;
		lifetime = assumed_lifetime(h, c, rules, &i->flags);
		if (lifetime == CC_ABSENT)
			return STORED_NOT_FRESH;
	}
	if (i->flags & IMAGE_VALIDATE)
		lifetime = at_least_0(lifetime);
	else
		lifetime = ruled_lifetime(lifetime, c->status, rules);
	i->fresh_s = (uint32_t)lifetime;
	i->revalidate_s = stale_window(i, h->cc.stale_while_revalidate, rules->revalidate_ms);
	i->error_s = stale_window(i, h->cc.stale_if_error, rules->error_ms);
	return STORED_YES;
}

/* Whether it can be of use to anyone: now, stale, or to ask its origin with. */
static bool is_useful(const struct image *i, const struct heard *h)
{
	uint64_t stale_s = i->revalidate_s > i->error_s ? i->revalidate_s : i->error_s;
	if (h->etag || h->modified)
		return true;
	return !(i->flags & IMAGE_VALIDATE) && i->age_s < i->fresh_s + stale_s;
}

enum stored freshness_store(const struct came *c, const struct freshness_rules *rules, struct image *out)
{
	struct heard h;
	struct image i = {};
	enum stored why = ask_forbids(c->ask, rules);
	if (!why)
		why = status_forbids(c);
	if (why)
		return why;
	hear(&h, c);
	why = head_forbids(&h, c, rules);
	i.flags = flags_of(&h, c);
	i.age_s = initial_age(&h, c);
	if (!why)
		why = lifetime_of(&h, c, rules, &i);
	if (!why && !is_useful(&i, &h))
		why = STORED_NOT_FRESH;
	if (why)
		return why;
	out->asked_ms = c->asked_ms;
	out->came_ms = c->came_ms;
	out->age_s = i.age_s;
	out->fresh_s = i.fresh_s;
	out->revalidate_s = i.revalidate_s;
	out->error_s = i.error_s;
	out->status = (uint16_t)c->status;
	out->flags = i.flags;
	return STORED_YES;
}

/* --- Fields. --- */

static bool is_one_of(struct str name, const struct str *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(name, names[i]))
			return true;
	return false;
}

bool freshness_keeps(const struct came *c, const struct cache_control *cc, const struct field *f)
{
	/* What is known of the page itself is said anew each time it is served. */
	static const struct str SAID_ANEW[] = {
		{ "age", 3 }, { "cache-status", 12 }, { "content-length", 14 }, { "date", 4 },
	};
	static const struct str NOT_STORED[] = { { "proxy-authentication-info", 25 }, { "set-cookie", 10 },
		                                 { "set-cookie2", 11 } };
	if (is_one_of(f->name, SAID_ANEW, countof(SAID_ANEW)) || is_one_of(f->name, NOT_STORED, countof(NOT_STORED)))
		return false;
	if (field_is_hop(f->name) || tags_is_field(f->name))
		return false;
	return !cache_control_names(cc, c->fields, c->field_count, f->name);
}

bool freshness_sends(const struct ask *a, const struct field *f)
{
	/* The names that frameworks are known to take URLs, hosts and methods from, in spite of the request's own. */
	static const struct str MISLEADING[] = {
		{ "x-forwarded-protocol", 20 }, { "x-forwarded-context", 19 },  { "front-end-https", 15 },
		{ "x-url-scheme", 12 },       { "x-scheme", 8 },                { "x-envoy-original-path", 21 },
		{ "x-original-url", 14 },     { "x-rewrite-url", 13 },          { "x-original-uri", 14 },
		{ "x-forwarded-uri", 15 },    { "x-forwarded-path", 16 },       { "x-forwarded-prefix", 18 },
		{ "x-forwarded-server", 18 }, { "x-forwarded-scheme", 18 },     { "x-forwarded-port", 16 },
		{ "x-forwarded-ssl", 15 },    { "x-host", 6 },                  { "x-original-host", 15 },
		{ "x-http-host-override", 20 }, { "x-http-method", 13 },        { "x-http-method-override", 22 },
		{ "x-method-override", 17 },
	};
	switch (f->id) {
	case FIELD_ACCEPT_ENCODING:
	case FIELD_CONTENT_LENGTH:
	case FIELD_CONTENT_TYPE:
	case FIELD_EXPECT:
	case FIELD_IF_MATCH:
	case FIELD_IF_MODIFIED_SINCE:
	case FIELD_IF_NONE_MATCH:
	case FIELD_IF_RANGE:
	case FIELD_IF_UNMODIFIED_SINCE:
	case FIELD_RANGE:
	case FIELD_UPGRADE:
		return false;
	default:
		/* Many an application can't tell a '_' from a '-' in names: X_Host would pass for X-Host, or for what Vary
		 * names. */
		return str_find(f->name, '_') == f->name.n && !is_one_of(f->name, MISLEADING, countof(MISLEADING)) &&
		       !fields_name(a->fields, a->field_count, f->name);
	}
}

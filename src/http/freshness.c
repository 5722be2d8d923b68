/* Whether what was kept may be served now (RFC 9111, 4; RFC 5861).  No state; any thread. */
#include "http/freshness.h"

/* Clocks that were set back: a page of so much later than now is not trusted to be fresh. */
enum { AHEAD_MOST_MS = 10000 };

/* What is left of a page at one moment. */
struct left {
	uint64_t age_s;
	uint64_t stale_s;      /* how long it has been stale */
	bool fresh;
};

static inline struct left left_of(const struct page *p, uint64_t wall_ms, bool purged_soft)
{
	const struct image *i = &p->image;
	uint64_t age_s = page_age_s(p, wall_ms);
	bool young = age_s < i->fresh_s && i->came_ms <= wall_ms + AHEAD_MOST_MS;
	return (struct left){ age_s, age_s > i->fresh_s ? age_s - i->fresh_s : 0, young && !purged_soft };
}

static inline enum use use_stale(const struct image *i, const struct left *left)
{
	bool allowed = !(i->flags & IMAGE_NO_STALE) && left->stale_s < i->revalidate_s;
	return allowed ? USE_STALE : USE_VALIDATE;
}

/* RFC 9111, 5.2.1: what the client asks for beyond that. */
static enum use use_asked(const struct page *p, const struct ask *a, const struct left *left)
{
	const struct image *i = &p->image;
	struct cache_control cc;
	cache_control_of_ask(a, &cc);
	bool any = cc.flags & CC_MAX_STALE_ANY, tolerant = any || cc.max_stale != CC_ABSENT;
	if (cc.flags & (CC_NO_CACHE | CC_NO_CACHE_FIELDS))
		return USE_NOT;
	if (cc.max_age != CC_ABSENT && left->age_s > (uint64_t)cc.max_age)
		return USE_NOT;
	if (cc.min_fresh != CC_ABSENT && left->age_s + (uint64_t)cc.min_fresh > i->fresh_s)
		return USE_NOT;
	if (left->fresh)
		return USE_FRESH;
	if (tolerant && !(i->flags & IMAGE_NO_STALE) && (any || left->stale_s <= (uint64_t)cc.max_stale))
		return USE_STALE;
	return cc.max_age != CC_ABSENT && !tolerant ? USE_VALIDATE : use_stale(i, left);
}

enum use freshness_use(const struct page *p, const struct ask *a, const struct freshness_rules *rules, uint64_t wall_ms,
                       bool purged_soft)
{
	struct left left = left_of(p, wall_ms, purged_soft);
	if (p->image.flags & IMAGE_VALIDATE)
		return USE_VALIDATE;
	if (rules->asks && (a->first[FIELD_CACHE_CONTROL] | a->first[FIELD_PRAGMA]))
		return use_asked(p, a, &left);
	return left.fresh ? USE_FRESH : use_stale(&p->image, &left);
}

/* A client that said no-cache prefers an answer of the origin's (5.2.1.4), but there is none to be had. */
bool freshness_use_if_error(const struct page *p, const struct ask *a, const struct freshness_rules *rules,
                            uint64_t wall_ms)
{
	const struct image *i = &p->image;
	struct left left = left_of(p, wall_ms, false);
	struct cache_control cc;
	if (i->flags & IMAGE_VALIDATE)
		return false;
	if (left.fresh)
		return true;
	if (i->flags & IMAGE_NO_STALE)
		return false;
	if (left.stale_s < i->error_s)
		return true;
	if (!rules->asks || !a->first[FIELD_CACHE_CONTROL])
		return false;
	cache_control_of_ask(a, &cc);
	return cc.stale_if_error != CC_ABSENT && left.stale_s <= (uint64_t)cc.stale_if_error;
}

bool freshness_only_if_cached(const struct ask *a, const struct freshness_rules *rules)
{
	struct cache_control cc;
	if (!rules->asks || !a->first[FIELD_CACHE_CONTROL])
		return false;
	cache_control_of_ask(a, &cc);
	return cc.flags & CC_ONLY_IF_CACHED;
}

/* What can still be validated is worth keeping for as long as it was fresh, within a minute and a week. */
static uint64_t validated_s(const struct image *i)
{
	enum { LEAST_S = 60, MOST_S = 7 * 86400 };
	return i->fresh_s < LEAST_S ? LEAST_S : i->fresh_s < MOST_S ? i->fresh_s : MOST_S;
}

static uint64_t left_s(const struct image *i)
{
	uint64_t stale_s = i->revalidate_s > i->error_s ? i->revalidate_s : i->error_s, until_s = i->fresh_s + stale_s;
	return until_s > i->age_s ? until_s - i->age_s : 0;
}

uint64_t image_lives_ms(const struct image *i)
{
	return i->flags & IMAGE_VALIDATE ? 0 : left_s(i) * 1000;
}

uint64_t image_useful_ms(const struct image *i)
{
	uint64_t more_s = i->flags & (IMAGE_VARY | IMAGE_PASS) ? 0 : validated_s(i);
	return (left_s(i) + more_s) * 1000;
}

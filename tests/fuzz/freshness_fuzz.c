/* Freshness: any answer to any request under any rules.  The first bytes choose rules, status and times; of the lines
 * behind them the first half is the answer's head, the second the request's.  What must never be stored is not; lifetimes
 * are bounded; what may not be served is not served, whatever the client says; a stored page is one that can be read
 * back. */
#include "head_lines.h"
#include "http/page_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHOICES = 6, NOW_S = 1732100000 };

struct world {
	struct epoch *epoch;
	struct store *store;
};

static struct world world_of(void)
{
	static struct world w;
	if (!w.epoch) {
		w.epoch = epoch_new();
		w.store = store_new(w.epoch, 1 << 20);
	}
	return w;
}

static struct freshness_rules rules_of(uint8_t bits)
{
	static struct status_ttl negatives[] = { { 404, 599, 10000 } };
	return (struct freshness_rules){
		.asks = bits & 1,
		.default_ttl_ms = bits & 2 ? 60000 : 0,
		.heuristic = bits & 4,
		.least_ttl_ms = bits & 8 ? 5000 : 0,
		.most_ttl_ms = bits & 16 ? 3600000 : 0,
		.cookies = bits & 32,
		.revalidate_ms = bits & 64 ? 30000 : 0,
		.error_ms = bits & 64 ? 60000 : 0,
		.negative = { negatives, bits & 128 ? 1 : 0 },
	};
}

static bool has(const struct came *c, struct str name)
{
	for (size_t i = 0; i < c->field_count; i++)
		if (str_eq_nocase(c->fields[i].name, name))
			return true;
	return false;
}

static void check_stored(const struct came *c, const struct freshness_rules *rules, const struct image *i)
{
	struct cache_control cc;
	cache_control_of_answer(c->fields, c->field_count, &cc);
	must(!(cc.flags & CC_PRIVATE) && (!(cc.flags & CC_NO_STORE) || (cc.flags & CC_MUST_UNDERSTAND)));
	must(rules->cookies || !has(c, STR("Set-Cookie")) || (cc.flags & (CC_NO_CACHE_FIELDS | CC_PRIVATE_FIELDS)));
	must(i->fresh_s <= CC_SECONDS_MOST && i->age_s <= CC_SECONDS_MOST);
	must(i->revalidate_s <= CC_SECONDS_MOST && i->error_s <= CC_SECONDS_MOST);
	must(!rules->most_ttl_ms || (i->flags & IMAGE_VALIDATE) || i->fresh_s <= rules->most_ttl_ms / 1000);
	must(!(i->flags & (IMAGE_NO_STALE | IMAGE_VALIDATE)) || (!i->revalidate_s && !i->error_s));
	must(!(cc.flags & CC_NO_CACHE) || (i->flags & IMAGE_VALIDATE));
	must(image_useful_ms(i) > 0);
}

static void check_use(const struct page *p, const struct ask *ask, const struct freshness_rules *rules, uint64_t wall_ms)
{
	const struct image *i = &p->image;
	enum use use = freshness_use(p, ask, rules, wall_ms, false);
	bool stale = page_age_s(p, wall_ms) >= i->fresh_s, served = use == USE_FRESH || use == USE_STALE;
	bool if_error = freshness_use_if_error(p, ask, rules, wall_ms);
	must(!(i->flags & IMAGE_VALIDATE) || (!served && !if_error));
	must(!(i->flags & IMAGE_NO_STALE) || !stale || (!served && !if_error));
	must(use != USE_FRESH || !stale);
	(void)freshness_only_if_cached(ask, rules);
}

static void check_update(struct world *w, const struct page *p, const struct came *c, const struct freshness_rules *rules)
{
	struct arena a;
	struct image image;
	struct field *fields;
	size_t count;
	arena_init(&a, NULL, 0);
	if (freshness_update(&a, p, c, rules, &image, &fields, &count) == STORED_YES) {
		struct page *again = page_of_update(w->store, p, c, &image, fields, count);
		must(again && image.status == p->image.status);
		object_put(w->epoch, &again->object);
	}
	arena_fini(&a);
}

static void check_page(struct world *w, const struct came *c, const struct freshness_rules *rules,
                       const struct image *image, uint64_t wall_ms)
{
	struct page *p = page_of_answer(w->store, c, image, STR("key"), PAGE_INLINE, NULL);
	if (!p)
		return;
	must(!image_check(&p->image, str_make((const char *)&p->image, image_head_b(&p->image))));
	must(!page_field(p, STR("Set-Cookie")).p && !page_field(p, STR("Connection")).p && !page_field(p, STR("Age")).p);
	check_use(p, c->ask, rules, wall_ms);
	check_update(w, p, c, rules);
	object_put(w->epoch, &p->object);
	epoch_reap(w->epoch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head_lines h;
	struct image image = {};
	struct world w = world_of();
	if (size < CHOICES)
		return 0;
	struct freshness_rules rules = rules_of(data[0]);
	uint64_t now_ms = (uint64_t)NOW_S * 1000, wall_ms = now_ms + data[1] * 500u;
	head_lines_init(&h, str_make((const char *)data + CHOICES, size - CHOICES));
	struct ask ask = head_lines_ask(&h);
	size_t half = h.count / 2;
	struct came c = { .ask = &ask, .status = 100 + (data[2] | (unsigned)data[3] << 8) % 500, .fields = h.fields,
		          .field_count = half, .slice = data[4] & 1, .asked_ms = now_ms - data[5] * 100u,
		          .came_ms = now_ms };
	if (freshness_store(&c, &rules, &image) == STORED_YES) {
		check_stored(&c, &rules, &image);
		check_page(&w, &c, &rules, &image, wall_ms);
	}
	head_lines_fini(&h);
	return 0;
}

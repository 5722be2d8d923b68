/* Cache-Control, CDN-Cache-Control and Pragma, as lines of a head: numbers stay within their bounds, the order of lines
 * does not matter, and a no-store that stands by itself on a line is always seen. */
#include "head_lines.h"
#include "http/cache_control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cache_control *cc)
{
	const int64_t numbers[] = { cc->max_age, cc->s_maxage, cc->stale_while_revalidate, cc->stale_if_error,
		                    cc->min_fresh, cc->max_stale };
	for (size_t i = 0; i < countof(numbers); i++)
		must(numbers[i] >= CC_ABSENT && numbers[i] <= CC_SECONDS_MOST);
	must(!(cc->flags & CC_MAX_STALE_ANY) || cc->max_stale == CC_ABSENT);
}

static bool eq(const struct cache_control *a, const struct cache_control *b)
{
	return a->flags == b->flags && a->targeted == b->targeted && a->max_age == b->max_age && a->s_maxage == b->s_maxage &&
	       a->stale_while_revalidate == b->stale_while_revalidate && a->stale_if_error == b->stale_if_error &&
	       a->min_fresh == b->min_fresh && a->max_stale == b->max_stale;
}

static void check_order(const struct head_lines *h, const struct cache_control *cc)
{
	struct field turned[HEAD_LINES];
	struct cache_control again;
	for (size_t i = 0; i < h->count; i++)
		turned[i] = h->fields[h->count - 1 - i];
	cache_control_of_answer(turned, h->count, &again);
	must(eq(cc, &again));
}

static void check_no_store(const struct head_lines *h, const struct cache_control *cc)
{
	struct field more[HEAD_LINES + 1];
	struct cache_control again;
	memcpy(more, h->fields, h->count * sizeof *more);
	more[h->count] = (struct field){ STR("Cache-Control"), STR("no-store"), FIELD_OTHER };
	cache_control_of_answer(more, h->count + 1, &again);
	must(cc->targeted || (again.flags & CC_NO_STORE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head_lines h;
	struct cache_control cc;
	head_lines_init(&h, str_make((const char *)data, size));
	cache_control_of_answer(h.fields, h.count, &cc);
	check(&cc);
	check_order(&h, &cc);
	check_no_store(&h, &cc);
	for (size_t i = 0; i < h.count; i++)
		must(!cache_control_names(&cc, h.fields, h.count, h.fields[i].name) ||
		     (cc.flags & (CC_NO_CACHE_FIELDS | CC_PRIVATE_FIELDS)));
	struct ask ask = head_lines_ask(&h);
	cache_control_of_ask(&ask, &cc);
	must(!cc.targeted);
	check(&cc);
	head_lines_fini(&h);
	return 0;
}

/* Cache-Control, CDN-Cache-Control and Pragma: what is read of them, and the stricter reading of what is odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "http/cache_control.h"

static void number(struct buf *out, const char *name, int64_t n)
{
	if (n != CC_ABSENT)
		buf_addf(out, "%s=%lld ", name, (long long)n);
}

/* Every directive that was understood, in the order of the header. */
static void print(struct buf *out, const struct cache_control *cc)
{
	static const char *FLAGS[] = { "no-store",        "no-cache",         "no-cache()",      "private",   "private()",
		                       "public",          "must-revalidate",  "proxy-revalidate", "must-understand",
		                       "immutable",       "no-transform",     "only-if-cached",  "max-stale" };
	for (size_t i = 0; i < countof(FLAGS); i++)
		if (cc->flags & 1u << i)
			buf_addf(out, "%s ", FLAGS[i]);
	number(out, "max-age", cc->max_age);
	number(out, "s-maxage", cc->s_maxage);
	number(out, "swr", cc->stale_while_revalidate);
	number(out, "sie", cc->stale_if_error);
	number(out, "min-fresh", cc->min_fresh);
	number(out, "max-stale", cc->max_stale);
	if (cc->targeted)
		buf_add(out, STR("targeted "));
}

static const struct {
	const char *fields, *said;
} ANSWERS[] = {
	{ "", "" },
	{ "X: max-age=1", "" },
	{ "Cache-Control: max-age=60", "max-age=60 " },
	{ "cache-control: MAX-AGE=60, Public", "public max-age=60 " },
	{ "Cache-Control: no-store, no-cache, private, must-revalidate, proxy-revalidate",
	  "no-store no-cache private must-revalidate proxy-revalidate " },
	{ "Cache-Control: must-understand, no-store, immutable, no-transform",
	  "no-store must-understand immutable no-transform " },
	{ "Cache-Control: s-maxage=5, stale-while-revalidate=6,stale-if-error=7", "s-maxage=5 swr=6 sie=7 " },
	{ "Cache-Control: foo, bar=1, max-age-x=3, xmax-age=4", "" },
	{ "Cache-Control: ,, max-age=1 ,,", "max-age=1 " },
	/* Numbers (RFC 9111, 1.2.2); what is none is 0. */
	{ "Cache-Control: max-age=0", "max-age=0 " },
	{ "Cache-Control: max-age=007", "max-age=7 " },
	{ "Cache-Control: max-age=\"60\"", "max-age=60 " },
	{ "Cache-Control: max-age=2147483647", "max-age=2147483647 " },
	{ "Cache-Control: max-age=2147483648", "max-age=2147483647 " },
	{ "Cache-Control: max-age=99999999999999999999999999", "max-age=2147483647 " },
	{ "Cache-Control: max-age=-1", "max-age=0 " },
	{ "Cache-Control: max-age=+1", "max-age=0 " },
	{ "Cache-Control: max-age=1.5", "max-age=0 " },
	{ "Cache-Control: max-age=1e3", "max-age=0 " },
	{ "Cache-Control: max-age", "max-age=0 " },
	{ "Cache-Control: max-age=", "max-age=0 " },
	{ "Cache-Control: max-age='60'", "max-age=0 " },
	{ "Cache-Control: max-age =60", "max-age=0 " },
	{ "Cache-Control: max-age= 60", "max-age=0 " },
	{ "Cache-Control: max-age=\"6\\0\"", "max-age=0 " },
	{ "Cache-Control: max-age=\" 60\"", "max-age=0 " },
	{ "Cache-Control: max-age=60 60", "max-age=0 " },
	{ "Cache-Control: max-age=60;x=1", "max-age=0 " },
	{ "Cache-Control: s-maxage=x, stale-if-error=x, stale-while-revalidate", "s-maxage=0 swr=0 sie=0 " },
	/* What comes again, or contradicts: the stricter. */
	{ "Cache-Control: max-age=60, max-age=5, max-age=30", "max-age=5 " },
	{ "Cache-Control: max-age=60\nCache-Control: max-age=x", "max-age=0 " },
	{ "Cache-Control: public\nCache-Control: private", "private public " },
	{ "Cache-Control: no-cache=\"a\", no-cache", "no-cache no-cache() " },
	/* A restriction holds however it is written; a permission does not. */
	{ "Cache-Control: no-store=x, no-cache=\"\", private=\" , \", must-revalidate=\"",
	  "no-store no-cache private must-revalidate " },
	{ "Cache-Control: no-store =1", "no-store " },
	{ "Cache-Control: public=1, immutable=\"x\", must-understand=1", "" },
	/* Names of fields. */
	{ "Cache-Control: no-cache=\"set-cookie, x-a\"", "no-cache() " },
	{ "Cache-Control: private=set-cookie", "private() " },
	{ "Cache-Control: private=\"a b\"", "private " },
	{ "Cache-Control: no-cache=\"a\"b", "no-cache " },
	{ "Cache-Control: no-cache=\"a\\\"b\"", "no-cache " },
	/* Quotes hide; one that is never closed does not, and nothing behind it allows anything. */
	{ "Cache-Control: x=\"max-age=1, no-store\", max-age=9", "max-age=9 " },
	{ "Cache-Control: x=\"\\\", no-store, \\\"\", max-age=9", "max-age=9 " },
	{ "Cache-Control: max-age=9, x=\"y, no-store, public", "no-store max-age=9 " },
	{ "Cache-Control: x=\"y, max-age=9", "max-age=0 " },
	{ "Cache-Control: private=\"a, max-age=9", "private max-age=0 " },
	{ "Cache-Control: x=\"\nCache-Control: max-age=9", "max-age=9 " },
	{ "Cache-Control: x=\"\\", "" },
	/* RFC 9213: in place of Cache-Control, where it can be read and is not empty. */
	{ "CDN-Cache-Control: max-age=60\nCache-Control: no-store", "max-age=60 targeted " },
	{ "Cache-Control: no-store\nCDN-Cache-Control: max-age=60, must-revalidate", "must-revalidate max-age=60 targeted " },
	{ "Cache-Control: no-store\nCDN-Cache-Control: none", "targeted " },
	{ "Cache-Control: max-age=9\nCDN-Cache-Control: no-store", "no-store targeted " },
	{ "Cache-Control: max-age=9\nCDN-Cache-Control:", "max-age=9 " },
	{ "Cache-Control: max-age=9\nCDN-Cache-Control: max-age=60,", "max-age=9 " },
	{ "Cache-Control: max-age=9\nCDN-Cache-Control: MAX-AGE=60", "max-age=9 " },
	{ "Cache-Control: max-age=9\nCDN-Cache-Control: max-age=60\nCDN-Cache-Control: &&&", "max-age=9 " },
	{ "CDN-Cache-Control: max-age=60\nCDN-Cache-Control: stale-if-error=5", "max-age=60 sie=5 targeted " },
	{ "CDN-Cache-Control: max-age=60;x=\"y\"", "max-age=60 targeted " },
	{ "CDN-Cache-Control: max-age=\"60\"", "max-age=0 targeted " },
	{ "CDN-Cache-Control: max-age=60.0", "max-age=0 targeted " },
	{ "CDN-Cache-Control: max-age=-60", "max-age=0 targeted " },
	{ "CDN-Cache-Control: max-age", "max-age=0 targeted " },
	{ "CDN-Cache-Control: max-age=(60)", "max-age=0 targeted " },
	{ "CDN-Cache-Control: max-age=999999999999999", "max-age=2147483647 targeted " },
	{ "CDN-Cache-Control: no-store=?0, public=?0, max-age=1", "max-age=1 targeted " },
	{ "CDN-Cache-Control: no-cache=\"set-cookie\", private=x-a", "no-cache() private() targeted " },
	{ "CDN-Cache-Control: no-cache=5, private=(a b), public=1", "no-cache private targeted " },
};

static void answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ANSWERS); i++) {
		struct asked a;
		struct cache_control cc;
		struct buf got = {};
		struct req *r = asked_init(&a, METHOD_GET, ANSWERS[i].fields);
		/* Fields of answers have no ids. */
		for (size_t k = 0; k < r->ask.field_count; k++)
			a.fields[k].id = FIELD_OTHER;
		cache_control_of_answer(a.fields, r->ask.field_count, &cc);
		print(&got, &cc);
		if (!str_eq(buf_str(&got), str_of(ANSWERS[i].said)))
			fail_msg("%s: %.*s", ANSWERS[i].fields, STR_F(buf_str(&got)));
		buf_fini(&got);
		asked_fini(&a);
	}
}

static const struct {
	const char *fields, *said;
} ASKS[] = {
	{ "", "" },
	{ "Cache-Control: no-cache", "no-cache " },
	{ "Cache-Control: no-store, only-if-cached", "no-store only-if-cached " },
	{ "Cache-Control: max-age=0, min-fresh=5, max-stale=6", "max-age=0 min-fresh=5 max-stale=6 " },
	{ "Cache-Control: max-age=x", "max-age=0 " },
	{ "Cache-Control: min-fresh=x, max-stale=x", "" },
	{ "Cache-Control: max-stale", "max-stale " },
	{ "Cache-Control: max-stale=", "" },
	{ "Cache-Control: max-stale, max-stale=6", "max-stale=6 " },
	{ "Cache-Control: max-stale=6, max-stale=5, min-fresh=1, min-fresh=2", "min-fresh=2 max-stale=5 " },
	{ "Cache-Control: stale-if-error=9", "sie=9 " },
	{ "Cache-Control: x\nPragma: no-cache", "" },
	{ "Pragma: no-cache", "no-cache " },
	{ "Pragma: x\nPragma: y, No-Cache", "no-cache " },
	{ "Pragma: x", "" },
	/* It is of answers. */
	{ "CDN-Cache-Control: max-age=60", "" },
};

static void asks(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ASKS); i++) {
		struct asked a;
		struct cache_control cc;
		struct buf got = {};
		struct req *r = asked_init(&a, METHOD_GET, ASKS[i].fields);
		cache_control_of_ask(&r->ask, &cc);
		print(&got, &cc);
		if (!str_eq(buf_str(&got), str_of(ASKS[i].said)))
			fail_msg("%s: %.*s", ASKS[i].fields, STR_F(buf_str(&got)));
		buf_fini(&got);
		asked_fini(&a);
	}
}

static const struct {
	const char *fields, *name;
	bool named;
} NAMES[] = {
	{ "Cache-Control: no-cache=\"set-cookie, x-a\"", "Set-Cookie", true },
	{ "Cache-Control: no-cache=\"set-cookie, x-a\"", "X-A", true },
	{ "Cache-Control: no-cache=\"set-cookie, x-a\"", "X", false },
	{ "Cache-Control: max-age=1\nCache-Control: private=x-a", "X-A", true },
	{ "Cache-Control: no-store=x-a", "X-A", false },
	{ "Cache-Control: foo=\"no-cache=x-a\"", "X-A", false },
	{ "CDN-Cache-Control: no-cache=\"x-a\"", "X-A", true },
	{ "CDN-Cache-Control: max-age=1\nCache-Control: no-cache=\"x-a\"", "X-A", false },
	{ "CDN-Cache-Control: private=x-b\nCache-Control: no-cache=\"x-a\"", "X-A", false },
};

static void names(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(NAMES); i++) {
		struct asked a;
		struct cache_control cc;
		size_t n = asked_init(&a, METHOD_GET, NAMES[i].fields)->ask.field_count;
		cache_control_of_answer(a.fields, n, &cc);
		if (cache_control_names(&cc, a.fields, n, str_of(NAMES[i].name)) != NAMES[i].named)
			fail_msg("%s: %s", NAMES[i].fields, NAMES[i].name);
		asked_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(answers), cmocka_unit_test(asks), cmocka_unit_test(names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Freshness: what is stored, for how long, who may get it, and which fields go along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "given.h"

static struct status_ttl negatives[] = { { 404, 410, 10000 }, { 500, 599, 1500 }, { 302, 302, 0 } };

/* Rules that rows choose among by letters. */
static struct freshness_rules rules_of(const char *letters)
{
	struct freshness_rules r = { .asks = true };
	for (; *letters; letters++) {
		switch (*letters) {
		case 'd': r.default_ttl_ms = 60000; break;
		case 'h': r.heuristic = true; break;
		case 'l': r.least_ttl_ms = 30000; break;
		case 'm': r.most_ttl_ms = 90000; break;
		case 'c': r.cookies = true; break;
		case 's': r.revalidate_ms = 5000; r.error_ms = 7000; break;
		case 'n': r.negative = (struct items){ negatives, countof(negatives) }; break;
		case 'x': r.asks = false; break;
		default: fail_msg("no rule %c", *letters);
		}
	}
	return r;
}

/* "fresh 60 age 5 stale 1/2 validate": the numbers that are not 0, and the flags. */
static void print(struct buf *out, const struct image *i)
{
	static const char *FLAGS[] = { " validate", " no-stale", " guess", " alone" };
	buf_addf(out, "fresh %u", i->fresh_s);
	if (i->age_s)
		buf_addf(out, " age %u", i->age_s);
	if (i->revalidate_s || i->error_s)
		buf_addf(out, " stale %u/%u", i->revalidate_s, i->error_s);
	for (size_t f = 0; f < countof(FLAGS); f++)
		if (i->flags & 1u << f)
			buf_add(out, str_of(FLAGS[f]));
}

static const struct {
	const char *rules, *ask;
	unsigned status;
	const char *answer, *stored;   /* the reason's name, or what print() says */
} STORES[] = {
	/* --- Lifetimes (RFC 9111, 4.2.1). --- */
	{ "", "", 200, "Cache-Control: max-age=60", "fresh 60" },
	{ "", "", 200, "Cache-Control: max-age=60, s-maxage=5", "fresh 5 no-stale" },
	{ "", "", 200, DATE "Cache-Control: max-age=60\nExpires: " BEFORE, "fresh 60" },
	{ "", "", 200, DATE "Cache-Control: s-maxage=60\nExpires: " BEFORE, "fresh 60 no-stale" },
	{ "", "", 200, DATE "Cache-Control: public\nExpires: " AFTER, "fresh 100" },
	{ "", "", 200, "Expires: " AFTER, "fresh 100" },
	{ "", "", 200, "Expires: Sunday, 06-Nov-94 08:51:17 GMT", "fresh 100" },
	{ "", "", 200, DATE "Expires: " BEFORE, "not-fresh" },
	{ "", "", 200, DATE "Expires: " THEN, "not-fresh" },
	{ "", "", 200, DATE "Expires: " AFTER "\nExpires: " THEN, "not-fresh" },
	{ "", "", 200, "Expires: 0", "not-fresh" },
	{ "dh", "", 200, "Expires: -1", "not-fresh" },
	{ "dh", "", 200, "Expires: tomorrow\nETag: \"a\"", "fresh 0" },
	{ "dh", "", 200, "Expires:\nETag: \"a\"", "fresh 0" },
	{ "", "", 200, "Expires: " AFTER "\nExpires: x\nETag: \"a\"", "fresh 0" },
	{ "", "", 200, "Expires: Fri, 31 Dec 9999 23:59:59 GMT", "fresh 2147483647" },
	{ "", "", 200, "Cache-Control: max-age=99999999999", "fresh 2147483647" },
	{ "", "", 200, "Expires: " AFTER "\nCDN-Cache-Control: max-age=5", "fresh 5" },
	{ "", "", 200, "Expires: " AFTER "\nCDN-Cache-Control: none", "not-fresh" },
	{ "", "", 200, "Cache-Control: no-store\nCDN-Cache-Control: max-age=5", "fresh 5" },
	{ "", "", 200, "Cache-Control: max-age=60\nCDN-Cache-Control: no-store", "no-store" },
	{ "", "", 200, "Cache-Control: max-age=60\nCDN-Cache-Control: no-store,", "fresh 60" },
	{ "", "", 200, "Cache-Control: max-age=60, immutable", "fresh 60" },
	/* A Date in the past, in the future, unreadable (RFC 9111, 4.2.3). */
	{ "", "", 200, "Date: " BEFORE "\nExpires: " AFTER, "fresh 200 age 100" },
	{ "", "", 200, "Date: " BEFORE "\nCache-Control: max-age=101", "fresh 101 age 100" },
	{ "", "", 200, "Date: " BEFORE "\nCache-Control: max-age=100", "not-fresh" },
	{ "", "", 200, "Date: " AFTER "\nCache-Control: max-age=60", "fresh 60" },
	{ "", "", 200, "Date: " AFTER "\nExpires: " AFTER, "not-fresh" },
	{ "", "", 200, "Date: now\nExpires: " AFTER, "fresh 100" },
	{ "", "", 200, "Date: " LONG "\nCache-Control: max-age=99999999999\nETag: \"a\"", "fresh 2147483647 age 2147483647" },
	/* Age. */
	{ "", "", 200, "Age: 5\nCache-Control: max-age=60", "fresh 60 age 5" },
	{ "", "", 200, "Age: 5, 7\nAge: 9\nCache-Control: max-age=60", "fresh 60 age 5" },
	{ "", "", 200, "Age: 99999999999999999999\nCache-Control: max-age=60\nETag: \"a\"", "fresh 60 age 2147483647" },
	{ "", "", 200, "Age: -5\nCache-Control: max-age=60", "fresh 60" },
	{ "", "", 200, "Age: 5.0\nCache-Control: max-age=60", "fresh 60" },
	{ "", "", 200, "Age: 50\nDate: " BEFORE "\nCache-Control: max-age=600", "fresh 600 age 100" },
	{ "", "", 200, "Age: 150\nDate: " BEFORE "\nCache-Control: max-age=600", "fresh 600 age 150" },
	{ "", "", 200, "Age: 60\nCache-Control: max-age=60", "not-fresh" },
	/* --- What says nothing, and what rules and guesses say then. --- */
	{ "", "", 200, "ETag: \"a\"", "not-fresh" },
	{ "", "", 200, "Cache-Control: public", "not-fresh" },
	{ "", "", 200, "Last-Modified: " BEFORE, "not-fresh" },
	{ "d", "", 200, "", "fresh 60" },
	{ "d", "", 200, "Pragma: no-cache", "not-fresh" },
	{ "d", "", 301, "", "fresh 60" },
	{ "d", "", 302, "", "not-fresh" },
	{ "d", "", 302, "Cache-Control: public", "fresh 60" },
	{ "d", "", 404, "", "not-fresh" },
	{ "d", "", 200, "Cache-Control: max-age=5", "fresh 5" },
	{ "d", "", 200, "Cache-Control: max-age=0", "not-fresh" },
	{ "d", "", 200, "Cache-Control: max-age=x", "not-fresh" },
	{ "h", "", 200, DATE "Last-Modified: " BEFORE, "fresh 10 guess" },
	{ "h", "", 200, DATE "Last-Modified: Sun, 06 Nov 1988 08:49:37 GMT", "fresh 86400 guess" },
	{ "h", "", 200, DATE "Last-Modified: " AFTER, "not-fresh" },
	{ "h", "", 200, DATE "Last-Modified: x", "not-fresh" },
	{ "h", "", 404, DATE "Last-Modified: " BEFORE, "fresh 10 guess" },
	{ "h", "", 500, DATE "Last-Modified: " BEFORE, "not-fresh" },
	{ "h", "", 201, DATE "Last-Modified: " BEFORE, "not-fresh" },
	{ "h", "", 599, DATE "Last-Modified: " BEFORE "\nCache-Control: public", "fresh 10 guess" },
	{ "hd", "", 200, DATE "Last-Modified: " BEFORE, "fresh 60" },
	{ "n", "", 404, "", "fresh 10" },
	{ "n", "", 404, "Cache-Control: max-age=5", "fresh 5" },
	{ "n", "", 503, "", "fresh 2" },
	{ "nd", "", 302, "", "not-fresh" },
	{ "n", "", 200, "", "not-fresh" },
	/* Bounds. */
	{ "l", "", 200, "Cache-Control: max-age=5", "fresh 30" },
	{ "l", "", 200, "Expires: 0", "fresh 30" },
	{ "l", "", 200, "", "not-fresh" },
	{ "l", "", 503, "Cache-Control: max-age=0", "not-fresh" },
	{ "l", "", 200, "Cache-Control: no-store, max-age=5", "no-store" },
	{ "l", "", 200, "Cache-Control: private, max-age=5", "private" },
	{ "l", "", 200, "Cache-Control: no-cache, max-age=5\nETag: \"a\"", "fresh 5 validate" },
	{ "m", "", 200, "Cache-Control: max-age=600", "fresh 90" },
	{ "m", "", 200, "Cache-Control: max-age=60", "fresh 60" },
	/* --- What forbids it (RFC 9111, 3). --- */
	{ "d", "", 200, "Cache-Control: no-store", "no-store" },
	{ "d", "", 200, "Cache-Control: max-age=60, no-store", "no-store" },
	{ "d", "", 200, "Cache-Control: public, private, max-age=60", "private" },
	{ "", "", 200, "Cache-Control: private=\"x-a\", max-age=60", "fresh 60" },
	{ "", "", 200, "Cache-Control: no-cache=\"x-a\", max-age=60", "fresh 60" },
	{ "", "", 200, "Cache-Control: no-cache", "not-fresh" },
	{ "", "", 200, "Cache-Control: no-cache, max-age=60", "not-fresh" },
	{ "", "", 200, "Cache-Control: no-cache\nETag: \"a\"", "fresh 0 validate" },
	{ "", "", 200, "Cache-Control: no-cache\nLast-Modified: " BEFORE, "fresh 0 validate" },
	{ "", "", 200, "Cache-Control: max-age=0\nETag: W/\"a\"", "fresh 0" },
	{ "", "", 200, "Cache-Control: must-understand, no-store, max-age=60", "fresh 60" },
	{ "", "", 299, "Cache-Control: must-understand, no-store, max-age=60", "status" },
	{ "", "", 299, "Cache-Control: must-understand, max-age=60", "status" },
	{ "", "", 299, "Cache-Control: max-age=60", "fresh 60" },
	{ "", "", 200, "Cache-Control: max-age=60\nSet-Cookie: a=1", "set-cookie" },
	{ "c", "", 200, "Cache-Control: max-age=60\nSet-Cookie: a=1", "fresh 60" },
	{ "", "", 200, "Cache-Control: max-age=60, no-cache=\"set-cookie\"\nSet-Cookie: a=1", "fresh 60" },
	{ "", "", 200, "Cache-Control: max-age=60, private=\"Set-Cookie\"\nSet-Cookie: a=1", "fresh 60" },
	{ "", "", 200, "Cache-Control: max-age=60, private=\"x-a\"\nSet-Cookie: a=1", "set-cookie" },
	{ "", "", 200, "Cache-Control: max-age=60\nVary: *", "vary" },
	{ "", "", 200, "Cache-Control: max-age=60\nVary: accept, *", "vary" },
	{ "", "", 200, "Cache-Control: max-age=60\nVary: a b", "vary" },
	{ "", "", 200, "Cache-Control: max-age=60\nVary: cookie, accept", "fresh 60" },
	{ "", "", 206, "Cache-Control: max-age=60", "range" },
	{ "", "", 304, "Cache-Control: max-age=60", "status" },
	{ "", "", 429, "Cache-Control: max-age=60", "status" },
	{ "", "", 511, "Cache-Control: max-age=60", "status" },
	{ "", "", 103, "Cache-Control: max-age=60", "status" },
	{ "", "", 400, "Cache-Control: max-age=60", "status" },
	{ "", "", 401, "Cache-Control: max-age=60", "status" },
	{ "", "", 412, "Cache-Control: max-age=60", "status" },
	{ "", "", 416, "Cache-Control: max-age=60", "status" },
	{ "", "", 431, "Cache-Control: max-age=60", "status" },
	{ "", "", 403, "Cache-Control: max-age=60", "fresh 60" },
	{ "", "", 503, "Cache-Control: max-age=60", "fresh 60" },
	{ "", "", 302, "Cache-Control: max-age=60", "fresh 60" },
	/* --- Stale (RFC 5861; RFC 9111, 4.2.4). --- */
	{ "", "", 200, "Cache-Control: max-age=60, stale-while-revalidate=5, stale-if-error=9", "fresh 60 stale 5/9" },
	{ "s", "", 200, "Cache-Control: max-age=60", "fresh 60 stale 5/7" },
	{ "s", "", 200, "Cache-Control: max-age=60, stale-while-revalidate=0", "fresh 60 stale 0/7" },
	{ "s", "", 200, "Cache-Control: max-age=60, stale-if-error=x", "fresh 60 stale 5/0" },
	{ "s", "", 200, "Cache-Control: max-age=60, must-revalidate", "fresh 60 no-stale" },
	{ "s", "", 200, "Cache-Control: max-age=60, proxy-revalidate, stale-if-error=9", "fresh 60 no-stale" },
	{ "s", "", 200, "Cache-Control: s-maxage=60, stale-while-revalidate=5", "fresh 60 no-stale" },
	{ "s", "", 200, "Cache-Control: no-cache, stale-if-error=9\nETag: \"a\"", "fresh 0 validate" },
	{ "s", "", 200, "Cache-Control: max-age=0\nETag: \"a\"", "fresh 0" },
	{ "", "", 200, "Cache-Control: max-age=0, stale-while-revalidate=5", "fresh 0 stale 5/0" },
	{ "", "", 200, "Cache-Control: max-age=0, stale-if-error=5", "fresh 0 stale 0/5" },
	{ "", "", 200, "Age: 70\nCache-Control: max-age=60, stale-if-error=5", "not-fresh" },
	/* --- Requests. --- */
	{ "", "Cache-Control: no-store", 200, "Cache-Control: max-age=60", "request-no-store" },
	{ "x", "Cache-Control: no-store", 200, "Cache-Control: max-age=60", "fresh 60" },
	{ "", "Cache-Control: no-cache", 200, "Cache-Control: max-age=60", "fresh 60" },
	{ "", "Authorization: x", 200, "Cache-Control: max-age=60", "authorization" },
	{ "", "Authorization: x", 200, "Cache-Control: max-age=60, public", "fresh 60" },
	{ "", "Authorization: x", 200, "Cache-Control: max-age=60, must-revalidate", "fresh 60 no-stale alone" },
	{ "", "Authorization: x", 200, "Cache-Control: s-maxage=60", "fresh 60 no-stale alone" },
	{ "", "Authorization: x", 200, "Cache-Control: max-age=60, proxy-revalidate", "authorization" },
	{ "", "Cookie: a=1", 200, "Cache-Control: max-age=60", "fresh 60" },
	{ "", "Cookie: a=1", 200, "Expires: " AFTER, "fresh 100" },
	{ "d", "Cookie: a=1", 200, "", "cookie" },
	{ "h", "Cookie: a=1", 200, DATE "Last-Modified: " BEFORE, "cookie" },
	{ "n", "Cookie: a=1", 404, "", "cookie" },
	{ "dc", "Cookie: a=1", 200, "", "fresh 60" },
	{ "d", "Cookie: a=1", 200, "Cache-Control: no-cache\nETag: \"a\"", "fresh 0 validate" },
};

static void stores(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(STORES); i++) {
		struct given g;
		struct image image = {};
		struct buf got = {};
		struct freshness_rules rules = rules_of(STORES[i].rules);
		give(&g, METHOD_GET, STORES[i].ask, STORES[i].status, STORES[i].answer);
		enum stored stored = freshness_store(&g.came, &rules, &image);
		if (stored)
			buf_add(&got, stored_name(stored));
		else
			print(&got, &image);
		if (!str_eq(buf_str(&got), str_of(STORES[i].stored)))
			fail_msg("[%s] %s > %u %s: %.*s", STORES[i].rules, STORES[i].ask, STORES[i].status, STORES[i].answer,
			         STR_F(buf_str(&got)));
		if (!stored)
			assert_true(image.came_ms == THEN_MS && image.status == STORES[i].status);
		buf_fini(&got);
		given_fini(&g);
	}
}

/* The same answer to other requests, and after a delay. */
static void stores_by_request(void **state)
{
	(void)state;
	struct given g;
	struct image image = {};
	struct freshness_rules rules = rules_of("");
	give(&g, METHOD_POST, "", 200, "Cache-Control: max-age=60");
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_METHOD);
	g.ask.r.ask.method = METHOD_HEAD;
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_YES);
	g.ask.r.ask.framing = FRAMING_LENGTH;
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_YES);
	g.ask.r.ask.length_b = 1;
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_ADDRESSED);
	g.ask.r.ask.length_b = 0;
	g.ask.r.ask.framing = FRAMING_CHUNKED;
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_ADDRESSED);
	g.ask.r.ask.framing = FRAMING_NONE;
	g.came.status = 206;
	g.came.slice = true;
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_YES);
	/* response_delay counts, and a Date that is no field. */
	g.came.asked_ms = THEN_MS - 7900;
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_YES);
	assert_int_equal(image.age_s, 7);
	g.came.date = STR(BEFORE);
	assert_int_equal(freshness_store(&g.came, &rules, &image), STORED_NOT_FRESH);
	given_fini(&g);
}

/* --- Use. --- */

static const struct {
	uint32_t flags, revalidate_s, error_s;   /* of a page that is fresh for 60 s */
	unsigned after_s;
	const char *ask;
	enum use use;
	bool if_error;
} USES[] = {
	{ 0, 0, 0, 0, "", USE_FRESH, true },
	{ 0, 0, 0, 59, "", USE_FRESH, true },
	{ 0, 0, 0, 60, "", USE_VALIDATE, false },
	{ 0, 5, 9, 60, "", USE_STALE, true },
	{ 0, 5, 9, 64, "", USE_STALE, true },
	{ 0, 5, 9, 65, "", USE_VALIDATE, true },
	{ 0, 5, 9, 68, "", USE_VALIDATE, true },
	{ 0, 5, 9, 69, "", USE_VALIDATE, false },
	{ IMAGE_VALIDATE, 5, 9, 0, "", USE_VALIDATE, false },
	{ IMAGE_NO_STALE, 5, 9, 59, "", USE_FRESH, true },
	{ IMAGE_NO_STALE, 5, 9, 60, "", USE_VALIDATE, false },
	/* What the client says. */
	{ 0, 5, 9, 0, "Cache-Control: no-cache", USE_NOT, true },
	{ 0, 5, 9, 0, "Pragma: no-cache", USE_NOT, true },
	{ 0, 5, 9, 0, "Pragma: no-cache\nCache-Control: x", USE_FRESH, true },
	{ 0, 5, 9, 0, "Cache-Control: no-store", USE_FRESH, true },
	{ 0, 5, 9, 0, "Cache-Control: max-age=0", USE_FRESH, true },
	{ 0, 5, 9, 1, "Cache-Control: max-age=0", USE_NOT, true },
	{ 0, 5, 9, 10, "Cache-Control: max-age=10", USE_FRESH, true },
	{ 0, 5, 9, 11, "Cache-Control: max-age=10", USE_NOT, true },
	{ 0, 5, 9, 61, "Cache-Control: max-age=100", USE_VALIDATE, true },
	{ 0, 5, 9, 61, "Cache-Control: max-age=100, max-stale=1", USE_STALE, true },
	{ 0, 5, 9, 50, "Cache-Control: min-fresh=10", USE_FRESH, true },
	{ 0, 5, 9, 51, "Cache-Control: min-fresh=10", USE_NOT, true },
	{ 0, 0, 0, 61, "Cache-Control: max-stale", USE_STALE, false },
	{ 0, 0, 0, 70, "Cache-Control: max-stale=10", USE_STALE, false },
	{ 0, 0, 0, 71, "Cache-Control: max-stale=10", USE_VALIDATE, false },
	{ 0, 0, 0, 70, "Cache-Control: max-stale=x", USE_VALIDATE, false },
	{ IMAGE_NO_STALE, 0, 0, 70, "Cache-Control: max-stale=10", USE_VALIDATE, false },
	{ IMAGE_VALIDATE, 0, 0, 70, "Cache-Control: max-stale=10", USE_VALIDATE, false },
	{ 0, 0, 0, 70, "Cache-Control: stale-if-error=10", USE_VALIDATE, true },
	{ 0, 0, 0, 71, "Cache-Control: stale-if-error=10", USE_VALIDATE, false },
	{ IMAGE_NO_STALE, 0, 0, 70, "Cache-Control: stale-if-error=10", USE_VALIDATE, false },
};

static void uses(void **state)
{
	(void)state;
	struct freshness_rules rules = rules_of("");
	for (size_t i = 0; i < countof(USES); i++) {
		struct asked a;
		struct page p = { .image = { .came_ms = THEN_MS, .fresh_s = 60, .flags = (uint16_t)USES[i].flags,
			                     .revalidate_s = USES[i].revalidate_s, .error_s = USES[i].error_s } };
		struct req *r = asked_init(&a, METHOD_GET, USES[i].ask);
		uint64_t now_ms = THEN_MS + USES[i].after_s * 1000 + 999;
		enum use use = freshness_use(&p, &r->ask, &rules, now_ms, false);
		bool if_error = freshness_use_if_error(&p, &r->ask, &rules, now_ms);
		if (use != USES[i].use || if_error != USES[i].if_error)
			fail_msg("row %zu, %u s, %s: %d, %d", i, USES[i].after_s, USES[i].ask, use, if_error);
		asked_fini(&a);
	}
}

static void uses_in_other_ways(void **state)
{
	(void)state;
	struct freshness_rules rules = rules_of("");
	struct asked a;
	struct page p = { .image = { .came_ms = THEN_MS, .age_s = 50, .fresh_s = 60, .revalidate_s = 5 } };
	struct req *r = asked_init(&a, METHOD_GET, "Cache-Control: no-cache, only-if-cached");
	/* The age that it came with counts. */
	asked_fini(&a);
	asked_init(&a, METHOD_GET, "");
	assert_int_equal(freshness_use(&p, &r->ask, &rules, THEN_MS + 9000, false), USE_FRESH);
	assert_int_equal(freshness_use(&p, &r->ask, &rules, THEN_MS + 10000, false), USE_STALE);
	/* Purged softly: stale. */
	assert_int_equal(freshness_use(&p, &r->ask, &rules, THEN_MS, true), USE_STALE);
	p.image.revalidate_s = 0;
	assert_int_equal(freshness_use(&p, &r->ask, &rules, THEN_MS, true), USE_VALIDATE);
	/* The clock was set back. */
	assert_int_equal(freshness_use(&p, &r->ask, &rules, THEN_MS - 5000, false), USE_FRESH);
	assert_int_equal(freshness_use(&p, &r->ask, &rules, THEN_MS - 50000, false), USE_VALIDATE);
	asked_fini(&a);
	/* Clients are not listened to. */
	r = asked_init(&a, METHOD_GET, "Cache-Control: no-cache, only-if-cached");
	assert_true(freshness_only_if_cached(&r->ask, &rules));
	rules = rules_of("x");
	assert_int_equal(freshness_use(&p, &r->ask, &rules, THEN_MS, false), USE_FRESH);
	assert_false(freshness_only_if_cached(&r->ask, &rules));
	asked_fini(&a);
}

static void useful(void **state)
{
	(void)state;
	struct image i = { .age_s = 10, .fresh_s = 100, .revalidate_s = 5, .error_s = 20 };
	assert_int_equal(image_useful_ms(&i), (110 + 100) * 1000);
	assert_int_equal(image_lives_ms(&i), 110 * 1000);
	i.flags = IMAGE_PASS;
	assert_int_equal(image_useful_ms(&i), 110 * 1000);
	i = (struct image){ .flags = IMAGE_VALIDATE };
	assert_int_equal(image_useful_ms(&i), 60 * 1000);
	i = (struct image){ .fresh_s = 60, .flags = IMAGE_VALIDATE };
	assert_int_equal(image_lives_ms(&i), 0);
	i = (struct image){ .age_s = UINT32_MAX, .fresh_s = UINT32_MAX, .revalidate_s = UINT32_MAX };
	assert_true(image_useful_ms(&i) > 0);
}

/* --- Fields. --- */

static void keeps(void **state)
{
	(void)state;
	static const char *DROPPED[] = { "Age", "Date", "Cache-Status", "Content-Length", "Connection", "Keep-Alive", "TE",
		                         "Transfer-Encoding", "Proxy-Authenticate", "Proxy-Authentication-Info", "Upgrade",
		                         "Set-Cookie", "Set-Cookie2", "Surrogate-Key", "xkey", "Cache-Tag", "X-Named",
		                         "x-private" },
	                  *KEPT[] = { "Cache-Control", "CDN-Cache-Control", "Content-Type", "ETag", "Expires",
	                              "Last-Modified", "Vary", "X-Other", "Content-Encoding", "Link" };
	struct given g;
	struct cache_control cc;
	give(&g, METHOD_GET, "", 200, "Cache-Control: no-cache=\"x-named\", private=\"X-Private\"");
	cache_control_of_answer(g.came.fields, g.came.field_count, &cc);
	for (size_t i = 0; i < countof(DROPPED); i++) {
		struct field f = { str_of(DROPPED[i]), STR("x"), FIELD_OTHER };
		if (freshness_keeps(&g.came, &cc, &f))
			fail_msg("%s is kept", DROPPED[i]);
	}
	for (size_t i = 0; i < countof(KEPT); i++) {
		struct field f = { str_of(KEPT[i]), STR("x"), FIELD_OTHER };
		if (!freshness_keeps(&g.came, &cc, &f))
			fail_msg("%s is not kept", KEPT[i]);
	}
	given_fini(&g);
}

static void sends(void **state)
{
	(void)state;
	static const char *DROPPED[] = { "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since",
		                         "If-Unmodified-Since", "Content-Length", "X-Original-URL", "x-http-method-override",
		                         "X-Forwarded-Prefix", "X-Host", "X_Other", "Front-End-Https" },
	                  *SENT[] = { "Host", "Accept", "Cookie", "Authorization", "Cache-Control", "User-Agent", "X-Other" };
	const struct ask none = {};
	for (size_t i = 0; i < countof(DROPPED); i++) {
		struct str name = str_of(DROPPED[i]);
		assert_false(freshness_sends(&none, &(struct field){ name, STR("x"), field_id(name) }));
	}
	for (size_t i = 0; i < countof(SENT); i++) {
		struct str name = str_of(SENT[i]);
		assert_true(freshness_sends(&none, &(struct field){ name, STR("x"), field_id(name) }));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stores), cmocka_unit_test(stores_by_request), cmocka_unit_test(uses),
		cmocka_unit_test(uses_in_other_ways), cmocka_unit_test(useful), cmocka_unit_test(keeps),
		cmocka_unit_test(sends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

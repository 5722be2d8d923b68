/* Pages of answers, and of 304s: which fields they have, and how they lie in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "given.h"
#include "http/page_make.h"

struct bench {
	struct epoch *epoch;
	struct store *store;
};

static int setup(void **state)
{
	struct bench *b = MEM_NEW(struct bench);
	b->epoch = epoch_new();
	b->store = store_new(b->epoch, 1 << 20);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	store_free(b->store);
	epoch_free(b->epoch);
	mem_free(b);
	return 0;
}

/* "Name: value|" for each field. */
static void print_page(struct buf *out, const struct page *p)
{
	struct str rest = page_fields(p);
	struct field f;
	while (page_field_next(&rest, &f))
		buf_addf(out, "%.*s: %.*s|", STR_F(f.name), STR_F(f.value));
}

/* A page of an answer as it would be stored: of ten bytes, and tags a and b. */
static struct page *page_of_given(struct bench *b, const struct given *g, enum page_body kind)
{
	struct image image = { .body_b = 10, .base = 77 };
	struct freshness_rules rules = { .asks = true };
	struct blob *blob = blob_new(10, NULL);
	assert_true(blob_add(blob, STR("01234")) && blob_add(blob, STR("56789")));
	assert_int_equal(freshness_store(&g->came, &rules, &image), STORED_YES);
	struct page *p = page_of_answer(b->store, &g->came, &image, STR("key"), kind, blob);
	blob_put(blob);
	assert_non_null(p);
	return p;
}

static void assert_page(const struct page *p, const char *fields)
{
	struct buf got = {};
	print_page(&got, p);
	if (!str_eq(buf_str(&got), str_of(fields)))
		fail_msg("%.*s", STR_F(buf_str(&got)));
	buf_fini(&got);
	assert_int_equal(p->image.body_b, 10);
	assert_int_equal(p->image.base, 77);
	assert_true(str_eq(page_key(p), STR("key")) && str_eq(p->object.key, STR("key")));
	/* All that stands before the body is as one that is read from outside has to be. */
	assert_int_equal(image_check(&p->image, str_make((const char *)&p->image, image_head_b(&p->image))), 0);
	if (p->body_kind == PAGE_INLINE)
		assert_memory_equal((const char *)&p->image + image_head_b(&p->image), "0123456789", 10);
	else
		assert_int_equal(blob_size_b(p->blob), 10);
}

static void pages(void **state)
{
	struct bench *b = *state;
	for (int kind = PAGE_INLINE; kind <= PAGE_BLOB; kind++) {
		struct given g;
		give(&g, METHOD_GET, "", 200,
		     "Cache-Control: max-age=60\nxkey: a b a\nAge: 5\nContent-Type: text/plain\nX-Empty:\nCache-Tag: b");
		struct page *p = page_of_given(b, &g, (enum page_body)kind);
		assert_page(p, "Date: " THEN "|Cache-Control: max-age=60|Content-Type: text/plain|X-Empty: |");
		assert_int_equal(p->image.tag_count, 2);
		assert_int_equal(page_tag(p, 0), page_hash(STR("a")));
		assert_int_equal(page_tag(p, 1), page_hash(STR("b")));
		object_put(b->epoch, &p->object);
		given_fini(&g);
	}
}

/* What can't be kept. */
static void large_heads(void **state)
{
	struct bench *b = *state;
	static char big[UINT16_MAX + 2], key[IMAGE_KEY_MOST + 1];
	struct image image = {};
	struct cache_control cc;
	memset(big, 'x', sizeof big);
	memset(key, 'k', sizeof key);
	struct asked a;
	struct field fields[] = { { STR("A"), str_make(big, UINT16_MAX + 1), FIELD_OTHER },
		                  { STR("B"), str_make(big, IMAGE_FIELDS_MOST / 2), FIELD_OTHER },
		                  { STR("C"), str_make(big, IMAGE_FIELDS_MOST / 2), FIELD_OTHER } };
	struct came c = { .ask = &asked_init(&a, METHOD_GET, "")->ask, .status = 200, .came_ms = THEN_MS };
	cache_control_of_answer(NULL, 0, &cc);
	c.fields = fields;
	c.field_count = 1;
	assert_null(page_of_answer(b->store, &c, &image, STR("key"), PAGE_INLINE, NULL));
	c.fields = fields + 1;
	c.field_count = 2;
	assert_null(page_of_answer(b->store, &c, &image, STR("key"), PAGE_INLINE, NULL));
	c.field_count = 1;
	assert_null(page_of_answer(b->store, &c, &image, str_make(key, sizeof key), PAGE_INLINE, NULL));
	struct page *p = page_of_answer(b->store, &c, &image, STR("key"), PAGE_INLINE, NULL);
	assert_non_null(p);
	object_put(b->epoch, &p->object);
	asked_fini(&a);
}

static void tags(void **state)
{
	struct bench *b = *state;
	struct image image = {};
	struct asked a;
	struct buf list = {};
	struct came c = { .ask = &asked_init(&a, METHOD_GET, "")->ask, .status = 200, .came_ms = THEN_MS, .field_count = 1 };
	for (int i = 0; i < IMAGE_TAGS_MOST; i++)
		buf_addf(&list, "tag%d ", i);
	buf_add(&list, STR("tag7"));
	struct field f = { STR("Surrogate-Key"), buf_str(&list), FIELD_OTHER };
	c.fields = &f;
	struct page *p = page_of_answer(b->store, &c, &image, STR("key"), PAGE_INLINE, NULL);
	assert_non_null(p);
	assert_int_equal(p->image.tag_count, IMAGE_TAGS_MOST);
	object_put(b->epoch, &p->object);
	buf_add(&list, STR(" more"));
	f.value = buf_str(&list);
	assert_null(page_of_answer(b->store, &c, &image, STR("key"), PAGE_INLINE, NULL));
	buf_fini(&list);
	asked_fini(&a);
}

static void markers(void **state)
{
	struct bench *b = *state;
	struct image image = { .flags = IMAGE_VARY, .came_ms = THEN_MS, .fresh_s = 60 };
	struct page *p = page_of_marker(b->store, &image, STR("key"), (struct field){ STR("Vary"), STR("a, b"), FIELD_VARY });
	assert_true(str_eq(page_field(p, STR("vary")), STR("a, b")));
	object_put(b->epoch, &p->object);
	image.flags = IMAGE_PASS;
	p = page_of_marker(b->store, &image, STR("key"), (struct field){});
	assert_int_equal(p->image.field_count, 0);
	assert_int_equal(image_check(&p->image, str_make((const char *)&p->image, image_head_b(&p->image))), 0);
	object_put(b->epoch, &p->object);
}

/* --- What a 304 makes of a page. --- */

#define STORED "ETag: \"a\"\nLast-Modified: " BEFORE "\nCache-Control: max-age=60\nxkey: t\nX-A: 1\nX-A: 2\n" \
	       "Content-Type: text/plain\nContent-Encoding: gzip\nX-B: 3"

enum { LATER_S = 1000 };
#define LATER "Sun, 06 Nov 1994 09:06:17 GMT"

static const struct {
	const char *ask, *came, *why, *fields;
	uint32_t fresh_s, age_s;
} UPDATES[] = {
	/* Nothing new: the old fields, fresh again from now on. */
	{ "", "", "stored",
	  "Date: " LATER "|ETag: \"a\"|Last-Modified: " BEFORE "|Cache-Control: max-age=60|X-A: 1|X-A: 2|"
	  "Content-Type: text/plain|Content-Encoding: gzip|X-B: 3|",
	  60, 0 },
	{ "", "ETag: \"a\"\nDate: Sun, 06 Nov 1994 09:06:07 GMT\nAge: 20\nCache-Control: max-age=90\nX-A: 9\nX-C: 4", "stored",
	  "Date: Sun, 06 Nov 1994 09:06:07 GMT|Last-Modified: " BEFORE "|Content-Type: text/plain|Content-Encoding: gzip|"
	  "X-B: 3|ETag: \"a\"|Cache-Control: max-age=90|X-A: 9|X-C: 4|",
	  90, 20 },
	/* What describes the bytes stays; what speaks of the connection is never stored. */
	{ "",
	  "Content-Type: text/html\nContent-Length: 0\nContent-Encoding: br\nContent-Range: bytes 0-1/2\n"
	  "Connection: close\nCache-Status: x; hit",
	  "stored",
	  "Date: " LATER "|ETag: \"a\"|Last-Modified: " BEFORE "|Cache-Control: max-age=60|X-A: 1|X-A: 2|"
	  "Content-Type: text/plain|Content-Encoding: gzip|X-B: 3|",
	  60, 0 },
	/* Validators: weak comparison; another version is none of ours. */
	{ "", "ETag: W/\"a\"", "stored", NULL, 60, 0 },
	{ "", "ETag: \"b\"", "other-version", NULL, 0, 0 },
	{ "", "Last-Modified: " BEFORE, "stored", NULL, 60, 0 },
	{ "", "Last-Modified: " AFTER, "other-version", NULL, 0, 0 },
	{ "", "ETag: \"a\"\nLast-Modified: " AFTER, "stored", NULL, 60, 0 },
	/* It may say that the page is not to be kept any more. */
	{ "", "Cache-Control: no-store", "no-store", NULL, 0, 0 },
	{ "", "Cache-Control: private", "private", NULL, 0, 0 },
	{ "", "Set-Cookie: a=1", "set-cookie", NULL, 0, 0 },
	{ "", "Vary: *", "vary", NULL, 0, 0 },
	{ "", "Cache-Control: max-age=0", "stored", NULL, 0, 0 },
	/* A cookie of the client's does not matter: the page is the one that all get. */
	{ "Cookie: a=1", "", "stored", NULL, 60, 0 },
	{ "Cookie: a=1", "Cache-Control: x", "stored", NULL, 5, 0 },
	{ "Authorization: a", "", "authorization", NULL, 0, 0 },
};

static struct page *stored_page(struct bench *b)
{
	struct given g;
	give(&g, METHOD_GET, "", 200, STORED);
	struct page *p = page_of_given(b, &g, PAGE_INLINE);
	given_fini(&g);
	return p;
}

static void check_update(struct bench *b, const struct page *stored, size_t row)
{
	struct given g;
	struct image image = {};
	struct field *fields;
	size_t count;
	struct freshness_rules rules = { .asks = true, .default_ttl_ms = 5000 };
	give(&g, METHOD_GET, UPDATES[row].ask, 304, UPDATES[row].came);
	g.came.asked_ms = g.came.came_ms = THEN_MS + LATER_S * 1000;
	enum stored why = freshness_update(&g.ask.r.arena, stored, &g.came, &rules, &image, &fields, &count);
	if (!str_eq(stored_name(why), str_of(UPDATES[row].why)))
		fail_msg("%s: %.*s", UPDATES[row].came, STR_F(stored_name(why)));
	if (!why) {
		assert_int_equal(image.status, 200);
		assert_int_equal(image.fresh_s, UPDATES[row].fresh_s);
		assert_int_equal(image.age_s, UPDATES[row].age_s);
		struct page *p = page_of_update(b->store, stored, &g.came, &image, fields, count);
		if (UPDATES[row].fields)
			assert_page(p, UPDATES[row].fields);
		assert_int_equal(p->image.tag_count, 1);
		assert_int_equal(page_tag(p, 0), page_hash(STR("t")));
		object_put(b->epoch, &p->object);
	}
	given_fini(&g);
}

static void updates(void **state)
{
	struct bench *b = *state;
	struct page *stored = stored_page(b);
	for (size_t i = 0; i < countof(UPDATES); i++)
		check_update(b, stored, i);
	object_put(b->epoch, &stored->object);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pages), cmocka_unit_test(large_heads), cmocka_unit_test(tags),
		                            cmocka_unit_test(markers), cmocka_unit_test(updates) };
	return cmocka_run_group_tests(tests, setup, teardown);
}

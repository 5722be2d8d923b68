/* Pages: which bytes from outside are taken for an image, what is read from one, and when it is purged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "asked.h"
#include "http/page_make.h"

static struct epoch *epoch;
static struct store *store;

static int setup(void **state)
{
	(void)state;
	epoch = epoch_new();
	store = store_new(epoch, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_free(store);
	epoch_free(epoch);
	return 0;
}

/* --- What is an image. --- */

/* Two tags, a key, two fields. */
enum { TAGS_B = 16, KEY_B = 5 };
#define FIELDS "\4\0\2\0" "ETag" "\"\"" "\1\0\0\0" "X"
enum { FIELDS_B = sizeof FIELDS - 1 };

struct bytes {
	struct image image;
	char rest[TAGS_B + KEY_B + FIELDS_B];
};

static struct bytes good(void)
{
	struct bytes b = { .image = { .asked_ms = 1000, .came_ms = 1000, .body_b = 10, .key_b = KEY_B, .fields_b = FIELDS_B,
		                      .status = 200, .tag_count = 2, .field_count = 2 } };
	memcpy(b.rest + TAGS_B, "a/key", KEY_B);
	memcpy(b.rest + TAGS_B + KEY_B, FIELDS, FIELDS_B);
	return b;
}

static int check(const struct bytes *b, size_t n)
{
	/* At its exact length, so that a look past its end is seen. */
	char *exact = mem_new(n ? n : 1);
	struct image image = b->image;
	memcpy(exact, &b->image, n < sizeof image ? n : sizeof image);
	if (n > sizeof image)
		memcpy(exact + sizeof image, b->rest, n - sizeof image);
	int err = image_check(&image, str_make(exact, n));
	mem_free(exact);
	return err;
}

static const size_t HEAD_B = sizeof(struct image) + TAGS_B + KEY_B + FIELDS_B;

static void images_that_are_none(void **state)
{
	static const struct {
		const char *what;
		size_t at, size;      /* of the image */
		uint64_t value;
		int err;
	} ROWS[] = {
#define AT(member) #member, offsetof(struct image, member), sizeof(((struct image *)NULL)->member)
		{ AT(status), 199, -EBADMSG },
		{ AT(status), 600, -EBADMSG },
		{ AT(status), 599, 0 },
		{ AT(status), 0, -EBADMSG },
		{ AT(flags), IMAGE_FLAGS, 0 },
		{ AT(flags), IMAGE_FLAGS + 1, -EBADMSG },
		{ AT(flags), UINT16_MAX, -EBADMSG },
		{ AT(asked_ms), 253402299999999, 0 },
		{ AT(asked_ms), 253402300800000, -EBADMSG },
		{ AT(came_ms), UINT64_MAX, -EBADMSG },
		{ AT(body_b), INT64_MAX, 0 },
		{ AT(body_b), PAGE_LENGTH_UNKNOWN, -EBADMSG },
		{ AT(age_s), UINT32_MAX, 0 },
		{ AT(fresh_s), UINT32_MAX, 0 },
		{ AT(tag_count), 1, -EBADMSG },
		{ AT(tag_count), 3, -EBADMSG },
		{ AT(tag_count), UINT16_MAX, -EBADMSG },
		{ AT(key_b), KEY_B - 1, -EBADMSG },
		{ AT(key_b), KEY_B + 1, -EBADMSG },
		{ AT(key_b), UINT32_MAX, -EBADMSG },
		{ AT(fields_b), FIELDS_B - 1, -EBADMSG },
		{ AT(fields_b), FIELDS_B + 1, -EBADMSG },
		{ AT(fields_b), UINT32_MAX, -EBADMSG },
		{ AT(field_count), 0, -EBADMSG },
		{ AT(field_count), 1, -EBADMSG },
		{ AT(field_count), 3, -EBADMSG },
#undef AT
	};
	(void)state;
	struct bytes b = good();
	assert_int_equal(check(&b, HEAD_B), 0);
	for (size_t i = 0; i < countof(ROWS); i++) {
		b = good();
		memcpy((char *)&b.image + ROWS[i].at, &ROWS[i].value, ROWS[i].size);
		if (check(&b, HEAD_B) != ROWS[i].err)
			fail_msg("%s %llu", ROWS[i].what, (unsigned long long)ROWS[i].value);
	}
}

static void what_is_cut_is_no_image(void **state)
{
	(void)state;
	struct bytes b = good();
	for (size_t n = 0; n < HEAD_B; n++)
		assert_int_equal(check(&b, n), -EBADMSG);
}

/* One byte of the fields is another one. */
static void fields_that_are_none(void **state)
{
	static const struct {
		size_t at;
		char byte;
		int err;
	} ROWS[] = {
		{ 0, 3, -EBADMSG },  { 0, 5, -EBADMSG },   { 1, 1, -EBADMSG },   { 1, -1, -EBADMSG },  { 2, 1, -EBADMSG },
		{ 3, -1, -EBADMSG }, { 4, ':', -EBADMSG }, { 4, ' ', -EBADMSG }, { 4, '\0', -EBADMSG }, { 4, 'e', 0 },
		{ 8, '\r', -EBADMSG }, { 8, '\n', -EBADMSG }, { 8, '\0', -EBADMSG }, { 8, ' ', 0 },     { 8, -1, 0 },
		{ 10, 0, -EBADMSG },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct bytes b = good();
		b.rest[TAGS_B + KEY_B + ROWS[i].at] = ROWS[i].byte;
		if (check(&b, HEAD_B) != ROWS[i].err)
			fail_msg("byte %zu", ROWS[i].at);
	}
}

/* A mark has no status. */
static void marks_are_images(void **state)
{
	static const unsigned FLAGS[] = { IMAGE_VARY, IMAGE_PASS, IMAGE_PASS | IMAGE_ALONE };
	(void)state;
	for (size_t i = 0; i < countof(FLAGS); i++) {
		struct bytes b = good();
		b.image.status = 0;
		assert_int_equal(check(&b, HEAD_B), -EBADMSG);
		b.image.flags = (uint16_t)FLAGS[i];
		assert_int_equal(check(&b, HEAD_B), 0);
	}
}

/* --- What is read. --- */

enum { BODY_B = 40000 };

static struct blob *body_new(void)
{
	struct blob *blob = blob_new(0, NULL);
	for (int i = 0; i < BODY_B; i++) {
		char c = (char)(i % 251);
		assert_true(blob_add(blob, str_make(&c, 1)));
	}
	return blob;
}

static struct page *page_made(uint64_t inline_most_b)
{
	struct image image = { .status = 200, .key_b = 3, .base = 9 };
	struct blob *blob = body_new();
	struct page *head = page_new(store, &image, PAGE_BLOB);
	head->blob = blob;
	blob_get(blob);
	memcpy(page_key_at(head), "key", 3);
	page_ready(head, store);
	struct page *p = page_whole(head, store, blob, inline_most_b);
	object_put(epoch, &head->object);
	blob_put(blob);
	return p;
}

static void bodies(void **state)
{
	static const struct {
		uint64_t from_b, length_b, want_b;
	} ROWS[] = {
		{ 0, BODY_B, BODY_B }, { 0, BODY_B, 1000 },  { 0, 0, 10 },           { 0, 1, 1 },
		{ BODY_B, 0, 10 },     { BODY_B - 1, 1, 9 }, { 16383, 2, UINT64_MAX }, { 100, 30000, 7 },
	};
	(void)state;
	struct asked a;
	for (int kind = PAGE_INLINE; kind <= PAGE_BLOB; kind++) {
		struct page *p = page_made(kind == PAGE_INLINE ? BODY_B : BODY_B - 1);
		assert_int_equal(p->body_kind, kind);
		assert_int_equal(p->image.body_b, BODY_B);
		assert_true(p->object.cost_b > BODY_B && str_eq(p->object.key, STR("key")));
		for (size_t i = 0; i < countof(ROWS); i++) {
			struct buf out = {};
			struct req *r = asked_init(&a, METHOD_GET, "");
			a.home.epoch = epoch;
			r->answer.body = page_body(r, p, ROWS[i].from_b, ROWS[i].length_b);
			/* As at the end of a turn: from now on it has a reference of its own. */
			if (i % 2)
				body_keep(r->answer.body, &(struct str){});
			assert_int_equal(p->object.refs, 1 + i % 2);
			assert_int_equal(asked_read(&a, &out, ROWS[i].want_b), BODY_END);
			assert_int_equal(out.n, ROWS[i].length_b);
			for (size_t k = 0; k < out.n; k++)
				assert_int_equal(out.p[k], (char)((ROWS[i].from_b + k) % 251));
			asked_fini(&a);
			assert_int_equal(p->object.refs, 1);
			buf_fini(&out);
		}
		object_put(epoch, &p->object);
	}
}

static void ages(void **state)
{
	(void)state;
	struct image image = { .came_ms = 10000, .age_s = 7 };
	struct page *p = page_new(store, &image, PAGE_INLINE);
	assert_int_equal(page_age_s(p, 10000), 7);
	assert_int_equal(page_age_s(p, 10999), 7);
	assert_int_equal(page_age_s(p, 11000), 8);
	/* A clock that was set back makes nothing younger than it came. */
	assert_int_equal(page_age_s(p, 0), 7);
	object_put(epoch, &p->object);
}

static struct page *tagged(uint64_t asked_ms)
{
	struct image image = { .asked_ms = asked_ms, .base = page_hash(STR("a/1")), .key_b = 3, .tag_count = 1, .status = 200 };
	struct page *p = page_new(store, &image, PAGE_INLINE);
	uint64_t tag = page_hash(STR("news"));
	memcpy(page_tags_at(p), &tag, sizeof tag);
	memcpy(page_key_at(p), "a/1", 3);
	page_ready(p, store);
	return p;
}

static void purges(void **state)
{
	static const struct {
		enum purge_kind kind;
		bool soft;
		const char *text;
		enum purged purged;
	} ROWS[] = {
		{ PURGE_URL, false, "a/1", PURGED_HARD },  { PURGE_URL, false, "a/2", PURGED_NOT },
		{ PURGE_URL, true, "a/1", PURGED_SOFT },   { PURGE_TAG, false, "news", PURGED_HARD },
		{ PURGE_TAG, true, "news", PURGED_SOFT },  { PURGE_TAG, false, "new", PURGED_NOT },
		{ PURGE_MATCH, false, "a/*", PURGED_HARD }, { PURGE_MATCH, false, "b/*", PURGED_NOT },
		{ PURGE_ALL, false, "", PURGED_HARD },     { PURGE_ALL, true, "", PURGED_SOFT },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct purges *all = purges_new(epoch);
		struct page *before = tagged(purges_now_ms(all, 1000));
		struct str text = str_of(ROWS[i].text);
		assert_int_equal(page_purged(before, all), PURGED_NOT);
		struct purge what = { .kind = ROWS[i].kind, .soft = ROWS[i].soft, .mark = page_hash(text), .match = text };
		assert_int_equal(purges_add(all, &what), 0);
		/* Each time that it is looked at. */
		for (int k = 0; k < 2; k++)
			if (page_purged(before, all) != ROWS[i].purged)
				fail_msg("row %zu", i);
		/* What was asked for after it is as it was. */
		struct page *after = tagged(purges_now_ms(all, 1000));
		assert_int_equal(page_purged(after, all), PURGED_NOT);
		object_put(epoch, &before->object);
		object_put(epoch, &after->object);
		purges_free(all);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(images_that_are_none), TEST(what_is_cut_is_no_image), TEST(fields_that_are_none), TEST(marks_are_images),
		TEST(bodies), TEST(ages), TEST(purges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What was purged is found to be, from then on, by all threads, and nothing else is; what is forgotten stays purged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "share/purges.h"

static struct epoch *epoch;
static struct purges *purges;

static int set_up(void **state)
{
	(void)state;
	epoch = epoch_new();
	purges = purges_new(epoch);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	purges_free(purges);
	epoch_free(epoch);
	return 0;
}

static uint64_t add(enum purge_kind kind, uint64_t mark, const char *match, bool soft)
{
	struct purge what = { .kind = kind, .mark = mark, .match = str_of(match), .soft = soft };
	assert_int_equal(purges_add(purges, &what), 0);
	epoch_reap(epoch);
	return what.at_ms;
}

/* A page of this URL's mark, one tag and key. */
static enum purged look(uint64_t asked_ms, uint64_t base, uint64_t tag, const char *key)
{
	char tags[1 + 2 * sizeof tag] = {};
	memcpy(tags + 1 + sizeof tag, &tag, sizeof tag);
	struct purgeable what = { .asked_ms = asked_ms, .base = base, .tags = tags + 1, .tag_count = 2, .key = str_of(key) };
	return purges_look(purges, &what);
}

static void what_was_asked_for_before_is_purged(void **state)
{
	(void)state;
	uint64_t before = purges_now_ms(purges, 0);
	assert_int_equal(purges_count(purges), 0);
	uint64_t url = add(PURGE_URL, 7, "", false), tag = add(PURGE_TAG, 8, "", true);
	uint64_t match = add(PURGE_MATCH, 0, "*/news/*", false);
	assert_true(before < url && url < tag && tag < match);
	assert_int_equal(purges_count(purges), 3);
	static const struct { uint64_t base, tag; const char *key; enum purged purged; } ROWS[] = {
		{ 1, 2, "http://a/", PURGED_NOT }, { 7, 2, "http://a/", PURGED_HARD }, { 8, 7, "http://a/", PURGED_NOT },
		{ 1, 8, "http://a/", PURGED_SOFT }, { 1, 2, "http://a/news/1", PURGED_HARD },
		{ 1, 8, "http://a/news/1", PURGED_HARD },
	};
	for (size_t i = 0; i < countof(ROWS); i++)
		assert_int_equal(look(before, ROWS[i].base, ROWS[i].tag, ROWS[i].key), ROWS[i].purged);
	assert_int_equal(look(url, 7, 2, "http://a/"), PURGED_NOT);
	assert_int_equal(look(match, 7, 8, "http://a/news/1"), PURGED_NOT);
	assert_int_equal(look(url - 1, 7, 2, "http://a/"), PURGED_HARD);
}

static void time_never_goes_back(void **state)
{
	(void)state;
	uint64_t far = purges_now_ms(purges, UINT64_C(5000000000000));
	uint64_t at = add(PURGE_URL, 1, "", false);
	assert_int_equal(at, far + 1);
	assert_int_equal(purges_now_ms(purges, 1000), at);
	struct purge later = { .kind = PURGE_URL, .mark = 2, .at_ms = at + 1000 };  /* of a journal */
	assert_int_equal(purges_add(purges, &later), 0);
	assert_int_equal(purges_now_ms(purges, 1000), at + 1000);
	assert_int_equal(add(PURGE_URL, 1, "", false), at + 1001);
}

static void a_hard_purge_stays_hard(void **state)
{
	(void)state;
	uint64_t hard = add(PURGE_TAG, 5, "", false), soft = add(PURGE_TAG, 5, "", true);
	assert_int_equal(look(hard - 1, 0, 5, ""), PURGED_HARD);
	assert_int_equal(look(hard, 0, 5, ""), PURGED_SOFT);
	assert_int_equal(look(soft, 0, 5, ""), PURGED_NOT);
	add(PURGE_MATCH, 0, "x*", false);
	uint64_t second = add(PURGE_MATCH, 0, "x*", true);
	assert_int_equal(look(soft, 0, 0, "xy"), PURGED_HARD);
	assert_int_equal(look(second - 1, 0, 0, "xy"), PURGED_SOFT);
	assert_int_equal(purges_stats(purges).matches, 2);
	add(PURGE_MATCH, 0, "x*", false);  /* says all that both said */
	assert_int_equal(purges_stats(purges).matches, 1);
	assert_int_equal(look(second, 0, 0, "xy"), PURGED_HARD);
}

static void all_is_one_time(void **state)
{
	(void)state;
	add(PURGE_URL, 1, "", false);
	add(PURGE_MATCH, 0, "a*", true);
	uint64_t soft = add(PURGE_ALL, 0, "", true);
	assert_int_equal(look(soft - 1, 99, 99, "z"), PURGED_SOFT);
	assert_int_equal(look(1, 1, 99, "z"), PURGED_HARD);
	uint64_t hard = add(PURGE_ALL, 0, "", false);
	struct purges_stats s = purges_stats(purges);
	assert_int_equal(s.added, 4);
	assert_int_equal(s.marks + s.matches, 0);
	assert_int_equal(look(soft, 99, 99, "z"), PURGED_HARD);
	assert_int_equal(look(hard, 1, 99, "a"), PURGED_NOT);
}

static void wrong_patterns_are_refused(void **state)
{
	(void)state;
	static char longest[PURGES_MATCH_MOST_B + 1];
	memset(longest, 'x', sizeof longest);
	struct purge what = { .kind = PURGE_MATCH, .match = { longest, sizeof longest } };
	assert_int_equal(purges_add(purges, &what), -E2BIG);
	what.match.n--;
	assert_int_equal(purges_add(purges, &what), 0);
	what.match = STR("");
	assert_int_equal(purges_add(purges, &what), -EINVAL);
	what.match = STR("a\nb");
	assert_int_equal(purges_add(purges, &what), -EINVAL);
	assert_int_equal(purges_count(purges), 1);
}

/* --- Past the bounds. --- */

static void many_marks_are_all_purged(void **state)
{
	(void)state;
	enum { MARKS = PURGES_MARKS_MOST + 1000 };
	uint64_t first = 0, last = 0;
	for (uint64_t i = 0; i < MARKS; i++) {
		last = add(i % 3 ? PURGE_URL : PURGE_TAG, i * UINT64_C(0x9E3779B97F4A7C15), "", i % 2);
		first = first ? first : last;
	}
	assert_true(purges_stats(purges).marks < PURGES_MARKS_MOST);
	for (uint64_t i = 0; i < MARKS; i++) {
		uint64_t mark = i * UINT64_C(0x9E3779B97F4A7C15);
		assert_int_not_equal(look(first - 1, i % 3 ? mark : 3, i % 3 ? 3 : mark, ""), PURGED_NOT);
		if (!(i % 2))
			assert_int_equal(look(first - 1, i % 3 ? mark : 3, i % 3 ? 3 : mark, ""), PURGED_HARD);
	}
	/* What was asked for lately is not hit by what was forgotten. */
	assert_int_equal(look(last - 1000, 3, 3, ""), PURGED_NOT);
	assert_int_equal(look(first, 3, 3, ""), PURGED_HARD);
}

static void many_matches_are_all_purged(void **state)
{
	(void)state;
	enum { MATCHES = PURGES_MATCHES_MOST + 10 };
	uint64_t first = 0, last = 0;
	char text[32];
	for (int i = 0; i < MATCHES; i++) {
		snprintf(text, sizeof text, "/%d/*", i);
		last = add(PURGE_MATCH, 0, text, true);
		first = first ? first : last;
	}
	assert_true(purges_stats(purges).matches < PURGES_MATCHES_MOST);
	for (int i = 0; i < MATCHES; i++) {
		snprintf(text, sizeof text, "/%d/x", i);
		assert_int_equal(look(first - 1, 0, 0, text), PURGED_SOFT);
	}
	assert_int_equal(look(last - 100, 0, 0, "/x"), PURGED_NOT);
	assert_int_equal(look(first, 0, 0, "/x"), PURGED_SOFT);
}

/* --- The journal. --- */

static void a_journal_brings_all_back(void **state)
{
	(void)state;
	struct buf lines = {}, again = {};
	add(PURGE_URL, 0, "", false);
	add(PURGE_URL, UINT64_MAX, "", true);
	add(PURGE_TAG, 7, "", false);
	add(PURGE_TAG, 7, "", true);
	add(PURGE_MATCH, 0, "http://a b/*%", true);
	add(PURGE_ALL, 0, "", true);
	uint64_t last = add(PURGE_TAG, 9, "", false);
	purges_print(purges, &lines);
	struct purges *second = purges_new(epoch);
	struct str rest = buf_str(&lines);
	while (rest.n) {
		struct purge what;
		assert_int_equal(purge_parse(str_cut(&rest, '\n'), &what), 0);
		assert_int_equal(purges_add(second, &what), 0);
	}
	purges_print(second, &again);
	assert_true(again.n > 0 && str_eq(buf_str(&lines), buf_str(&again)));
	assert_int_equal(purges_now_ms(second, 0), last);
	purges_free(second);
	buf_fini(&lines);
	buf_fini(&again);
}

static void a_damaged_line_is_none(void **state)
{
	(void)state;
	struct buf line = {};
	struct purge what, read;
	what = (struct purge){ .kind = PURGE_MATCH, .at_ms = 1764000000000, .match = STR("*/a b/*") };
	purge_print(&what, &line);
	assert_int_equal(line.p[--line.n], '\n');
	assert_int_equal(purge_parse(buf_str(&line), &read), 0);
	assert_true(str_eq(read.match, what.match) && read.at_ms == what.at_ms && !read.soft && read.kind == PURGE_MATCH);
	for (size_t i = 0; i < line.n; i++) {
		line.p[i] ^= 1;
		assert_int_equal(purge_parse(buf_str(&line), &read), -EBADMSG);
		line.p[i] ^= 1;
		assert_int_equal(purge_parse(str_head(buf_str(&line), i), &read), -EBADMSG);
	}
	buf_fini(&line);
}

/* --- Threads. --- */

enum { READERS = 2, WRITERS = 2, PURGES = 3000 };

static _Atomic uint64_t purged_mark[WRITERS];  /* up to this one, all of a writer's are */
static _Atomic bool stop;
static _Atomic unsigned bad;

static void *purge_many(void *arg)
{
	uint64_t w = (uintptr_t)arg;
	char text[32];
	for (uint64_t i = 1; i <= PURGES; i++) {
		snprintf(text, sizeof text, "/%d/%d", (int)w, (int)i);
		struct purge what = { .kind = i % 8 ? PURGE_URL : PURGE_MATCH, .mark = w << 32 | i, .match = str_of(text) };
		if (i % 1000 == 0)
			what.kind = PURGE_ALL;
		if (purges_add(purges, &what))
			bad++;
		atomic_store(&purged_mark[w], i);
		epoch_reap(epoch);
	}
	return NULL;
}

static void *look_many(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;
	char text[32];
	for (uint64_t turn = 1; !stop; turn++) {
		epoch_enter(epoch, index);
		for (uint64_t w = 0; w < WRITERS; w++) {
			uint64_t most = atomic_load(&purged_mark[w]), i = most ? turn % most + 1 : 0;
			snprintf(text, sizeof text, "/%d/%d", (int)w, (int)i);
			if (i && i % 1000 && look(1, w << 32 | i, 0, text) != PURGED_HARD)
				bad++;
		}
		epoch_leave(epoch, index);
	}
	return NULL;
}

static void readers_miss_none(void **state)
{
	(void)state;
	pthread_t reader[READERS], writer[WRITERS];
	stop = false;
	for (uintptr_t i = 0; i < READERS; i++)
		pthread_create(&reader[i], NULL, look_many, (void *)i);
	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&writer[i], NULL, purge_many, (void *)i);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writer[i], NULL);
	stop = true;
	for (int i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	assert_int_equal(bad, 0);
	assert_int_equal(purges_count(purges), WRITERS * PURGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_asked_for_before_is_purged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_never_goes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hard_purge_stays_hard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_is_one_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_patterns_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_marks_are_all_purged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_matches_are_all_purged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_journal_brings_all_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_line_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readers_miss_none, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The disk tier: what was put is found, before and after a restart; what is torn, flipped, purged, dropped or too old is
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <signal.h>

#include "shelved.h"
#include "share/segments_in.h"

enum { WHOLE_B = 64 * 1024, BOUND_B = 64 << 20 };

static char folder[] = "/tmp/petrel-shelf-XXXXXX";

static int setup(void **state)
{
	(void)state;
	strcpy(folder + sizeof folder - 7, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shelved_folder_remove(folder);
	return 0;
}

static void open_here(struct shelved *t, uint64_t bound_b)
{
	int err = shelved_open(t, folder, bound_b);
	if (err)
		fail_msg("%s: %s", t->why, strerror(-err));
}

/* 0: it is there, as this version; else what was answered. */
static int look(struct shelved *t, unsigned number, unsigned version, uint64_t body_b)
{
	char key[64];
	struct page *p;
	int err = shelved_ask(t, shelved_key(key, number), WHOLE_B, &p);
	assert_int_equal(!err, !!p);
	if (!p)
		return err;
	assert_int_equal(p->body_kind, body_b <= WHOLE_B ? PAGE_INLINE : PAGE_SEGMENT);
	bool same = shelved_is(p, number, version, body_b);
	assert_true(p->shelved);
	object_put(t->home.epoch, &p->object);
	return same ? 0 : -EBADMSG;
}

/* One thing is done after the other: what was put before this is written, too. */
static void wait_written(struct shelved *t, unsigned number, uint64_t body_b)
{
	while (look(t, number, 1, body_b))
		shelved_run(t, 1);
}

static const struct {
	uint64_t body_b;
	bool blob;
} SIZES[] = {
	{ 0, false }, { 1, false }, { 7, false }, { 8, false }, { 200, false }, { 3800, false }, { 3900, false },
	{ 4096, false },
	{ 5000, false }, { 20000, false }, { 65000, false }, { WHOLE_B, false }, { WHOLE_B + 1, false }, { 70000, true },
	{ 300000, false }, { 1000000, true }, { 6000000, true }, { 0, true }, { 100, true },
};
enum { SIZES_COUNT = sizeof SIZES / sizeof *SIZES };

static void sizes(void **state)
{
	struct shelved t;
	(void)state;
	open_here(&t, BOUND_B);
	for (unsigned i = 0; i < SIZES_COUNT; i++)
		assert_int_equal(look(&t, i, 1, SIZES[i].body_b), -ENOENT);
	for (unsigned i = 0; i < SIZES_COUNT; i++)
		shelved_put(&t, i, 1, SIZES[i].body_b, SIZES[i].blob);
	shelved_settle(&t, SIZES_COUNT);
	for (unsigned pass = 0; pass < 3; pass++) {
		for (unsigned i = 0; i < SIZES_COUNT; i++)
			assert_int_equal(look(&t, i, 1, SIZES[i].body_b), 0);
		assert_int_equal(look(&t, SIZES_COUNT, 1, 0), -ENOENT);
		assert_int_equal(shelf_stats(t.shelf).bad, 0);
		shelved_close(&t);
		open_here(&t, BOUND_B);
	}
	shelved_close(&t);
}

static void what_waits_is_written_at_the_end(void **state)
{
	struct shelved t;
	(void)state;
	open_here(&t, BOUND_B);
	for (unsigned i = 0; i < 1000; i++)
		shelved_put(&t, i, 1, 200, false);
	shelved_close(&t);
	open_here(&t, BOUND_B);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(look(&t, i, 1, 200), 0);
	shelved_close(&t);
}

static void the_newest_is_found(void **state)
{
	struct shelved t;
	char key[64];
	(void)state;
	open_here(&t, BOUND_B);
	for (unsigned version = 1; version <= 3; version++)
		for (unsigned i = 0; i < 10; i++)
			shelved_put(&t, i, version, 100 * version + i, false);
	shelf_drop(t.shelf, &t.home, shelved_key(key, 4));
	shelf_drop(t.shelf, &t.home, shelved_key(key, 5));
	shelved_put(&t, 5, 4, 50, false);
	shelved_settle(&t, 31);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(look(&t, i, i == 5 ? 4 : 3, i == 5 ? 50 : 300 + i), i == 4 ? -ENOENT : 0);
		shelved_close(&t);
		open_here(&t, BOUND_B);
	}
	shelved_close(&t);
}

static uint64_t folder_b(void)
{
	uint64_t sum = 0;
	DIR *dir = opendir(folder);
	struct stat st;
	for (const struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, 0) == 0)
			sum += (uint64_t)st.st_size;
	closedir(dir);
	return sum;
}

/* However large the bound is, segments make it up. */
static void bounds_are_made_up_of_segments(void **state)
{
	static const uint64_t BOUNDS_MB[] = { 64, 1024, 20 << 10, 100 << 10, 1 << 20 };
	(void)state;
	for (size_t i = 0; i < countof(BOUNDS_MB); i++) {
		struct segments s = { .bound_b = BOUNDS_MB[i] << 20 };
		uint64_t size_b = segments_size_b(&s);
		assert_true(size_b * SEGMENTS_IN_BOUND >= s.bound_b && size_b * SEGMENTS_MOST > s.bound_b);
		assert_true(size_b / UNIT_B <= UINT32_MAX);
	}
}

/* Until nothing is written any more: what is written again counts as what was put. */
static void rest(struct shelved *t, uint64_t ms)
{
	for (uint64_t before = UINT64_MAX; before != shelf_stats(t->shelf).written;) {
		before = shelf_stats(t->shelf).written;
		shelved_run(t, ms);
	}
}

static void the_oldest_goes(void **state)
{
	enum { SMALL_B = 24 << 20, COUNT = 900, BODY_B = 60000 };
	struct shelved t;
	unsigned found = 0;
	(void)state;
	open_here(&t, SMALL_B);
	for (unsigned i = 0; i < COUNT; i++) {
		shelved_put(&t, i, 1, BODY_B, false);
		if (i % 10 == 9)
			shelved_settle(&t, i + 1);
		/* Asked for again and again: it stays. */
		if (i % 20 == 19)
			assert_int_equal(look(&t, 3, 1, BODY_B), 0);
	}
	wait_written(&t, COUNT - 1, BODY_B);
	assert_true(folder_b() <= SMALL_B);
	assert_true(shelf_stats(t.shelf).bytes <= SMALL_B);
	assert_int_equal(shelf_stats(t.shelf).bound_b, SMALL_B);
	rest(&t, 100);
	assert_int_equal(look(&t, COUNT - 1, 1, BODY_B), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		found += look(&t, i, 1, BODY_B) == 0;
		if (i % 20 == 19)
			rest(&t, 2);
	}
	assert_true(found > 250 && found < 400);
	assert_int_equal(look(&t, COUNT - 1, 1, BODY_B), 0);
	shelf_bound(t.shelf, SMALL_B / 2);
	shelved_put(&t, COUNT, 1, 100, false);
	wait_written(&t, COUNT, 100);
	assert_true(folder_b() <= SMALL_B / 2);
	shelved_close(&t);
}

/* Nobody asks the disk for what is in memory; it is there all the same when memory is lost. */
static void what_memory_has_stays(void **state)
{
	enum { SMALL_B = 24 << 20, COUNT = 900, BODY_B = 60000, LARGE_B = 300000 };
	struct shelved t;
	char key[64];
	struct page *large, *small = NULL;
	(void)state;
	open_here(&t, SMALL_B);
	shelved_put(&t, 5000, 1, LARGE_B, true);
	shelved_settle(&t, 1);
	assert_int_equal(shelved_ask(&t, shelved_key(key, 5000), WHOLE_B, &large), 0);
	small = shelved_page(&t, 6000, 1, 100, false);
	shelf_put(t.shelf, &t.home, small);
	for (unsigned i = 0; i < COUNT; i++) {
		shelved_put(&t, i, 1, BODY_B, false);
		shelf_seen(t.shelf, &t.home, large);
		shelf_seen(t.shelf, &t.home, small);
		if (i % 10 == 9)
			shelved_settle(&t, i + 3);
	}
	wait_written(&t, COUNT - 1, BODY_B);
	assert_true(shelf_stats(t.shelf).written > COUNT + 4);
	assert_true(shelf_stats(t.shelf).written < COUNT + 40);
	object_put(t.home.epoch, &large->object);
	object_put(t.home.epoch, &small->object);
	shelved_close(&t);
	open_here(&t, SMALL_B);
	assert_int_equal(look(&t, 5000, 1, LARGE_B), 0);
	assert_int_equal(look(&t, 6000, 1, 100), 0);
	assert_int_equal(look(&t, 10, 1, BODY_B), -ENOENT);
	shelved_close(&t);
}

static void sent_from_a_segment_that_is_gone(void **state)
{
	enum { SMALL_B = 24 << 20, BODY_B = 1 << 20 };
	struct shelved t;
	char key[64];
	struct page *p;
	(void)state;
	open_here(&t, SMALL_B);
	shelved_put(&t, 0, 1, BODY_B, true);
	shelved_settle(&t, 1);
	assert_int_equal(shelved_ask(&t, shelved_key(key, 0), WHOLE_B, &p), 0);
	for (unsigned i = 1; i < 40; i++)
		shelved_put(&t, i, 1, BODY_B, true);
	shelved_settle(&t, 40);
	assert_int_equal(look(&t, 0, 1, BODY_B), -ENOENT);
	assert_true(shelved_is(p, 0, 1, BODY_B));
	shelved_close(&t);
	/* Whoever sends may be later than the shelf. */
	assert_true(shelved_is(p, 0, 1, BODY_B));
	p->object.free(&p->object);
}

/* Open files of ours that have no name any more. */
static unsigned nameless(void)
{
	unsigned count = 0;
	DIR *dir = opendir("/proc/self/fd");
	char target[256];
	for (const struct dirent *e; (e = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target);
		struct str s = str_make(target, n > 0 ? (size_t)n : 0);
		count += str_starts(s, str_of(folder)) && str_ends(s, STR(" (deleted)"));
	}
	closedir(dir);
	return count;
}

/* What memory has of the disk must not hold files past the bound. */
static void memory_does_not_hold_a_segment_that_is_gone(void **state)
{
	enum { SMALL_B = 24 << 20, BODY_B = 1 << 20, COUNT = 60 };
	struct shelved t;
	char key[64];
	struct page *p;
	(void)state;
	open_here(&t, SMALL_B);
	shelf_weeds(t.shelf, t.store);
	for (unsigned i = 0; i < COUNT; i++) {
		shelved_put(&t, i, 1, BODY_B, true);
		shelved_settle(&t, i + 1);
		assert_int_equal(shelved_ask(&t, shelved_key(key, i), WHOLE_B, &p), 0);
		assert_true(store_put(t.store, &p->object));
		epoch_reap(t.home.epoch);
	}
	assert_true(store_stats(t.store).objects < COUNT / 2);
	assert_true(nameless() <= 1);
	/* What is there is still found in memory. */
	struct str last = shelved_key(key, COUNT - 1);
	assert_non_null(store_find(t.store, last, store_hash(t.store, last)));
	shelved_close(&t);
}

static void too_large(void **state)
{
	struct shelved t;
	(void)state;
	open_here(&t, BOUND_B);
	shelved_put(&t, 1, 1, 100, false);
	shelved_put(&t, 1, 2, BOUND_B / 4, true);
	shelved_settle(&t, 2);
	/* It is counted before the one that it would have replaced is forgotten. */
	while (look(&t, 1, 1, 100) != -ENOENT)
		shelved_run(&t, 1);
	assert_false(shelf_stats(t.shelf).off);
	shelved_close(&t);
}

static void a_folder_is_used_once(void **state)
{
	struct shelved t;
	struct shelf *other;
	const char *why = NULL;
	(void)state;
	open_here(&t, BOUND_B);
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(shelf_open(&other, fd, BOUND_B, t.home.disk, t.purges, &why), -EWOULDBLOCK);
	assert_non_null(strstr(why, "another process"));
	shelved_close(&t);
}

/* --- A disk that refuses. --- */

static void full(void **state)
{
	struct shelved t;
	struct rlimit before, limit;
	(void)state;
	open_here(&t, BOUND_B);
	shelved_put(&t, 1, 1, 100, false);
	shelved_put(&t, 2, 1, 100, false);
	shelved_settle(&t, 2);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 3 << 20;  /* the index is within it */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	shelved_put(&t, 1, 2, 4 << 20, true);
	shelved_put(&t, 3, 1, 10000, false);
	while (!shelf_stats(t.shelf).off)
		shelved_run(&t, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(shelf_stats(t.shelf).err, -EFBIG);
	assert_true(shelf_stats(t.shelf).errors > 0);
	/* What was there is, but for what it is not any more. */
	assert_int_equal(look(&t, 2, 1, 100), 0);
	assert_int_equal(look(&t, 1, 2, 4 << 20), -ENOENT);
	assert_int_equal(look(&t, 3, 1, 10000), -ENOENT);
	/* Off: nothing is written for a while. */
	uint64_t dropped = shelf_stats(t.shelf).dropped;
	shelved_put(&t, 4, 1, 100, false);
	assert_int_equal(shelf_stats(t.shelf).dropped, dropped + 1);
	shelved_close(&t);
	open_here(&t, BOUND_B);
	assert_int_equal(look(&t, 2, 1, 100), 0);
	shelved_put(&t, 4, 1, 100, false);
	shelved_settle(&t, 1);
	assert_int_equal(look(&t, 4, 1, 100), 0);
	shelved_close(&t);
}

/* --- An engine that is busy. --- */

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;

static void wait_busy(struct disk_job *job)
{
	(void)job;
	pthread_mutex_lock(&busy);
	pthread_mutex_unlock(&busy);
}

static void was_busy(struct mail *m)
{
	(void)m;
}

static void hang(struct shelved *t, struct disk_job *jobs, unsigned count)
{
	pthread_mutex_lock(&busy);
	for (unsigned i = 0; i < count; i++) {
		jobs[i] = (struct disk_job){ .done.deliver = was_busy, .to = &t->home.loop.mailbox, .op = DISK_WAIT,
			                     .call = wait_busy };
		assert_int_equal(disk_submit(t->home.disk, &jobs[i]), 0);
	}
}

static void go_on(void)
{
	pthread_mutex_unlock(&busy);
}

/* What is to be forgotten and can't be is not found all the same; and when the disk takes it again, all is forgotten. */
static void unwritable(void **state)
{
	struct shelved t;
	struct rlimit before, limit;
	char key[64];
	(void)state;
	open_here(&t, BOUND_B);
	for (unsigned i = 0; i < 10; i++)
		shelved_put(&t, i, 1, 100, false);
	shelved_settle(&t, 10);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	shelf_drop(t.shelf, &t.home, shelved_key(key, 4));
	while (!shelf_stats(t.shelf).off)
		shelved_run(&t, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(look(&t, i, 1, 100), -ENOENT);
	shelved_close(&t);
}

/* The worker waits while more is put and dropped than may wait. */
static void hanging(void **state)
{
	enum { LARGE_B = 1 << 20, DROPS = 300000 };
	struct shelved t;
	struct disk_job jobs[8];
	char key[64];
	(void)state;
	open_here(&t, BOUND_B);
	shelved_put(&t, 1, 1, 100, false);
	shelved_put(&t, 2, 1, 100, false);
	shelved_settle(&t, 2);
	hang(&t, jobs, 8);
	for (unsigned i = 0; i < 70; i++)
		shelved_put(&t, 1000 + i, 1, LARGE_B, false);
	assert_true(shelf_stats(t.shelf).dropped > 3);
	shelved_put(&t, 3, 1, 100, false);
	for (unsigned i = 0; i < DROPS; i++)
		shelf_drop(t.shelf, &t.home, shelved_key(key, 5000 + i));
	shelf_drop(t.shelf, &t.home, shelved_key(key, 1));
	assert_int_equal(look(&t, 1, 1, 100), -ENOENT);
	go_on();
	while (look(&t, 4, 1, 100)) {
		shelved_put(&t, 4, 1, 100, false);
		shelved_run(&t, 1);
	}
	assert_int_equal(look(&t, 1, 1, 100), -ENOENT);
	assert_int_equal(look(&t, 2, 1, 100), -ENOENT);
	assert_int_equal(look(&t, 3, 1, 100), -ENOENT);
	shelved_close(&t);
}

/* --- Another bound. --- */

static void bounds(void **state)
{
	static const uint64_t BOUNDS_B[] = { 16 << 20, 20 << 20, 40 << 20, 300 << 20, 4ull << 30, 1 << 30, 600 << 20 };
	struct shelved t;
	unsigned version = 0;
	(void)state;
	for (size_t k = 0; k < sizeof BOUNDS_B / sizeof *BOUNDS_B; k++) {
		open_here(&t, BOUNDS_B[k]);
		assert_int_equal(shelf_stats(t.shelf).bound_b, BOUNDS_B[k]);
		for (unsigned i = 0; i < 2000 && version; i++)
			assert_int_equal(look(&t, i, version, 100), 0);
		version++;
		for (unsigned i = 0; i < 2000; i++)
			shelved_put(&t, i, version, 100, false);
		shelved_settle(&t, 2000);
		shelved_close(&t);
	}
	/* An index of a quarter of the bound or more is begun anew. */
	open_here(&t, 64 << 20);
	assert_int_equal(look(&t, 1, version, 100), -ENOENT);
	shelved_close(&t);
}

/* --- Purges. --- */

struct noted {
	struct shelf_noted note;
	struct shelved *t;
};

static void noted(struct mail *m)
{
	struct noted *n = container_of(m, struct noted, note.mail);
	loop_stop(&n->t->home.loop);
}

static void purge(struct shelved *t, unsigned number)
{
	char key[64];
	struct purge what = { .kind = PURGE_URL, .mark = page_hash(shelved_key(key, number)) };
	struct noted n = { .note = { .mail.deliver = noted, .to = &t->home.loop.mailbox, .err = 1 }, .t = t };
	assert_int_equal(purges_add(t->purges, &what), 0);
	shelf_note(t->shelf, &what, &n.note);
	shelved_run(t, 0);
	assert_int_equal(n.note.err, 0);
}

static enum purged is_purged(const struct shelved *t, unsigned number)
{
	char key[64];
	const struct purgeable p = { .asked_ms = 1000, .base = page_hash(shelved_key(key, number)), .key = STR("k") };
	return purges_look(t->purges, &p);
}

static void purges_last(void **state)
{
	struct shelved t;
	(void)state;
	open_here(&t, BOUND_B);
	purge(&t, 1);
	shelved_close(&t);
	open_here(&t, BOUND_B);
	purge(&t, 2);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(is_purged(&t, i), i == 1 || i == 2 ? PURGED_HARD : PURGED_NOT);
		shelved_close(&t);
		open_here(&t, BOUND_B);
	}
	shelved_close(&t);
}

static void forgotten(struct mail *m)
{
	(void)m;
}

static void a_long_journal_is_written_anew(void **state)
{
	enum { ROUNDS = 120, PURGES = 500 };
	struct shelved t;
	struct stat st;
	char key[64], path[64];
	struct shelf_noted *notes = mem_new(ROUNDS * PURGES * sizeof *notes);
	(void)state;
	open_here(&t, BOUND_B);
	for (unsigned i = 0; i < ROUNDS * PURGES; i++) {
		struct purge what = { .kind = PURGE_URL, .mark = page_hash(shelved_key(key, i % 5)) };
		assert_int_equal(purges_add(t.purges, &what), 0);
		notes[i] = (struct shelf_noted){ .mail.deliver = forgotten, .to = &t.home.loop.mailbox, .err = 1 };
		shelf_note(t.shelf, &what, &notes[i]);
		if (i % PURGES == 0)
			purge(&t, i % 5);
	}
	snprintf(path, sizeof path, "%s/journal", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 1500000);
	shelved_close(&t);
	for (unsigned i = 0; i < ROUNDS * PURGES; i++)
		assert_int_equal(notes[i].err, 0);
	mem_free(notes);
	open_here(&t, BOUND_B);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(is_purged(&t, i), i < 5 ? PURGED_HARD : PURGED_NOT);
	shelved_close(&t);
}

static void a_lost_journal_purges_all(void **state)
{
	struct shelved t;
	(void)state;
	open_here(&t, BOUND_B);
	shelved_put(&t, 1, 1, 100, false);
	shelved_close(&t);
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(unlinkat(fd, "journal", 0), 0);
	close(fd);
	for (unsigned pass = 0; pass < 2; pass++) {
		open_here(&t, BOUND_B);
		assert_int_equal(is_purged(&t, 9), PURGED_HARD);
		shelved_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_waits_is_written_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newest_is_found, setup, teardown),
		cmocka_unit_test(bounds_are_made_up_of_segments),
		cmocka_unit_test_setup_teardown(the_oldest_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_memory_has_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(sent_from_a_segment_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_does_not_hold_a_segment_that_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_is_used_once, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(unwritable, setup, teardown),
		cmocka_unit_test_setup_teardown(hanging, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(purges_last, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_journal_is_written_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_journal_purges_all, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Folders of the disk tier as they are after a kill in the middle of writing, and with each of their bytes flipped: what is
 * found is what was put, or nothing is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "shelved.h"

enum { WHOLE_B = 2000, BOUND_B = 48 << 20, SMALL_BOUND_B = 1 << 20, KILLS = 100, PAGES = 4000 };

static char folder[64];

/* In memory where there is a file system for that: thousands of folders are begun anew, and synced. */
static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "%s/petrel-torn-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shelved_folder_remove(folder);
	return 0;
}

/* --- Kills. --- */

/* Sizes and versions follow from the number and the round, so that whoever reads knows what he may find. */
static uint64_t size_of(unsigned number, unsigned version)
{
	return number % 50 == 7 ? 100000 + number * 13 + version : (number * 7919 + version * 104729) % 9000;
}

/* Says when it has begun. */
[[gnu::noreturn]] static void write_for_ever(unsigned round, int begun_fd)
{
	struct shelved t;
	if (shelved_open(&t, folder, BOUND_B))
		_exit(1);
	for (unsigned i = 0;; i++) {
		unsigned number = (i * 31 + round) % PAGES;
		shelved_put(&t, number, round, size_of(number, round), number % 50 == 7);
		if (i % 16 == 15)
			shelved_run(&t, 1);
		if (i == 64 && write(begun_fd, "", 1) != 1)
			_exit(1);
	}
}

/* Which version of it is there; 0: none. */
static unsigned version_of(struct shelved *t, unsigned number)
{
	char key[64];
	struct page *p;
	if (shelved_ask(t, shelved_key(key, number), WHOLE_B, &p))
		return 0;
	unsigned version = (unsigned)p->image.came_ms - 1000;
	assert_true(shelved_is(p, number, version, size_of(number, version)));
	object_put(t->home.epoch, &p->object);
	epoch_reap(t->home.epoch);
	return version;
}

/* Reads all, and says how many of this round there are. */
static unsigned read_all(unsigned round)
{
	struct shelved t;
	unsigned found = 0;
	assert_int_equal(shelved_open(&t, folder, BOUND_B), 0);
	for (unsigned i = 0; i < PAGES; i++) {
		unsigned version = version_of(&t, i);
		assert_true(version <= round);
		found += version == round;
	}
	shelved_close(&t);
	return found;
}

static void killed(void **state)
{
	unsigned found = 0;
	(void)state;
	for (unsigned round = 1; round <= KILLS; round++) {
		int begun[2], status;
		char byte;
		assert_int_equal(pipe(begun), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			write_for_ever(round, begun[1]);
		close(begun[1]);
		assert_int_equal(read(begun[0], &byte, 1), 1);
		close(begun[0]);
		usleep(round * 7919 % 20000);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		if (round % 5 == 0)
			found += read_all(round);
	}
	assert_true(found > 1000);
}

/* --- Flips. --- */

static const uint64_t SIZES[] = { 0, 30, 900, 2500, 5000 };
enum { COUNT = sizeof SIZES / sizeof *SIZES };

static void fill_small(struct shelved *t)
{
	shelved_init(t);
	assert_int_equal(shelved_take_up(t, folder, SMALL_BOUND_B), 0);
	for (unsigned i = 0; i < COUNT; i++)
		shelved_put(t, i, 1, SIZES[i], false);
	shelved_put_down(t);
}

/* How many are found; each as it was put. */
static unsigned look_at_all(struct shelved *t)
{
	char key[64];
	struct page *p;
	unsigned found = 0;
	assert_int_equal(shelved_take_up(t, folder, SMALL_BOUND_B), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		if (shelved_ask(t, shelved_key(key, i), WHOLE_B, &p))
			continue;
		assert_true(shelved_is(p, i, 1, SIZES[i]));
		object_put(t->home.epoch, &p->object);
		found++;
	}
	shelved_put_down(t);
	epoch_reap(t->home.epoch);
	return found;
}

/* Of a file: its first bytes, and around each that is not zero. */
static bool is_worth_it(const char *bytes, size_t n, size_t i)
{
	for (size_t k = i < 4 ? 0 : i - 4; k < i + 4 && k < n; k++)
		if (bytes[k])
			return true;
	return i < 64;
}

static void write_file(int dir_fd, const char *name, struct str bytes)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_whole(fd, bytes), 0);
	close(fd);
}

struct file {
	char name[16];
	struct buf bytes;
};

static size_t read_folder(int dir_fd, struct file files[static 8])
{
	size_t n = 0;
	DIR *dir = fdopendir(dup(dir_fd));
	const struct dirent *e;
	rewinddir(dir);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(files[n].name, sizeof files[n].name, "%.15s", e->d_name);
		int fd = openat(dir_fd, e->d_name, O_RDONLY);
		assert_int_equal(read_whole(fd, 1 << 22, &files[n++].bytes), 0);
		close(fd);
		assert_true(n < 8);
	}
	closedir(dir);
	return n;
}

/* As it was before: a look may have begun the index anew. */
static void restore(int dir_fd, const struct file *files, size_t count)
{
	shelved_folder_clear(folder);
	for (size_t i = 0; i < count; i++)
		write_file(dir_fd, files[i].name, buf_str(&files[i].bytes));
}

static void flipped(void **state)
{
	struct file files[8] = {};
	unsigned flips = 0, misses = 0;
	struct shelved t;
	(void)state;
	fill_small(&t);
	assert_int_equal(look_at_all(&t), COUNT);
	int dir_fd = open(folder, O_RDONLY | O_DIRECTORY);
	size_t count = read_folder(dir_fd, files);
	assert_int_equal(count, 3);
	for (size_t f = 0; f < count; f++) {
		struct buf *b = &files[f].bytes;
		for (size_t i = 0; i < b->n; i++) {
			if (!is_worth_it(b->p, b->n, i))
				continue;
			b->p[i] ^= (char)(1 << i % 8);
			restore(dir_fd, files, count);
			b->p[i] ^= (char)(1 << i % 8);
			unsigned found = look_at_all(&t);
			flips++;
			misses += found < COUNT;
		}
	}
	assert_true(flips > 9000 && misses > 9000);
	for (size_t f = 0; f < count; f++)
		buf_fini(&files[f].bytes);
	close(dir_fd);
	shelved_fini(&t);
}

/* --- Files cut short. --- */

static void cut(void **state)
{
	struct file files[8] = {};
	struct shelved t;
	(void)state;
	fill_small(&t);
	int dir_fd = open(folder, O_RDONLY | O_DIRECTORY);
	size_t count = read_folder(dir_fd, files);
	for (size_t f = 0; f < count; f++) {
		size_t whole = files[f].bytes.n;
		for (size_t n = 0; n < whole; n += 1 + whole / 97) {
			files[f].bytes.n = n;
			restore(dir_fd, files, count);
			look_at_all(&t);
		}
		files[f].bytes.n = whole;
	}
	restore(dir_fd, files, count);
	assert_int_equal(look_at_all(&t), COUNT);
	for (size_t f = 0; f < count; f++)
		buf_fini(&files[f].bytes);
	close(dir_fd);
	shelved_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed, setup, teardown),
		cmocka_unit_test_setup_teardown(flipped, setup, teardown),
		cmocka_unit_test_setup_teardown(cut, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The log: lines arrive whole and in order, nobody is ever held up, what is lost is counted and told, and no text of a
 * client's can look like a line of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "share/log_in.h"

enum { RING_B = 1 << 16 };

static char path[] = "/tmp/petrel-log-XXXXXX";
static struct log *log_;
static struct log_ring *ring;

static int file_open(void)
{
	return open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/petrel-log-XXXXXX");
	int fd = mkstemp(path);
	close(fd);
	int err = log_new(&log_, RING_B);
	ring = err ? NULL : log_ring_new(log_);
	return err;
}

static int teardown(void **state)
{
	(void)state;
	log_free(log_);
	log_ = NULL;
	return unlink(path);
}

static void log_end(void)
{
	log_free(log_);
	log_ = NULL;
}

/* All that is in the file; the caller frees it. */
static char *file_text(void)
{
	FILE *f = fopen(path, "r");
	char *text = mem_new(8 << 20);
	text[fread(text, 1, (8 << 20) - 1, f)] = 0;
	fclose(f);
	return text;
}

static void assert_file(const char *expected)
{
	char *text = file_text();
	assert_string_equal(text, expected);
	mem_free(text);
}

/* The writer's own time: until one of its counters says so. */
#define WAIT_UNTIL(condition) \
	while (!(condition))  \
		sched_yield()

static void lines_arrive(void **state)
{
	(void)state;
	struct log_sink *s = log_sink_get(log_, STR("file"), file_open());
	assert_true(log_write(ring, s, STR("one\n")));
	assert_true(log_write(ring, s, STR("two\n")));
	WAIT_UNTIL(log_stats(log_).written == 2);
	assert_true(log_write(ring, s, STR("three\n")));
	log_end();
	assert_file("one\ntwo\nthree\n");
}

static void the_same_name_is_the_same_sink(void **state)
{
	(void)state;
	int fd = file_open(), again = file_open();
	struct log_sink *s = log_sink_get(log_, STR("file"), fd);
	assert_ptr_equal(log_sink_get(log_, STR("file"), again), s);
	assert_int_equal(fcntl(again, F_GETFD), -1);
	log_sink_put(log_, s);
	assert_true(log_write(ring, s, STR("still\n")));
	log_sink_put(log_, s);
	WAIT_UNTIL(fcntl(fd, F_GETFD) < 0);
	assert_file("still\n");
}

static void reopened_lines_go_to_the_new_file(void **state)
{
	(void)state;
	char old[64];
	struct log_sink *s = log_sink_get(log_, STR("file"), file_open());
	assert_true(log_write(ring, s, STR("before\n")));
	WAIT_UNTIL(log_stats(log_).written == 1);
	snprintf(old, sizeof old, "%s.1", path);
	assert_int_equal(rename(path, old), 0);
	log_sink_reopen(log_, STR("unknown"), file_open());
	log_sink_reopen(log_, STR("file"), file_open());
	log_sink_reopen(log_, STR("file"), file_open());
	assert_true(log_write(ring, s, STR("after\n")));
	log_end();
	assert_file("after\n");
	assert_int_equal(rename(old, path), 0);
	assert_file("before\n");
}

/* --- Rings. --- */

static void a_ring_keeps_order_and_bytes(void **state)
{
	(void)state;
	enum { LINES = 20000 };
	struct log_ring *r = ring_alloc(log_, 4096);
	char line[1500];
	struct str got;
	unsigned put = 0, taken = 0, full = 0;
	while (taken < LINES) {
		size_t length = put * 37 % 11 == 0 ? put * 7919 % sizeof line : put % 97;
		memset(line, 'a' + (int)(put % 26), length);
		if (put < LINES && ring_put(r, (struct log_sink *)(uintptr_t)(put + 1), put % 4, str_make(line, length))) {
			put++;
			continue;
		}
		full++;
		for (const struct record *record; (record = ring_peek(r, ring_end(r), &got)); taken++) {
			assert_int_equal((uintptr_t)record->sink, taken + 1);
			assert_int_equal(record->level, taken % 4);
			assert_int_equal(got.n, taken * 37 % 11 == 0 ? taken * 7919 % sizeof line : taken % 97);
			for (size_t i = 0; i < got.n; i++)
				assert_int_equal(got.p[i], 'a' + (int)(taken % 26));
			ring_next(r, record);
		}
		assert_int_equal(ring_used_b(r), 0);
	}
	assert_true(full > 100);
	assert_int_equal(r->dropped, full - 1);  /* the last time all had been put */
	ring_release(r);
}

static void what_can_never_fit_is_dropped(void **state)
{
	(void)state;
	static char huge[2 * RING_B];
	struct log_sink *s = log_sink_get(log_, STR("file"), file_open());
	assert_false(log_write(ring, s, str_make(huge, sizeof huge)));
	assert_true(log_write(ring, s, STR("ok\n")));
	log_errors_to(log_, log_sink_get(log_, STR("null"), open("/dev/null", O_WRONLY)), LOG_LEVEL_INFO);
	WAIT_UNTIL(log_stats(log_).written >= 1);
	assert_int_equal(log_stats(log_).dropped, 1);
	log_end();
	assert_file("ok\n");
}

/* --- Sinks that take nothing. --- */

static void a_stopped_pager_holds_nobody_up(void **state)
{
	(void)state;
	enum { LINES = 50000, LINE_B = 100 };
	int fds[2];
	char line[LINE_B + 1];
	assert_int_equal(pipe(fds), 0);
	struct log_sink *pager = log_sink_get(log_, STR("stdout"), fds[1]);
	struct log_sink *file = log_sink_get(log_, STR("file"), file_open());
	log_errors_to(log_, file, LOG_LEVEL_INFO);
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof line, "%099d\n", i);
		log_write(ring, pager, str_make(line, LINE_B));
	}
	WAIT_UNTIL(log_stats(log_).dropped > 0);
	/* Other logs go on. */
	while (!log_write(ring, file, STR("beside it\n")))
		sched_yield();
	uint64_t started_ms = clock_ms();
	log_end();
	assert_in_range(clock_ms() - started_ms, 0, 5000);
	/* What arrived are whole lines, in order, but for the last. */
	FILE *f = fdopen(fds[0], "r");
	long last = -1;
	while (fgets(line, sizeof line, f) && strlen(line) == LINE_B) {
		assert_true(strtol(line, NULL, 10) > last);
		last = strtol(line, NULL, 10);
	}
	assert_true(last > 100);
	fclose(f);
	char *text = file_text();
	assert_non_null(strstr(text, "beside it\n"));
	assert_non_null(strstr(text, " warn: lines dropped from the logs: "));
	mem_free(text);
}

static void a_pager_that_goes_on_gets_all(void **state)
{
	(void)state;
	enum { LINES = 3000, LINE_B = 100 };  /* more than a pipe holds, less than we keep */
	int fds[2];
	char line[LINE_B + 1];
	assert_int_equal(pipe(fds), 0);
	struct log_sink *pager = log_sink_get(log_, STR("stdout"), fds[1]);
	for (int i = 0; i < LINES; i++) {
		snprintf(line, sizeof line, "%099d\n", i);
		while (!log_write(ring, pager, str_make(line, LINE_B)))
			sched_yield();
	}
	FILE *f = fdopen(fds[0], "r");
	for (int i = 0; i < LINES; i++) {
		assert_non_null(fgets(line, sizeof line, f));
		assert_int_equal(strtol(line, NULL, 10), i);
	}
	log_end();
	assert_null(fgets(line, sizeof line, f));
	fclose(f);
}

/* Runs with standard error in the file. */
static int stderr_to_file(void)
{
	int kept = dup(STDERR_FILENO), fd = file_open();
	assert_true(kept >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	return kept;
}

static void a_full_disk_is_counted_and_told_once(void **state)
{
	(void)state;
	int kept = stderr_to_file();
	log_errors_to(log_, log_sink_get(log_, STR("null"), open("/dev/null", O_WRONLY)), LOG_LEVEL_INFO);
	struct log_sink *s = log_sink_get(log_, STR("/var/log/full"), open("/dev/full", O_WRONLY));
	for (uint64_t i = 1; i <= 5; i++) {
		log_write(ring, s, STR("lost\n"));
		WAIT_UNTIL(log_stats(log_).write_errors == i);
	}
	uint64_t dropped = log_stats(log_).dropped;
	log_end();
	dup2(kept, STDERR_FILENO);
	close(kept);
	assert_int_equal(dropped, 5);
	assert_file("petrel: error: log /var/log/full: No space left on device; lines are lost until it can be written\n");
}

static void a_torn_line_ends_before_the_next(void **state)
{
	(void)state;
	struct rlimit before, small = { .rlim_cur = 10 };
	int kept = stderr_to_file();  /* and the log itself into another file */
	char other[64];
	snprintf(other, sizeof other, "%s.2", path);
	struct log_sink *s = log_sink_get(log_, STR("o"), open(other, O_WRONLY | O_CREAT | O_APPEND, 0600));
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(log_write(ring, s, STR("first\nsecond\n")));
	WAIT_UNTIL(log_stats(log_).write_errors > 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(log_write(ring, s, STR("third\n")));
	log_end();
	dup2(kept, STDERR_FILENO);
	close(kept);
	assert_int_equal(rename(other, path), 0);
	assert_file("first\nseco\nthird\n");
}

/* --- syslog. --- */

static int syslog_listen(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	unlink(a->sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)a, sizeof *a), 0);
	return fd;
}

static void assert_datagram(int fd, unsigned priority, const char *text)
{
	char expected[200], got[200];
	snprintf(expected, sizeof expected, "<%u>petrel[%d]: %s", priority, (int)getpid(), text);
	ssize_t n = recv(fd, got, sizeof got - 1, 0);
	assert_true(n > 0);
	got[n] = 0;
	assert_string_equal(got, expected);
}

static void syslog_gets_a_datagram_for_each_line(void **state)
{
	(void)state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path, sizeof a.sun_path, "%s.3", path);
	int server = syslog_listen(&a), fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	struct log_sink *s = log_sink_get(log_, STR("syslog:/dev/log"), fd);
	assert_true(log_write(ring, s, STR("GET / 200\n")));
	assert_datagram(server, 30, "GET / 200");
	assert_true(log_put(ring, s, LOG_LEVEL_ERROR, STR("bad\n")));
	assert_datagram(server, 27, "bad");
	/* The daemon is restarted. */
	close(server);
	server = syslog_listen(&a);
	assert_true(log_write(ring, s, STR("again\n")));
	assert_datagram(server, 30, "again");
	/* It does not read: dropped, and nobody waits. */
	while (log_stats(log_).dropped == 0)
		log_write(ring, s, STR("more\n"));
	close(server);
	unlink(a.sun_path);
}

/* --- Notes. --- */

static void times_are_printed(void **state)
{
	(void)state;
	static const struct { uint64_t s; const char *text; } ROWS[] = {
		{ 0, "1970-01-01T00:00:00.123Z" },
		{ 68169600, "1972-02-29T00:00:00.123Z" },
		{ 951782399, "2000-02-28T23:59:59.123Z" },
		{ 951868799, "2000-02-29T23:59:59.123Z" },
		{ 951868800, "2000-03-01T00:00:00.123Z" },
		{ 1795168800, "2026-11-20T10:00:00.123Z" },
		{ 1798761599, "2026-12-31T23:59:59.123Z" },
		{ 4107542400, "2100-03-01T00:00:00.123Z" },
		{ 253402300799, "9999-12-31T23:59:59.123Z" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		char text[64] = "";
		assert_int_equal(note_time(text, sizeof text, ROWS[i].s * 1000 + 123), 24);
		assert_string_equal(text, ROWS[i].text);
	}
}

static void hostile_bytes_are_escaped(void **state)
{
	(void)state;
	static const struct { const char *text, *escaped; } ROWS[] = {
		{ "plain text", "plain text" },
		{ "two\nlines\r", "two\\x0alines\\x0d" },
		{ "\033[2Jgone\007", "\\x1b[2Jgone\\x07" },
		{ "\t\177", "\\x09\\x7f" },
		{ "Grüße €𝄞", "Grüße €𝄞" },
		{ "\302\233m", "\\xc2\\x9bm" },       /* CSI as one character */
		{ "\302\240", "\302\240" },           /* a no-break space is none */
		{ "\233\377\300\257", "\\x9b\\xff\\xc0\\xaf" },
		{ "cut \342\202", "cut \\xe2\\x82" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		char escaped[200] = "";
		size_t n = note_escape(escaped, str_of(ROWS[i].text));
		escaped[n] = 0;
		assert_string_equal(escaped, ROWS[i].escaped);
	}
}

static void note_often(const char *who)
{
	log_note(ring, LOG_LEVEL_WARN, "root %s is gone", who);
}

/* As if a second had passed since each message was printed. */
static void forget_the_last_second(void)
{
	for (int i = 0; i < NOTES_KNOWN; i++)
		ring->notes[i].printed_ms -= 1000;
}

static void notes_say_time_level_and_text_once_a_second(void **state)
{
	(void)state;
	log_errors_to(log_, log_sink_get(log_, STR("file"), file_open()), LOG_LEVEL_WARN);
	for (int i = 0; i < 100; i++)
		note_often("/srv\n");
	log_note(ring, LOG_LEVEL_INFO, "not at this level");
	forget_the_last_second();
	note_often("/x");
	forget_the_last_second();
	note_often("/y");
	log_end();
	char *text = file_text(), *line = text;
	static const char *const LINES[] = {
		"warn: root /srv\\x0a is gone", "warn: root /x is gone (and 99 times more in between)", "warn: root /y is gone",
	};
	for (size_t i = 0; i < countof(LINES); i++) {
		char *end = strchr(line, '\n');
		assert_non_null(end);
		*end = 0;
		assert_string_equal(line + 25, LINES[i]);
		assert_int_equal(line[10], 'T');
		assert_int_equal(line[23], 'Z');
		line = end + 1;
	}
	assert_string_equal(line, "");
	mem_free(text);
}

static void a_long_note_is_cut(void **state)
{
	(void)state;
	static char longest[5000];
	memset(longest, '\n', sizeof longest - 1);
	log_errors_to(log_, log_sink_get(log_, STR("file"), file_open()), LOG_LEVEL_DEBUG);
	log_note(ring, LOG_LEVEL_DEBUG, "%s", longest);
	forget_the_last_second();
	log_note(ring, LOG_LEVEL_DEBUG, "%s", "");
	log_end();
	char *text = file_text();
	assert_int_equal(strchr(text, '\n') - text, 24 + strlen(" debug: ") + 4 * 999);
	mem_free(text);
}

/* --- All at once. --- */

enum { PRODUCERS = 4, LINES = 5000 };

static struct log_sink *shared;
static _Atomic unsigned accepted;

static void *produce(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	struct log_ring *own = log_ring_new(log_);
	char line[64];
	for (unsigned i = 0; i < LINES; i++) {
		int n = snprintf(line, sizeof line, "%u %u\n", number, i);
		accepted += log_write(own, shared, str_make(line, (size_t)n));
		if (i % 100 == 0)
			log_note(own, LOG_LEVEL_INFO, "at %u", i);
	}
	return NULL;
}

static void *rotate(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		log_sink_reopen(log_, STR("file"), file_open());
		struct log_sink *s = log_sink_get(log_, STR("null"), open("/dev/null", O_WRONLY));
		log_errors_to(log_, s, LOG_LEVEL_INFO);
		log_sink_put(log_, s);
		s = log_sink_get(log_, STR("another"), open("/dev/null", O_WRONLY));
		log_errors_to(log_, s, LOG_LEVEL_INFO);
		log_sink_put(log_, s);
		log_stats(log_);
	}
	return NULL;
}

static void threads_get_their_lines_through(void **state)
{
	(void)state;
	pthread_t producer[PRODUCERS], rotator;
	unsigned lines = 0, next[PRODUCERS] = {};
	accepted = 0;
	shared = log_sink_get(log_, STR("file"), file_open());
	for (uintptr_t i = 0; i < PRODUCERS; i++)
		pthread_create(&producer[i], NULL, produce, (void *)i);
	pthread_create(&rotator, NULL, rotate, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producer[i], NULL);
	pthread_join(rotator, NULL);
	log_end();
	FILE *f = fopen(path, "r");
	unsigned number, i;
	for (; fscanf(f, "%u %u\n", &number, &i) == 2; lines++) {
		assert_in_range(number, 0, PRODUCERS - 1);
		assert_true(i >= next[number]);
		next[number] = i + 1;
	}
	assert_true(feof(f));
	fclose(f);
	assert_int_equal(lines, accepted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(lines_arrive),
		TEST(the_same_name_is_the_same_sink),
		TEST(reopened_lines_go_to_the_new_file),
		TEST(a_ring_keeps_order_and_bytes),
		TEST(what_can_never_fit_is_dropped),
		TEST(a_stopped_pager_holds_nobody_up),
		TEST(a_pager_that_goes_on_gets_all),
		TEST(a_full_disk_is_counted_and_told_once),
		TEST(a_torn_line_ends_before_the_next),
		TEST(syslog_gets_a_datagram_for_each_line),
		TEST(times_are_printed),
		TEST(hostile_bytes_are_escaped),
		TEST(notes_say_time_level_and_text_once_a_second),
		TEST(a_long_note_is_cut),
		TEST(threads_get_their_lines_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

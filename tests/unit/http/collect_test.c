/* Collected bodies: in memory, in a file, given twice, broken off, given up, and on a disk that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/collect.h"

enum { MOST_B = 2 << 20 };

/* An upload that comes in pieces, with a pause before every third. */
struct upload {
	struct body body;
	struct loop *loop;
	uint64_t at_b, end_b, piece_b;
	uint64_t breaks_at_b;     /* 0: never */
	unsigned reads;
};

struct fixture {
	struct home home;
	struct req req;
	struct task task;
	struct upload upload;
	struct mailbox slow;
	struct collect *collect;
	enum collected last;
	int err;
	bool leaves;              /* closes as soon as it has to wait */
};

static char *content;
static struct fixture *running;

static enum body_got upload_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct upload *u = (struct upload *)b;
	if (u->breaks_at_b && u->at_b >= u->breaks_at_b)
		return BODY_BROKEN;
	if (u->at_b == u->end_b)
		return BODY_END;
	if (++u->reads % 3 == 0) {
		loop_queue(u->loop, b->reader);
		return BODY_LATER;
	}
	uint64_t n = u->end_b - u->at_b < u->piece_b ? u->end_b - u->at_b : u->piece_b;
	n = n < want_b ? n : want_b;
	*out = chunk_of(str_make(content + u->at_b, n), u->at_b + n == u->end_b);
	u->at_b += n;
	return BODY_SOME;
}

static const struct body_ops UPLOAD = { .read = upload_read };

static void go(struct task *t)
{
	struct fixture *f = running;
	(void)t;
	f->last = collect_run(f->collect, &f->err);
	if (f->last != COLLECT_LATER || (f->leaves && f->upload.at_b > 600000))
		loop_stop(&f->home.loop);
}

static void start(struct fixture *f, uint64_t size_b, uint64_t piece_b, uint64_t memory_b, const char *folder)
{
	*f = (struct fixture){ .upload = { { &UPLOAD }, &f->home.loop, .end_b = size_b, .piece_b = piece_b } };
	assert_int_equal(loop_init(&f->home.loop, 0), 0);
	assert_int_equal(disk_new(&f->home.disk, DISK_THREADS, 2, 16), 0);
	assert_int_equal(mailbox_init(&f->slow), 0);
	f->home.slow = &f->slow;
	task_init(&f->task, go);
	f->req.home = &f->home;
	f->req.task = &f->task;
	f->req.upload = &f->upload.body;
	arena_init(&f->req.arena, f->req.first, sizeof f->req.first);
	f->collect = collect_new(&f->req, memory_b, str_of(folder));
	running = f;
}

static void run(struct fixture *f)
{
	loop_queue(&f->home.loop, &f->task);
	loop_run(&f->home.loop);
	f->home.loop.stopping = false;
}

static void stop(struct fixture *f)
{
	collect_close(f->collect);
	disk_free(f->home.disk);
	mailbox_open(&f->home.loop.mailbox);
	mailbox_open(&f->slow);
	mailbox_fini(&f->slow);
	arena_fini(&f->req.arena);
	loop_fini(&f->home.loop);
}

static unsigned descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* What the body gives, from its start. */
static void expect(struct fixture *f, uint64_t size_b)
{
	struct body *b = collect_body(f->collect);
	struct chunk chunk;
	char *got = malloc(size_b + 1);
	uint64_t n = 0;
	b->reader = &f->task;
	for (;;) {
		enum body_got said = body_read(b, &chunk, 70000);
		if (said == BODY_LATER) {
			run(f);
			continue;
		}
		if (said == BODY_END)
			break;
		assert_int_equal(said, BODY_SOME);
		assert_true(chunk.length_b && chunk.length_b <= 70000 && n + chunk.length_b <= size_b);
		if (chunk.file_fd < 0)
			memcpy(got + n, chunk.bytes.p, chunk.bytes.n);
		else
			assert_int_equal(pread(chunk.file_fd, got + n, chunk.length_b, (off_t)chunk.offset_b), chunk.length_b);
		n += chunk.length_b;
		assert_int_equal(chunk.last, n == size_b);
	}
	assert_int_equal(n, size_b);
	assert_memory_equal(got, content, size_b);
	free(got);
}

static void all_sizes(void **state)
{
	static const struct {
		uint64_t size_b, piece_b, memory_b;
	} ROWS[] = {
		{ 0, 1, 1000 },           { 1, 1, 1000 },          { 1, 1, 0 },
		{ 1000, 1000, 1000 },     { 1001, 1000, 1000 },    { 1000, 7, 999 },
		{ 262144, 65536, 262144 },{ 262145, 65536, 262144 },{ 300000, 65536, 0 },
		{ MOST_B, 65536, 1000 },  { MOST_B, 99991, 262144 },{ MOST_B, 65536, MOST_B },
	};
	static const char *const FOLDERS[] = { "/tmp", "/dev/shm" };
	(void)state;
	for (size_t i = 0; i < 2 * sizeof ROWS / sizeof *ROWS; i++) {
		unsigned before = descriptors();
		struct fixture f;
		start(&f, ROWS[i / 2].size_b, ROWS[i / 2].piece_b, ROWS[i / 2].memory_b, FOLDERS[i % 2]);
		run(&f);
		assert_int_equal(f.last, COLLECT_DONE);
		assert_int_equal(collect_length_b(f.collect), ROWS[i / 2].size_b);
		expect(&f, ROWS[i / 2].size_b);
		expect(&f, ROWS[i / 2].size_b);
		stop(&f);
		assert_int_equal(descriptors(), before);
	}
}

static void breaks_off(void **state)
{
	(void)state;
	for (uint64_t at_b = 1; at_b < MOST_B; at_b = at_b * 3 + 1000) {
		unsigned before = descriptors();
		struct fixture f;
		start(&f, MOST_B, 65536, 10000, "/tmp");
		f.upload.breaks_at_b = at_b;
		run(&f);
		assert_int_equal(f.last, COLLECT_BROKEN);
		stop(&f);
		assert_int_equal(descriptors(), before);
	}
}

/* Its file has no room, and is looked for once. */
static void no_folder(void **state)
{
	struct fixture f;
	(void)state;
	start(&f, MOST_B, 65536, 10000, "/nonexistent");
	run(&f);
	assert_int_equal(f.last, COLLECT_FULL);
	assert_int_equal(f.err, -ENOENT);
	assert_true(f.upload.at_b < MOST_B);
	stop(&f);
}

/* The disk engine is at work for it when its request ends. */
static void is_left(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		unsigned before = descriptors();
		struct fixture f;
		start(&f, MOST_B, 65536, 0, "/tmp");
		f.leaves = true;
		run(&f);
		stop(&f);
		assert_int_equal(descriptors(), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sizes),
		cmocka_unit_test(breaks_off),
		cmocka_unit_test(no_folder),
		cmocka_unit_test(is_left),
	};
	content = malloc(MOST_B);
	for (size_t i = 0; i < MOST_B; i++)
		content[i] = (char)(i * 7 + i / 251);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(content);
	return failed;
}

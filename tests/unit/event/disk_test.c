/* The disk engine, both kinds by the same table: what an open answers, what is read, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/disk_work.h"

enum { BIG_B = 3 << 20, WORKERS = 4, QUEUE = 64, READ_MAX_B = 65536 };

static const uint64_t BENEATH = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
static const enum disk_kind KINDS[] = { DISK_URING, DISK_THREADS };

static char folder[] = "/tmp/petrel-disk-XXXXXX";
static int root = -1;
static struct mailbox box;
static unsigned arrived;

static void arrive(struct mail *m)
{
	(void)m;
	arrived++;
}

static void wait_for(unsigned count)
{
	while (arrived < count) {
		struct pollfd p = { .fd = box.event_fd, .events = POLLIN };
		assert_int_equal(poll(&p, 1, -1), 1);
		mailbox_clear(&box);
		mailbox_open(&box);
	}
	assert_int_equal(arrived, count);
	arrived = 0;
}

static struct disk_job job_of(enum disk_op op)
{
	return (struct disk_job){ .done.deliver = arrive, .to = &box, .op = op, .fd = -1, .dir_fd = root,
		                  .resolve = BENEATH, .read_max_b = READ_MAX_B };
}

static void job_clean(struct disk_job *job)
{
	if (job->file.fd >= 0)
		close(job->file.fd);
	mem_free(job->file.bytes);
}

static char byte_at(uint64_t i)
{
	return (char)(i * 7 + i / 251);
}

static void file_make(const char *name, size_t size_b)
{
	char *bytes = mem_new(size_b);
	for (size_t i = 0; i < size_b; i++)
		bytes[i] = byte_at(i);
	int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size_b), size_b);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	mem_free(bytes);
}

static void socket_make(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path, sizeof a.sun_path, "%s/inside/socket", folder);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	root = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(root, "inside", 0755), 0);
	assert_int_equal(mkdirat(root, "inside/sub", 0755), 0);
	file_make("secret", 10);
	int above = root;
	root = openat(above, "inside", O_RDONLY | O_DIRECTORY);
	close(above);
	file_make("small", 4500);
	file_make("empty", 0);
	file_make("most", READ_MAX_B);
	file_make("more", READ_MAX_B + 1);
	file_make("big", BIG_B);
	file_make("sub/file", 3);
	assert_int_equal(symlinkat("sub/file", root, "link"), 0);
	assert_int_equal(symlinkat("sub/../../inside/small", root, "out_and_in"), 0);
	assert_int_equal(symlinkat("../secret", root, "out"), 0);
	assert_int_equal(symlinkat("/etc/passwd", root, "absolute"), 0);
	assert_int_equal(symlinkat("loop", root, "loop"), 0);
	assert_int_equal(mkfifoat(root, "fifo", 0644), 0);
	socket_make();
	return mailbox_init(&box);
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s, (void)type, (void)at;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	close(root);
	mailbox_fini(&box);
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- What an open answers. --- */

enum shape { WHOLE, OPEN, FOLDER };

static const struct open_row {
	const char *path;
	uint64_t resolve;
	int err;
	enum shape shape;
	uint64_t size_b;
} OPENS[] = {
	{ "small", BENEATH, 0, WHOLE, 4500 },
	{ "empty", BENEATH, 0, WHOLE, 0 },
	{ "most", BENEATH, 0, WHOLE, READ_MAX_B },
	{ "more", BENEATH, 0, OPEN, READ_MAX_B + 1 },
	{ "big", BENEATH, 0, OPEN, BIG_B },
	{ "sub", BENEATH, 0, FOLDER, 0 },
	{ "", BENEATH, 0, FOLDER, 0 },
	{ "", 0, 0, FOLDER, 0 },
	{ "sub/file", BENEATH, 0, WHOLE, 3 },
	{ "sub/../small", BENEATH, 0, WHOLE, 4500 },
	{ "link", BENEATH, 0, WHOLE, 3 },
	{ "link", BENEATH | RESOLVE_NO_SYMLINKS, -ELOOP, WHOLE, 0 },
	{ "loop", BENEATH, -ELOOP, WHOLE, 0 },
	{ "none", BENEATH, -ENOENT, WHOLE, 0 },
	{ "sub/none", 0, -ENOENT, WHOLE, 0 },
	{ "small/", BENEATH, -ENOTDIR, WHOLE, 0 },
	{ "small/x", BENEATH, -ENOTDIR, WHOLE, 0 },
	{ "..", BENEATH, -EXDEV, WHOLE, 0 },
	{ "../secret", BENEATH, -EXDEV, WHOLE, 0 },
	{ "/etc/passwd", BENEATH, -EXDEV, WHOLE, 0 },
	{ "out", BENEATH, -EXDEV, WHOLE, 0 },
	{ "out_and_in", BENEATH, -EXDEV, WHOLE, 0 },
	{ "absolute", BENEATH, -EXDEV, WHOLE, 0 },
	{ "out", 0, 0, WHOLE, 10 },
	{ "../secret", 0, 0, WHOLE, 10 },
	{ "fifo", BENEATH, -EACCES, WHOLE, 0 },
	{ "socket", BENEATH, -EACCES, WHOLE, 0 },
	{ "/dev/null", 0, -EACCES, WHOLE, 0 },
	{ "/dev/tty", 0, -EACCES, WHOLE, 0 },
};

static void assert_file(const struct open_row *row, const struct disk_file *f)
{
	if (row->err) {
		assert_int_equal(f->fd, -1);
		assert_null(f->bytes);
		return;
	}
	assert_true(row->shape == FOLDER ? S_ISDIR(f->mode) : S_ISREG(f->mode));
	assert_true(f->mtime_ns > 0 && f->inode > 0);
	assert_int_equal(f->fd >= 0, row->shape != WHOLE);
	assert_int_equal(f->bytes != NULL, row->shape == WHOLE);
	if (row->shape == FOLDER)
		return;
	assert_int_equal(f->size_b, row->size_b);
	for (uint64_t i = 0; f->bytes && i < f->size_b; i++)
		assert_int_equal(f->bytes[i], byte_at(i));
}

static void open_answers(enum disk_kind kind)
{
	struct disk *d;
	struct disk_job jobs[countof(OPENS)];
	assert_int_equal(disk_new(&d, kind, WORKERS, QUEUE), 0);
	for (size_t i = 0; i < countof(OPENS); i++) {
		jobs[i] = job_of(DISK_OPEN);
		jobs[i].path = OPENS[i].path;
		jobs[i].resolve = OPENS[i].resolve;
		assert_int_equal(disk_submit(d, &jobs[i]), 0);
	}
	wait_for(countof(OPENS));
	for (size_t i = 0; i < countof(OPENS); i++) {
		if (jobs[i].err != OPENS[i].err)
			print_message("%s: %d\n", OPENS[i].path, jobs[i].err);
		assert_int_equal(jobs[i].err, OPENS[i].err);
		assert_file(&OPENS[i], &jobs[i].file);
		job_clean(&jobs[i]);
	}
	struct disk_stats s = disk_stats(d);
	assert_int_equal(s.finished, countof(OPENS));
	assert_int_equal(s.waiting + s.under_way + s.refused, 0);
	disk_free(d);
}

static void each_kind_answers_the_same(void **state)
{
	(void)state;
	for (size_t k = 0; k < countof(KINDS); k++)
		open_answers(KINDS[k]);
}

/* What is cached by now is answered at once; what is an escape, or can't be known without waiting, is EAGAIN. */
static void a_try_answers_the_same_or_eagain(void **state)
{
	(void)state;
	unsigned at_once = 0;
	for (size_t i = 0; i < countof(OPENS); i++) {
		const struct open_row *row = &OPENS[i];
		struct disk_file f;
		int err = disk_try_open(root, row->path, row->resolve, READ_MAX_B, &f);
		if (err == -EAGAIN)
			continue;
		at_once++;
		assert_int_equal(err, row->err);
		assert_file(row, &f);
		if (f.fd >= 0)
			close(f.fd);
		mem_free(f.bytes);
	}
	assert_true(at_once >= 6);
}

/* --- Which engine. --- */

static void probe_and_engine_agree(void **state)
{
	(void)state;
	const char *reason = NULL;
	enum disk_kind probed = disk_probe(&reason);
	assert_non_null(reason);
	struct disk *d;
	assert_int_equal(disk_new(&d, DISK_AUTO, 1, 1), 0);
	assert_int_equal(disk_kind(d), probed);
	disk_free(d);
	assert_int_equal(disk_new(&d, DISK_THREADS, 1, 1), 0);
	assert_int_equal(disk_kind(d), DISK_THREADS);
	disk_free(d);
}

static void forbid_uring(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = countof(code), .filter = code };
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
}

/* In a child; its exit status says what went wrong. */
static int served_by_threads(enum disk_kind kind)
{
	const char *reason;
	struct disk *d;
	if (disk_probe(&reason) != DISK_THREADS)
		return 1;
	if (disk_new(&d, kind, 2, 2) || disk_kind(d) != DISK_THREADS)
		return 2;
	struct disk_job job = job_of(DISK_OPEN);
	job.path = "small";
	if (disk_submit(d, &job))
		return 3;
	wait_for(1);
	if (job.err || job.file.size_b != 4500)
		return 4;
	job_clean(&job);
	disk_free(d);
	return 0;
}

static void a_filter_that_forbids_io_uring_ends_in_threads(void **state)
{
	(void)state;
	static const int ERRORS[] = { EPERM, ENOSYS, ENOMEM };
	for (size_t i = 0; i < countof(ERRORS); i++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			forbid_uring(ERRORS[i]);
			_exit(served_by_threads(i % 2 ? DISK_URING : DISK_AUTO));
		}
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

/* --- Read ahead. --- */

static int dropped_from_cache(const char *name)
{
	int fd = openat(root, name, O_RDONLY);
	assert_true(fd >= 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return fd;
}

static void ahead(struct disk *d, int fd, uint64_t offset_b, uint64_t length_b, int err)
{
	struct disk_job job = job_of(DISK_AHEAD);
	job.fd = fd;
	job.offset_b = offset_b;
	job.length_b = length_b;
	assert_int_equal(disk_submit(d, &job), 0);
	wait_for(1);
	assert_int_equal(job.err, err);
}

static void read_ahead_is_there_when_it_says_so(void **state)
{
	(void)state;
	for (size_t k = 0; k < countof(KINDS); k++) {
		struct disk *d;
		assert_int_equal(disk_new(&d, KINDS[k], WORKERS, QUEUE), 0);
		int fd = dropped_from_cache("big");
		if (disk_cached_b(fd, 1 << 20, 1 << 20) > 0)
			print_message("this file system keeps its files cached\n");
		ahead(d, fd, 1 << 20, 1 << 20, 0);
		assert_int_equal(disk_cached_b(fd, 1 << 20, 1 << 20), 1 << 20);
		assert_int_equal(disk_cached_b(fd, (1 << 20) + 77, 70000), 70000);
		ahead(d, fd, 5, 1, 0);
		assert_int_equal(disk_cached_b(fd, 5, 1), 1);
		ahead(d, fd, BIG_B - 100, 1 << 20, 0);  /* the file ends before */
		assert_int_equal(disk_cached_b(fd, BIG_B - 100, 100), 100);
		ahead(d, fd, 0, 0, 0);
		ahead(d, root, 0, 100, -EISDIR);
		assert_int_equal(disk_cached_b(fd, 0, 0), 0);
		close(fd);
		disk_free(d);
	}
}

static void cached_counts_up_to_the_first_gap(void **state)
{
	(void)state;
	int fd = openat(root, "big", O_RDONLY);
	char *bytes = mem_new(BIG_B);
	assert_int_equal(pread(fd, bytes, BIG_B, 0), BIG_B);
	assert_int_equal(disk_cached_b(fd, 0, BIG_B), BIG_B);
	posix_fadvise(fd, 1 << 20, 1 << 20, POSIX_FADV_DONTNEED);
	uint64_t cached_b = disk_cached_b(fd, 0, BIG_B);
	if (cached_b == BIG_B)
		print_message("this file system keeps its files cached\n");
	else
		assert_in_range(cached_b, 512 << 10, 3 << 19);
	mem_free(bytes);
	close(fd);
}

/* --- Files that change while they are read. --- */

/* Up to the step that looks at the file once more, with everything read. */
static void work_until_read(struct work *w, struct disk_job *job, const char *name)
{
	*job = job_of(DISK_OPEN);
	job->path = name;
	work_open(w, job, &job->file, false);
	work_step(w, openat(root, name, O_RDONLY));
	assert_int_equal(w->todo, WORK_READ);
}

static ssize_t read_now(struct work *w)
{
	return pread(w->fd, w->file->bytes + w->at_b, w->room_b, (off_t)w->at_b);
}

static void a_file_that_changes_is_read_again(void **state)
{
	(void)state;
	static const struct { uint64_t before_b, after_b; enum shape shape; } ROWS[] = {
		{ 5000, 100, WHOLE }, { 100, 5000, WHOLE }, { 5000, 5000, WHOLE }, { 100, READ_MAX_B + 5, OPEN },
		{ 0, 10, WHOLE }, { 10, 0, WHOLE },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct disk_job job;
		struct work w;
		file_make("changing", ROWS[i].before_b);
		work_until_read(&w, &job, "changing");
		ssize_t n = read_now(&w);
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000 + (time_t)i } };
		file_make("changing", ROWS[i].after_b);
		utimensat(root, "changing", times, 0);
		work_step(&w, n);
		assert_true(w.todo == WORK_READ || ROWS[i].shape == OPEN);
		assert_int_equal(work_run(&w, NULL), 0);
		const struct open_row row = { "", 0, 0, ROWS[i].shape, ROWS[i].after_b };
		assert_file(&row, &job.file);
		assert_int_equal(job.file.mtime_ns / 1000000000, 1000 + i);
		job_clean(&job);
	}
}

static void a_file_that_never_rests_is_taken_as_it_is(void **state)
{
	(void)state;
	struct disk_job job;
	struct work w;
	file_make("changing", 300);
	work_until_read(&w, &job, "changing");
	for (unsigned i = 0; w.todo != WORK_DONE; i++) {
		assert_true(i < 100);
		ssize_t n = read_now(&w);
		file_make("changing", 300 + i % 7 * 100);
		work_step(&w, n);
	}
	assert_int_equal(w.err, 0);
	for (uint64_t i = 0; i < job.file.size_b; i++)
		assert_int_equal(job.file.bytes[i], byte_at(i));
	job_clean(&job);
}

static void a_rename_on_the_way_is_tried_again_but_not_for_ever(void **state)
{
	(void)state;
	struct disk_job job = job_of(DISK_OPEN);
	struct work w;
	job.path = "small";
	work_open(&w, &job, &job.file, false);
	work_step(&w, -EAGAIN);
	assert_int_equal(work_run(&w, NULL), 0);
	job_clean(&job);
	work_open(&w, &job, &job.file, false);
	for (unsigned i = 0; w.todo != WORK_DONE; i++) {
		assert_true(i < 100);
		work_step(&w, -EAGAIN);
	}
	assert_int_equal(w.err, -EBUSY);
}

static _Atomic bool stop_changing;

static void *change(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !stop_changing; i++) {
		int fd = openat(root, "vanishing", O_WRONLY | O_CREAT | O_TRUNC, 0644);
		char bytes[3000];
		memset(bytes, 'a' + (int)(i % 26), sizeof bytes);
		if (write(fd, bytes, 1 + i * 37 % sizeof bytes) < 0)
			abort();
		close(fd);
		if (i % 3 == 0)
			unlinkat(root, "vanishing", 0);
	}
	return NULL;
}

static void files_that_vanish_and_change_are_answered(void **state)
{
	(void)state;
	pthread_t thread;
	stop_changing = false;
	pthread_create(&thread, NULL, change, NULL);
	for (size_t k = 0; k < countof(KINDS); k++) {
		struct disk *d;
		struct disk_job jobs[WORKERS];
		assert_int_equal(disk_new(&d, KINDS[k], WORKERS, QUEUE), 0);
		for (int round = 0; round < 50; round++) {
			for (int i = 0; i < WORKERS; i++) {
				jobs[i] = job_of(DISK_OPEN);
				jobs[i].path = "vanishing";
				assert_int_equal(disk_submit(d, &jobs[i]), 0);
			}
			wait_for(WORKERS);
			for (int i = 0; i < WORKERS; i++) {
				assert_true(jobs[i].err == 0 || jobs[i].err == -ENOENT);
				for (uint64_t b = 0; b < jobs[i].file.size_b; b++)
					assert_in_range(jobs[i].file.bytes[b], 'a', 'z');
				job_clean(&jobs[i]);
			}
		}
		disk_free(d);
	}
	stop_changing = true;
	pthread_join(thread, NULL);
}

/* --- Bounds, calls, the end. --- */

struct gate {
	struct disk_job job;
	int *fds;  /* a pipe: the call waits for a byte */
};

static void pass(struct disk_job *job)
{
	struct gate *g = container_of(job, struct gate, job);
	char byte;
	job->err = read(g->fds[0], &byte, 1) == 1 ? 7 : -EIO;
}

static void come_back(struct disk_job *job)
{
	job->err = 5;
}

static void past_the_queue_is_busy(void **state)
{
	(void)state;
	enum { CALLERS = 2, BOUND = 5, ALL = CALLERS + BOUND };
	for (size_t k = 0; k < countof(KINDS); k++) {
		struct disk *d;
		struct gate gates[ALL + 1];
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		assert_int_equal(disk_new(&d, KINDS[k], 1, BOUND), 0);
		for (int i = 0; i <= ALL; i++) {
			gates[i] = (struct gate){ .job = job_of(DISK_CALL), .fds = fds };
			gates[i].job.call = pass;
			assert_int_equal(disk_submit(d, &gates[i].job), i < ALL ? 0 : -EBUSY);
		}
		assert_int_equal(disk_stats(d).refused, 1);
		/* Reads go on beside calls that hang, and so do those who wait. */
		struct disk_job waits = job_of(DISK_WAIT);
		waits.call = come_back;
		assert_int_equal(disk_submit(d, &waits), 0);
		wait_for(1);
		assert_int_equal(waits.err, 5);
		struct disk_job job = job_of(DISK_OPEN);
		job.path = "small";
		assert_int_equal(disk_submit(d, &job), 0);
		wait_for(1);
		job_clean(&job);
		assert_int_equal(write(fds[1], "1234567", ALL), ALL);
		wait_for(ALL);
		for (int i = 0; i < ALL; i++)
			assert_int_equal(gates[i].job.err, 7);
		disk_free(d);
		close(fds[0]);
		close(fds[1]);
	}
}

static void many_jobs_with_changing_bounds(void **state)
{
	(void)state;
	enum { MANY = 400 };
	static struct disk_job jobs[MANY];
	for (size_t k = 0; k < countof(KINDS); k++) {
		struct disk *d;
		assert_int_equal(disk_new(&d, KINDS[k], 1, MANY), 0);
		for (unsigned i = 0; i < MANY; i++) {
			jobs[i] = job_of(DISK_OPEN);
			jobs[i].path = i % 2 ? "small" : "sub/file";
			assert_int_equal(disk_submit(d, &jobs[i]), 0);
			if (i % 50 == 0)
				disk_bounds(d, 1 + i / 50 * 3 % 8, MANY);
		}
		wait_for(MANY);
		for (unsigned i = 0; i < MANY; i++) {
			assert_int_equal(jobs[i].err, 0);
			assert_int_equal(jobs[i].file.size_b, i % 2 ? 4500 : 3);
			job_clean(&jobs[i]);
		}
		disk_free(d);
	}
}

static void the_end_delivers_everything(void **state)
{
	(void)state;
	enum { MANY = 100 };
	for (size_t k = 0; k < countof(KINDS); k++) {
		struct disk *d;
		struct disk_job jobs[MANY];
		assert_int_equal(disk_new(&d, KINDS[k], 2, MANY), 0);
		for (int i = 0; i < MANY; i++) {
			jobs[i] = job_of(DISK_OPEN);
			jobs[i].path = "small";
			assert_int_equal(disk_submit(d, &jobs[i]), 0);
		}
		disk_free(d);
		wait_for(MANY);
		for (int i = 0; i < MANY; i++) {
			assert_true(jobs[i].err == 0 || jobs[i].err == -ECANCELED);
			job_clean(&jobs[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_answers_the_same),
		cmocka_unit_test(a_try_answers_the_same_or_eagain),
		cmocka_unit_test(probe_and_engine_agree),
		cmocka_unit_test(a_filter_that_forbids_io_uring_ends_in_threads),
		cmocka_unit_test(read_ahead_is_there_when_it_says_so),
		cmocka_unit_test(cached_counts_up_to_the_first_gap),
		cmocka_unit_test(a_file_that_changes_is_read_again),
		cmocka_unit_test(a_file_that_never_rests_is_taken_as_it_is),
		cmocka_unit_test(a_rename_on_the_way_is_tried_again_but_not_for_ever),
		cmocka_unit_test(files_that_vanish_and_change_are_answered),
		cmocka_unit_test(past_the_queue_is_busy),
		cmocka_unit_test(many_jobs_with_changing_bounds),
		cmocka_unit_test(the_end_delivers_everything),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

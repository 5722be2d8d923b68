/* What a job of the disk engine does, step by step.  See disk_work.h.  No state beside struct work; any thread. */
#include "event/disk_work.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

/* O_NONBLOCK: a FIFO that somebody put there must not hold the engine up. */
static const uint64_t OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

void work_open(struct work *w, const struct disk_job *job, struct disk_file *out, bool now)
{
	*w = (struct work){ .todo = WORK_OPEN, .now = now, .fd = -1, .dir_fd = job->dir_fd };
	w->path = *job->path ? job->path : ".";
	w->how = (struct open_how){ .flags = OPEN_FLAGS, .resolve = job->resolve | (now ? RESOLVE_CACHED : 0) };
	w->read_max_b = job->read_max_b;
	w->file = out;
	*out = (struct disk_file){ .fd = -1 };
}

void work_ahead(struct work *w, const struct disk_job *job)
{
	/* To fadvise, no length means all that follows. */
	enum work_do first = job->length_b ? WORK_ADVISE : WORK_DONE;
	*w = (struct work){ .todo = first, .fd = job->fd, .at_b = job->offset_b };
	w->room_b = job->length_b;
	w->end_b = job->offset_b + job->length_b;
}

static void finish(struct work *w)
{
	w->todo = WORK_DONE;
	w->err = 0;
}

static void fail(struct work *w, int err)
{
	if (w->file) {
		if (w->file->fd >= 0)
			close(w->file->fd);
		mem_free(w->file->bytes);
		*w->file = (struct disk_file){ .fd = -1 };
	}
	w->todo = WORK_DONE;
	w->err = err;
}

/* The same step once more, but not for ever. */
static void again(struct work *w, int err)
{
	if (w->tries++ >= WORK_TRIES)
		fail(w, err);
}

/* Without asking a network file system's server: the open just did. */
static int file_stat(int fd, struct disk_file *out)
{
	struct statx s;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &s) < 0)
		return -errno;
	out->size_b = s.stx_size;
	out->mtime_ns = (uint64_t)s.stx_mtime.tv_sec * 1000000000u + s.stx_mtime.tv_nsec;
	out->inode = s.stx_ino;
	out->device = makedev(s.stx_dev_major, s.stx_dev_minor);
	out->mode = s.stx_mode;
	return 0;
}

/* One byte more than the file is said to have, to see that it has grown. */
static void read_begin(struct work *w)
{
	mem_free(w->file->bytes);
	w->file->bytes = mem_new(w->file->size_b + 1);
	w->at_b = 0;
	w->room_b = w->file->size_b + 1;
	w->todo = WORK_READ;
}

/* A regular file whose size is known: to be read whole, or left open. */
static void read_or_finish(struct work *w)
{
	if (w->file->size_b <= w->read_max_b) {
		read_begin(w);
		return;
	}
	mem_free(w->file->bytes);
	w->file->bytes = NULL;
	finish(w);
}

static void opened(struct work *w, int fd)
{
	w->fd = w->file->fd = fd;
	int err = file_stat(fd, w->file);
	if (err) {
		fail(w, err);
	} else if (S_ISDIR(w->file->mode)) {
		finish(w);
	} else if (!S_ISREG(w->file->mode)) {
		fail(w, -EACCES);
	} else {
		/* Where a file system can't read without waiting, the ring would answer EAGAIN to O_NONBLOCK for ever. */
		fcntl(fd, F_SETFL, O_RDONLY);
		w->tries = 0;
		read_or_finish(w);
	}
}

static void open_failed(struct work *w, int err)
{
	/* RESOLVE_BENEATH answers EAGAIN where something on the way was renamed just then (openat2(2)).  EINVAL: a kernel
	 * without RESOLVE_CACHED. */
	if (w->now && (err == -EAGAIN || err == -EINVAL))
		fail(w, -EAGAIN);
	else if (err == -EAGAIN || err == -EINTR)
		again(w, -EBUSY);
	else if (err == -ENXIO || err == -ENODEV)
		fail(w, -EACCES);  /* a socket, or a device without a driver */
	else
		fail(w, err);
}

static void read_finish(struct work *w)
{
	close(w->file->fd);
	w->file->fd = w->fd = -1;
	finish(w);
}

/* The end of the file, or as much as it is said to have.  Bytes, size and time have to belong together: else once more;
 * and a file that never rests is taken as it is, with the time from before, so that the next look finds it changed. */
static void read_check(struct work *w)
{
	struct disk_file after = { .fd = w->file->fd, .bytes = w->file->bytes };
	int err = file_stat(w->fd, &after);
	if (err) {
		fail(w, err);
		return;
	}
	if (w->at_b == w->file->size_b && after.size_b == w->file->size_b && after.mtime_ns == w->file->mtime_ns) {
		read_finish(w);
	} else if (w->now) {
		fail(w, -EAGAIN);
	} else if (w->tries++ < WORK_TRIES) {
		*w->file = after;
		read_or_finish(w);
	} else {
		w->file->size_b = w->at_b < w->file->size_b ? w->at_b : w->file->size_b;
		read_finish(w);
	}
}

static void read_failed(struct work *w, int err)
{
	/* EOPNOTSUPP: a file system that can't say whether it would wait. */
	if (w->now && (err == -EAGAIN || err == -EOPNOTSUPP))
		fail(w, -EAGAIN);
	else if (err == -EINTR || err == -EAGAIN)
		again(w, -EIO);
	else
		fail(w, err);
}

static void has_read(struct work *w, uint64_t n)
{
	must(n <= w->room_b);
	w->at_b += n;
	w->room_b -= n;
	if (n == 0 || w->at_b >= w->file->size_b)
		read_check(w);
}

static void fetch_next(struct work *w)
{
	uint64_t left_b = w->end_b - w->at_b;
	w->room_b = left_b < WORK_SCRATCH_B ? left_b : WORK_SCRATCH_B;
	w->todo = WORK_FETCH;
	if (left_b == 0)
		finish(w);
}

static void fetched(struct work *w, ssize_t n)
{
	if (n == -EINTR || n == -EAGAIN) {
		again(w, -EIO);
	} else if (n < 0) {
		fail(w, (int)n);
	} else if (n == 0) {
		finish(w);
	} else {
		w->tries = 0;
		w->at_b += (uint64_t)n;
		fetch_next(w);
	}
}

void work_step(struct work *w, ssize_t answer)
{
	switch (w->todo) {
	case WORK_OPEN:
		if (answer < 0)
			open_failed(w, (int)answer);
		else
			opened(w, (int)answer);
		break;
	case WORK_READ:
		if (answer < 0)
			read_failed(w, (int)answer);
		else
			has_read(w, (uint64_t)answer);
		break;
	case WORK_ADVISE:
		fetch_next(w);  /* only advice: whatever it said */
		break;
	case WORK_FETCH:
		fetched(w, answer);
		break;
	case WORK_DONE:
		must(!"work after its end");
	}
}

static ssize_t call(const struct work *w, void *scratch)
{
	struct iovec to = { .iov_base = scratch, .iov_len = w->room_b };
	long answer = 0;
	switch (w->todo) {
	case WORK_OPEN:
		answer = syscall(SYS_openat2, w->dir_fd, w->path, &w->how, sizeof w->how);
		break;
	case WORK_READ:
		to.iov_base = w->file->bytes + w->at_b;
		answer = preadv2(w->fd, &to, 1, (off_t)w->at_b, w->now ? RWF_NOWAIT : 0);
		break;
	case WORK_ADVISE:
		return -posix_fadvise(w->fd, (off_t)w->at_b, (off_t)w->room_b, POSIX_FADV_WILLNEED);
	case WORK_FETCH:
		answer = preadv2(w->fd, &to, 1, (off_t)w->at_b, 0);
		break;
	case WORK_DONE:
		break;
	}
	return answer < 0 ? -errno : answer;
}

int work_run(struct work *w, void *scratch)
{
	while (w->todo != WORK_DONE)
		work_step(w, call(w, scratch));
	return w->err;
}

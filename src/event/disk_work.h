/* struct work: a job of the disk engine as a machine of named steps, for all who drive it: the ring, the threads, and
 * disk_try_open() on a loop.
 *
 * A driver makes the one system call that the current step names, in its own way, and tells work_step() what it
 * answered, until the step is WORK_DONE.  What is called between the calls (statx of an open descriptor, close) needs
 * no disk: the kernel holds an open file's inode in memory. */
#pragma once

#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "event/disk.h"

enum {
	WORK_SCRATCH_B = 128 * 1024,  /* what WORK_FETCH reads into and nobody looks at */
	WORK_TRIES = 8,
};

enum work_do {
	WORK_OPEN,    /* openat2(dir_fd, path, &how) */
	WORK_READ,    /* pread(file->fd, file->bytes + at_b, room_b, at_b) */
	WORK_ADVISE,  /* fadvise(fd, at_b, room_b, WILLNEED): all of a range under way at once */
	WORK_FETCH,   /* pread(fd, scratch, room_b, at_b): wait until it is there */
	WORK_DONE,    /* err is the result */
};

struct work {
	enum work_do todo;
	int err;
	int fd;
	unsigned tries;
	uint64_t at_b;
	uint64_t room_b;
	/* WORK_OPEN, WORK_READ */
	bool now;                /* never wait: -EAGAIN instead */
	int dir_fd;
	const char *path;
	struct open_how how;
	uint64_t read_max_b;
	struct disk_file *file;
	/* WORK_FETCH */
	uint64_t end_b;
};

void work_open(struct work *w, const struct disk_job *job, struct disk_file *out, bool now);
void work_ahead(struct work *w, const struct disk_job *job);
/* answer: what the system call said, or -errno. */
void work_step(struct work *w, ssize_t answer);
/* Drives it to its end on the calling thread; returns its err.  scratch: WORK_SCRATCH_B bytes, or NULL for an open. */
int work_run(struct work *w, void *scratch);

/* struct disk: the disk engine, which does what could wait for a disk, so that no loop ever does.
 *
 * Loops ask the kernel first, without blocking: disk_try_*() run on the loop and answer -EAGAIN where the kernel would
 * have to wait.  Then a job goes to the engine: an io_uring, driven by one thread of its own, or, where io_uring is
 * forbidden (containers' seccomp profiles) or not wished, a few threads.  At most `workers` jobs are under way, at most
 * `queue` wait, and past that disk_submit() says -EBUSY and the request is shed.  What io_uring can't do (reading a
 * folder, compressing) always runs on threads.
 *
 * A finished job comes back as mail to the mailbox that it names.  A job can't be taken back: whoever is no longer
 * interested leaves a note in the job's owner and lets the mail arrive. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/str.h"
#include "event/mailbox.h"

struct disk;

enum { DISK_WORKERS_MAX = 256 };

enum disk_kind { DISK_AUTO, DISK_URING, DISK_THREADS };

enum disk_op {
	DISK_OPEN,    /* open below a folder, stat, and read whole if it is a regular file of at most read_max_b bytes */
	DISK_AHEAD,   /* bring a range of an open file into the page cache, and wait until it is there */
	DISK_CALL,    /* run a function on a thread: one that computes, or reads a little */
	DISK_WAIT,    /* the same for one that waits for the disk most of the time, so that what computes need not */
};

/* What an open found.  The caller owns fd and bytes. */
struct disk_file {
	int fd;            /* -1 where it was read whole or does not exist; a folder's fd is an O_DIRECTORY one */
	char *bytes;       /* size_b bytes from mem_new(), where read whole; else NULL */
	uint64_t size_b;
	uint64_t mtime_ns; /* since 1970 */
	uint64_t inode;
	uint64_t device;
	uint32_t mode;     /* st_mode: S_ISREG, S_ISDIR; anything else is answered with -EACCES */
};

struct disk_job {
	struct mail done;        /* the submitter sets done.deliver; posted to `to` when finished */
	struct mailbox *to;
	enum disk_op op;
	int err;                 /* result: 0 or -errno */
	/* DISK_OPEN: `dir_fd` and `path` (C string, relative, without a leading slash; "" is dir_fd itself) have to live
	 * until delivery. */
	int dir_fd;
	const char *path;
	uint64_t resolve;        /* RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, perhaps RESOLVE_NO_SYMLINKS; 0: no rule */
	uint64_t read_max_b;
	struct disk_file file;   /* result */
	/* DISK_AHEAD */
	int fd;
	uint64_t offset_b;
	uint64_t length_b;
	/* DISK_CALL, DISK_WAIT */
	void (*call)(struct disk_job *job);  /* may set err */
};

struct disk_stats {
	uint64_t waiting, under_way, finished, refused;
	uint64_t failed;         /* that the kernel could not read (EIO) */
};

/* Starts the engine's threads.  DISK_AUTO takes io_uring where the kernel lets us, else threads; DISK_URING ends in
 * threads, too, where io_uring is refused.  0 or -errno. */
[[nodiscard]] int disk_new(struct disk **out, enum disk_kind kind, unsigned workers, unsigned queue);
/* Lets what is under way finish, and delivers what waits with -ECANCELED; then ends the threads. */
void disk_free(struct disk *d);
/* DISK_URING or DISK_THREADS. */
enum disk_kind disk_kind(const struct disk *d);
/* What DISK_AUTO would choose on this kernel, with the reason, for `petrel version`. */
enum disk_kind disk_probe(const char **reason);
/* The new bounds hold from now on (a reload).  At most DISK_WORKERS_MAX workers. */
void disk_bounds(struct disk *d, unsigned workers, unsigned queue);
/* 0, or -EBUSY (the queue is full; nothing will be delivered).  Any thread. */
[[nodiscard]] int disk_submit(struct disk *d, struct disk_job *job);
struct disk_stats disk_stats(const struct disk *d);

/* On a loop, never blocking.  0, -EAGAIN (ask the engine), -ENOENT, -EXDEV (left the root), -EACCES, -ELOOP …  Opens,
 * stats and reads as DISK_OPEN does; what could not be read whole without waiting is -EAGAIN. */
[[nodiscard]] int disk_try_open(int dir_fd, const char *path, uint64_t resolve, uint64_t read_max_b,
                                struct disk_file *out);
/* How many bytes of [offset, offset + length) can be read now without waiting, counted from the start of the range.
 * cachestat(2) where the kernel has it and lets us, else one byte of each page with RWF_NOWAIT. */
uint64_t disk_cached_b(int fd, uint64_t offset_b, uint64_t length_b);

/* What a loop may do to a file without ever waiting.  No state; any thread. */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "event/disk_work.h"

enum {
	SYSCALL_CACHESTAT = 451,  /* Linux 6.5; the same number everywhere */
	PAGE_B = 4096,
	/* Between probes of one byte.  What gets into the page cache gets there in runs: at least the four pages of the
	 * kernel's smallest readahead. */
	STEP_B = 4 * PAGE_B,
	/* Between probes where the kernel says that every page is there: it counts pages whose read is still under way. */
	STEP_KNOWN_B = 256 * PAGE_B,
};

int disk_try_open(int dir_fd, const char *path, uint64_t resolve, uint64_t read_max_b, struct disk_file *out)
{
	const struct disk_job job = { .dir_fd = dir_fd, .path = path, .resolve = resolve, .read_max_b = read_max_b };
	struct work w;
	work_open(&w, &job, out, true);
	return work_run(&w, NULL);
}

/* cachestat(2) says that each page of the range is in the cache; false, too, where it may not tell (since Linux 6.14
 * only about files that are ours) or does not exist. */
static bool all_cached(int fd, uint64_t offset_b, uint64_t length_b)
{
	struct { uint64_t offset, length; } range = { offset_b, length_b };
	struct { uint64_t cached, dirty, writeback, evicted, recently; } got;
	uint64_t pages = (offset_b + length_b - 1) / PAGE_B - offset_b / PAGE_B + 1;
	return syscall(SYSCALL_CACHESTAT, fd, &range, &got, 0) == 0 && got.cached >= pages;
}

/* The byte at offset_b can be had at once, or is past the end. */
static bool byte_cached(int fd, uint64_t offset_b)
{
	char byte;
	struct iovec to = { .iov_base = &byte, .iov_len = 1 };
	return preadv2(fd, &to, 1, (off_t)offset_b, RWF_NOWAIT) >= 0;
}

uint64_t disk_cached_b(int fd, uint64_t offset_b, uint64_t length_b)
{
	if (length_b == 0 || !byte_cached(fd, offset_b))
		return 0;
	uint64_t step_b = all_cached(fd, offset_b, length_b) ? STEP_KNOWN_B : STEP_B;
	uint64_t end_b = offset_b + length_b;
	for (uint64_t at_b = offset_b - offset_b % step_b + step_b; at_b < end_b; at_b += step_b)
		if (!byte_cached(fd, at_b))
			return at_b - offset_b;
	/* The last page may stand alone. */
	uint64_t last_b = (end_b - 1) / PAGE_B * PAGE_B;
	if (last_b > offset_b && !byte_cached(fd, last_b))
		return last_b - offset_b;
	return length_b;
}

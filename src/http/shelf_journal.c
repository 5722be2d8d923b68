/* The journal of purges: a line that names the folder, then what was purged, in the order of time.  When it has become
 * long it is written anew, with what still counts.  Whoever calls may wait for the disk. */
#include "http/shelf_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/whole.h"

enum {
	LONG_B = 1 << 20,       /* a journal that is shorter is not written anew */
	MOST_B = 256 << 20,     /* longer than any that we write */
	TIMES = 3,              /* so many times as long as what counts */
};

static const char NAME[] = "journal", NEXT[] = "journal.new";

struct journal {
	int dir_fd, fd;
	uint64_t seed;
	uint64_t size_b, least_b;     /* least_b: when it was written anew */
	struct purges *purges;
};

static struct str first_line(const struct journal *j, char line[static 40])
{
	int n = snprintf(line, 40, "petrel purges 1 %016" PRIx64 "\n", j->seed);
	return str_make(line, (size_t)n);
}

/* --- Writing. --- */

static int write_next(struct journal *j, struct str bytes)
{
	int fd = openat(j->dir_fd, NEXT, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int err = write_whole(fd, bytes);
	if (!err && (fsync(fd) < 0 || renameat(j->dir_fd, NEXT, j->dir_fd, NAME) < 0))
		err = -errno;
	if (err) {
		close(fd);
		unlinkat(j->dir_fd, NEXT, 0);
		return err;
	}
	fd_swap(&j->fd, fd);
	j->size_b = j->least_b = bytes.n;
	/* So that the new name is there after a power failure, too. */
	return fsync(j->dir_fd) < 0 ? -errno : 0;
}

static int write_anew(struct journal *j)
{
	struct buf all = {};
	char line[40];
	buf_add(&all, first_line(j, line));
	purges_print(j->purges, &all);
	int err = write_next(j, buf_str(&all));
	buf_fini(&all);
	return err;
}

static int append(struct journal *j, struct str lines)
{
	int err = write_whole(j->fd, lines);
	if (!err && fdatasync(j->fd) < 0)
		err = -errno;
	j->size_b += lines.n;
	return err;
}

/* A journal that lacks something would let it be found after a restart: then rather none, which purges all.  Purges take
 * effect before they are noted, so that one that is written anew has these lines, too. */
int journal_add(struct journal *j, struct str lines)
{
	bool is_long = j->size_b > LONG_B && j->size_b > TIMES * j->least_b;
	int err = j->fd < 0 || is_long ? write_anew(j) : append(j, lines);
	if (err) {
		fd_swap(&j->fd, -1);
		unlinkat(j->dir_fd, NAME, 0);
	}
	return err;
}

/* --- Opening. --- */

/* False: a line of it is damaged. */
static bool take_lines(struct journal *j, struct str rest)
{
	char line[40];
	struct str first = first_line(j, line);
	if (!str_starts(rest, first) || rest.p[rest.n - 1] != '\n')
		return false;
	rest = str_from(rest, first.n);
	while (rest.n) {
		struct purge what;
		if (purge_parse(str_cut(&rest, '\n'), &what) || purges_add(j->purges, &what))
			return false;
	}
	return true;
}

static void purge_all(struct journal *j)
{
	struct purge all = { .kind = PURGE_ALL };
	(void)!purges_add(j->purges, &all);
}

/* 0: it is there, and well. */
static int read_old(struct journal *j)
{
	struct buf text = {};
	int fd = openat(j->dir_fd, NAME, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err = fd < 0 ? -errno : read_whole(fd, MOST_B, &text);
	if (!err && !take_lines(j, buf_str(&text)))
		err = -EBADMSG;
	if (err && fd >= 0)
		close(fd);
	else
		j->fd = fd;
	j->size_b = j->least_b = text.n;
	buf_fini(&text);
	return err;
}

int journal_open(struct journal **out, int dir_fd, uint64_t seed, bool is_new, struct purges *purges, const char **why)
{
	struct journal *j = MEM_NEW(struct journal);
	*j = (struct journal){ .dir_fd = dir_fd, .fd = -1, .seed = seed, .purges = purges };
	int err = is_new ? -ENOENT : read_old(j);
	if (err && !is_new)
		purge_all(j);
	if (err || j->size_b > LONG_B)
		err = write_anew(j);
	*why = "its journal of purges can't be written";
	if (err)
		journal_free(j);
	else
		*out = j;
	return err;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	fd_swap(&j->fd, -1);
	mem_free(j);
}

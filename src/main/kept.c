/* Keeping what the worker sends.  The supervisor's thread; fsync may take a moment, which holds up no client. */
#include "main/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/whole.h"
#include "control/state.h"
#include "main/say.h"

void kept_fini(struct kept *k)
{
	buf_fini(&k->bytes);
	mem_free(k->path);
	*k = (struct kept){};
}

static char *copy_of(const char *path)
{
	size_t n = path ? strlen(path) + 1 : 0;
	char *copy = path ? mem_new(n) : NULL;
	if (copy)
		memcpy(copy, path, n);
	return copy;
}

void kept_open(struct kept *k, const char *path)
{
	k->path = copy_of(path);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
	if (fd < 0 && path && errno != ENOENT)
		say("what was kept can't be read, and is lost: %s: %s", path, strerror(errno));
	if (fd < 0)
		return;
	int err = read_whole(fd, STATE_MOST_B, &k->bytes);
	close(fd);
	if (!err)
		return;
	say("what was kept can't be read, and is lost: %s: %s", path, strerror(-err));
	buf_clear(&k->bytes);
}

/* --- Writing. --- */

static int write_beside(const char *path, struct str bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	int err = write_whole(fd, bytes);
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

/* So that the new name is there after a power failure, too. */
static int sync_folder(const char *path)
{
	struct str folder = str_head(str_of(path), str_rfind(str_of(path), '/'));
	struct buf name = {};
	buf_addf(&name, "%.*s/%c", STR_F(folder), '\0');
	int fd = open(name.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	buf_fini(&name);
	return err;
}

static int replace(const char *path, struct str bytes)
{
	struct buf beside = {};
	buf_addf(&beside, "%s.new%c", path, '\0');
	int err = write_beside(beside.p, bytes);
	if (!err && rename(beside.p, path) < 0)
		err = -errno;
	if (err)
		unlink(beside.p);
	else
		err = sync_folder(path);
	buf_fini(&beside);
	return err;
}

/* Nothing kept is no file. */
static void save(const struct kept *k, struct buf *why)
{
	int err = 0;
	if (!k->path) {
		buf_add(why, STR("the configuration names no file for it (state FILE;)"));
		return;
	}
	if (k->bytes.n)
		err = replace(k->path, buf_str(&k->bytes));
	else if (unlink(k->path) < 0 && errno != ENOENT)
		err = -errno;
	if (err)
		buf_addf(why, "%s can't be written: %s", k->path, strerror(-err));
}

void kept_move(struct kept *k, const char *path)
{
	struct buf why = {};
	bool same = path && k->path ? !strcmp(path, k->path) : path == k->path;
	if (same)
		return;
	mem_free(k->path);
	k->path = copy_of(path);
	if (k->bytes.n)
		save(k, &why);
	if (why.n)
		say("what is kept is lost with the next restart: %.*s", STR_F(buf_str(&why)));
	buf_fini(&why);
}

int kept_give(const struct kept *k)
{
	int fd = k->bytes.n ? memfd_create("petrel state", MFD_CLOEXEC) : -1;
	if (fd < 0 || write_whole(fd, buf_str(&k->bytes)) == 0)
		return fd;
	close(fd);
	return -1;
}

void kept_take(struct kept *k, int fd, struct buf *why)
{
	struct buf bytes = {};
	int err = fd >= 0 ? read_whole(fd, STATE_MOST_B, &bytes) : -EBADF;
	if (err) {
		buf_addf(why, "it did not come through: %s", strerror(-err));
		buf_fini(&bytes);
		return;
	}
	buf_fini(&k->bytes);
	k->bytes = bytes;
	save(k, why);
	if (why->n && k->path)
		say("what is kept is lost with the next restart: %.*s", STR_F(buf_str(why)));
}

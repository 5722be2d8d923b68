/* The index of a folder's segments: buckets of slots in a file of fixed size, which hint at where a key's record is.
 *
 * Any thread reads a bucket; the worker alone writes slots, 16 bytes each, in place.  A reader may see a slot half
 * written, and a lost power may leave any mixture: the record decides, so nothing here is protected by more.  The file is
 * sparse, and locked as long as it is open: two processes that write into one folder would undo each other's work. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/whole.h"
#include "share/segments_in.h"

enum {
	INDEX_VERSION = 1,
	LARGE_PART = 4,      /* an index that takes more of the bound than that is begun anew */
	COPY_BUCKETS = 512,  /* at a time */
};

static const char NAME[] = "index", NEXT[] = "index.new";
static const char MAGIC[8] = "petrelix";

static uint64_t head_sum(const struct index_head *h)
{
	return hash_bytes(str_make((const char *)h, offsetof(struct index_head, sum)), 0);
}

static uint64_t buckets_for(uint64_t bound_b)
{
	uint64_t slots = bound_b / OBJECT_B;
	if (slots > SLOTS_MOST)
		slots = SLOTS_MOST;
	return slots / SLOTS + 1;
}

uint64_t index_size_b(const struct segments *s)
{
	return INDEX_HEAD_B + s->buckets * BUCKET_B;
}

/* --- Opening. --- */

static bool head_fits(const struct index_head *h, uint64_t bound_b)
{
	return memcmp(h->magic, MAGIC, sizeof MAGIC) == 0 && h->version == INDEX_VERSION && h->sum == head_sum(h) &&
	       h->buckets && (h->buckets <= bound_b / LARGE_PART / BUCKET_B || h->buckets <= buckets_for(bound_b));
}

static int head_write(int fd, uint64_t buckets, uint64_t seed)
{
	struct index_head h = { .version = INDEX_VERSION, .buckets = buckets, .seed = seed };
	memcpy(h.magic, MAGIC, sizeof MAGIC);
	h.sum = head_sum(&h);
	int err = segments_write(fd, &h, sizeof h, 0);
	return err ? err : fsync(fd) < 0 ? -errno : 0;
}

static int begin_anew(struct segments *s, uint64_t bound_b)
{
	s->buckets = buckets_for(bound_b);
	s->is_new = true;
	must(getrandom(&s->seed, sizeof s->seed, 0) == sizeof s->seed);
	if (ftruncate(s->index_fd, 0) < 0 || ftruncate(s->index_fd, (off_t)index_size_b(s)) < 0)
		return -errno;
	return head_write(s->index_fd, s->buckets, s->seed);
}

static bool is_empty(const struct bucket *b)
{
	static const struct bucket EMPTY;
	return memcmp(b, &EMPTY, sizeof EMPTY) == 0;
}

/* What was in a bucket is in one of the `times` that take its place: in each, then, for the time being. */
static int buckets_copy(int from_fd, int to_fd, uint64_t buckets, uint64_t times)
{
	struct bucket *some = mem_new(COPY_BUCKETS * sizeof *some), *copies = mem_new(times * sizeof *copies);
	int err = 0;
	for (uint64_t i = 0; i < buckets && !err; i++) {
		uint64_t n = buckets - i < COPY_BUCKETS ? buckets - i : COPY_BUCKETS;
		if (i % COPY_BUCKETS == 0)
			err = segments_read(from_fd, some, n * BUCKET_B, INDEX_HEAD_B + i * BUCKET_B, true);
		if (err || is_empty(&some[i % COPY_BUCKETS]))
			continue;
		for (uint64_t k = 0; k < times; k++)
			copies[k] = some[i % COPY_BUCKETS];
		err = segments_write(to_fd, copies, times * BUCKET_B, INDEX_HEAD_B + i * times * BUCKET_B);
	}
	mem_free(some);
	mem_free(copies);
	return err;
}

/* The bound is so many times as large as it was: so is the index.  Once, when it is opened. */
static int grow(struct segments *s, uint64_t times)
{
	int fd = openat(s->dir_fd, NEXT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	int err = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : buckets_copy(s->index_fd, fd, s->buckets, times);
	if (!err && ftruncate(fd, (off_t)(INDEX_HEAD_B + s->buckets * times * BUCKET_B)) < 0)
		err = -errno;
	if (!err)
		err = head_write(fd, s->buckets * times, s->seed);
	if (!err && renameat(s->dir_fd, NEXT, s->dir_fd, NAME) < 0)
		err = -errno;
	if (err) {
		close(fd);
		unlinkat(s->dir_fd, NEXT, 0);
		return err;
	}
	fd_swap(&s->index_fd, fd);
	s->buckets *= times;
	return 0;
}

static int take(struct segments *s, uint64_t bound_b, const struct index_head *h)
{
	struct stat st;
	s->buckets = h->buckets;
	s->seed = h->seed;
	if (fstat(s->index_fd, &st) < 0)
		return -errno;
	/* Somebody cut it short: what is missing is empty. */
	if ((uint64_t)st.st_size < index_size_b(s) && ftruncate(s->index_fd, (off_t)index_size_b(s)) < 0)
		return -errno;
	/* Where it can't grow it serves as it is. */
	if (buckets_for(bound_b) / s->buckets > 1)
		(void)!grow(s, buckets_for(bound_b) / s->buckets);
	return 0;
}

int index_open(struct segments *s, uint64_t bound_b, const char **why)
{
	struct index_head h;
	*why = "its index can't be opened";
	s->index_fd = openat(s->dir_fd, NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (s->index_fd < 0)
		return -errno;
	*why = "another process uses this folder, or another cache of this one";
	if (flock(s->index_fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	int err = segments_read(s->index_fd, &h, sizeof h, 0, true);
	*why = "its index can't be read";
	if (err && err != -EBADMSG)
		return err;
	bool fits = !err && head_fits(&h, bound_b);
	*why = "its index can't be written";
	return fits ? take(s, bound_b, &h) : begin_anew(s, bound_b);
}

/* --- Slots. --- */

uint64_t index_bucket_at(const struct segments *s, struct digest key)
{
	uint64_t bucket = (uint64_t)(((unsigned __int128)key.low * s->buckets) >> 64);
	return INDEX_HEAD_B + bucket * BUCKET_B;
}

uint32_t index_tag(struct digest key)
{
	return (uint32_t)(key.high >> 32);
}

static bool slot_is_of(const struct slot *slot, uint32_t tag)
{
	return slot->segment && slot->tag == tag;
}

static bool slot_is_at(const struct slot *slot, const struct extent *at)
{
	return slot->segment == at->segment && slot->at == at->at_b / UNIT_B;
}

/* A free slot, or one whose segment is gone, or the one whose segment goes first. */
static size_t slot_for_new(const struct segments *s, const struct bucket *b)
{
	size_t oldest = 0;
	for (size_t i = 0; i < SLOTS; i++) {
		if (!segments_have(s, b->slots[i].segment))
			return i;
		if (b->slots[i].segment < b->slots[oldest].segment)
			oldest = i;
	}
	return oldest;
}

static size_t slot_of(const struct bucket *b, uint32_t tag)
{
	size_t i = 0;
	while (i < SLOTS && !slot_is_of(&b->slots[i], tag))
		i++;
	return i;
}

static int slot_write(struct segments *s, uint64_t bucket_at, size_t i, const struct slot *slot)
{
	return segments_write(s->index_fd, slot, sizeof *slot, bucket_at + i * sizeof *slot);
}

static int bucket_read(struct segments *s, uint64_t at, struct bucket *b)
{
	int err = segments_read(s->index_fd, b, sizeof *b, at, true);
	if (err == -EBADMSG)  /* somebody cuts the file short while we have it */
		*b = (struct bucket){};
	return err == -EBADMSG ? 0 : err;
}

int index_set(struct segments *s, const struct staged *t)
{
	struct bucket b;
	uint64_t at = index_bucket_at(s, t->key);
	const struct slot slot = { t->extent.segment, (uint32_t)(t->extent.at_b / UNIT_B),
		                   (uint32_t)(t->extent.length_b / UNIT_B), index_tag(t->key) };
	int err = bucket_read(s, at, &b);
	if (err)
		return err;
	size_t i = slot_of(&b, slot.tag);
	if (t->instead.segment && (i == SLOTS || !slot_is_at(&b.slots[i], &t->instead)))
		return 0;
	return slot_write(s, at, i < SLOTS ? i : slot_for_new(s, &b), &slot);
}

int index_drop(struct segments *s, struct digest key)
{
	struct bucket b;
	uint64_t at = index_bucket_at(s, key);
	int err = bucket_read(s, at, &b);
	/* There is one at most, unless the file was damaged. */
	for (size_t i; !err && (i = slot_of(&b, index_tag(key))) < SLOTS;) {
		b.slots[i] = (struct slot){};
		err = slot_write(s, at, i, &b.slots[i]);
	}
	if (err)
		segments_blind(s);
	return err;
}

/* Without its bytes the file is the same, and each bucket empty. */
int segments_forget(struct segments *s, unsigned seen)
{
	int err = segments_flush(s);
	if (err)
		return err;
	if (ftruncate(s->index_fd, INDEX_HEAD_B) < 0 || ftruncate(s->index_fd, (off_t)index_size_b(s)) < 0)
		return -errno;
	atomic_compare_exchange_strong(&s->blind, &seen, 0);
	return 0;
}

/* Writing records: small ones are put together in memory and go out as one write, large ones from where they lie.  The
 * index is told after the bytes are in the file, so that whoever finds a place finds the record.  The worker's. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "share/segments_in.h"

enum {
	COPY_B = 256 * 1024,
	LARGE_PART = 8,        /* the largest record is the so-manieth part of the bound */
	IOVECS = 1000,
};

static const char PADDING[UNIT_B];

int segments_write(int fd, const void *from, uint64_t n, uint64_t at_b)
{
	const char *p = from;
	while (n) {
		ssize_t done = pwrite(fd, p, n, (off_t)at_b);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		p += done;
		n -= (uint64_t)done;
		at_b += (uint64_t)done;
	}
	return 0;
}

/* --- What waits to be written. --- */

static struct segment *front(const struct segments *s)
{
	return s->live[s->live_count - 1];
}

/* Bytes that nobody can find are cut off again; where that fails, nothing more is appended to them. */
static void give_up(struct segments *s, struct segment *g)
{
	if (ftruncate(g->fd, (off_t)atomic_load(&g->size_b)) < 0)
		s->sealed = true;
}

/* What was to be written is not there: then what it was to take the place of must not be found either. */
static void forget(struct segments *s, size_t from)
{
	for (size_t i = from; i < s->staged_count; i++)
		if (!s->staged[i].instead.segment)
			(void)!index_drop(s, s->staged[i].key);
	s->staged_count = 0;
}

static int index_all(struct segments *s)
{
	int err = 0;
	size_t i = 0;
	for (; i < s->staged_count && !(err = index_set(s, &s->staged[i])); i++) {
		atomic_fetch_add_explicit(&s->written, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&s->written_b, s->staged[i].extent.length_b, memory_order_relaxed);
	}
	forget(s, i);
	return err;
}

int segments_flush(struct segments *s)
{
	if (!s->stage_b)
		return 0;
	struct segment *g = front(s);
	int err = segments_write(g->fd, s->stage, s->stage_b, s->stage_at_b);
	uint64_t end_b = s->stage_at_b + s->stage_b;
	s->stage_b = 0;
	if (err) {
		forget(s, 0);
		give_up(s, g);
		return err;
	}
	segments_grew(s, g, end_b);
	return index_all(s);
}

static void stage_index(struct segments *s, struct digest key, uint64_t at_b, uint64_t length_b,
                        const struct extent *instead)
{
	struct staged *t = &s->staged[s->staged_count++];
	*t = (struct staged){ .key = key, .extent = { front(s)->number, at_b, length_b } };
	if (instead)
		t->instead = *instead;
}

/* Room in memory for a record of this length, and a place for it: NULL where there is none, and *err why. */
static char *stage_room(struct segments *s, uint64_t length_b, int *err)
{
	struct segment *g;
	bool full = s->stage_b + length_b > STAGE_B || s->staged_count == STAGE_RECORDS ||
	            s->stage_at_b + s->stage_b + length_b > s->stage_room_b;
	*err = full ? segments_flush(s) : 0;
	if (!*err && !s->stage_b && !(*err = segments_front(s, length_b, &g))) {
		s->stage_at_b = units_up(atomic_load(&g->size_b));
		s->stage_room_b = segments_size_b(s);
		if (s->stage_room_b < s->stage_at_b + length_b)
			s->stage_room_b = s->stage_at_b + length_b;
	}
	return *err ? NULL : s->stage + s->stage_b;
}

/* --- Records. --- */

static uint64_t length_of(const struct record_mark *m)
{
	return units_up(sizeof *m + m->head_b + m->body_b);
}

static bool is_too_large(const struct segments *s, const struct record_mark *m)
{
	uint64_t most_b = atomic_load(&s->bound_b) / LARGE_PART;
	return m->head_b > RECORD_HEAD_MOST_B || m->body_b > most_b || length_of(m) > most_b ||
	       length_of(m) / UNIT_B > UINT32_MAX;
}

static int put_small(struct segments *s, struct record_mark *m, struct str head, const struct iovec *body,
                     size_t body_count, const struct extent *instead)
{
	int err;
	uint64_t length_b = length_of(m);
	char *at = stage_room(s, length_b, &err);
	if (!at)
		return err;
	uint64_t at_b = s->stage_at_b + s->stage_b;
	m->sum = record_sum(s, m, front(s)->number, at_b);
	memset(at + length_b - UNIT_B, 0, UNIT_B);
	memcpy(at, m, sizeof *m);
	at += sizeof *m;
	memcpy(at, head.p, head.n);
	at += head.n;
	for (size_t i = 0; i < body_count; at += body[i++].iov_len)
		if (body[i].iov_len)
			memcpy(at, body[i].iov_base, body[i].iov_len);
	stage_index(s, m->key, at_b, length_b, instead);
	s->stage_b += length_b;
	return 0;
}

/* A record that is written at once: the place is chosen, what waits is out. */
static int large_begin(struct segments *s, struct record_mark *m, uint64_t *at_b)
{
	struct segment *g;
	int err = segments_flush(s);
	if (!err)
		err = segments_front(s, length_of(m), &g);
	if (err)
		return err;
	*at_b = units_up(atomic_load(&g->size_b));
	m->sum = record_sum(s, m, g->number, *at_b);
	return segments_write(g->fd, m, sizeof *m, *at_b);
}

static int large_end(struct segments *s, const struct record_mark *m, uint64_t at_b, int err,
                     const struct extent *instead)
{
	uint64_t end_b = at_b + sizeof *m + m->head_b + m->body_b;
	if (!err)
		err = segments_write(front(s)->fd, PADDING, units_up(end_b) - end_b, end_b);
	if (err) {
		if (s->live_count)
			give_up(s, front(s));
		return err;
	}
	segments_grew(s, front(s), units_up(end_b));
	stage_index(s, m->key, at_b, length_of(m), instead);
	return index_all(s);
}

static int put_large(struct segments *s, struct record_mark *m, struct str head, const struct iovec *body, size_t count)
{
	uint64_t begin_b;
	int err = large_begin(s, m, &begin_b);
	uint64_t at_b = begin_b + sizeof *m;
	if (!err)
		err = segments_write(front(s)->fd, head.p, head.n, at_b);
	at_b += head.n;
	for (size_t i = 0; i < count && !err; at_b += body[i++].iov_len)
		err = segments_write(front(s)->fd, body[i].iov_base, body[i].iov_len, at_b);
	return large_end(s, m, begin_b, err, NULL);
}

static uint64_t sum_of(const struct iovec *body, size_t count)
{
	XXH3_state_t sum;
	if (count == 1)
		return hash_bytes(str_make(body->iov_base, body->iov_len), 0);
	XXH3_64bits_reset(&sum);
	for (size_t i = 0; i < count; i++)
		XXH3_64bits_update(&sum, body[i].iov_base, body[i].iov_len);
	return XXH3_64bits_digest(&sum);
}

int segments_put(struct segments *s, struct digest key, struct str head, const struct iovec *body, size_t body_count)
{
	struct record_mark m;
	uint64_t body_b = 0;
	for (size_t i = 0; i < body_count; i++)
		body_b += body[i].iov_len;
	record_mark_init(&m, key, head.n, body_b);
	if (is_too_large(s, &m))
		return -E2BIG;
	m.head_sum = hash_bytes(head, 0);
	m.body_sum = sum_of(body, body_count);
	if (length_of(&m) <= STAGE_RECORD_B)
		return put_small(s, &m, head, body, body_count, NULL);
	return put_large(s, &m, head, body, body_count);
}

/* --- Moving. --- */

/* What can't be read stays where it is: that says nothing about writing. */
static int read_again(const struct record *r, void *to, uint64_t n, uint64_t at_b)
{
	return segments_read(r->segment->fd, to, n, at_b, true) ? -EBADMSG : 0;
}

static int copy(const struct record *r, int to_fd, uint64_t to_b, char *piece)
{
	uint64_t from_b = r->extent.at_b + sizeof(struct record_mark), end_b = from_b + r->head_b + r->body_b;
	int err = 0;
	while (!err && from_b < end_b) {
		uint64_t n = end_b - from_b < COPY_B ? end_b - from_b : COPY_B;
		err = read_again(r, piece, n, from_b);
		if (!err)
			err = segments_write(to_fd, piece, n, to_b);
		from_b += n;
		to_b += n;
	}
	return err;
}

static int move_large(struct segments *s, struct record_mark *m, const struct record *r)
{
	uint64_t at_b;
	int err = large_begin(s, m, &at_b);
	char *piece = mem_new(COPY_B);
	if (!err)
		err = copy(r, front(s)->fd, at_b + sizeof *m, piece);
	mem_free(piece);
	return large_end(s, m, at_b, err, &r->extent);
}

static int move_small(struct segments *s, struct record_mark *m, const struct record *r)
{
	char *bytes = mem_new(m->head_b + m->body_b + 1);
	const struct iovec body = { bytes + m->head_b, m->body_b };
	int err = read_again(r, bytes, m->head_b + m->body_b, r->extent.at_b + sizeof *m);
	if (!err)
		err = put_small(s, m, str_make(bytes, m->head_b), &body, 1, &r->extent);
	mem_free(bytes);
	return err;
}

/* With the checksums that it has: whatever happens to its bytes on the way is found by who reads it next. */
static int move(struct segments *s, struct digest key, const struct record *r)
{
	struct record_mark m;
	record_mark_init(&m, key, r->head_b, r->body_b);
	m.head_sum = r->head_sum;
	m.body_sum = r->body_sum;
	if (is_too_large(s, &m))
		return -E2BIG;
	return length_of(&m) <= STAGE_RECORD_B ? move_small(s, &m, r) : move_large(s, &m, r);
}

int segments_move(struct segments *s, struct digest key, uint32_t *number)
{
	char first[RECORD_FIRST_B];
	struct seek k = { .key = key, .wait = true };
	struct record r = { .first = first };
	*number = 0;
	int err = 0;
	if (segments_seek(s, &k, &r))
		return 0;
	*number = r.extent.segment;
	if (segments_is_old(s, (uint16_t)*number)) {
		err = move(s, key, &r);
		*number = err ? 0 : segments_newest(s);
	}
	record_fini(&r);
	return err;
}

int segments_drop(struct segments *s, struct digest key)
{
	int err = segments_flush(s);
	return err ? err : index_drop(s, key);
}

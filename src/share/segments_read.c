/* Reading records.  Nothing that a file says is believed before a checksum has said so, and every length is held against
 * what can be before memory is asked for it. */
#include <errno.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "share/segments_in.h"

enum { RECORD_MAGIC = 0x63655270, RECORD_VERSION = 1, CHECK_B = 256 * 1024 };

_Static_assert(RECORD_FIRST_B >= sizeof(struct record_mark), "what is read first has the mark");

struct digest segments_digest(const struct segments *s, struct str key)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(key.p, key.n, s->seed);
	return (struct digest){ h.low64, h.high64 };
}

int segments_read(int fd, void *to, uint64_t n, uint64_t at_b, bool wait)
{
	char *p = to;
	while (n) {
		struct iovec v = { p, n };
		ssize_t got = preadv2(fd, &v, 1, (off_t)at_b, wait ? 0 : RWF_NOWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN && wait ? -EIO : -errno;
		if (got == 0)
			return -EBADMSG;
		p += got;
		n -= (uint64_t)got;
		at_b += (uint64_t)got;
	}
	return 0;
}

/* --- What stands before a record. --- */

uint64_t record_sum(const struct segments *s, const struct record_mark *m, uint32_t segment, uint64_t at_b)
{
	struct {
		uint64_t seed, segment, at_b;
		char mark[offsetof(struct record_mark, sum)];
	} whole = { s->seed, segment, at_b, {} };
	memcpy(whole.mark, m, sizeof whole.mark);
	return hash_bytes(str_make((const char *)&whole, sizeof whole), 0);
}

void record_mark_init(struct record_mark *m, struct digest key, uint64_t head_b, uint64_t body_b)
{
	*m = (struct record_mark){ .magic = RECORD_MAGIC, .version = RECORD_VERSION, .key = key, .head_b = head_b,
		                   .body_b = body_b };
}

bool record_mark_begins(const struct record_mark *m)
{
	return m->magic == RECORD_MAGIC && m->version == RECORD_VERSION;
}

bool record_mark_fits(const struct segments *s, const struct record_mark *m, const struct extent *at, struct digest key)
{
	return record_mark_begins(m) && m->sum == record_sum(s, m, at->segment, at->at_b) &&
	       m->key.low == key.low && m->key.high == key.high && m->head_b <= RECORD_HEAD_MOST_B;
}

/* --- Looking. --- */

/* What the kernel lacks is noted, and its file held. */
static int lacks(struct seek *k, struct segment *g, int fd, uint64_t offset_b, uint64_t length_b)
{
	seek_fini(k);
	if (g)
		segment_get(g);
	k->segment = g;
	k->fd = fd;
	k->offset_b = offset_b;
	k->length_b = length_b;
	return -EAGAIN;
}

void seek_fini(struct seek *k)
{
	if (k->segment)
		segment_put(k->segment);
	k->segment = NULL;
}

void record_fini(struct record *r)
{
	if (r->segment)
		segment_put(r->segment);
	r->segment = NULL;
}

/* A read whose length is what the slot says: wrong as that may be, it is within the file, or -EBADMSG. */
static int first_read(struct seek *k, struct record *r)
{
	const struct extent *at = &r->extent;
	r->first_b = at->length_b < RECORD_FIRST_B ? at->length_b : RECORD_FIRST_B;
	if (r->first_b < sizeof(struct record_mark))
		return -EBADMSG;
	int err = segments_read(r->segment->fd, r->first, r->first_b, at->at_b, k->wait);
	return err == -EAGAIN ? lacks(k, r->segment, r->segment->fd, at->at_b, at->length_b) : err;
}

static int mark_read(struct segments *s, struct seek *k, struct record *r)
{
	struct record_mark m;
	int err = first_read(k, r);
	if (err)
		return err;
	memcpy(&m, r->first, sizeof m);
	if (!record_mark_fits(s, &m, &r->extent, k->key) || m.body_b > r->extent.length_b - sizeof m ||
	    m.head_b > r->extent.length_b - sizeof m - m.body_b)
		return -EBADMSG;
	r->head_b = m.head_b;
	r->body_b = m.body_b;
	r->head_sum = m.head_sum;
	r->body_sum = m.body_sum;
	return 0;
}

/* -EBADMSG: it is none of this key. */
static int slot_look(struct segments *s, struct seek *k, const struct slot *slot, struct record *r)
{
	if (!slot->segment || slot->tag != index_tag(k->key))
		return -EBADMSG;
	r->segment = segments_find(s, slot->segment);
	r->extent = (struct extent){ slot->segment, (uint64_t)slot->at * UNIT_B, (uint64_t)slot->length * UNIT_B };
	if (!r->segment)
		return -EBADMSG;
	int err = mark_read(s, k, r);
	if (err)
		record_fini(r);
	return err;
}

int segments_seek(struct segments *s, struct seek *k, struct record *r)
{
	struct bucket b;
	uint64_t at_b = index_bucket_at(s, k->key);
	r->segment = NULL;
	if (segments_blindness(s))
		return -ENOENT;
	int err = segments_read(s->index_fd, &b, sizeof b, at_b, k->wait);
	if (err == -EAGAIN)
		return lacks(k, NULL, s->index_fd, at_b, sizeof b);
	if (err)
		return err == -EBADMSG ? -ENOENT : err;
	while (k->next < SLOTS) {
		err = slot_look(s, k, &b.slots[k->next++], r);
		if (err != -EBADMSG)
			return err;
	}
	return -ENOENT;
}

/* --- What stands in it. --- */

uint64_t record_body_at(const struct record *r)
{
	return r->extent.at_b + sizeof(struct record_mark) + r->head_b;
}

struct str record_begin(const struct record *r)
{
	uint64_t n = r->first_b - sizeof(struct record_mark);
	return str_make(r->first + sizeof(struct record_mark), n < r->head_b ? n : r->head_b);
}

/* Bytes [from, from + n) of the record. */
static int part(const struct record *r, struct seek *k, void *to, uint64_t from, uint64_t n)
{
	uint64_t known = r->first_b > from ? r->first_b - from : 0;
	if (known > n)
		known = n;
	if (known)
		memcpy(to, r->first + from, known);
	int fd = r->segment->fd;
	int err = segments_read(fd, (char *)to + known, n - known, r->extent.at_b + from + known, k->wait);
	return err == -EAGAIN ? lacks(k, r->segment, fd, r->extent.at_b, r->extent.length_b) : err;
}

int record_head(const struct record *r, struct seek *k, void *to)
{
	int err = part(r, k, to, sizeof(struct record_mark), r->head_b);
	return err ? err : hash_bytes(str_make(to, r->head_b), 0) == r->head_sum ? 0 : -EBADMSG;
}

int record_body(const struct record *r, struct seek *k, void *to)
{
	int err = part(r, k, to, sizeof(struct record_mark) + r->head_b, r->body_b);
	return err ? err : hash_bytes(str_make(to, r->body_b), 0) == r->body_sum ? 0 : -EBADMSG;
}

int record_body_check(const struct record *r)
{
	XXH3_state_t sum;
	char *piece = mem_new(CHECK_B);
	uint64_t at_b = record_body_at(r), end_b = at_b + r->body_b;
	int err = 0;
	XXH3_64bits_reset(&sum);
	while (!err && at_b < end_b) {
		uint64_t n = end_b - at_b < CHECK_B ? end_b - at_b : CHECK_B;
		err = segments_read(r->segment->fd, piece, n, at_b, true);
		if (!err)
			XXH3_64bits_update(&sum, piece, n);
		at_b += n;
	}
	mem_free(piece);
	return err ? err : XXH3_64bits_digest(&sum) == r->body_sum ? 0 : -EBADMSG;
}

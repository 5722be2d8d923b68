/* Blobs: pieces that are never moved.  See blob.h.
 *
 * Which piece holds an offset can be computed: the first has room for what was expected, each of the next twice as much as
 * the one before, up to a bound.  The writer sets a piece before it says, with release, that there are bytes in it; a
 * reader reads how many there are, with acquire, before it follows a piece.  Far pieces that were forgotten leave their
 * places in the table to later ones. */
#include "share/blob.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

enum {
	NEAR = 12,       /* pieces that are found in the blob itself */
	FAR = 4096,      /* and in a table of their own */
};

struct blob_tally {
	_Atomic uint32_t refs;
	_Atomic uint64_t held_b;
};

struct blob {
	_Atomic uint32_t refs;
	_Atomic uint64_t size_b;
	struct blob_tally *tally;    /* counted; NULL */
	uint64_t first_b;        /* room in the first piece */
	/* Written before size_b says that there is something in them. */
	uint64_t room_b;
	uint64_t forgotten_b;    /* of that */
	uint64_t tallied_b;
	size_t count, oldest;    /* pieces there were, and that were forgotten */
	char *near[NEAR];
	char **far;
};

/* --- Tallies. --- */

struct blob_tally *blob_tally_new(void)
{
	struct blob_tally *t = MEM_NEW(struct blob_tally);
	atomic_init(&t->refs, 1);
	return t;
}

void blob_tally_put(struct blob_tally *t)
{
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		mem_free(t);
}

uint64_t blob_tally_b(const struct blob_tally *t)
{
	return atomic_load_explicit(&t->held_b, memory_order_relaxed);
}

static void tally(struct blob *b, uint64_t held_b)
{
	if (b->tally)
		atomic_fetch_add_explicit(&b->tally->held_b, held_b - b->tallied_b, memory_order_relaxed);
	b->tallied_b = held_b;
}

/* --- Blobs. --- */

struct blob *blob_new(uint64_t expected_b, struct blob_tally *t)
{
	struct blob *b = MEM_NEW(struct blob);
	atomic_init(&b->refs, 1);
	b->tally = t;
	if (t)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	tally(b, expected_b < BLOB_MOST_B ? expected_b : BLOB_MOST_B);
	b->first_b = !expected_b ? BLOB_FIRST_B : expected_b < BLOB_PIECE_MOST_B ? expected_b : BLOB_PIECE_MOST_B;
	return b;
}

void blob_get(struct blob *b)
{
	must(atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed) > 0);
}

static char *piece(const struct blob *b, size_t k)
{
	return k < NEAR ? b->near[k] : b->far[(k - NEAR) % FAR];
}

void blob_put(struct blob *b)
{
	uint32_t before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	must(before > 0);
	if (before > 1)
		return;
	for (size_t k = b->oldest; k < b->count; k++)
		mem_free(piece(b, k));
	tally(b, 0);
	if (b->tally)
		blob_tally_put(b->tally);
	mem_free(b->far);
	mem_free(b);
}

static uint64_t piece_b(const struct blob *b, size_t k)
{
	uint64_t n = (uint64_t)BLOB_FIRST_B << (k < 16 ? k : 16);
	return !k ? b->first_b : n < BLOB_PIECE_MOST_B ? n : BLOB_PIECE_MOST_B;
}

/* Which piece holds the offset, and where it begins. */
static size_t piece_of(const struct blob *b, uint64_t at_b, uint64_t *from_b)
{
	size_t k = 0;
	*from_b = 0;
	while (piece_b(b, k) < BLOB_PIECE_MOST_B || !k) {
		if (at_b < *from_b + piece_b(b, k))
			return k;
		*from_b += piece_b(b, k++);
	}
	uint64_t more = (at_b - *from_b) / BLOB_PIECE_MOST_B;
	*from_b += more * BLOB_PIECE_MOST_B;
	return k + (size_t)more;
}

static char **place(struct blob *b, size_t k)
{
	return k < NEAR ? &b->near[k] : &b->far[(k - NEAR) % FAR];
}

static uint64_t held_b(const struct blob *b)
{
	return b->room_b - b->forgotten_b;
}

static bool grow(struct blob *b)
{
	size_t k = b->count;
	if (k - b->oldest == FAR)
		return false;
	if (k == NEAR)
		b->far = mem_new(FAR * sizeof *b->far);
	char *p = mem_grow(NULL, piece_b(b, k));
	*place(b, k) = p;
	b->room_b += piece_b(b, k);
	b->count++;
	if (held_b(b) > b->tallied_b)
		tally(b, held_b(b));
	return true;
}

bool blob_add(struct blob *b, struct str bytes)
{
	uint64_t size_b = atomic_load_explicit(&b->size_b, memory_order_relaxed), from_b;
	while (bytes.n) {
		if (size_b == b->room_b && !grow(b))
			return false;
		size_t k = piece_of(b, size_b, &from_b);
		uint64_t room_b = from_b + piece_b(b, k) - size_b;
		size_t n = bytes.n < room_b ? bytes.n : (size_t)room_b;
		memcpy(piece(b, k) + (size_b - from_b), bytes.p, n);
		size_b += n;
		bytes = str_from(bytes, n);
		atomic_store_explicit(&b->size_b, size_b, memory_order_release);
	}
	return true;
}

void blob_trim(struct blob *b, uint64_t before_b)
{
	uint64_t from_b;
	if (!b->count || before_b >= b->room_b)
		return;
	for (size_t end = piece_of(b, before_b, &from_b); b->oldest < end; b->oldest++) {
		mem_free(piece(b, b->oldest));
		b->forgotten_b += piece_b(b, b->oldest);
	}
	if (b->forgotten_b)
		tally(b, held_b(b));
}

uint64_t blob_size_b(const struct blob *b)
{
	return atomic_load_explicit(&b->size_b, memory_order_acquire);
}

struct str blob_at(const struct blob *b, uint64_t at_b)
{
	uint64_t size_b = blob_size_b(b), from_b;
	must(at_b < size_b);
	size_t k = piece_of(b, at_b, &from_b);
	uint64_t end_b = from_b + piece_b(b, k);
	return str_make(piece(b, k) + (at_b - from_b), (end_b < size_b ? end_b : size_b) - at_b);
}

uint64_t blob_cost_b(const struct blob *b)
{
	return sizeof *b + held_b(b) + (b->far ? FAR * sizeof *b->far : 0);
}

/* Blobs: pieces that are never moved.  See blob.h.
 *
 * Which piece holds an offset can be computed: the first has room for what was expected, each of the next twice as much as
 * the one before, up to a bound.  The writer sets a piece before it says, with release, that there are bytes in it; a
 * reader reads how many there are, with acquire, before it follows a piece. */
#include "share/blob.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

enum {
	NEAR = 12,       /* pieces that are found in the blob itself */
	FAR = 4096,      /* and in a table of their own */
};

struct blob {
	_Atomic uint32_t refs;
	_Atomic uint64_t size_b;
	uint64_t first_b;        /* room in the first piece */
	/* Written before size_b says that there is something in them. */
	uint64_t room_b;
	size_t count;
	char *near[NEAR];
	char **far;
};

struct blob *blob_new(uint64_t expected_b)
{
	struct blob *b = MEM_NEW(struct blob);
	atomic_init(&b->refs, 1);
	b->first_b = !expected_b ? BLOB_FIRST_B : expected_b < BLOB_PIECE_MOST_B ? expected_b : BLOB_PIECE_MOST_B;
	return b;
}

void blob_get(struct blob *b)
{
	must(atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed) > 0);
}

static char *piece(const struct blob *b, size_t k)
{
	return k < NEAR ? b->near[k] : b->far[k - NEAR];
}

void blob_put(struct blob *b)
{
	uint32_t before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	must(before > 0);
	if (before > 1)
		return;
	for (size_t k = 0; k < b->count; k++)
		mem_free(piece(b, k));
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
	return k < NEAR ? &b->near[k] : &b->far[k - NEAR];
}

static bool grow(struct blob *b)
{
	size_t k = b->count;
	if (k == NEAR + FAR)
		return false;
	if (k == NEAR)
		b->far = mem_new(FAR * sizeof *b->far);
	char *p = mem_grow(NULL, piece_b(b, k));
	*place(b, k) = p;
	b->room_b += piece_b(b, k);
	b->count++;
	return true;
}

bool blob_add(struct blob *b, struct str bytes)
{
	uint64_t size_b = atomic_load_explicit(&b->size_b, memory_order_relaxed), from_b;
	while (bytes.n) {
		if (size_b == b->room_b && (size_b >= BLOB_MOST_B || !grow(b)))
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
	for (size_t k = piece_of(b, before_b, &from_b); k-- && piece(b, k);) {
		mem_free(piece(b, k));
		*place(b, k) = NULL;
	}
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
	return sizeof *b + b->room_b + (b->far ? FAR * sizeof *b->far : 0);
}

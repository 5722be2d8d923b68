/* The rings between loops and the log's writer.  See ring.h. */
#include "share/ring.h"

#include "base/mem.h"

enum {
	RING_MIN_B = 4096,
	UNIT_B = sizeof(struct record),  /* records begin at multiples of it, so that a header always fits */
};
static const uint32_t SKIP = UINT32_MAX;  /* as a length: nothing more until the ring's end */

struct log_ring *ring_alloc(struct log *l, size_t size_b)
{
	struct log_ring *r = MEM_NEW(struct log_ring);
	r->log = l;
	for (r->size_b = RING_MIN_B; r->size_b < size_b;)
		r->size_b *= 2;
	r->bytes = mem_new(r->size_b);
	return r;
}

void ring_release(struct log_ring *r)
{
	mem_free(r->bytes);
	mem_free(r);
}

static struct record *record_at(const struct log_ring *r, uint64_t at)
{
	return (struct record *)(void *)(r->bytes + (at & (r->size_b - 1)));
}

static uint64_t record_size_b(size_t length_b)
{
	return (sizeof(struct record) + length_b + UNIT_B - 1) / UNIT_B * UNIT_B;
}

static uint64_t to_end_b(const struct log_ring *r, uint64_t at)
{
	return r->size_b - (at & (r->size_b - 1));
}

static bool drop(struct log_ring *r)
{
	atomic_fetch_add_explicit(&r->dropped, 1, memory_order_relaxed);
	return false;
}

bool ring_put(struct log_ring *r, struct log_sink *sink, enum log_level level, struct str line)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	if (line.n >= r->size_b)
		return drop(r);
	uint64_t need_b = record_size_b(line.n), left_b = to_end_b(r, head);
	uint64_t skip_b = need_b > left_b ? left_b : 0;
	if (head - tail + skip_b + need_b > r->size_b)
		return drop(r);
	if (skip_b)
		*record_at(r, head) = (struct record){ .length_b = SKIP };
	head += skip_b;
	struct record *record = record_at(r, head);
	*record = (struct record){ .sink = sink, .length_b = (uint32_t)line.n, .level = level };
	if (line.n)
		memcpy(record + 1, line.p, line.n);
	/* seq_cst: before the producer looks whether the writer sleeps (log.c). */
	atomic_store(&r->head, head + need_b);
	return true;
}

uint64_t ring_end(const struct log_ring *r)
{
	return atomic_load(&r->head);
}

const struct record *ring_peek(struct log_ring *r, uint64_t end, struct str *line)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	if (tail == end)
		return NULL;
	struct record *record = record_at(r, tail);
	if (record->length_b == SKIP) {
		/* Something follows: a skip is published together with what did not fit. */
		tail += to_end_b(r, tail);
		atomic_store_explicit(&r->tail, tail, memory_order_release);
		record = record_at(r, tail);
	}
	*line = str_make((const char *)(record + 1), record->length_b);
	return record;
}

void ring_next(struct log_ring *r, const struct record *oldest)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	atomic_store_explicit(&r->tail, tail + record_size_b(oldest->length_b), memory_order_release);
}

size_t ring_used_b(const struct log_ring *r)
{
	uint64_t tail = atomic_load(&r->tail);  /* first: it never passes head */
	return (size_t)(atomic_load(&r->head) - tail);
}

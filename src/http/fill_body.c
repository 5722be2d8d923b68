/* The body of the answer to a fill: into the blob, from which all who wait read it, and into the store at its end.  See
 * fill_in.h. */
#include "http/fill_in.h"

#include <unistd.h>

enum {
	PIECE_B = 64 * 1024,         /* of an answer at a time */
	TURN_MOST_B = 512 * 1024,    /* before others get their turn */
	FLOW_MOST_B = 1 << 20,       /* that a flow is ahead of its slowest reader, */
	FLOW_LEAST_B = 256 * 1024,   /* or where memory is short */
	FLOW_MS = 10,                /* how often a flow looks how far its readers are */
};

static bool add_range(struct fill *f, const struct chunk *c)
{
	char *inbox = fill_home(f)->inbox;
	for (uint64_t done_b = 0; done_b < c->length_b;) {
		uint64_t left_b = c->length_b - done_b;
		ssize_t n = pread(c->file_fd, inbox, left_b < LOOP_SCRATCH_B ? (size_t)left_b : LOOP_SCRATCH_B,
		                  (off_t)(c->offset_b + done_b));
		if (n <= 0 || !blob_add(f->blob, str_make(inbox, (size_t)n)))
			return false;
		done_b += (uint64_t)n;
	}
	return true;
}

static bool add_chunk(struct fill *f, const struct chunk *c)
{
	return c->file_fd < 0 ? blob_add(f->blob, c->bytes) : add_range(f, c);
}

/* It is nobody's any more but theirs who read it already. */
static void stop_keeping(struct fill *f)
{
	growth_close(f->growth);
	f->keeps = false;
	fill_leave_line(f);
}

/* What promised no length is seen to be large only now. */
static bool is_too_large(const struct fill *f, uint64_t size_b)
{
	bool unknown = f->req.answer.length_b < 0 && !f->sliced;
	return !f->keeps || size_b > f->rules->object_b ||
	       (unknown && size_b > FILL_INLINE_MOST_B && fill_is_crowded(f, 0));
}

/* It turned out to be larger than what is kept: it goes on for those who read it, at the pace of the slowest, and what all
 * have read is forgotten.  GO_WAIT: he has to be waited for.  GO_FAIL: nobody reads it. */
static enum go flow(struct fill *f)
{
	struct home *h = fill_home(f);
	uint64_t size_b = blob_size_b(f->blob);
	if (!is_too_large(f, size_b))
		return GO_NEXT;
	if (f->keeps)
		stop_keeping(f);
	uint64_t slowest_b = growth_slowest_b(f->growth);
	if (slowest_b == UINT64_MAX)
		return GO_FAIL;
	blob_trim(f->blob, slowest_b);
	if (size_b - slowest_b < (fill_is_crowded(f, 0) ? FLOW_LEAST_B : FLOW_MOST_B))
		return GO_NEXT;
	timer_set(&h->loop.wheel, &f->timer, h->loop.now_ms + FLOW_MS);
	return GO_WAIT;
}

/* GO_NEXT: all of it is there. */
static enum go pull(struct fill *f)
{
	struct body *body = f->req.answer.body;
	uint64_t begun_b = blob_size_b(f->blob);
	struct chunk c;
	while (body && blob_size_b(f->blob) - begun_b < TURN_MOST_B) {
		enum go go = flow(f);
		if (go != GO_NEXT)
			return go;
		switch (body_read(body, &c, PIECE_B)) {
		case BODY_SOME:
			if (!add_chunk(f, &c))
				return GO_FAIL;
			break;
		case BODY_LATER:
			return GO_WAIT;
		case BODY_END:
			return GO_NEXT;
		case BODY_BROKEN:
			return GO_FAIL;
		}
	}
	if (!body)
		return GO_NEXT;
	loop_queue(&fill_home(f)->loop, &f->task);
	return GO_WAIT;
}

/* Kept as it came, or, where it is small, in one block with its head. */
static struct page *whole_page(struct fill *f)
{
	/* Of what is not kept the begin may be forgotten. */
	struct page *page = page_whole(f->head, f->cache->store, f->blob, f->keeps ? FILL_INLINE_MOST_B : 0);
	if (growth_state(f->growth) == GROWTH_ASKED)
		object_put(fill_home(f)->epoch, &f->head->object);
	f->head = NULL;
	return page;
}

static void keep(struct fill *f)
{
	struct page *page = whole_page(f);
	f->keeps = f->keeps && fill_keep(f, page);
	fill_end(f, GROWTH_WHOLE, page, 0, END_DONE);
}

/* As long as promised, or it is not the whole. */
static bool is_whole(const struct fill *f)
{
	int64_t length_b = f->req.answer.length_b;
	return length_b == LENGTH_UNKNOWN || !f->req.answer.body || (uint64_t)length_b == blob_size_b(f->blob);
}

static void show_head(struct fill *f)
{
	if (growth_state(f->growth) != GROWTH_ASKED) {
		growth_more(f->growth);
		return;
	}
	blob_get(f->blob);
	growth_head(f->growth, &f->head->object, f->blob);
}

enum go fill_take_in(struct fill *f)
{
	enum go go = pull(f);
	if (go == GO_NEXT && is_whole(f)) {
		keep(f);
		return GO_NEXT;
	}
	if (go == GO_WAIT) {
		show_head(f);
		return GO_WAIT;
	}
	counter_add(&fill_counts(f)->not_stored, 1);
	f->keeps = false;
	if (growth_state(f->growth) == GROWTH_ASKED)
		object_put(fill_home(f)->epoch, &f->head->object);
	fill_end(f, growth_state(f->growth) == GROWTH_ASKED ? GROWTH_FAILED : GROWTH_CUT, NULL, 502, END_SERVER_BROKE);
	return GO_FAIL;
}

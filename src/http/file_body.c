/* File bodies.  They belong to their request and its loop; a window that is being read belongs to itself, and outlives its
 * body, if need be. */
#include "http/file_body.h"

#include "base/mem.h"
#include "base/must.h"

enum {
	WINDOW_B = 2 * 1024 * 1024,  /* sent at a time, of what is in the page cache */
	AHEAD_B = 256 * 1024,        /* read into it at a time: a slow reader's share of the memory */
	RETRY_MS = 20,
};

struct file_reader {
	struct body body;
	struct req *req;
	struct object *owner;
	int fd;
	bool held;              /* a reference of its own */
	uint64_t at_b, end_b;
	struct ahead *ahead;    /* a window being read; NULL: none */
	uint64_t ready_b;       /* the engine brought everything before this into the page cache */
	bool broken;            /* the disk could not read it */
	struct timer retry;     /* the engine's queue was full */
};

/* A window on its way into the page cache. */
struct ahead {
	struct disk_job job;
	struct epoch *epoch;
	struct object *owner;       /* referenced: the descriptor has to stay open */
	struct file_reader *body;   /* NULL: nobody waits any more */
};

static void ahead_done(struct mail *m)
{
	struct ahead *a = container_of(m, struct ahead, job.done);
	struct file_reader *b = a->body;
	if (b) {
		b->ahead = NULL;
		b->broken = a->job.err != 0;
		b->ready_b = a->job.offset_b + a->job.length_b;
		loop_queue(&b->req->home->loop, b->body.reader);
	}
	object_put(a->epoch, a->owner);
	mem_free(a);
}

static void retry(struct timer *t)
{
	struct file_reader *b = container_of(t, struct file_reader, retry);
	loop_queue(&b->req->home->loop, b->body.reader);
}

/* An answer that has begun can't be shed: where the engine's queue is full, it asks again a little later. */
static enum body_got read_ahead(struct file_reader *b, uint64_t length_b)
{
	struct home *home = b->req->home;
	struct ahead *a = MEM_NEW(struct ahead);
	*a = (struct ahead){ .epoch = home->epoch, .owner = b->owner, .body = b };
	a->job = (struct disk_job){ .done.deliver = ahead_done, .to = &home->loop.mailbox, .op = DISK_AHEAD,
		                    .fd = b->fd, .offset_b = b->at_b, .length_b = length_b };
	object_get(b->owner);
	if (disk_submit(home->disk, &a->job)) {
		object_put(home->epoch, b->owner);
		mem_free(a);
		timer_set(&home->loop.wheel, &b->retry, home->loop.now_ms + RETRY_MS);
		return BODY_LATER;
	}
	b->ahead = a;
	return BODY_LATER;
}

static enum body_got file_read(struct body *body, struct chunk *out, uint64_t want_b)
{
	struct file_reader *b = container_of(body, struct file_reader, body);
	uint64_t left_b = b->end_b - b->at_b, window_b = want_b < WINDOW_B ? want_b : WINDOW_B;
	if (!left_b)
		return BODY_END;
	if (b->broken)
		return BODY_BROKEN;
	if (b->ahead || timer_is_set(&b->retry))
		return BODY_LATER;
	if (window_b > left_b)
		window_b = left_b;
	/* What the engine has just read is not asked about again: some file systems can't tell. */
	uint64_t ready_b = b->ready_b > b->at_b ? b->ready_b - b->at_b : disk_cached_b(b->fd, b->at_b, window_b);
	if (ready_b > window_b)
		ready_b = window_b;
	if (!ready_b)
		return read_ahead(b, window_b < AHEAD_B ? window_b : AHEAD_B);
	*out = (struct chunk){ .file_fd = b->fd, .offset_b = b->at_b, .length_b = ready_b, .last = ready_b == left_b };
	b->at_b += ready_b;
	return BODY_SOME;
}

static void file_keep(struct body *body, struct str *rest)
{
	(void)rest;
	struct file_reader *b = container_of(body, struct file_reader, body);
	if (!b->held)
		object_get(b->owner);
	b->held = true;
}

static void file_back(struct body *body, uint64_t unused_b)
{
	struct file_reader *b = container_of(body, struct file_reader, body);
	must(unused_b <= b->at_b);
	b->at_b -= unused_b;
	b->ready_b = 0;  /* it may have left the page cache by the time it is asked for again */
}

static void file_close(struct body *body)
{
	struct file_reader *b = container_of(body, struct file_reader, body);
	timer_stop(&b->retry);
	if (b->ahead)
		b->ahead->body = NULL;
	if (b->held)
		object_put(b->req->home->epoch, b->owner);
}

static const struct body_ops FILE_OPS = { file_read, file_keep, file_back, file_close };

struct body *file_body(struct req *r, struct object *owner, int fd, uint64_t from_b, uint64_t length_b)
{
	struct file_reader *b = arena_raw(&r->arena, sizeof *b);
	*b = (struct file_reader){ .body.ops = &FILE_OPS, .req = r, .owner = owner, .fd = fd, .at_b = from_b,
		                   .end_b = from_b + length_b };
	timer_init(&b->retry, retry);
	return &b->body;
}

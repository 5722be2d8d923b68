/* Taking in a request's body: in memory first, then, in pieces, into a file without a name.  The loop fills one piece
 * while the disk engine writes the one before; when both are full, the upload waits. */
#include "http/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

enum { PIECE_B = 256 * 1024, WINDOW_B = 256 * 1024 };

/* What the disk engine does for a collection, which may be gone when it is done. */
struct errand {
	struct disk_job job;
	struct collect *collect;     /* NULL: gone */
	struct home *home;
	struct buf bytes;            /* to be written */
	uint64_t offset_b;
	int fd;                      /* -1: to be made first */
	char folder[];
};

struct collect {
	struct req *req;
	uint64_t memory_b;
	struct str folder;
	struct buf piece;            /* taken in, not written */
	uint64_t written_b;          /* or being written */
	int fd;                      /* -1: everything is in memory */
	int err;
	bool over;                   /* the upload ended */
	struct errand *errand;       /* under way; NULL */
	struct body body;
	uint64_t at_b;               /* of the body: what was given */
	uint64_t ready_b;            /* of the body: read ahead up to here */
};

struct collect *collect_new(struct req *r, uint64_t memory_b, struct str folder)
{
	struct collect *c = ARENA_NEW(&r->arena, struct collect);
	*c = (struct collect){ .req = r, .memory_b = memory_b, .folder = folder, .fd = -1 };
	r->upload->reader = r->task;
	return c;
}

/* --- Closing: of a large file it takes long. --- */

struct closing {
	struct mail mail;
	int fd;
};

static void close_there(struct mail *m)
{
	struct closing *c = container_of(m, struct closing, mail);
	close(c->fd);
	mem_free(c);
}

static void close_elsewhere(struct home *h, int fd)
{
	if (fd < 0)
		return;
	struct closing *c = MEM_NEW(struct closing);
	*c = (struct closing){ { .deliver = close_there }, fd };
	mailbox_post(h->slow, &c->mail);
}

/* --- Errands. --- */

static struct errand *errand_new(struct collect *c)
{
	struct home *h = c->req->home;
	struct errand *e = mem_new(sizeof *e + c->folder.n + 1);
	e->collect = c;
	e->home = h;
	e->fd = c->fd;
	e->job.to = &h->loop.mailbox;
	memcpy(e->folder, c->folder.p, c->folder.n);
	return e;
}

/* On a thread of the disk engine. */
static void write_piece(struct disk_job *job)
{
	struct errand *e = container_of(job, struct errand, job);
	size_t done = 0;
	if (e->fd < 0)
		e->fd = open(e->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (e->fd < 0)
		job->err = -errno;
	while (!job->err && done < e->bytes.n) {
		ssize_t n = pwrite(e->fd, e->bytes.p + done, e->bytes.n - done, (off_t)(e->offset_b + done));
		if (n < 0)
			job->err = -errno;
		else
			done += (size_t)n;
	}
}

static void errand_done(struct mail *m)
{
	struct errand *e = container_of(m, struct errand, job.done);
	struct collect *c = e->collect;
	if (!c) {
		close_elsewhere(e->home, e->fd);
	} else {
		c->errand = NULL;
		c->fd = e->fd;
		c->err = e->job.err;
		if (e->job.op == DISK_AHEAD && !c->err)
			c->ready_b = e->job.offset_b + e->job.length_b;
		loop_queue(&e->home->loop, c->req->task);
	}
	buf_fini(&e->bytes);
	mem_free(e);
}

static int submit(struct collect *c, struct errand *e)
{
	e->job.done.deliver = errand_done;
	int err = disk_submit(c->req->home->disk, &e->job);
	if (!err) {
		c->errand = e;
		return 0;
	}
	buf_fini(&e->bytes);
	mem_free(e);
	return err;
}

/* The piece goes to the file; the next one is filled meanwhile. */
static int write_out(struct collect *c)
{
	struct errand *e = errand_new(c);
	e->job.op = DISK_CALL;
	e->job.call = write_piece;
	e->bytes = c->piece;
	e->offset_b = c->written_b;
	c->written_b += c->piece.n;
	c->piece = (struct buf){};
	return submit(c, e);
}

/* --- Taking in. --- */

static bool is_full(const struct collect *c)
{
	return c->piece.n >= (c->written_b ? PIECE_B : c->memory_b);
}

/* More than may stay in memory, or the rest of what is in a file. */
static bool has_to_go(const struct collect *c)
{
	return c->piece.n && (c->written_b ? c->over || is_full(c) : c->piece.n > c->memory_b);
}

enum collected collect_run(struct collect *c, int *err)
{
	struct chunk chunk;
	for (;;) {
		if (!c->err && !c->errand && has_to_go(c))
			c->err = write_out(c);
		if (c->err) {
			*err = c->err;
			return COLLECT_FULL;
		}
		if (c->errand && (c->over || is_full(c)))
			return COLLECT_LATER;
		if (c->over)
			return COLLECT_DONE;
		switch (body_read(c->req->upload, &chunk, PIECE_B)) {
		case BODY_SOME:
			buf_add(&c->piece, chunk.bytes);
			break;
		case BODY_LATER:
			return COLLECT_LATER;
		case BODY_END:
			c->over = true;
			break;
		case BODY_BROKEN:
			return COLLECT_BROKEN;
		}
	}
}

uint64_t collect_length_b(const struct collect *c)
{
	return c->written_b + c->piece.n;
}

/* --- Giving. --- */

/* It was in the page cache when it was written; where memory is short it may have gone. */
static enum body_got read_ahead(struct collect *c, uint64_t length_b)
{
	struct errand *e = errand_new(c);
	e->job.op = DISK_AHEAD;
	e->job.fd = c->fd;
	e->job.offset_b = c->at_b;
	e->job.length_b = length_b;
	return submit(c, e) ? BODY_BROKEN : BODY_LATER;
}

static enum body_got file_read(struct collect *c, struct chunk *out, uint64_t want_b)
{
	if (c->errand)
		return BODY_LATER;
	if (c->err)
		return BODY_BROKEN;
	uint64_t window_b = want_b < WINDOW_B ? want_b : WINDOW_B;
	/* What was just read ahead is not asked about again: tmpfs, for one, can't tell. */
	uint64_t ready_b = c->ready_b > c->at_b ? c->ready_b - c->at_b : disk_cached_b(c->fd, c->at_b, window_b);
	if (!ready_b)
		return read_ahead(c, window_b);
	*out = (struct chunk){ .file_fd = c->fd, .offset_b = c->at_b, .length_b = ready_b < window_b ? ready_b : window_b };
	return BODY_SOME;
}

static enum body_got collect_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct collect *c = container_of(b, struct collect, body);
	uint64_t left_b = collect_length_b(c) - c->at_b;
	if (!left_b)
		return BODY_END;
	want_b = want_b < left_b ? want_b : left_b;
	if (c->written_b) {
		enum body_got got = file_read(c, out, want_b);
		if (got != BODY_SOME)
			return got;
	} else {
		*out = chunk_of(str_make(c->piece.p + c->at_b, (size_t)want_b), false);
	}
	c->at_b += out->length_b;
	out->last = out->length_b == left_b;
	return BODY_SOME;
}

/* The collection outlives its body. */
static void collect_body_close(struct body *b)
{
	(void)b;
}

static const struct body_ops COLLECT_OPS = { .read = collect_read, .close = collect_body_close };

struct body *collect_body(struct collect *c)
{
	c->body.ops = &COLLECT_OPS;
	c->at_b = c->ready_b = 0;
	return &c->body;
}

void collect_close(struct collect *c)
{
	/* What is under way brings the descriptor home. */
	if (c->errand)
		c->errand->collect = NULL;
	else
		close_elsewhere(c->req->home, c->fd);
	buf_fini(&c->piece);
}

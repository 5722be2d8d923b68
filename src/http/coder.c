/* Streaming encoders: a body that holds a body.  The libraries' state is on the heap from the first read to the close, and
 * bounded by small windows.  Runs on the request's loop; bytes_encode() on any thread.
 *
 * Where the inner body has nothing for now, what was encoded so far is flushed, so that streams move.  A loop must not
 * compress for long while others wait: past a bound per turn the coder lets them have theirs. */
#include "http/coder.h"

#include <brotli/encode.h>
#include <errno.h>
#include <sys/uio.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "base/must.h"

enum {
	OUT_B = 16 * 1024,          /* encoded, not given yet */
	FILE_B = 32 * 1024,         /* read from the page cache at a time */
	TURN_MOST_B = 64 * 1024,    /* encoded in one turn of the loop: a millisecond, or two */
	WINDOW_LOG = 18,            /* 256 KB: what text gains beyond that is little */
};

/* --- The libraries, each behind the same three functions. --- */

enum op { OP_MORE, OP_FLUSH, OP_END };

/* Where to: n of room bytes at p are used. */
struct sink {
	char *p;
	size_t n, room;
};

struct library {
	void *(*begin)(unsigned level, int64_t length_b);
	/* Takes from *in and fills *out; true when the op is done: all input is taken, and on flush and end all output given.
	 * What is not done has to be gone on with before anything else. */
	bool (*run)(void *state, struct str *in, struct sink *out, enum op op);
	void (*end)(void *state);
	unsigned level, best;       /* LEVEL_AUTO's, and bytes_encode()'s */
};

static void *gzip_begin(unsigned level, int64_t length_b)
{
	z_stream *z = MEM_NEW(z_stream);
	(void)length_b;
	must(deflateInit2(z, level > 9 ? 9 : (int)level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	return z;
}

static bool gzip_run(void *state, struct str *in, struct sink *out, enum op op)
{
	static const int FLUSH[] = { [OP_MORE] = Z_NO_FLUSH, [OP_FLUSH] = Z_SYNC_FLUSH, [OP_END] = Z_FINISH };
	z_stream *z = state;
	z->next_in = (Bytef *)(uintptr_t)in->p;
	z->avail_in = (uInt)in->n;
	z->next_out = (Bytef *)out->p + out->n;
	z->avail_out = (uInt)(out->room - out->n);
	int got = deflate(z, FLUSH[op]);
	must(got == Z_OK || got == Z_STREAM_END || got == Z_BUF_ERROR);
	out->n = out->room - z->avail_out;
	*in = str_from(*in, in->n - z->avail_in);
	return op == OP_END ? got == Z_STREAM_END : !in->n && z->avail_out;
}

static void gzip_end(void *state)
{
	deflateEnd(state);
	mem_free(state);
}

static void *brotli_begin(unsigned level, int64_t length_b)
{
	BrotliEncoderState *s = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	must(s);
	BrotliEncoderSetParameter(s, BROTLI_PARAM_QUALITY, level);
	BrotliEncoderSetParameter(s, BROTLI_PARAM_LGWIN, WINDOW_LOG);
	if (length_b > 0 && length_b < UINT32_MAX)
		BrotliEncoderSetParameter(s, BROTLI_PARAM_SIZE_HINT, (uint32_t)length_b);
	return s;
}

static bool brotli_run(void *state, struct str *in, struct sink *out, enum op op)
{
	static const BrotliEncoderOperation OPS[] = { [OP_MORE] = BROTLI_OPERATION_PROCESS,
		                                      [OP_FLUSH] = BROTLI_OPERATION_FLUSH,
		                                      [OP_END] = BROTLI_OPERATION_FINISH };
	BrotliEncoderState *s = state;
	size_t room = out->room - out->n, left = in->n;
	const uint8_t *from = (const uint8_t *)in->p;
	uint8_t *to = (uint8_t *)out->p + out->n;
	must(BrotliEncoderCompressStream(s, OPS[op], &left, &from, &room, &to, NULL));
	out->n = out->room - room;
	*in = str_from(*in, in->n - left);
	return op == OP_END ? BrotliEncoderIsFinished(s) : !left && !BrotliEncoderHasMoreOutput(s);
}

static void brotli_end(void *state)
{
	BrotliEncoderDestroyInstance(state);
}

static void *zstd_begin(unsigned level, int64_t length_b)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	must(z);
	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, (int)level);
	ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, WINDOW_LOG);
	if (length_b >= 0)
		ZSTD_CCtx_setPledgedSrcSize(z, (unsigned long long)length_b);
	return z;
}

static bool zstd_run(void *state, struct str *in, struct sink *out, enum op op)
{
	static const ZSTD_EndDirective OPS[] = { [OP_MORE] = ZSTD_e_continue, [OP_FLUSH] = ZSTD_e_flush,
		                                 [OP_END] = ZSTD_e_end };
	ZSTD_inBuffer from = { in->p, in->n, 0 };
	ZSTD_outBuffer to = { out->p + out->n, out->room - out->n, 0 };
	size_t left = ZSTD_compressStream2(state, &to, &from, OPS[op]);
	must(!ZSTD_isError(left));
	out->n += to.pos;
	*in = str_from(*in, from.pos);
	return op == OP_MORE ? !in->n : !left;
}

static void zstd_end(void *state)
{
	ZSTD_freeCCtx(state);
}

static const struct library LIBRARIES[ENCODING_COUNT] = {
	[ENCODING_GZIP] = { gzip_begin, gzip_run, gzip_end, 5, 9 },
	[ENCODING_BR] = { brotli_begin, brotli_run, brotli_end, 4, 10 },
	[ENCODING_ZSTD] = { zstd_begin, zstd_run, zstd_end, 3, 19 },
};

/* --- The body. --- */

struct coder {
	struct body body;
	struct body *inner;
	struct home *home;
	const struct library *library;
	void *state;             /* the library's; NULL before the first read */
	char *memory;            /* OUT_B bytes, then FILE_B where the inner body gives files' ranges */
	struct str in;           /* given by the inner body, not encoded yet */
	unsigned level;
	int64_t length_b;
	uint64_t promised_b;     /* of length_b, still to come */
	struct str ready;        /* encoded, in memory, not given yet */
	enum op op;
	bool busy;               /* op is not done */
	bool over;               /* the inner body gave all it has */
	bool unflushed;          /* the library may hold back what it was given */
	bool ended;
	uint64_t turn_ns;        /* the loop's clock in the turn that the next one counts for */
	uint64_t turn_b;
};

static struct coder *coder_of(struct body *b)
{
	return container_of(b, struct coder, body);
}

/* Reads a range that is in the page cache, without waiting.  0: it no longer is; -1: it can't be read. */
static ssize_t read_cached(int fd, char *p, size_t n, uint64_t offset_b)
{
	struct iovec v = { p, n };
	ssize_t got = preadv2(fd, &v, 1, (off_t)offset_b, RWF_NOWAIT);
	if (got < 0 && errno == EOPNOTSUPP)  /* a file system without it: what we were told has to do */
		got = preadv2(fd, &v, 1, (off_t)offset_b, 0);
	if (got > 0)
		return got;
	return got < 0 && errno == EAGAIN ? 0 : -1;
}

/* A range of a file becomes bytes; what was not read goes back. */
static enum body_got fetch(struct coder *c, struct chunk *range)
{
	size_t want = range->length_b < FILE_B ? (size_t)range->length_b : FILE_B;
	ssize_t got = read_cached(range->file_fd, c->memory + OUT_B, want, range->offset_b);
	if (got < 0)
		return BODY_BROKEN;
	if ((uint64_t)got < range->length_b) {
		must(c->inner->ops->back);
		c->inner->ops->back(c->inner, range->length_b - (uint64_t)got);
		range->last = false;
	}
	*range = chunk_of(str_make(c->memory + OUT_B, (size_t)got), range->last);
	return BODY_SOME;
}

/* The next bytes to encode.  BODY_SOME may bring none: the range has just left the page cache. */
static enum body_got pull(struct coder *c)
{
	struct chunk chunk;
	c->inner->reader = c->body.reader;
	enum body_got got = body_read(c->inner, &chunk, FILE_B);
	if (got == BODY_SOME && chunk.file_fd >= 0)
		got = fetch(c, &chunk);
	if (got == BODY_END || (got == BODY_SOME && chunk.last))
		c->over = true;
	if (got != BODY_SOME)
		return got;
	c->in = chunk.bytes;
	c->turn_b += chunk.bytes.n ? chunk.bytes.n : FILE_B;  /* a disk that never gives must not keep the loop, either */
	if (c->length_b < 0)
		return BODY_SOME;
	if (chunk.bytes.n > c->promised_b)
		return BODY_BROKEN;
	c->promised_b -= chunk.bytes.n;
	return BODY_SOME;
}

/* Enough for this turn: the reader goes on in the next one. */
static bool is_others_turn(struct coder *c)
{
	struct loop *loop = &c->home->loop;
	if (c->turn_ns != loop->now_ns) {
		c->turn_ns = loop->now_ns;
		c->turn_b = 0;
	}
	if (c->turn_b < TURN_MOST_B)
		return false;
	loop_queue(loop, c->body.reader);
	return true;
}

static void encode(struct coder *c)
{
	struct sink out = { c->memory, 0, OUT_B };
	c->busy = !c->library->run(c->state, &c->in, &out, c->op);
	c->unflushed = c->op == OP_MORE;
	c->ended = c->op == OP_END && !c->busy;
	c->ready = str_make(out.p, out.n);
}

/* What is to be done next; BODY_SOME: c->op. */
static enum body_got next_op(struct coder *c)
{
	if (is_others_turn(c))
		return BODY_LATER;
	enum body_got got = pull(c);
	if (got == BODY_BROKEN || (got == BODY_LATER && !c->unflushed))
		return got;
	if (c->over && c->length_b >= 0 && c->promised_b)
		return BODY_BROKEN;
	c->op = got == BODY_LATER ? OP_FLUSH : c->over ? OP_END : OP_MORE;
	return BODY_SOME;
}

static enum body_got coder_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct coder *c = coder_of(b);
	if (!c->state) {
		c->memory = mem_new(OUT_B + FILE_B);
		c->state = c->library->begin(c->level, c->length_b);
	}
	while (!c->ready.n) {
		if (c->ended)
			return BODY_END;
		enum body_got got = c->busy ? BODY_SOME : next_op(c);
		if (got != BODY_SOME)
			return got;
		encode(c);
	}
	struct str given = str_head(c->ready, want_b < OUT_B ? (size_t)want_b : OUT_B);
	c->ready = str_from(c->ready, given.n);
	*out = chunk_of(given, c->ended && !c->ready.n);
	return BODY_SOME;
}

/* What was encoded lies in the coder's own memory. */
static void coder_keep(struct body *b, struct str *rest)
{
	struct coder *c = coder_of(b);
	(void)rest;
	body_keep(c->inner, &c->in);
}

static void coder_close(struct body *b)
{
	struct coder *c = coder_of(b);
	if (c->state)
		c->library->end(c->state);
	mem_free(c->memory);
	body_close(c->inner);
	c->home->coders--;
}

static const struct body_ops CODER_OPS = { .read = coder_read, .keep = coder_keep, .close = coder_close };

struct body *body_encode(struct req *r, struct body *inner, enum encoding e, unsigned level, int64_t length_b)
{
	const struct library *library = &LIBRARIES[e];
	must(library->run);
	if (r->home->coders >= CODERS_MOST)
		return NULL;
	r->home->coders++;
	struct coder *c = ARENA_NEW(&r->arena, struct coder);
	*c = (struct coder){ .body.ops = &CODER_OPS, .inner = inner, .home = r->home, .library = library,
		             .level = level ? level : library->level, .length_b = length_b,
		             .promised_b = length_b > 0 ? (uint64_t)length_b : 0 };
	return &c->body;
}

void bytes_encode(enum encoding e, struct str bytes, struct buf *out)
{
	const struct library *library = &LIBRARIES[e];
	void *state = library->begin(library->best, (int64_t)bytes.n);
	bool done = false;
	while (!done) {
		struct sink sink = { buf_room(out, bytes.n / 4 + 1024), 0, bytes.n / 4 + 1024 };
		done = library->run(state, &bytes, &sink, OP_END);
		out->n += sink.n;
	}
	library->end(state);
}

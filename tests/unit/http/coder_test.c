/* Encoders: what they give is what went in, however it comes and is taken; and how they wait, break and end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <brotli/decode.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "asked.h"
#include "http/coder.h"

static const enum encoding ALL[] = { ENCODING_GZIP, ENCODING_BR, ENCODING_ZSTD };

/* A body that gives pieces of a text, says LATER between them, and ends as it is told to. */
struct piecemeal {
	struct body body;
	struct str rest;
	size_t piece_b;
	int laters;           /* before each piece */
	int later_left;
	bool breaks, closed, kept;
	int fd;               /* -1: bytes */
	uint64_t offset_b;
};

static enum body_got piecemeal_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct piecemeal *p = container_of(b, struct piecemeal, body);
	if (!p->rest.n)
		return p->breaks ? BODY_BROKEN : BODY_END;
	if (p->later_left-- > 0)
		return BODY_LATER;
	p->later_left = p->laters;
	struct str bytes = str_head(p->rest, p->piece_b < want_b ? p->piece_b : want_b);
	p->rest = str_from(p->rest, bytes.n);
	*out = chunk_of(bytes, false);
	if (p->fd >= 0) {
		*out = (struct chunk){ .file_fd = p->fd, .offset_b = p->offset_b, .length_b = bytes.n };
		p->offset_b += bytes.n;
	}
	return BODY_SOME;
}

static void piecemeal_back(struct body *b, uint64_t unused_b)
{
	struct piecemeal *p = container_of(b, struct piecemeal, body);
	p->rest = str_make(p->rest.p - unused_b, p->rest.n + unused_b);
	p->offset_b -= unused_b;
}

static void piecemeal_keep(struct body *b, struct str *rest)
{
	(void)rest;
	container_of(b, struct piecemeal, body)->kept = true;
}

static void piecemeal_close(struct body *b)
{
	container_of(b, struct piecemeal, body)->closed = true;
}

static const struct body_ops PIECEMEAL_OPS = { piecemeal_read, piecemeal_keep, piecemeal_back, piecemeal_close };

static struct piecemeal piecemeal_of(struct str text, size_t piece_b, int laters)
{
	return (struct piecemeal){ .body.ops = &PIECEMEAL_OPS, .rest = text, .piece_b = piece_b, .laters = laters,
		                   .later_left = laters, .fd = -1 };
}

/* Text that compresses, but not too well. */
static struct buf text_of(size_t n)
{
	struct buf b = {};
	uint64_t x = 88172645463325252ull;
	while (b.n < n) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		buf_addf(&b, "line %llu of the text\n", (unsigned long long)(x % 100000));
	}
	return b;
}

static size_t gunzip(struct str in, char *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n, .next_out = (Bytef *)out,
		       .avail_out = (uInt)room };
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	inflate(&z, Z_SYNC_FLUSH);
	inflateEnd(&z);
	return z.total_out;
}

/* As far as it goes: streams that were flushed only, too. */
static size_t decoded(enum encoding e, struct str in, char *out, size_t room)
{
	if (e == ENCODING_GZIP)
		return gunzip(in, out, room);
	if (e == ENCODING_BR) {
		BrotliDecoderState *s = BrotliDecoderCreateInstance(NULL, NULL, NULL);
		size_t left = in.n, space = room, total = 0;
		const uint8_t *from = (const uint8_t *)in.p;
		uint8_t *to = (uint8_t *)out;
		BrotliDecoderDecompressStream(s, &left, &from, &space, &to, &total);
		BrotliDecoderDestroyInstance(s);
		return total;
	}
	ZSTD_DStream *d = ZSTD_createDStream();
	ZSTD_inBuffer from = { in.p, in.n, 0 };
	ZSTD_outBuffer to = { out, room, 0 };
	while (from.pos < from.size && !ZSTD_isError(ZSTD_decompressStream(d, &to, &from)))
		;
	ZSTD_freeDStream(d);
	return to.pos;
}

static void assert_decodes(enum encoding e, struct str coded, struct str text)
{
	char *out = mem_new(text.n + 1);
	size_t n = decoded(e, coded, out, text.n + 1);
	assert_int_equal(n, text.n);
	assert_memory_equal(out, text.p, n);
	mem_free(out);
}

struct scene {
	struct asked asked;
	struct task task;
	struct body *coder;
};

static void nothing(struct task *t)
{
	(void)t;
}

static void scene_init(struct scene *s, struct piecemeal *p, enum encoding e, int64_t length_b)
{
	asked_init(&s->asked, METHOD_GET, "");
	link_init(&s->asked.home.loop.tasks);
	task_init(&s->task, nothing);
	s->coder = body_encode(&s->asked.r, &p->body, e, LEVEL_AUTO, length_b);
	s->coder->reader = &s->task;
}

static void scene_fini(struct scene *s, const struct piecemeal *p)
{
	body_close(s->coder);
	assert_true(p->closed);
	assert_int_equal(s->asked.home.coders, 0);
	asked_fini(&s->asked);
}

/* Reads to the end; each LATER begins a new turn of the loop. */
static enum body_got read_all(struct scene *s, struct buf *out, uint64_t want_b, unsigned *laters)
{
	struct chunk c = {};
	for (;;) {
		enum body_got got = body_read(s->coder, &c, want_b);
		if (got == BODY_LATER) {
			s->asked.home.loop.now_ns++;
			task_stop(&s->task);
			++*laters;
			continue;
		}
		if (got != BODY_SOME)
			return got;
		assert_true(c.length_b > 0 && c.length_b <= want_b);
		buf_add(out, c.bytes);
	}
}

static void round_trips(void **state)
{
	(void)state;
	static const struct {
		size_t text_b, piece_b;
		int laters;
		uint64_t want_b;
		bool told;
	} ROWS[] = {
		{ 0, 1, 0, UINT64_MAX, true },    { 1, 1, 0, UINT64_MAX, false },  { 3000, 1, 0, 7, true },
		{ 3000, 100, 1, 1, false },       { 300000, 5000, 0, 65536, true }, { 300000, 70000, 2, 1000, false },
		{ 1000000, 1u << 30, 0, UINT64_MAX, true },
	};
	for (size_t e = 0; e < countof(ALL); e++) {
		for (size_t i = 0; i < countof(ROWS); i++) {
			struct buf text = text_of(ROWS[i].text_b), coded = {};
			text.n = ROWS[i].text_b;
			struct piecemeal p = piecemeal_of(buf_str(&text), ROWS[i].piece_b, ROWS[i].laters);
			struct scene s;
			unsigned laters = 0;
			scene_init(&s, &p, ALL[e], ROWS[i].told ? (int64_t)text.n : LENGTH_UNKNOWN);
			assert_int_equal(read_all(&s, &coded, ROWS[i].want_b, &laters), BODY_END);
			assert_decodes(ALL[e], buf_str(&coded), buf_str(&text));
			if (text.n > 100000)
				assert_true(coded.n < text.n / 2 && laters > 0);
			scene_fini(&s, &p);
			buf_fini(&coded);
			buf_fini(&text);
		}
	}
}

/* What the inner body gave before it had nothing can be decoded before it goes on. */
static void flushes(void **state)
{
	(void)state;
	for (size_t e = 0; e < countof(ALL); e++) {
		struct str text = STR("data: first\n\ndata: second\n\n");
		struct piecemeal p = piecemeal_of(text, 13, 2);
		struct scene s;
		struct buf coded = {};
		struct chunk c;
		enum body_got got;
		p.later_left = 0;
		scene_init(&s, &p, ALL[e], LENGTH_UNKNOWN);
		while ((got = body_read(s.coder, &c, UINT64_MAX)) == BODY_SOME)
			buf_add(&coded, c.bytes);
		assert_int_equal(got, BODY_LATER);
		assert_decodes(ALL[e], buf_str(&coded), str_head(text, 13));
		while ((got = body_read(s.coder, &c, UINT64_MAX)) != BODY_END)
			if (got == BODY_SOME)
				buf_add(&coded, c.bytes);
		assert_decodes(ALL[e], buf_str(&coded), text);
		body_keep(s.coder, &(struct str){});
		assert_true(p.kept);
		scene_fini(&s, &p);
		buf_fini(&coded);
	}
}

static void breaks(void **state)
{
	(void)state;
	static const struct {
		bool breaks;
		int64_t length_b;
	} ROWS[] = { { true, LENGTH_UNKNOWN }, { false, 101 }, { false, 99 } };
	struct buf text = text_of(100);
	for (size_t e = 0; e < countof(ALL); e++) {
		for (size_t i = 0; i < countof(ROWS); i++) {
			struct piecemeal p = piecemeal_of(str_head(buf_str(&text), 100), 10, 0);
			struct scene s;
			struct buf coded = {};
			unsigned laters = 0;
			p.breaks = ROWS[i].breaks;
			scene_init(&s, &p, ALL[e], ROWS[i].length_b);
			assert_int_equal(read_all(&s, &coded, UINT64_MAX, &laters), BODY_BROKEN);
			scene_fini(&s, &p);
			buf_fini(&coded);
		}
	}
	buf_fini(&text);
}

/* Ranges of a file; at the end of one that has shrunk it breaks. */
static void files(void **state)
{
	(void)state;
	struct buf text = text_of(200000);
	FILE *f = tmpfile();
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	fflush(f);
	for (int shrunk = 0; shrunk < 2; shrunk++) {
		struct piecemeal p = piecemeal_of(buf_str(&text), 100000, 0);
		struct scene s;
		struct buf coded = {};
		unsigned laters = 0;
		p.fd = fileno(f);
		scene_init(&s, &p, ENCODING_ZSTD, (int64_t)text.n);
		if (shrunk)
			assert_int_equal(ftruncate(p.fd, 50000), 0);
		assert_int_equal(read_all(&s, &coded, UINT64_MAX, &laters), shrunk ? BODY_BROKEN : BODY_END);
		if (!shrunk)
			assert_decodes(ENCODING_ZSTD, buf_str(&coded), buf_str(&text));
		scene_fini(&s, &p);
		buf_fini(&coded);
	}
	fclose(f);
	buf_fini(&text);
}

static void bounded(void **state)
{
	(void)state;
	struct asked a;
	struct piecemeal p = piecemeal_of(STR("text"), 4, 0);
	asked_init(&a, METHOD_GET, "");
	a.home.coders = CODERS_MOST;
	assert_null(body_encode(&a.r, &p.body, ENCODING_BR, LEVEL_AUTO, 4));
	assert_false(p.closed);
	asked_fini(&a);
}

static void at_once(void **state)
{
	(void)state;
	for (size_t e = 0; e < countof(ALL); e++) {
		for (size_t n = 0; n < 70000; n = n * 8 + 1) {
			struct buf text = text_of(n), coded = {};
			text.n = n;
			bytes_encode(ALL[e], buf_str(&text), &coded);
			assert_decodes(ALL[e], buf_str(&coded), buf_str(&text));
			buf_fini(&coded);
			buf_fini(&text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(round_trips), cmocka_unit_test(flushes),
		                            cmocka_unit_test(breaks),      cmocka_unit_test(files),
		                            cmocka_unit_test(bounded),     cmocka_unit_test(at_once) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

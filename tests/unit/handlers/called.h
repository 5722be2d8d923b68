/* A call without a client: a codec is asked to write a request and is told what a server answers, in pieces of any size.
 * For unit tests and fuzz targets; every piece lies in memory of exactly its size. */
#pragma once

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "handlers/handlers.h"
#include "http/core.h"
#include "http/parse.h"
#include "http/upstream.h"

struct called {
	struct home home;
	struct core core;
	void *values[1];
	struct conf conf;
	struct conf_use use;
	struct req r;
	struct backend backend;
	struct outward outward;
	struct call c;
	struct buf told;         /* what the codec understood: status, fields, body */
	struct buf aside;
	size_t used;             /* bytes of the answer that belong to it */
	size_t interims;
	enum heard heard;        /* HEARD_END or HEARD_BAD */
};

/* head: a request as a client sends it. */
static inline bool called_init(struct called *t, const struct codec *codec, const void *values, struct str head)
{
	static const struct parse_limits LIMITS = { 256 * 1024, 200 };
	unsigned status;
	const char *why;
	*t = (struct called){ .core.root = STR("/srv/www/"), .backend.header_b = 4096, .backend.keepalive = 1 };
	t->values[0] = &t->core;
	t->conf.values = t->values;
	t->use.conf = &t->conf;
	t->outward = (struct outward){ .codec = codec, .backend = &t->backend, .values = values };
	t->r.home = &t->home;
	t->r.use = &t->use;
	t->r.id = 0x1234567890abcdef;
	t->r.peer = (struct ip){ .family = AF_INET, .port = 4711, .bytes = { 192, 0, 2, 1 } };
	arena_init(&t->r.arena, t->r.first, sizeof t->r.first);
	t->c = (struct call){ .req = &t->r, .arena = &t->r.arena, .outward = &t->outward, .peer_name = "10.0.0.1:9000" };
	if (parse_ask(&t->r.arena, head, &LIMITS, &t->r.ask, &status, &why) != PARSE_DONE)
		return false;
	t->c.body_b = t->r.ask.framing == FRAMING_CHUNKED ? LENGTH_UNKNOWN : (int64_t)t->r.ask.length_b;
	return true;
}

static inline void called_fini(struct called *t)
{
	buf_fini(&t->told);
	buf_fini(&t->aside);
	arena_fini(&t->r.arena);
}

static inline void called_attempt(struct called *t)
{
	t->c.state = arena_new(t->c.arena, t->outward.codec->state_b);
	t->c.reply = (struct reply){};
	t->c.why = NULL;
}

/* Everything that goes to the server, with this body in runs of at most piece_b. */
static inline unsigned called_ask(struct called *t, struct str body, size_t piece_b, struct buf *out)
{
	const struct codec *codec = t->outward.codec;
	called_attempt(t);
	unsigned status = codec->ask(&t->c, out);
	if (status)
		return status;
	while (body.n) {
		struct str piece = str_head(body, piece_b);
		if (codec->frame_most_b)
			piece = str_head(piece, codec->frame_most_b);
		if (codec->frame)
			codec->frame(&t->c, piece.n, out);
		buf_add(out, piece);
		body = str_from(body, piece.n);
	}
	if (codec->frame)
		codec->frame(&t->c, 0, out);
	return 0;
}

static inline void called_note_head(struct called *t)
{
	const struct reply *reply = &t->c.reply;
	must(!t->told.n && (reply->status == 101 || (reply->status >= 200 && reply->status <= 599)));
	buf_addf(&t->told, "%u", reply->status);
	if (reply->length_b != LENGTH_UNKNOWN)
		buf_addf(&t->told, " length=%lld", (long long)reply->length_b);
	if (reply->again.p)
		buf_addf(&t->told, " again=%.*s", STR_F(reply->again));
	buf_addf(&t->told, "%s\n", reply->keep ? " keep" : "");
	for (size_t i = 0; i < reply->field_count; i++) {
		const struct field *f = &reply->fields[i];
		must(str_is_token(f->name) && str_find(f->value, '\n') == f->value.n && str_find(f->value, '\0') == f->value.n);
		buf_addf(&t->told, "%.*s: %.*s\n", STR_F(f->name), STR_F(f->value));
	}
	buf_add_char(&t->told, '\n');
}

/* What follows the body: of all that came only what does no harm. */
static inline void called_note_trailers(struct called *t)
{
	const struct trailers *trailers = t->c.reply.trailers;
	if (!trailers_expected(trailers))
		return;
	struct str names = trailers_names(trailers, t->c.arena);
	buf_addf(&t->told, "\n[%.*s]\n", STR_F(names));
	for (size_t i = 0; i < trailers->count; i++) {
		const struct field *f = &trailers->fields[i];
		must(str_is_token(f->name) && trailers_may(f->name));
		must(str_find(f->value, '\r') == f->value.n && str_find(f->value, '\n') == f->value.n);
	}
	trailers_print(trailers, &t->told);
}

/* All that the codec says about these bytes; returns how many it used. */
static inline size_t called_piece(struct called *t, struct str bytes)
{
	char *exact = malloc(bytes.n ? bytes.n : 1);
	must(exact);
	if (bytes.n)
		memcpy(exact, bytes.p, bytes.n);
	struct str in = { exact, bytes.n }, data = {};
	for (;;) {
		struct str before = in;
		t->heard = t->outward.codec->hear(&t->c, &in, &data);
		must(in.n <= before.n && in.p + in.n == before.p + before.n);
		if (t->heard == HEARD_HEAD)
			called_note_head(t);
		else if (t->heard == HEARD_INTERIM)
			t->interims++;
		else if (t->heard == HEARD_DATA || t->heard == HEARD_ASIDE)
			must(data.n && data.p >= before.p && data.p + data.n <= in.p);
		if (t->heard == HEARD_DATA)
			must(t->told.n);
		if (t->heard == HEARD_DATA || t->heard == HEARD_ASIDE)
			buf_add(t->heard == HEARD_DATA ? &t->told : &t->aside, data);
		if (t->heard == HEARD_MORE || t->heard == HEARD_END || t->heard == HEARD_BAD)
			break;
		must(in.n < before.n || t->heard == HEARD_HEAD);
	}
	free(exact);
	return bytes.n - in.n;
}

/* The answer comes in pieces: `first` bytes, then `piece_b` at a time, then the connection's end. */
static inline void called_hear(struct called *t, struct str answer, size_t first, size_t piece_b)
{
	size_t have = 0;
	called_attempt(t);
	buf_clear(&t->told);
	buf_clear(&t->aside);
	t->used = t->interims = 0;
	t->heard = HEARD_MORE;
	for (size_t next = first ? first : piece_b; t->heard == HEARD_MORE && have < answer.n; next = piece_b) {
		have = answer.n - have < next ? answer.n : have + next;
		t->used += called_piece(t, str_make(answer.p + t->used, have - t->used));
	}
	if (t->heard == HEARD_MORE)
		t->heard = t->outward.codec->fin(&t->c);
	must(t->heard == HEARD_END || (t->heard == HEARD_BAD && t->c.why && t->c.why[0]));
	must(t->heard != HEARD_END || t->told.n);
	if (t->heard == HEARD_END)
		called_note_trailers(t);
}

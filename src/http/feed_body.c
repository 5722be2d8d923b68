/* A body that gives what comes by a feed, until the client leaves or the server drains.  The request's loop. */
#include "http/feed_body.h"

#include "base/mem.h"

struct feed_body {
	struct body body;
	struct feed *feed;
	struct buf out;          /* taken from the feed, from `given_b` on not yet sent */
	size_t given_b;
	struct home *home;
};

static void came(void *arg)
{
	struct feed_body *b = arg;
	if (b->body.reader)
		loop_queue(&b->home->loop, b->body.reader);
}

static enum body_got feed_read(struct body *body, struct chunk *out, uint64_t want_b)
{
	struct feed_body *b = container_of(body, struct feed_body, body);
	if (b->given_b == b->out.n) {
		buf_clear(&b->out);
		b->given_b = 0;
		feed_take(b->feed, &b->out);
	}
	struct str rest = str_from(buf_str(&b->out), b->given_b);
	if (!rest.n)
		return b->home->draining ? BODY_END : BODY_LATER;
	*out = chunk_of(str_head(rest, want_b < rest.n ? (size_t)want_b : rest.n), false);
	b->given_b += out->bytes.n;
	return BODY_SOME;
}

static void feed_close(struct body *body)
{
	struct feed_body *b = container_of(body, struct feed_body, body);
	feed_end(b->feed);
	buf_fini(&b->out);
}

static const struct body_ops FEED_BODY = { .read = feed_read, .close = feed_close };

enum go answer_feed(struct req *r, struct str type, struct str first, uint64_t most_b, struct feed **out)
{
	struct feed_body *b = arena_new(&r->arena, sizeof *b);
	*b = (struct feed_body){ .body = { .ops = &FEED_BODY }, .home = r->home };
	buf_add(&b->out, first);
	b->feed = *out = feed_new(&r->home->loop.mailbox, most_b, came, b);
	feed_get(b->feed);
	answer_bytes(r, 200, type, STR(""));
	r->answer.body = &b->body;
	r->answer.length_b = LENGTH_UNKNOWN;
	r->answer.endless = true;
	answer_set(r, STR("Cache-Control"), STR("no-store, no-transform"));
	return GO_ANSWER;
}

/* The body of an HTTP/1 request, as a body that is pulled from the connection.  The connection's loop only.
 *
 * Bytes lie in the loop's scratch buffer and are valid for the turn; whoever wants them longer copies them. */
#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "http/core.h"
#include "http/exchange.h"

/* How an upload ends before its time: `status` 0 where nobody is there to be answered. */
static enum body_got broken(struct exchange *x, unsigned status, enum end end)
{
	x->upload.broken = true;
	x->req.upload_status = status;
	x->req.end = end;
	return BODY_BROKEN;
}

static enum body_got over(struct exchange *x)
{
	x->upload.over = true;
	return BODY_END;
}

/* The client waits for a word before it sends its body (RFC 9110, 10.1.1).  It fits into any socket buffer that is not
 * full of an answer, and there is none yet. */
static bool tell_to_go_on(struct exchange *x)
{
	static const struct str GO_ON = { "HTTP/1.1 100 Continue\r\n\r\n", 25 };
	if (x->upload.told_to_go_on)
		return true;
	x->upload.told_to_go_on = true;
	return send(x->conn->watch.fd, GO_ON.p, GO_ON.n, MSG_NOSIGNAL) == (ssize_t)GO_ON.n;
}

/* Makes sure that home->input has a byte. */
static enum body_got want_input(struct exchange *x)
{
	struct conn *c = x->conn;
	if (!c->home->input.n)
		conn_load(c);
	if (c->home->input.n || conn_fill(c))
		return BODY_SOME;
	if (c->ended)
		return broken(x, 0, END_CLIENT);
	/* Who does not read its answer is measured by that. */
	if (x->waiting == WAITING_HANDLER)
		wait_for_client(x, WAITING_UPLOAD);
	return BODY_LATER;
}

static enum body_got read_length(struct exchange *x, struct chunk *out, uint64_t want_b)
{
	struct upload *u = &x->upload;
	struct str *in = &x->conn->home->input;
	enum body_got got = want_input(x);
	if (got != BODY_SOME)
		return got;
	uint64_t n = u->left_b < want_b ? u->left_b : want_b;
	struct str bytes = str_head(*in, n < in->n ? (size_t)n : in->n);
	*in = str_from(*in, bytes.n);
	u->left_b -= bytes.n;
	*out = chunk_of(bytes, !u->left_b);
	u->over = !u->left_b;
	return BODY_SOME;
}

static enum body_got read_chunked(struct exchange *x, struct chunk *out, uint64_t want_b)
{
	struct str data = {};
	for (;;) {
		enum body_got got = want_input(x);
		if (got != BODY_SOME)
			return got;
		switch (chunked_read(&x->upload.chunked, &x->conn->home->input, want_b, &data)) {
		case CHUNKED_SOME:
			*out = chunk_of(data, false);
			return BODY_SOME;
		case CHUNKED_OVER:
			return over(x);
		case CHUNKED_LEFT:
		case CHUNKED_BAD:
			return broken(x, 400, END_BAD);
		case CHUNKED_MORE:
			break;
		}
	}
}

static enum body_got upload_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct exchange *x = container_of(b, struct exchange, upload.body);
	struct req *r = &x->req;
	if (x->upload.over)
		return BODY_END;
	if (x->upload.broken)
		return BODY_BROKEN;
	if (!tell_to_go_on(x))
		return broken(x, 0, END_CLIENT);
	enum body_got got = x->upload.is_chunked ? read_chunked(x, out, want_b)
	                                                      : read_length(x, out, want_b);
	if (got != BODY_SOME)
		return got;
	r->received_b += out->length_b;
	pace_moved(&x->pace, r->home->loop.now_ms, out->length_b);
	if (r->received_b > req_core(r)->body_b)
		return broken(x, 413, END_BAD);
	return BODY_SOME;
}

/* What was not read is the connection's to throw away. */
static void upload_close(struct body *b)
{
	(void)b;
}

static const struct body_ops UPLOAD_OPS = { .read = upload_read, .close = upload_close };

void upload_init(struct exchange *x)
{
	const struct ask *ask = &x->req.ask;
	x->upload = (struct upload){
		.body = { &UPLOAD_OPS, &x->conn->task },
		.left_b = ask->length_b,
		.is_chunked = ask->framing == FRAMING_CHUNKED,
		.over = ask->framing == FRAMING_NONE,
		.told_to_go_on = !ask->expect_continue || x->conn->home->input.n,
	};
	x->req.upload = &x->upload.body;
}

uint64_t upload_left_b(const struct exchange *x)
{
	if (x->upload.over)
		return 0;
	return !x->upload.is_chunked && !x->upload.broken ? x->upload.left_b : UINT64_MAX;
}

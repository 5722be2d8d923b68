/* A call's conversation with its origin: the request on its way out, the answer on its way in, each going on as far as it
 * can whenever the request has its turn.
 *
 * What comes is read into the loop's inbox, and goes from there to the client within the turn; only what is left at the
 * turn's end is copied. */
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/sys.h"
#include "http/ids.h"
#include "http/iov.h"
#include "http/trace.h"
#include "http/upstream_parts.h"
#include "net/proxy_head.h"

enum {
	PIECE_B = 64 * 1024,     /* of a request's body at a time */
	HOLD_MOST_B = 32 * 1024, /* an answer of so small a known length is waited for as a whole */
	FILLS_MOST = 16,         /* reads for one call before others get their turn */
};

/* --- The request. --- */

static struct str unsent(const struct call *c)
{
	return str_from(buf_str(&c->out), c->out_at);
}

static void sent_some(struct call *c)
{
	c->sent = true;
	c->since_ms = call_home(c)->loop.now_ms;
}

/* sendto() where one run is all there is, as it nearly always is: the kernel has less to copy in than for sendmsg(). */
static ssize_t transmit(int fd, struct iovec *v, size_t count, int flags)
{
	struct msghdr m = { .msg_iov = v, .msg_iovlen = count };
	return count == 1 ? sys_send(fd, v[0].iov_base, v[0].iov_len, flags) : sys_sendmsg(fd, &m, flags);
}

/* What is left over from before, then head, then bytes, in one system call; what the socket does not take is kept.
 * False where the connection is broken. */
static bool send_bytes(struct call *c, struct str head, struct str bytes, bool more)
{
	struct str before = unsent(c);
	struct iovec v[3];
	size_t count = part(v, part(v, part(v, 0, before), head), bytes);
	if (!count)
		return true;
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ssize_t n = c->origin->writable ? transmit(c->origin->watch.fd, v, count, flags) : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		sent_some(c);
	size_t left = took(&bytes, took(&head, took(&before, n > 0 ? (size_t)n : 0)));
	must(left == 0);
	c->out_at = c->out.n - before.n;
	if (before.n + head.n + bytes.n)
		c->origin->writable = false;
	else
		buf_clear(&c->out), c->out_at = 0;
	buf_add(&c->out, head);
	buf_add(&c->out, bytes);
	return true;
}

/* The rest of a file's range, behind all that is to go before it. */
static bool send_range(struct call *c)
{
	while (c->range.length_b && !unsent(c).n && c->origin->writable) {
		off_t offset = (off_t)c->range.offset_b;
		ssize_t n = sendfile(c->origin->watch.fd, c->range.file_fd, &offset, c->range.length_b);
		if (n < 0 && errno == EAGAIN)
			c->origin->writable = false;
		else if (n <= 0)
			return false;
		if (n > 0) {
			sent_some(c);
			c->range.offset_b += (uint64_t)n;
			c->range.length_b -= (uint64_t)n;
		}
	}
	return true;
}

/* Says who the client is, where the server wants to know. */
static void introduce(struct call *c, struct buf *head)
{
	int version = c->outward->backend->send_proxy;
	struct ip local = {};
	if (!version)
		return;
	c->req->wire->local(c->req, &local);
	head->n += proxy_head_print(buf_room(head, PROXY_HEAD_ROOM_B), version, &c->req->peer, &local);
}

/* The head, together with the end of a body that is not there. */
static enum went send_head(struct call *c)
{
	const struct codec *codec = c->outward->codec;
	struct buf *head = &call_home(c)->asked;
	buf_clear(head);
	introduce(c, head);
	size_t introduced_b = head->n;
	unsigned status = codec->ask(c, head);
	if (status) {
		c->refused = status;
		return wrong(c, FAULT_ASK, c->why);
	}
	c->asked = true;
	if (!c->upload) {
		c->uploaded = true;
		if (codec->frame)
			codec->frame(c, 0, head);
	}
	if (is_traced(c))
		trace_sent(c, str_from(buf_str(head), introduced_b));
	/* With a body to follow it may leave in the same packet. */
	return send_bytes(c, buf_str(head), (struct str){}, !c->uploaded) ? WENT_ON : WENT_WRONG;
}

static void trace_piece(struct call *c, struct str frame, const struct chunk *piece)
{
	trace_sent(c, frame);
	if (piece->file_fd < 0)
		trace_sent(c, piece->bytes);
	else
		trace_sent_file(c, piece);
}

static bool send_piece(struct call *c, const struct chunk *piece)
{
	const struct codec *codec = c->outward->codec;
	struct buf *frame = &call_home(c)->asked;
	buf_clear(frame);
	if (codec->frame)
		codec->frame(c, piece->length_b, frame);
	if (is_traced(c))
		trace_piece(c, buf_str(frame), piece);
	if (piece->file_fd < 0)
		return send_bytes(c, buf_str(frame), piece->bytes, false);
	c->range = *piece;
	return send_bytes(c, buf_str(frame), (struct str){}, true) && send_range(c);
}

static bool send_end(struct call *c)
{
	struct buf *frame = &call_home(c)->asked;
	buf_clear(frame);
	c->uploaded = true;
	if (c->outward->codec->frame)
		c->outward->codec->frame(c, 0, frame);
	if (is_traced(c))
		trace_sent(c, buf_str(frame));
	return send_bytes(c, buf_str(frame), (struct str){}, false);
}

/* The next piece of the request's body: WENT_ON where it was sent, or is kept. */
static enum went send_next(struct call *c)
{
	uint64_t most_b = c->outward->codec->frame_most_b;
	struct chunk piece;
	bool fine = true;
	switch (body_read(c->upload, &piece, most_b && most_b < PIECE_B ? most_b : PIECE_B)) {
	case BODY_SOME:
		fine = send_piece(c, &piece);
		break;
	case BODY_LATER:
		return WENT_WAIT;
	case BODY_END:
		fine = send_end(c);
		break;
	case BODY_BROKEN:
		return wrong(c, FAULT_UPLOAD, "The request's body broke off.");
	}
	return fine ? WENT_ON : WENT_WRONG;
}

static bool push_rest(struct call *c)
{
	return send_bytes(c, (struct str){}, (struct str){}, false) && send_range(c);
}

static enum went send_on(struct call *c)
{
	enum went went = c->asked ? WENT_ON : send_head(c);
	if (went == WENT_ON && !push_rest(c))
		went = WENT_WRONG;
	while (went == WENT_ON && !c->uploaded && !unsent(c).n && !c->range.length_b)
		went = send_next(c);
	if (went == WENT_ON && (unsent(c).n || c->range.length_b))
		return WENT_WAIT;
	if (went == WENT_ON && c->uploaded && c->outward->codec->shuts)
		shutdown(c->origin->watch.fd, SHUT_WR);
	return went;
}

enum went upstream_send(struct call *c)
{
	if (!c->origin || (c->asked && c->uploaded && !unsent(c).n && !c->range.length_b))
		return WENT_ON;
	c->fault = FAULT_NONE;
	enum went went = send_on(c);
	if (went != WENT_WRONG || c->fault)
		return went;
	/* The origin takes no more.  It may have answered, and what it said is still to be read: so this alone is no fault,
	 * but the connection can't be used again. */
	c->uploaded = true;
	c->cut = true;
	buf_clear(&c->out);
	c->out_at = 0;
	c->range.length_b = 0;
	c->origin->readable = true;
	return WENT_ON;
}

/* --- The answer. --- */

/* What was kept over the turn comes first again. */
static void load(struct call *c)
{
	struct home *h = call_home(c);
	if (!c->kept.n)
		return;
	must(!c->input.n && c->kept.n <= LOOP_SCRATCH_B);
	memcpy(h->inbox, c->kept.p, c->kept.n);
	c->input = str_make(h->inbox, c->kept.n);
	buf_fini(&c->kept);
	c->kept = (struct buf){};
}

/* What lies in the inbox before the input, and is needed still, goes to the spool: the inbox is about to be moved. */
static void spool_ahead(struct call *c)
{
	if (c->ahead.n)
		spool_add(&c->spool, c->ahead);
	c->ahead = (struct str){};
}

/* Reads behind what there is: false where nothing came. */
static bool fill(struct call *c)
{
	struct home *h = call_home(c);
	struct origin *o = c->origin;
	load(c);
	if (!o || !o->readable || o->ended)
		return false;
	spool_ahead(c);
	if (c->input.n && c->input.p != h->inbox)
		memmove(h->inbox, c->input.p, c->input.n);
	c->input.p = h->inbox;
	size_t room = LOOP_SCRATCH_B - c->input.n;
	if (!room)
		return false;
	if (c->fills++ >= FILLS_MOST) {
		loop_queue(&h->loop, c->req->task);
		return false;
	}
	ssize_t n = sys_recv(o->watch.fd, h->inbox + c->input.n, room);
	if (n > 0) {
		if ((size_t)n < room && !o->fin)
			o->readable = false;
		c->input.n += (size_t)n;
		c->begun = true;
		if (is_traced(c))
			trace_came(c, str_make(h->inbox + c->input.n - n, (size_t)n));
		return true;
	}
	if (n < 0 && errno == EINTR)
		return fill(c);
	o->readable = false;
	if (n == 0 || errno != EAGAIN)
		o->ended = true;
	o->reset = n < 0 && o->ended;
	return false;
}

/* The origin closed its side, or the connection broke. */
static enum heard ended(struct call *c)
{
	if (!c->begun || c->origin->reset) {
		c->why = "The server closed the connection without an answer.";
		return HEARD_BAD;
	}
	return c->outward->codec->fin(c);
}

static enum heard too_large(struct call *c)
{
	c->why = "The head of the server's answer is too large.";
	c->large = true;
	return HEARD_BAD;
}

/* Not every byte is a sign that there will be an answer: an application may complain for ever. */
static enum heard heard_sign(struct call *c, enum heard heard)
{
	if (heard == HEARD_DATA || heard == HEARD_HEAD || heard == HEARD_INTERIM)
		c->since_ms = call_home(c)->loop.now_ms;
	return heard;
}

/* The next thing that the codec makes of what comes. */
static enum heard hear(struct call *c, struct str *data)
{
	load(c);
	for (;;) {
		/* Without input, too: an answer without a body is over with its head. */
		enum heard heard = c->outward->codec->hear(c, &c->input, data);
		if (heard != HEARD_MORE)
			return heard_sign(c, heard);
		if (c->at == CALL_HEAD && c->input.n >= c->outward->backend->header_b)
			return too_large(c);
		if (fill(c))
			continue;
		if (c->origin && c->origin->ended)
			return ended(c);
		return c->input.n == LOOP_SCRATCH_B ? too_large(c) : HEARD_MORE;
	}
}

static void say_aside(struct call *c, struct str text)
{
	struct str id = req_name(c->req);
	while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	log_note(call_home(c)->ring, LOG_LEVEL_WARN, "%.*s: %.*s (request %.*s, %s)", STR_F(c->outward->backend->name),
	         STR_F(text), STR_F(id), c->peer_name);
}

/* The answer is complete: the server is free for others, whatever its client does. */
static void complete(struct call *c)
{
	bool all_out = c->uploaded && !c->cut && !unsent(c).n && !c->range.length_b;
	c->at = CALL_OVER;
	upstream_leave(c, upstream_status_fails(c) ? OUTCOME_FAILED : OUTCOME_GOOD,
	               all_out && c->reply.keep && !c->input.n && !c->outward->backend->send_proxy);
}

static enum went broke(struct call *c)
{
	if (c->large)
		return wrong(c, FAULT_TOO_LARGE, c->why);
	if (c->begun)
		return wrong(c, FAULT_BAD, c->why);
	c->reset = c->origin->reset;
	return wrong(c, c->origin->requests ? FAULT_STALE : FAULT_BROKEN, c->why);
}

/* With a small answer on its way, its end is worth waiting for: an origin that dies in between costs a retry then, or is
 * answered for with the right status, and there is no broken answer. */
static bool is_small(const struct call *c)
{
	return c->reply.length_b >= 0 && c->reply.length_b <= HOLD_MOST_B;
}

/* What came together with the head is looked at at once: with a small answer that is all of it. */
static enum went hear_rest(struct call *c)
{
	struct str data;
	for (;;) {
		switch (hear(c, &data)) {
		case HEARD_DATA:
			c->taken_b += data.n;
			if (c->spool.held_b || c->ahead.n) {
				spool_ahead(c);
				spool_add(&c->spool, data);
			} else {
				c->ahead = data;
			}
			break;
		case HEARD_ASIDE:
			say_aside(c, data);
			break;
		case HEARD_END:
			complete(c);
			return WENT_ON;
		case HEARD_BAD:
			return broke(c);
		case HEARD_MORE:
			if (is_small(c))
				return WENT_WAIT;
			c->at = CALL_BODY;
			return WENT_ON;
		case HEARD_HEAD:
		case HEARD_INTERIM:
			return wrong(c, FAULT_BAD, "The server sent a second head.");
		}
		if (!is_small(c) && c->spool.held_b > HOLD_MOST_B) {
			c->at = CALL_BODY;
			return WENT_ON;
		}
	}
}

enum went upstream_hear_head(struct call *c)
{
	struct str data;
	if (c->at == CALL_HOLD)
		return hear_rest(c);
	for (;;) {
		switch (hear(c, &data)) {
		case HEARD_HEAD:
			c->req->trip.answer_ns = call_home(c)->loop.now_ns - c->connected_ns;
			if (is_traced(c))
				trace_heard(c);
			c->at = c->reply.status == 101 ? CALL_BODY : CALL_HOLD;
			return c->at == CALL_HOLD ? hear_rest(c) : WENT_ON;
		case HEARD_INTERIM:
			break;
		case HEARD_ASIDE:
			say_aside(c, data);
			break;
		case HEARD_MORE:
			return WENT_WAIT;
		case HEARD_DATA:
		case HEARD_END:
			return wrong(c, FAULT_BAD, "The server's answer has no head.");
		case HEARD_BAD:
			return broke(c);
		}
	}
}

/* --- The answer as a body. --- */

static struct call *call_of(struct body *b)
{
	return container_of(b, struct call, body);
}

/* An answer that breaks off in the middle: its client has to see that. */
static enum body_got cut_off(struct call *c)
{
	struct str id = req_name(c->req);
	log_note(call_home(c)->ring, LOG_LEVEL_ERROR, "%.*s: %s broke off its answer after %llu bytes: %s (request %.*s)",
	         STR_F(c->outward->backend->name), c->peer_name, (unsigned long long)c->taken_b,
	         c->why ? c->why : "the connection was closed", STR_F(id));
	c->fault = FAULT_CUT;
	if (!c->req->cause)
		c->req->cause = c->origin->ended ? END_SERVER_BROKE : END_SERVER_BAD;
	if (is_traced(c))
		trace_failed(c, c->req->cause);
	c->at = CALL_FAILED;
	upstream_leave(c, OUTCOME_FAILED, false);
	return BODY_BROKEN;
}

/* The next bytes of the body as they come: BODY_SOME with *data. */
static enum body_got take(struct call *c, struct str *data)
{
	for (;;) {
		switch (hear(c, data)) {
		case HEARD_DATA:
			c->taken_b += data->n;
			return BODY_SOME;
		case HEARD_ASIDE:
			say_aside(c, *data);
			break;
		case HEARD_MORE:
			if (!c->late)
				return BODY_LATER;
			c->why = "it said nothing for too long";
			c->req->cause = END_READ_TIMEOUT;
			return cut_off(c);
		case HEARD_END:
			complete(c);
			return BODY_END;
		case HEARD_HEAD:
		case HEARD_INTERIM:
			c->why = "it sent a second head";
			return cut_off(c);
		case HEARD_BAD:
			return cut_off(c);
		}
	}
}

/* The next bytes, wherever they are. */
static enum body_got next(struct call *c, struct str *bytes)
{
	if (c->spool.held_b) {
		*bytes = spool_peek(&c->spool);
		return BODY_SOME;
	}
	if (c->ahead.n) {
		*bytes = c->ahead;
		return BODY_SOME;
	}
	if (c->at == CALL_OVER)
		return BODY_END;
	if (c->at == CALL_FAILED)
		return BODY_BROKEN;
	enum body_got got = take(c, &c->ahead);
	*bytes = c->ahead;
	return got;
}

static enum body_got upstream_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct call *c = call_of(b);
	struct str bytes;
	spool_drop(&c->spool, c->given_b);
	c->given_b = 0;
	enum body_got got = next(c, &bytes);
	c->hungry = got == BODY_LATER;
	if (got != BODY_SOME)
		return got;
	bytes = str_head(bytes, want_b < bytes.n ? (size_t)want_b : bytes.n);
	if (c->spool.held_b)
		c->given_b = bytes.n;
	else
		c->ahead = str_from(c->ahead, bytes.n);
	*out = chunk_of(bytes, c->at == CALL_OVER && !c->ahead.n && c->spool.held_b == c->given_b);
	return BODY_SOME;
}

/* The bytes given last lie in the inbox, or in the spool already. */
static void upstream_keep(struct body *b, struct str *rest)
{
	struct call *c = call_of(b);
	if (!rest->n || c->given_b)
		return;
	must(!c->spool.held_b);
	spool_add(&c->spool, *rest);
	*rest = spool_peek(&c->spool);
	c->given_b = rest->n;
}

static void upstream_body_close(struct body *b)
{
	upstream_close(call_of(b));
}

const struct body_ops UPSTREAM_BODY = { .read = upstream_read, .keep = upstream_keep, .close = upstream_body_close };

/* --- The turn's end. --- */

/* Its client is slow: what comes meanwhile is taken in, up to a bound, so that the server gets done. */
static void take_in(struct call *c)
{
	struct str data;
	spool_ahead(c);
	while (c->at == CALL_BODY && c->spool.held_b < c->outward->backend->buffer_b && take(c, &data) == BODY_SOME)
		spool_add(&c->spool, data);
}

void upstream_save(struct call *c)
{
	/* What follows 101 is the tunnel's. */
	if (c->req->step == STEP_SEND && !c->hungry && !c->req->answer.tunnel)
		take_in(c);
	spool_ahead(c);
	if (!c->input.n)
		return;
	must(!c->kept.n);
	buf_add(&c->kept, c->input);
	c->input = (struct str){};
}

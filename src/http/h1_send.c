/* Sending an answer over HTTP/1: the head put together in the loop's buffer, the body pulled chunk by chunk.
 *
 * A small answer leaves in one system call, head and body in one piece.  What the socket does not take stays where it is,
 * in the body's memory (body_keep), and only the rest of a head is copied. */
#include <errno.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "base/sys.h"
#include "http/core.h"
#include "http/exchange.h"
#include "http/iov.h"
#include "http/trace.h"
#include "http/trailers.h"

enum {
	/* Sent in one turn before others get theirs: a tenth of a millisecond's work, where it comes from the page cache. */
	TURN_MOST_B = 2 * 1024 * 1024,
	THROTTLE_PIECE_MS = 100,    /* a throttled answer goes out in pieces of this much time */
};

static bool has_body(const struct req *r)
{
	return r->ask.method != METHOD_HEAD && r->answer.status != 204 && r->answer.status != 304 &&
	       r->answer.status >= 200;
}

/* Whether the connection can go on after this answer, said in its head. */
static bool keeps_alive(struct exchange *x)
{
	struct req *r = &x->req;
	uint64_t most = req_core(r)->requests_per_connection, left_b = upload_left_b(x);
	if (!r->ask.keep_alive || r->answer.close || r->home->draining || (most && x->conn->requests >= most))
		return false;
	/* A client that still waits for 100 (Continue) may or may not send its body: nobody could tell what comes next. */
	if (left_b && !x->upload.told_to_go_on)
		return false;
	if (left_b == UINT64_MAX)
		return !x->upload.broken;
	return left_b <= DRAIN_MOST_B && r->received_b + left_b <= req_core(r)->body_b;
}

/* Appends to bytes that were made room for. */
static char *put(char *at, struct str s)
{
	memcpy(at, s.p, s.n);
	return at + s.n;
}

static size_t fields_b(const struct answer *a)
{
	size_t n = 0;
	for (size_t i = 0; i < a->field_count; i++)
		n += a->fields[i].name.n + a->fields[i].value.n + 4;
	return n;
}

static char *put_status(char *at, unsigned status)
{
	at = put(at, STR("HTTP/1.1 "));
	at += num_print(at, status);
	*at++ = ' ';
	return put(at, status_reason(status));
}

static char *put_framing(char *at, const struct exchange *x, struct str trailer)
{
	const struct req *r = &x->req;
	if (x->sender.chunked) {
		at = put(at, STR("\r\nTransfer-Encoding: chunked"));
		at = put(at, trailer.n ? STR("\r\nTrailer: ") : trailer);
		return put(at, trailer);
	}
	/* A 304's length is that of the 200 it stands for, and may be left out; 204 has none (RFC 9110, 8.6). */
	if (r->answer.length_b < 0 || r->answer.status < 200 || r->answer.status == 304 || r->answer.status == 204)
		return at;
	at = put(at, STR("\r\nContent-Length: "));
	return at + num_print(at, (uint64_t)r->answer.length_b);
}

static char *put_connection(char *at, const struct exchange *x)
{
	if (x->req.answer.tunnel)
		return put(at, STR("\r\nConnection: Upgrade"));
	if (x->req.answer.close)
		return put(at, STR("\r\nConnection: close"));
	return x->req.ask.minor == 0 ? put(at, STR("\r\nConnection: keep-alive")) : at;
}

/* What the head says of trailers. */
static struct str announced(struct exchange *x)
{
	struct req *r = &x->req;
	return x->sender.chunked && r->answer.trailers ? trailers_names(r->answer.trailers, &r->arena) : STR("");
}

static void make_head(struct exchange *x)
{
	struct req *r = &x->req;
	if (r->answer.bare)
		return;
	struct buf *head = &r->home->head;
	buf_clear(head);
	struct str trailer = announced(x);
	char *start = buf_room(head, fields_b(&r->answer) + trailer.n + 256), *at = start;
	at = put_status(at, r->answer.status);
	at = put(at, STR("\r\nServer: petrel\r\nDate: "));
	at = put(at, r->answer.date.n ? r->answer.date : home_date(r->home));
	for (size_t i = 0; i < r->answer.field_count; i++) {
		const struct field *f = &r->answer.fields[i];
		at = put(at, STR("\r\n"));
		at = put(at, f->name);
		at = put(at, STR(": "));
		at = put(at, f->value);
	}
	at = put_connection(put_framing(at, x, trailer), x);
	at = put(at, STR("\r\n\r\n"));
	must((size_t)(at - start) <= head->cap);
	x->sender.head = str_make(start, (size_t)(at - start));
}

static void begin(struct exchange *x)
{
	struct req *r = &x->req;
	struct sender *s = &x->sender;
	uint64_t now_ms = r->home->loop.now_ms;
	bool body = has_body(r) && r->answer.body && !r->answer.bare;
	if (!r->answer.body && r->answer.length_b == LENGTH_UNKNOWN)
		r->answer.length_b = 0;
	*s = (struct sender){ .begun = true, .over = !body, .begun_ms = now_ms, .left_b = r->answer.length_b };
	if (body && s->left_b == 0)
		s->over = true;
	if (!keeps_alive(x))
		r->answer.close = true;
	if (body && r->answer.length_b == LENGTH_UNKNOWN) {
		s->chunked = r->ask.minor >= 1;
		r->answer.close |= !s->chunked;
	}
	make_head(x);
	if (r->answer.body)
		r->answer.body->reader = r->task;
	pace_start(&x->pace, now_ms);
	x->waiting = x->waited = WAITING_SEND;
	r->first_ns = r->home->loop.now_ns;
	if (r->trace)
		trace_answer(r, x->sender.head);
}

/* How much of the body may be sent now; 0: not yet. */
static uint64_t allowance_b(const struct exchange *x)
{
	uint64_t rate = x->req.throttle_bps;
	if (!rate)
		return UINT64_MAX;
	uint64_t due_b = (x->req.home->loop.now_ms - x->sender.begun_ms + THROTTLE_PIECE_MS) * rate / 1000;
	due_b += x->req.throttle_after_b;
	return due_b > x->req.sent_body_b ? due_b - x->req.sent_body_b : 0;
}

/* The last chunk, and what follows it (RFC 9112, 7.1.2); behind another: with the end of that. */
static struct str last_chunk(struct exchange *x, bool behind)
{
	static const struct str PLAIN = { "\r\n0\r\n\r\n", 7 };
	const struct trailers *t = x->req.answer.trailers;
	if (!t || !t->count)
		return str_from(PLAIN, behind ? 0 : 2);
	struct buf out = {};
	buf_addf(&out, "%s0\r\n", behind ? "\r\n" : "");
	trailers_print(t, &out);
	buf_add(&out, STR("\r\n"));
	struct str last = arena_str(&x->req.arena, buf_str(&out));
	buf_fini(&out);
	return last;
}

/* The frame of the chunked coding around a chunk of the body. */
static void frame(struct exchange *x)
{
	struct sender *s = &x->sender;
	int n = snprintf(s->frame_text, sizeof s->frame_text, "%llx\r\n", (unsigned long long)s->chunk.length_b);
	s->frame = str_make(s->frame_text, (size_t)n);
	s->over = s->chunk.last;
	s->tail = s->over ? last_chunk(x, true) : STR("\r\n");
}

/* Takes what the body gave into account: its promised length holds, whatever the body thinks. */
static bool account(struct exchange *x)
{
	struct sender *s = &x->sender;
	if (s->chunked) {
		frame(x);
		return true;
	}
	if (s->left_b == LENGTH_UNKNOWN) {
		s->over = s->chunk.last;
		return true;
	}
	if (s->chunk.length_b > (uint64_t)s->left_b)
		return false;
	s->left_b -= (int64_t)s->chunk.length_b;
	s->over = s->left_b == 0;
	return true;
}

/* The client took all that there was: it is not what the answer waits for, and its pace is measured anew. */
static enum go wait_for(struct exchange *x, enum waiting waiting)
{
	x->waiting = x->waited = waiting;
	pace_start(&x->pace, x->req.home->loop.now_ms);
	return GO_WAIT;
}

static enum go pull(struct exchange *x)
{
	struct sender *s = &x->sender;
	struct req *r = &x->req;
	uint64_t want_b = allowance_b(x);
	if (!want_b)
		return wait_for(x, WAITING_THROTTLE);
	if (!s->chunked && s->left_b >= 0 && want_b > (uint64_t)s->left_b)
		want_b = (uint64_t)s->left_b;
	switch (body_read(r->answer.body, &s->chunk, want_b)) {
	case BODY_SOME:
		if (account(x))
			return GO_NEXT;
		break;
	case BODY_LATER:
		return wait_for(x, WAITING_HANDLER);
	case BODY_END:
		s->over = true;
		if (s->chunked)
			s->tail = last_chunk(x, false);
		if (s->left_b <= 0)
			return GO_NEXT;
		break;
	case BODY_BROKEN:
		break;
	}
	s->chunk = (struct chunk){ .file_fd = -1 };
	r->end = END_BROKEN;
	return GO_FAIL;
}

static bool has_file(const struct sender *s)
{
	return s->chunk.length_b && s->chunk.file_fd >= 0;
}

static void sent_bytes(struct exchange *x, size_t n)
{
	struct sender *s = &x->sender;
	x->req.sent_b += n;
	n = took(&s->frame, took(&s->head, n));
	if (!has_file(s) && s->chunk.length_b) {
		size_t before = s->chunk.bytes.n;
		n = took(&s->chunk.bytes, n);
		s->chunk.length_b = s->chunk.bytes.n;
		x->req.sent_body_b += before - s->chunk.bytes.n;
	}
	took(&s->tail, n);
}

static ssize_t send_parts(const struct exchange *x, struct iovec *v, size_t count, int flags)
{
	int fd = x->conn->watch.fd;
	char *together = x->req.home->together, *at = together;
	size_t size_b = 0;
	for (size_t i = 0; i < count; i++)
		size_b += v[i].iov_len;
	if (count == 1)
		return sys_send(fd, v[0].iov_base, size_b, flags);
	if (size_b > TOGETHER_B)
		return sys_sendmsg(fd, &(struct msghdr){ .msg_iov = v, .msg_iovlen = count }, flags);
	for (size_t i = 0; i < count; i++)
		at = mempcpy(at, v[i].iov_base, v[i].iov_len);
	return sys_send(fd, together, size_b, flags);
}

/* Everything that is bytes, in one system call: all of it before a file's range, or all of it. */
static ssize_t send_bytes(struct exchange *x)
{
	struct sender *s = &x->sender;
	struct iovec v[4];
	size_t count = part(v, part(v, 0, s->head), s->frame);
	if (!has_file(s)) {
		count = part(v, count, s->chunk.length_b ? s->chunk.bytes : (struct str){});
		count = part(v, count, s->tail);
	}
	if (!count)
		return 0;
	ssize_t n = send_parts(x, v, count, MSG_NOSIGNAL | (has_file(s) ? MSG_MORE : 0));
	if (n > 0)
		sent_bytes(x, (size_t)n);
	return n;
}

static ssize_t send_range(struct exchange *x)
{
	struct chunk *c = &x->sender.chunk;
	off_t offset = (off_t)c->offset_b;
	ssize_t n = sendfile(x->conn->watch.fd, c->file_fd, &offset, c->length_b);
	if (n <= 0)
		return n ? n : -2;  /* the file is shorter than it was: nothing more will come */
	c->offset_b += (uint64_t)n;
	c->length_b -= (uint64_t)n;
	x->req.sent_b += (uint64_t)n;
	x->req.sent_body_b += (uint64_t)n;
	return n;
}

static bool is_out(const struct sender *s)
{
	return !s->head.n && !s->frame.n && !s->chunk.length_b && !s->tail.n;
}

/* Pushes out what is at hand. */
static enum go push(struct exchange *x)
{
	struct sender *s = &x->sender;
	while (!is_out(s)) {
		bool range = has_file(s) && !s->head.n && !s->frame.n;
		ssize_t n = range ? send_range(x) : send_bytes(x);
		if (n > 0) {
			x->pace.last_ms = x->req.home->loop.now_ms;
			continue;
		}
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			wait_for_client(x, WAITING_SEND);
			return GO_WAIT;
		}
		x->req.end = n == -2 || errno == EIO ? END_BROKEN : END_CLIENT;
		return GO_FAIL;
	}
	return GO_NEXT;
}

/* The turn ends with the answer half out: what is borrowed from the loop's buffer or from the store has to stay. */
static void keep(struct exchange *x)
{
	struct req *r = &x->req;
	if (x->sender.head.n && x->sender.head.p >= r->home->head.p &&
	    x->sender.head.p < r->home->head.p + r->home->head.cap)
		x->sender.head = arena_str(&r->arena, x->sender.head);
	if (!r->answer.body)
		return;
	if (has_file(&x->sender) && !x->sender.chunked && r->answer.body->ops->back) {
		r->answer.body->ops->back(r->answer.body, x->sender.chunk.length_b);
		x->sender.over = false;
		if (x->sender.left_b >= 0)
			x->sender.left_b += (int64_t)x->sender.chunk.length_b;
		x->sender.chunk.length_b = 0;
	}
	body_keep(r->answer.body, &x->sender.chunk.bytes);
}

/* Pulls and pushes until all is out, the socket is full, the body has nothing yet, or it is others' turn. */
static enum go pump(struct exchange *x)
{
	struct sender *s = &x->sender;
	uint64_t until_b = x->req.sent_b + TURN_MOST_B;
	for (;;) {
		bool at_hand = s->frame.n || s->chunk.length_b || s->tail.n;
		enum go pulled = s->over || at_hand ? GO_NEXT : pull(x);
		if (pulled == GO_FAIL && !x->req.sent_b)
			return GO_FAIL;
		enum go pushed = push(x);
		if (pushed != GO_NEXT)
			return pushed;
		if (pulled != GO_NEXT)
			return pulled;
		if (s->over)
			return GO_NEXT;
		if (x->req.sent_b >= until_b) {
			loop_again(&x->req.home->loop, &x->conn->watch);
			wait_for_client(x, WAITING_SEND);
			return GO_WAIT;
		}
	}
}

/* The body broke before its head was sent: there is still time to say so. */
static enum go send_sorry(struct exchange *x)
{
	x->req.answer.close = true;
	req_answer(&x->req, 500);
	begin(x);
	return pump(x);
}

static enum go h1_send(struct req *r)
{
	struct exchange *x = container_of(r, struct exchange, req);
	if (!x->sender.begun)
		begin(x);
	enum go go = pump(x);
	if (go == GO_FAIL && !r->sent_b && r->end == END_BROKEN && r->answer.status != 500)
		go = send_sorry(x);
	if (go == GO_WAIT)
		keep(x);
	return go;
}

static void h1_local(struct req *r, struct ip *out)
{
	const struct exchange *x = container_of(r, struct exchange, req);
	struct sockaddr_storage at = {};
	socklen_t n = sizeof at;
	if (getsockname(x->conn->watch.fd, (struct sockaddr *)&at, &n) == 0)
		*out = ip_of(&at);
}

const struct wire H1_WIRE = { .send = h1_send, .local = h1_local };

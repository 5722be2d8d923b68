/* Traces while they grow.  See trace.h. */
#include "http/trace.h"

#include <sys/uio.h>

#include "base/clock.h"
#include "base/mem.h"

static uint64_t now_ns(const struct req *r)
{
	return r->home->loop.now_ns;
}

/* --- Beginning and end. --- */

static void add_sight(struct story *t, const struct tap *tap)
{
	t->sights[t->sight_count++] = (struct sight){ tap->feed, tap->quota, tap->secrets, tap->status_from, tap->status_to,
		                                      tap->slow_ns };
	feed_get(tap->feed);
	quota_get(tap->quota);
}

/* Without conditions on its end, what is beyond the rate is known now, and costs no more than this. */
static bool has_room(const struct tap *tap, const struct req *r)
{
	bool at_end = tap->status_to || tap->slow_ns;
	return at_end || quota_take(tap->quota, r->home->loop.now_ms);
}

static void begin(struct req *r)
{
	const struct taps *taps = r->home->taps;
	for (size_t i = 0; i < taps->count; i++) {
		const struct tap *tap = taps->p[i];
		if (feed_ended(tap->feed) || !tap_wants(tap, r) || r->home->traces >= TRACES_MOST || !has_room(tap, r))
			continue;
		if (!r->trace) {
			r->trace = MEM_NEW(struct story);
			r->trace->wall_ms = clock_wall_ms();
		}
		add_sight(r->trace, tap);
	}
	r->home->traces += r->trace != NULL;
}

void trace_routed(struct req *r)
{
	if (!r->trace && r->home->taps && !r->admin)
		begin(r);
	struct story *t = r->trace;
	if (t && t->way_count < TRACE_WAYS)
		t->ways[t->way_count++] = (struct way){ r->site, r->route, r->ask.path, now_ns(r) };
}

void trace_answer(struct req *r, struct str head)
{
	buf_clear(&r->trace->head);
	buf_add(&r->trace->head, str_head(head, TRACE_HEAD_B));
}

/* By what is known now. */
static bool still_wants(const struct sight *s, const struct req *r)
{
	unsigned status = r->first_ns ? r->answer.status : 0;
	if (s->status_to && (status < s->status_from || status > s->status_to))
		return false;
	if (s->slow_ns && now_ns(r) - r->begin_ns < s->slow_ns)
		return false;
	bool at_end = s->status_to || s->slow_ns;
	return !at_end || quota_take(s->quota, r->home->loop.now_ms);
}

static void flow_fini(struct flow *f)
{
	buf_fini(&f->kept);
}

static void trace_free(struct story *t)
{
	for (unsigned i = 0; i < t->try_count; i++) {
		flow_fini(&t->tries[i].out);
		flow_fini(&t->tries[i].in);
	}
	buf_fini(&t->head);
	mem_free(t);
}

void trace_end(struct req *r)
{
	struct story *t = r->trace;
	for (unsigned i = 0; i < t->sight_count; i++) {
		struct sight *s = &t->sights[i];
		if (!feed_ended(s->feed) && still_wants(s, r)) {
			struct buf line = {};
			trace_print(r, t, s->secrets, &line);
			feed_send(s->feed, buf_str(&line));
			buf_fini(&line);
		}
		feed_put(s->feed);
		quota_put(s->quota);
	}
	trace_free(t);
	r->trace = NULL;
	r->home->traces--;
}

/* --- Attempts. --- */

static struct attempt *last_try(const struct call *c)
{
	struct story *t = c->req->trace;
	return t->try_count ? &t->tries[t->try_count - 1] : NULL;
}

void trace_try(struct call *c)
{
	struct story *t = c->req->trace;
	if (t->try_count < TRACE_TRIES)
		t->try_count++;
	struct attempt *a = last_try(c);
	flow_fini(&a->out);
	flow_fini(&a->in);
	*a = (struct attempt){ .codec = c->outward->codec, .pool = c->outward->backend->name, .begin_ns = now_ns(c->req) };
}

void trace_picked(struct call *c)
{
	struct attempt *a = last_try(c);
	if (!a)
		return;
	memcpy(a->server, c->peer_name, sizeof a->server);
	a->reused = c->origin && c->origin->requests;
	a->picked_ns = now_ns(c->req);
}

void trace_connected(struct call *c)
{
	struct attempt *a = last_try(c);
	if (a)
		a->connected_ns = now_ns(c->req);
}

static void keep(struct call *c, struct flow *f, struct str bytes)
{
	size_t from = f->kept.n;
	f->all_b += bytes.n;
	if (c->outward->codec->decode == DECODE_FASTCGI && !f->full)
		thin_add(&f->thin, bytes, &f->kept);
	else if (!f->full)
		buf_add(&f->kept, str_head(bytes, TRACE_STREAM_B - f->kept.n));
	f->full |= f->kept.n >= TRACE_STREAM_B;
	if (f->kept.n > from && f->mark_count < TRACE_MARKS)
		f->marks[f->mark_count++] = (struct mark){ from, now_ns(c->req) };
}

void trace_sent(struct call *c, struct str bytes)
{
	struct attempt *a = last_try(c);
	if (a && bytes.n)
		keep(c, &a->out, bytes);
}

/* Its first bytes, as far as they are in the page cache; what is behind them counts only, and is kept as NULs. */
void trace_sent_file(struct call *c, const struct chunk *range)
{
	char bytes[1024] = {};
	struct iovec v = { bytes, sizeof bytes };
	uint64_t left = range->length_b;
	bool first = true;
	(void)!preadv2(range->file_fd, &v, 1, (off_t)range->offset_b, RWF_NOWAIT);
	while (left) {
		size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
		if (!first)
			memset(bytes, 0, n);
		trace_sent(c, str_make(bytes, n));
		left -= n;
		first = false;
	}
}

void trace_came(struct call *c, struct str bytes)
{
	struct attempt *a = last_try(c);
	if (a)
		keep(c, &a->in, bytes);
}

void trace_heard(struct call *c)
{
	struct attempt *a = last_try(c);
	if (a)
		a->head_ns = now_ns(c->req);
}

void trace_failed(struct call *c, enum end why)
{
	struct attempt *a = last_try(c);
	if (a)
		a->fault = why;
}

void trace_left(struct call *c)
{
	struct attempt *a = last_try(c);
	if (a && !a->over_ns)
		a->over_ns = now_ns(c->req);
}

/* The upstream client's driver: which part comes when, its deadline, and the answer made of what the origin said.  Runs on
 * the request's loop, in its turns. */
#include "http/upstream_parts.h"

#include "base/mem.h"
#include "http/core.h"

enum { PAUSE_MS = 100 };  /* before the second attempt at the same server; twice that before the third */

static void call_late(struct timer *t)
{
	struct call *c = container_of(t, struct call, timer);
	c->late = true;
	loop_queue(&call_home(c)->loop, c->req->task);
}

static struct call *call_new(struct req *r, const struct outward *o)
{
	const struct backend *b = o->backend;
	struct call *c = ARENA_NEW(&r->arena, struct call);
	c->req = r;
	c->arena = &r->arena;
	c->outward = o;
	c->pool = b->pool;
	c->body.ops = &UPSTREAM_BODY;
	c->since_ms = r->home->loop.now_ms;
	c->range.file_fd = -1;
	timer_init(&c->timer, call_late);
	bool has_body = r->ask.framing != FRAMING_NONE;
	if (has_body && (!b->streams || (o->codec->needs_length && r->ask.framing == FRAMING_CHUNKED)))
		c->collect = collect_new(r, b->collect_memory_b, req_core(r)->temporary);
	else if (has_body)
		c->upload = r->upload;
	c->body_b = !has_body ? 0 : r->ask.framing == FRAMING_LENGTH ? (int64_t)r->ask.length_b : LENGTH_UNKNOWN;
	c->at = c->collect ? CALL_COLLECT : CALL_PICK;
	r->call = c;
	r->trip = (struct trip){};
	return c;
}

/* --- The parts. --- */

static enum went collect(struct call *c)
{
	int err = 0;
	switch (collect_run(c->collect, &err)) {
	case COLLECT_LATER:
		return WENT_WAIT;
	case COLLECT_BROKEN:
		return wrong(c, FAULT_UPLOAD, NULL);
	case COLLECT_FULL:
		log_note(call_home(c)->ring, LOG_LEVEL_ERROR, "a request's body can't be kept in %.*s: %s",
		         STR_F(req_core(c->req)->temporary), strerror(-err));
		c->refused = 503;
		return wrong(c, FAULT_ASK, "There is no room for the request's body at the moment.");
	case COLLECT_DONE:
		break;
	}
	c->body_b = (int64_t)collect_length_b(c->collect);
	c->at = CALL_PICK;
	return WENT_ON;
}

/* Each attempt has its codec's state anew, and the collected body from its start. */
static enum went connect_to(struct call *c)
{
	enum went went = upstream_connect(c);
	if (went != WENT_ON)
		return went;
	c->state = arena_new(c->arena, c->outward->codec->state_b);
	if (c->collect)
		c->upload = collect_body(c->collect);
	if (c->upload)
		c->upload->reader = c->req->task;
	return WENT_ON;
}

static enum went exchange(struct call *c)
{
	enum went went = upstream_send(c);
	if (went == WENT_WRONG)
		return went;
	if (c->outward->codec->is_raw) {
		c->reply.status = 101;
		c->at = CALL_BODY;
		return WENT_ON;
	}
	went = upstream_hear_head(c);
	if (went == WENT_WAIT && c->late)
		return wrong(c, FAULT_LATE, "The server did not answer in time.");
	/* Whether it may be tried again is known before the answer is thrown away. */
	if (went == WENT_ON && upstream_status_fails(c) && upstream_may_repeat(c, FAULT_STATUS) && pool_may_retry(c->pool))
		return wrong(c, FAULT_STATUS, "The server answered that it failed.");
	return went;
}

static enum went (*const PARTS[])(struct call *) = {
	[CALL_COLLECT] = collect,    [CALL_PICK] = upstream_pick, [CALL_QUEUE] = upstream_queue,
	[CALL_PAUSE] = upstream_pause,
	[CALL_CONNECT] = connect_to, [CALL_HEAD] = exchange,      [CALL_HOLD] = exchange,
};

/* --- The answer. --- */

static bool is_ours(struct str name)
{
	return str_eq_nocase(name, STR("Date")) || str_eq_nocase(name, STR("Server"));
}

static void take_fields(struct call *c)
{
	struct answer *a = &c->req->answer;
	struct reply *reply = &c->reply;
	size_t kept = 0;
	for (size_t i = 0; i < reply->field_count; i++)
		if (!is_ours(reply->fields[i].name))
			reply->fields[kept++] = reply->fields[i];
		else if (c->req->fill && str_eq_nocase(reply->fields[i].name, STR("Date")))
			a->date = reply->fields[i].value;
	a->fields = reply->fields;
	a->field_count = a->field_cap = kept;
}

/* All of it is there: it goes out with its length, but where something is to follow it. */
static void settle_length(struct call *c)
{
	struct answer *a = &c->req->answer;
	if (a->trailers && a->trailers->count)
		return;
	a->length_b = (int64_t)(c->spool.held_b + c->ahead.n);
	a->trailers = NULL;
}

static enum go answer(struct call *c)
{
	struct req *r = c->req;
	struct answer *a = &r->answer;
	enum go go = c->outward->on_reply ? c->outward->on_reply(r, c) : GO_NEXT;
	if (go != GO_NEXT) {
		upstream_close(c);
		return go;
	}
	a->status = c->reply.status;
	take_fields(c);
	a->length_b = c->reply.length_b;
	a->trailers = c->reply.trailers;
	if (a->length_b == LENGTH_UNKNOWN && c->at == CALL_OVER && r->ask.method != METHOD_HEAD)
		settle_length(c);
	a->tunnel = a->status == 101;
	a->body = a->tunnel ? NULL : &c->body;
	upstream_stick(c);
	return GO_ANSWER;
}

enum go upstream_handle(struct req *r, const struct outward *o)
{
	struct call *c = r->call ? r->call : call_new(r, o);
	for (;;) {
		enum went went = PARTS[c->at](c);
		if (went == WENT_WAIT)
			return GO_WAIT;
		/* What comes next has a deadline of its own. */
		c->late = false;
		if (went == WENT_WRONG && !upstream_again(c))
			return upstream_sorry(c);
		if (c->at >= CALL_BODY)
			return answer(c);
	}
}

/* --- Between steps. --- */

void upstream_adopt(struct req *r, struct call *c)
{
	c->req->call = NULL;
	c->req = r;
	r->call = c;
	c->arena = &r->arena;
	if (c->origin)
		c->origin->task = r->task;
}

/* When its origin has been silent for too long; 0: it is not what the call waits for. */
static uint64_t due_ms(const struct call *c)
{
	const struct backend *b = c->outward->backend;
	bool sending = c->out.n > c->out_at || c->range.length_b;
	switch (c->at) {
	case CALL_QUEUE:
		return c->since_ms + b->queue_timeout_ms;
	case CALL_PAUSE:
		return c->since_ms + ((uint64_t)PAUSE_MS << c->req->trip.attempts) / 4;
	case CALL_CONNECT:
		return c->since_ms + b->connect_ms;
	case CALL_HEAD:
		return sending ? c->since_ms + b->send_ms : c->uploaded ? c->since_ms + b->answer_ms : 0;
	case CALL_HOLD:
		return c->since_ms + b->read_ms;
	case CALL_BODY:
		return c->hungry ? c->since_ms + b->read_ms : 0;
	case CALL_COLLECT:
	case CALL_PICK:
	case CALL_OVER:
	case CALL_FAILED:
		break;
	}
	return 0;
}

void upstream_meanwhile(struct call *c)
{
	struct home *h = call_home(c);
	/* Without the rest of the request its answer goes on, but the connection is of no more use. */
	if (c->at == CALL_BODY && upstream_send(c) == WENT_WRONG)
		c->uploaded = c->cut = true;
	upstream_save(c);
	c->late = false;
	c->fills = 0;
	/* A silence that the client caused is none of the origin's. */
	if (c->at == CALL_BODY && !c->hungry)
		c->since_ms = h->loop.now_ms;
	uint64_t due = due_ms(c);
	if (due)
		timer_set(&h->loop.wheel, &c->timer, due);
	else
		timer_stop(&c->timer);
}

void upstream_close(struct call *c)
{
	upstream_unqueue(c);
	upstream_leave(c, OUTCOME_NONE, false);
	timer_stop(&c->timer);
	spool_fini(&c->spool);
	buf_fini(&c->kept);
	buf_fini(&c->out);
	if (c->collect)
		collect_close(c->collect);
	c->req->call = NULL;
}

const struct outward *route_outward(const struct route *route)
{
	const struct hook *handler = &route->handler;
	return handler->module && handler->module->outward ? handler->module->outward(handler->values) : NULL;
}

bool outward_minds_fin(const struct outward *o)
{
	return !o->backend->half_close && !o->codec->is_raw;
}

bool upstream_minds_fin(const struct call *c)
{
	return c->at < CALL_OVER && outward_minds_fin(c->outward);
}

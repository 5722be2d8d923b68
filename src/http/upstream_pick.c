/* Choosing a server: what is known of the request goes to the pool, and where all are busy the request waits in the pool's
 * queue for its turn, its deadline, or its client's end. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "http/trace.h"
#include "http/upstream_parts.h"

/* A seat in the queue: not the call's own memory, since its mail may be on the way when the request ends.  The server
 * that comes with the mail keeps the pool. */
struct seat {
	struct pool_waiter waiter;
	struct call *call;       /* NULL: it is gone */
	struct pool *pool;
	struct home *home;
	bool served;             /* the mail came: waiter.peer is the call's */
};

/* --- What is known of the request. --- */

static uint64_t hash_of(const struct backend *b, struct req *r)
{
	struct buf key = {};
	tmpl_print(&key, &b->hash_key, r);
	uint64_t hash = hash_bytes(buf_str(&key), 0);
	buf_fini(&key);
	return hash;
}

/* The server that the client's cookie names; 0: none. */
static uint64_t cookie_of(const struct req *r, struct str name)
{
	uint64_t id;
	struct str value = ask_cookie(&r->ask, name);
	return value.p && num_parse_hex(value, &id) == 0 ? id : 0;
}

void upstream_know(const struct backend *b, struct req *r, struct pick *out)
{
	out->loop = r->home->loop.index;
	out->now_ms = r->home->loop.now_ms;
	if (b->balance == BALANCE_HASH)
		out->hash = hash_of(b, r);
	if (b->sticky.n)
		out->sticky = cookie_of(r, b->sticky);
}

void upstream_stick(struct call *c)
{
	struct str name = c->outward->backend->sticky;
	struct req *r = c->req;
	if (!name.n || c->peer_id == c->pick.sticky)
		return;
	answer_add(r, STR("Set-Cookie"), arena_strf(&r->arena, "%.*s=%016llx; Path=/; HttpOnly; SameSite=Lax", STR_F(name),
	                                           (unsigned long long)c->peer_id));
}

/* --- The queue. --- */

/* On the call's loop: a slot is there. */
static void came(struct mail *m)
{
	struct seat *p = container_of(m, struct seat, waiter.mail);
	if (p->call) {
		p->served = true;
		loop_queue(&p->home->loop, p->call->req->task);
		return;
	}
	peer_leave(p->pool, p->waiter.peer, OUTCOME_NONE, 0, p->home->loop.now_ms);
	mem_free(p);
}

static void seat_free(struct call *c)
{
	mem_free(c->seat);
	c->seat = NULL;
}

void upstream_unqueue(struct call *c)
{
	struct seat *p = c->seat;
	if (!p)
		return;
	if (p->served)
		peer_leave(p->pool, p->waiter.peer, OUTCOME_NONE, 0, p->home->loop.now_ms);
	if (p->served || pool_unwait(p->pool, &p->waiter)) {
		seat_free(c);
		return;
	}
	p->call = NULL;
	c->seat = NULL;
}

static unsigned class_of(struct call *c)
{
	const struct tmpl *t = &c->outward->backend->queue_class;
	uint64_t class = 1;
	if (t->count && num_parse(str_trim(tmpl_str(t, c->req)), POOL_CLASSES - 1, &class))
		class = 1;
	return (unsigned)class;
}

static bool was_tried(const struct call *c, const struct peer *peer)
{
	for (size_t i = 0; i < c->pick.tried_count; i++)
		if (c->pick.tried[i] == peer)
			return true;
	return false;
}

/* A server that answered works, whatever its status: it needs no moment. */
static enum went got(struct call *c, struct peer *peer)
{
	bool pauses = !c->paused && c->fault != FAULT_STATUS && was_tried(c, peer);
	c->since_ms = call_home(c)->loop.now_ms;
	c->at = pauses ? CALL_PAUSE : CALL_CONNECT;
	c->peer = c->at == CALL_CONNECT ? peer : NULL;
	if (!c->peer)
		peer_leave(c->pool, peer, OUTCOME_NONE, 0, c->since_ms);
	return WENT_ON;
}

enum went upstream_pause(struct call *c)
{
	if (!c->late)
		return WENT_WAIT;
	c->late = false;
	c->paused = true;
	c->at = CALL_PICK;
	return WENT_ON;
}

static enum went enqueue(struct call *c)
{
	struct home *h = call_home(c);
	struct seat *p = MEM_NEW(struct seat);
	*p = (struct seat){ .waiter = { .mail.deliver = came, .to = &h->loop.mailbox, .pick = c->pick, .class = class_of(c) },
		             .call = c, .pool = c->pool, .home = h };
	link_init(&p->waiter.link);
	c->seat = p;
	enum waits waits = pool_wait(c->pool, &p->waiter);
	if (waits == WAITS_QUEUED) {
		c->at = CALL_QUEUE;
		return WENT_WAIT;
	}
	struct peer *peer = p->waiter.peer;
	seat_free(c);
	if (waits == WAITS_PICKED)
		return got(c, peer);
	if (waits == WAITS_NONE)
		return wrong(c, FAULT_NO_SERVER, "No server is available for this.");
	return wrong(c, FAULT_QUEUE, "All servers are busy, and too many requests wait already.");
}

static void waited(struct call *c)
{
	struct home *h = call_home(c);
	uint64_t ns = h->loop.now_ns - c->begin_ns;
	c->req->trip.queue_ns += ns;
	c->begin_ns = h->loop.now_ns;
	histogram_add(&meters_at(h->meters, h->loop.index, c->outward->backend->meter)->wait, ns / 1000);
}

enum went upstream_queue(struct call *c)
{
	if (c->seat->served) {
		struct peer *peer = c->seat->waiter.peer;
		seat_free(c);
		waited(c);
		return got(c, peer);
	}
	if (!c->late)
		return WENT_WAIT;
	waited(c);
	upstream_unqueue(c);
	return wrong(c, FAULT_QUEUE, "All servers are busy, and none became free in time.");
}

enum went upstream_pick(struct call *c)
{
	struct home *h = call_home(c);
	struct peer *peer;
	if (!c->req->trip.attempts)
		upstream_know(c->outward->backend, c->req, &c->pick);
	c->req->trip.attempts += !c->paused;
	if (is_traced(c) && !c->paused)
		trace_try(c);
	c->pick.now_ms = c->since_ms = h->loop.now_ms;
	c->begin_ns = h->loop.now_ns;
	switch (pool_pick(c->pool, &c->pick, &peer)) {
	case PICKED:
		return got(c, peer);
	case PICK_WAIT:
		return enqueue(c);
	case PICK_NONE:
		break;
	}
	return wrong(c, FAULT_NO_SERVER, "No server is available for this.");
}

/* Connections to origins: new ones, idle ones, and their end.  Each runs on its loop's thread; what happens to it wakes
 * the call that has it, and closes it where nobody has. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/trace.h"
#include "http/upstream_parts.h"

static struct peer_here *here_of(const struct origin *o)
{
	return &o->peer->here[o->home->loop.index];
}

static void leave_list(struct origin *o)
{
	if (link_alone(&o->link))
		return;
	link_del(&o->link);
	here_of(o)->idle_count--;
}

void origin_close(struct origin *o)
{
	leave_list(o);
	link_del(&o->all);
	timer_stop(&o->timer);
	loop_forget(&o->home->loop, &o->watch);
	close(o->watch.fd);
	atomic_fetch_sub(&o->peer->open, 1);
	peer_put(o->pool, o->peer);
	mem_free(o);
}

void origins_end(struct home *h)
{
	while (!link_alone(&h->origins))
		origin_close(container_of(h->origins.next, struct origin, all));
}

/* Nothing has come.  An event may tell of bytes that were read since; and bytes may be there of which no event will tell
 * any more: nobody is to take them for the answer to his request. */
static bool is_quiet(struct origin *o)
{
	char byte;
	if (o->fin || recv(o->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		return false;
	o->readable = false;
	return true;
}

static void origin_ready(struct watch *w, uint32_t events)
{
	struct origin *o = container_of(w, struct origin, watch);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		o->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		o->writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		o->fin = true;
	if (o->task)
		loop_queue(&o->home->loop, o->task);
	else if (o->readable && !is_quiet(o))
		origin_close(o);
}

static void origin_old(struct timer *t)
{
	origin_close(container_of(t, struct origin, timer));
}

static int open_socket(const struct peer *peer)
{
	int one = 1, family = peer->addr.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

struct origin *origin_connect(struct home *h, struct pool *pool, struct peer *peer, struct task *task, int *err)
{
	int fd = open_socket(peer);
	if (fd < 0) {
		*err = fd;
		return NULL;
	}
	bool at_once = connect(fd, (const struct sockaddr *)&peer->addr, peer->addr_b) == 0;
	if (!at_once && errno != EINPROGRESS) {
		*err = -errno;
		close(fd);
		return NULL;
	}
	struct origin *o = MEM_NEW(struct origin);
	*o = (struct origin){ .watch = { fd, origin_ready }, .home = h, .pool = pool, .peer = peer, .task = task,
		              .connected = at_once, .writable = at_once };
	link_init(&o->link);
	link_add(&h->origins, &o->all);
	timer_init(&o->timer, origin_old);
	peer_get(peer);
	atomic_fetch_add(&peer->open, 1);
	atomic_fetch_add(&peer->connects, 1);
	*err = loop_watch(&h->loop, &o->watch);
	if (!*err)
		return o;
	origin_close(o);
	return NULL;
}

struct origin *origin_reuse(struct home *h, struct peer *peer, struct task *task)
{
	struct link *idle = &peer->here[h->loop.index].idle;
	if (link_alone(idle))
		return NULL;
	struct origin *o = container_of(idle->prev, struct origin, link);
	leave_list(o);
	timer_stop(&o->timer);
	o->task = task;
	return o;
}

void origin_idle(struct origin *o, size_t keep, uint64_t idle_ms)
{
	struct peer_here *here = here_of(o);
	uint32_t state = atomic_load(&o->peer->state);
	uint32_t most = atomic_load(&o->peer->connections);
	/* With more connections than it serves at a time, one that is idle here keeps another from being served: a loop that
	 * asked the others for room may have come too early for this one. */
	bool crowded = most && atomic_load(&o->peer->open) > most;
	bool fit = !crowded && !o->fin && !(state & (PEER_DOWN | PEER_RETIRED)) && (!o->readable || is_quiet(o));
	if (!keep || !fit || o->home->draining) {
		origin_close(o);
		return;
	}
	/* The one that has been idle longest makes room. */
	if (here->idle_count >= keep)
		origin_close(container_of(here->idle.next, struct origin, link));
	o->task = NULL;
	o->requests++;
	link_add(&here->idle, &o->link);
	here->idle_count++;
	timer_set(&o->home->loop.wheel, &o->timer, o->home->loop.now_ms + idle_ms);
}

/* --- Asking other loops. --- */

struct trim {
	struct mail mail;
	struct pool *pool;
	struct peer *peer;       /* counted */
	unsigned loop;           /* whose mail it is */
};

/* The loop's idle connections to this server. */
static void close_idle(struct peer *peer, unsigned loop)
{
	struct link *idle = &peer->here[loop].idle;
	while (!link_alone(idle))
		origin_close(container_of(idle->next, struct origin, link));
}

static void trim(struct mail *m)
{
	struct trim *t = container_of(m, struct trim, mail);
	close_idle(t->peer, t->loop);
	peer_put(t->pool, t->peer);
	mem_free(t);
}

void origin_trim(struct pools *pools, struct pool *pool, struct peer *peer, unsigned but)
{
	for (unsigned i = 0; i < pools_loops(pools); i++) {
		struct mailbox *box = i == but ? NULL : pools_mailbox(pools, i);
		if (!box)
			continue;
		struct trim *t = MEM_NEW(struct trim);
		*t = (struct trim){ .mail.deliver = trim, .pool = pool, .peer = peer, .loop = i };
		peer_get(peer);
		mailbox_post(box, &t->mail);
	}
}

/* --- For a call. --- */

static void note_peer(struct call *c)
{
	size_t n = c->peer->name.n < sizeof c->peer_name ? c->peer->name.n : sizeof c->peer_name - 1;
	memcpy(c->peer_name, c->peer->name.p, n);
	c->peer_name[n] = '\0';
	c->peer_id = c->peer->id;
	c->asked_peer = c->peer;
	c->req->trip.server = str_make(c->peer_name, n);
}

static enum went begin(struct call *c)
{
	struct home *h = call_home(c);
	int err = 0;
	note_peer(c);
	/* What may be stale must not take up the server's room, either. */
	if (c->fresh)
		close_idle(c->peer, h->loop.index);
	c->origin = origin_reuse(h, c->peer, c->req->task);
	if (c->origin) {
		h->calls++;
		return WENT_ON;
	}
	c->origin = origin_connect(h, c->pool, c->peer, c->req->task, &err);
	/* Its idle connections to other loops may take up all the room that it has.  After it was counted: of two loops that
	 * connect at once, one sees the other. */
	uint32_t most = atomic_load(&c->peer->connections);
	if (c->origin && most && atomic_load(&c->peer->open) > most)
		origin_trim(h->pools, c->pool, c->peer, h->loop.index);
	h->calls += c->origin != NULL;
	if (c->origin)
		return WENT_ON;
	log_note(h->ring, LOG_LEVEL_ERROR, "pool %.*s: no connection to %s: %s", STR_F(pool_name(c->pool)), c->peer_name,
	         strerror(-err));
	return wrong(c, FAULT_CONNECT, "The server could not be reached.");
}

static int error_of(const struct origin *o)
{
	int err = 0;
	socklen_t n = sizeof err;
	return getsockopt(o->watch.fd, SOL_SOCKET, SO_ERROR, &err, &n) ? errno : err;
}

enum went upstream_connect(struct call *c)
{
	struct home *h = call_home(c);
	if (!c->origin) {
		enum went went = begin(c);
		if (is_traced(c))
			trace_picked(c);
		if (went == WENT_WRONG)
			return went;
	}
	struct origin *o = c->origin;
	if (!o->connected && o->writable) {
		int err = error_of(o);
		if (err) {
			log_note(h->ring, LOG_LEVEL_ERROR, "pool %.*s: no connection to %s: %s", STR_F(pool_name(c->pool)),
			         c->peer_name, strerror(err));
			return wrong(c, FAULT_CONNECT, "The server could not be reached.");
		}
		o->connected = true;
	}
	if (!o->connected)
		return c->late ? wrong(c, FAULT_CONNECT_LATE, "The server could not be reached in time.") : WENT_WAIT;
	c->connected_ns = h->loop.now_ns;
	if (is_traced(c))
		trace_connected(c);
	c->req->trip.connect_ns = c->connected_ns - c->begin_ns;
	c->since_ms = h->loop.now_ms;
	c->at = CALL_HEAD;
	return WENT_ON;
}

/* An attempt that has come to its end: in class 0 where its server did not answer. */
static void measure(struct call *c, uint64_t us)
{
	struct home *h = call_home(c);
	struct meter *m = meters_at(h->meters, h->loop.index, c->outward->backend->meter);
	size_t class = us ? c->reply.status / 100 : 0;
	counter_add(&m->by_class[class < METER_CLASSES ? class : 0], 1);
	if (us)
		histogram_add(&m->time, us);
}

void upstream_leave(struct call *c, enum outcome outcome, bool keep)
{
	const struct backend *b = c->outward->backend;
	struct home *h = call_home(c);
	struct origin *o = c->origin;
	struct peer *peer = c->peer;
	const struct trip *trip = &c->req->trip;
	if (is_traced(c))
		trace_left(c);
	uint64_t us = trip->answer_ns ? (trip->connect_ns + trip->answer_ns) / 1000 : 0;
	h->calls -= o != NULL;
	c->origin = NULL;
	c->peer = NULL;
	/* The connection first: whoever gets the slot finds it idle. */
	if (o && keep)
		origin_idle(o, b->keepalive, b->keepalive_ms);
	else if (o)
		origin_close(o);
	if (peer && outcome != OUTCOME_NONE)
		measure(c, us);
	if (peer)
		peer_leave(c->pool, peer, outcome, us < UINT32_MAX ? (uint32_t)us : UINT32_MAX, h->loop.now_ms);
}

/* HTTP/1 connections: reading heads, running requests, deadlines, and the ways in which a connection ends.  Each runs on
 * its loop's thread; whatever happens to it (bytes, a wake, a deadline) ends in conn_turn(), which runs its state until
 * it has to wait, and then says for how long. */
#include "http/h1.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/sys.h"
#include "http/core.h"
#include "http/exchange.h"
#include "http/parse.h"
#include "http/tunnel.h"
#include "net/proxy_head.h"

enum {
	SPARES_MOST = 32,       /* exchanges kept for reuse by a loop */
	PIPELINE_MOST = 32,     /* requests answered on one connection before others get their turn */
	FILLS_MOST = 16,        /* reads on one connection before others get theirs */
	LINE_SHOWN_B = 200,     /* of a request line in the error log */
};

/* --- Exchanges. --- */

static struct exchange *exchange_take(struct home *h)
{
	if (link_alone(&h->spares))
		return mem_grow(NULL, sizeof(struct exchange));
	struct link *l = h->spares.next;
	link_del(l);
	h->spare_count--;
	return container_of(l, struct exchange, spare);
}

/* Ready for a request whose bytes begin to come. */
static void exchange_begin(struct conn *c)
{
	struct exchange *x = exchange_take(c->home);
	struct req *r = &x->req;
	/* All but the arena's first block, which need not be clean. */
	memset(x, 0, offsetof(struct exchange, req) + offsetof(struct req, first));
	x->sender.begun = false;
	x->waiting = x->waited = WAITING_HANDLER;
	x->pace = (struct pace){};
	link_init(&x->spare);
	x->conn = c;
	r->home = c->home;
	r->wire = &H1_WIRE;
	r->task = &c->task;
	r->peer = c->peer;
	r->admin = c->admin;
	arena_init(&r->arena, r->first, sizeof r->first);
	c->exchange = x;
}

static void exchange_end(struct conn *c)
{
	struct exchange *x = c->exchange;
	struct home *h = c->home;
	c->exchange = NULL;
	if (x->req.use)
		home_conf_put(x->req.use);
	arena_fini(&x->req.arena);
	if (h->spare_count >= SPARES_MOST) {
		mem_free(x);
		return;
	}
	link_add(&h->spares, &x->spare);
	h->spare_count++;
}

static void end_tunnel(struct conn *c, enum end end)
{
	struct home *h = c->home;
	counter_add(&h->stats.bytes_out, c->tunnel->down.moved_b);
	counter_add(&h->stats.bytes_in, c->tunnel->up.moved_b);
	tunnel_free(c->tunnel, end);
	c->tunnel = NULL;
}

/* --- Bytes. --- */

void conn_load(struct conn *c)
{
	struct home *h = c->home;
	if (!c->kept)
		return;
	must(!h->input.n && c->kept_n <= LOOP_SCRATCH_B);
	memcpy(h->loop.scratch, c->kept, c->kept_n);
	h->input = str_make(h->loop.scratch, c->kept_n);
	mem_free(c->kept);
	c->kept = NULL;
	c->kept_n = 0;
}

/* What is left over of the loop's buffer is copied: the next connection reads into it. */
static void save_input(struct conn *c)
{
	struct home *h = c->home;
	if (!h->input.n)
		return;
	must(!c->kept);
	c->kept = mem_grow(NULL, h->input.n);
	memcpy(c->kept, h->input.p, h->input.n);
	c->kept_n = (uint32_t)h->input.n;
	h->input = (struct str){};
}

bool conn_fill(struct conn *c)
{
	struct home *h = c->home;
	if (!c->readable)
		return false;
	if (h->fills++ >= FILLS_MOST) {
		loop_queue(&h->loop, &c->task);
		return false;
	}
	conn_load(c);
	if (h->input.n && h->input.p != h->loop.scratch)
		memmove(h->loop.scratch, h->input.p, h->input.n);
	h->input.p = h->loop.scratch;
	size_t room = LOOP_SCRATCH_B - h->input.n;
	if (!room)
		return false;
	ssize_t n = sys_recv(c->watch.fd, h->loop.scratch + h->input.n, room);
	if (n > 0) {
		/* Less than asked for: the socket is empty, and its next byte brings a new event. */
		if ((size_t)n < room && !c->fin)
			c->readable = false;
		h->input.n += (size_t)n;
		counter_add(&h->stats.bytes_in, (uint64_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return conn_fill(c);
	c->readable = false;
	if (n == 0 || errno != EAGAIN)
		c->ended = true;
	return false;
}

/* --- States.  Each returns true to be followed by the next at once, false to wait. --- */

static bool enter(struct conn *c, enum conn_state state)
{
	struct counter *states = c->home->stats.by_state;
	counter_add(&states[c->state], UINT64_MAX);
	counter_add(&states[state], 1);
	c->state = state;
	c->since_ms = c->home->loop.now_ms;
	return true;
}

/* A request that is answered although its head could not be understood. */
static bool refuse(struct conn *c, unsigned status, const char *why, enum end end)
{
	struct req *r = &c->exchange->req;
	r->end = end;
	r->use = home_conf_get(c->home);
	r->begin_ns = c->home->loop.now_ns;
	r->ask.minor = 1;
	r->answer.close = true;
	upload_init(c->exchange);
	req_unrouted(r);
	req_answer_why(r, status, why);
	r->step = STEP_HEAD;
	return enter(c, CONN_REQ);
}

static void accept_head(struct conn *c)
{
	struct home *h = c->home;
	struct req *r = &c->exchange->req;
	h->input = str_from(h->input, r->ask.head_b);
	counter_add(&h->stats.requests, !c->admin);
	c->requests++;
	r->id = h->next_id++;
	r->received_b = 0;
	r->begin_ns = h->loop.now_ns;
	r->use = home_conf_get(h);
	upload_init(c->exchange);
	pace_start(&c->exchange->pace, h->loop.now_ms);
	enter(c, CONN_REQ);
}

/* --- What is no request from its first byte. --- */

static struct str address_of(const struct ip *peer)
{
	return str_make((const char *)peer->bytes, ip_length(peer));
}

/* All bytes are a pool's: a request without a head, until it is a tunnel. */
static bool begin_stream(struct conn *c)
{
	struct req *r = &c->exchange->req;
	r->ask = (struct ask){ .method_name = STR("STREAM"), .target = r->listen->stream, .path = r->listen->stream,
		               .minor = 1 };
	r->id = c->home->next_id++;
	r->begin_ns = c->home->loop.now_ns;
	r->answer.bare = true;
	r->answer.close = true;
	upload_init(c->exchange);
	r->route = &req_conf(r)->unsited;
	r->step = STEP_GATE;
	counter_add(&c->home->stats.requests, 1);
	return enter(c, CONN_REQ);
}

/* Its listener is of a snapshot: that stays until the connection has begun. */
static void begin_apart(struct conn *c, const struct listen_spec *spec)
{
	exchange_begin(c);
	c->exchange->req.use = home_conf_get(c->home);
	c->exchange->req.listen = spec;
}

static bool introduced(struct conn *c)
{
	if (c->exchange->req.listen->stream.n)
		return begin_stream(c);
	c->whole = true;
	return enter(c, CONN_HEAD);
}

/* From here on it counts as its client's connection, and not as one of the balancer's. */
static bool renamed(struct conn *c, const struct ip *client)
{
	struct limits *limits = c->home->limits;
	if (c->counted)
		limits_leave(limits, address_of(&c->peer));
	c->peer = c->exchange->req.peer = *client;
	c->counted = limits_enter(limits, address_of(client)) == LIMITS_ADMITTED;
	counter_add(&c->home->stats.refused, !c->counted);
	return c->counted;
}

static bool run_proxy(struct conn *c)
{
	struct home *h = c->home;
	struct ip from = c->peer;
	size_t length_b;
	for (;;) {
		switch (h->input.n ? proxy_head_parse(h->input, &from, &length_b) : PROXY_MORE) {
		case PROXY_DONE:
			h->input = str_from(h->input, length_b);
			return renamed(c, &from) ? introduced(c) : enter(c, CONN_CLOSE);
		case PROXY_BAD:
			log_note(h->ring, LOG_LEVEL_WARN, "a connection does not begin with a PROXY protocol head, as its "
			                                  "listener wants it: closed");
			return enter(c, CONN_CLOSE);
		case PROXY_MORE:
			break;
		}
		if (!conn_fill(c))
			return c->ended || h->input.n == LOOP_SCRATCH_B ? enter(c, CONN_CLOSE) : false;
	}
}

/* A head has to be read again only when a line of it has come to its end, or the limit is reached. */
static bool worth_parsing(const struct conn *c, size_t seen, const struct core *core)
{
	struct str fresh = str_from(c->home->input, seen);
	return str_find(fresh, '\n') < fresh.n || c->home->input.n >= core->header_b;
}

static bool parse_head(struct conn *c)
{
	struct home *h = c->home;
	const struct core *core = conf_core(h->use->conf);
	struct parse_limits limits = { core->header_b, core->fields };
	unsigned status;
	const char *why;
	exchange_begin(c);
	struct req *r = &c->exchange->req;
	switch (parse_ask(&r->arena, h->input, &limits, &r->ask, &status, &why)) {
	case PARSE_DONE:
		accept_head(c);
		return true;
	case PARSE_BAD:
		return refuse(c, status, why, END_BAD);
	case PARSE_MORE:
		break;
	}
	exchange_end(c);
	return false;
}

/* The client sends no more.  What there is of a head may be wrong already, though no line of it came to its end. */
static bool head_cut_short(struct conn *c)
{
	conn_load(c);
	return (c->home->input.n && parse_head(c)) || enter(c, CONN_CLOSE);
}

static bool run_head(struct conn *c)
{
	struct home *h = c->home;
	if (h->draining && !h->input.n && !c->kept)
		return enter(c, CONN_CLOSE);
	if (c->whole)
		conn_load(c);
	c->whole = false;
	if (h->input.n && parse_head(c))
		return true;
	for (;;) {
		bool fresh = !h->input.n && !c->kept;
		size_t seen = fresh ? 0 : h->input.n + c->kept_n;
		if (!conn_fill(c))
			return c->ended ? head_cut_short(c) : false;
		if (fresh)
			c->since_ms = h->loop.now_ms;
		if (worth_parsing(c, seen, conf_core(h->use->conf)) && parse_head(c))
			return true;
	}
}

/* After an answer with "Connection: close": whether the client may still be sending, so that closing at once could
 * take the answer away from it (RFC 9112, 9.6). */
static bool should_linger(const struct conn *c)
{
	return !c->ended && (upload_left_b(c->exchange) || c->home->input.n || c->kept || c->readable ||
	                     c->exchange->req.end == END_BAD || c->exchange->req.end == END_HEADER_TIMEOUT);
}

/* Method and target as they came, which lie one behind the other: for the panic's last words. */
static struct str request_line(const struct ask *ask)
{
	struct str last = ask->target.n ? ask->target : ask->method_name;
	return str_make(ask->method_name.p, (size_t)(last.p + last.n - ask->method_name.p));
}

/* What the client sent already is the tunnel's. */
static bool begin_tunnel(struct conn *c)
{
	struct tunnel *t = c->exchange->req.tunnel;
	t->req = req_settle(&c->exchange->req);
	conn_load(c);
	buf_add(&t->up.held, c->home->input);
	t->up.moved_b += c->home->input.n;
	c->home->input.n = 0;
	t->origin->task = &c->task;
	exchange_end(c);
	c->tunnel = t;
	return enter(c, CONN_TUNNEL);
}

static bool run_tunnel(struct conn *c)
{
	struct tunnel *t = c->tunnel;
	uint64_t before_b = t->up.moved_b + t->down.moved_b;
	bool readable = c->readable, goes_on = tunnel_run(t, &c->task, c->watch.fd, &readable, c->fin);
	c->readable = readable;
	if (t->up.moved_b + t->down.moved_b > before_b)
		c->since_ms = c->home->loop.now_ms;
	if (goes_on)
		return false;
	end_tunnel(c, END_DONE);
	return enter(c, CONN_CLOSE);
}

/* How long one request held up all others of its loop. */
static void see_time(struct home *h, const struct req *r, uint64_t ms)
{
	uint64_t most_ms = conf_core(h->use->conf)->long_turn_ms;
	if (!most_ms || ms < most_ms)
		return;
	struct str line = str_head(h->loop.serving, LINE_SHOWN_B), route = r->route ? r->route->pattern.text : STR("");
	h->blamed_ms += ms;
	log_note(h->ring, LOG_LEVEL_WARN, "one request held up loop %u for %llu ms: %.*s (route %.*s, request %016llx)",
	         h->loop.index, (unsigned long long)ms, STR_F(line), STR_F(route), (unsigned long long)r->id);
}

static bool run_req(struct conn *c)
{
	struct req *r = &c->exchange->req;
	struct loop *l = &c->home->loop;
	uint64_t before_ms = clock_tick_ms();
	l->serving = request_line(&r->ask);
	c->exchange->waiting = WAITING_HANDLER;
	bool over = req_run(r);
	see_time(c->home, r, clock_tick_ms() - before_ms);
	l->serving = (struct str){};
	if (!over) {
		c->exchange->waited = c->exchange->waiting;
		return false;
	}
	counter_add(&c->home->stats.bytes_out, r->sent_b);
	if (r->tunnel)
		return begin_tunnel(c);
	/* A deadline that its body missed was answered; those of its answer cut it off (cut()). */
	bool broke = r->end == END_CLIENT || r->end == END_BROKEN;
	c->exchange->drain_most_b = r->received_b + DRAIN_MOST_B;
	if (!r->answer.close && !broke)
		return enter(c, upload_left_b(c->exchange) ? CONN_DRAIN : CONN_HEAD);
	bool linger = !broke && should_linger(c);
	if (linger)
		shutdown(c->watch.fd, SHUT_WR);
	return enter(c, linger ? CONN_LINGER : CONN_CLOSE);
}

/* Throws away what is left of an upload that nobody wanted, to get at the next request. */
static bool run_drain(struct conn *c)
{
	struct exchange *x = c->exchange;
	struct chunk chunk;
	for (;;) {
		switch (body_read(&x->upload.body, &chunk, UINT64_MAX)) {
		case BODY_SOME:
			if (x->req.received_b <= x->drain_most_b)
				break;
			[[fallthrough]];
		case BODY_BROKEN:
			shutdown(c->watch.fd, SHUT_WR);
			return enter(c, CONN_LINGER);
		case BODY_LATER:
			return false;
		case BODY_END:
			return enter(c, CONN_HEAD);
		}
	}
}

static bool run_linger(struct conn *c)
{
	do
		c->home->input.n = 0;
	while (conn_fill(c));
	return c->ended ? enter(c, CONN_CLOSE) : false;
}

/* --- Deadlines. --- */

static const struct core *core_of(const struct conn *c)
{
	return c->exchange && c->exchange->req.use ? req_core(&c->exchange->req) : conf_core(c->home->use->conf);
}

/* The end of the pace's window, or of the silence allowed, whichever comes first. */
static uint64_t pace_due_ms(const struct pace *p, const struct core *core, uint64_t silence_ms)
{
	uint64_t silent = p->last_ms + silence_ms, window = p->since_ms + PACE_WINDOW_MS;
	return core->min_rate_bps && window < silent ? window : silent;
}

/* When conn_timer() has to look at this connection; 0: never. */
static uint64_t due_ms(const struct conn *c)
{
	const struct core *core = core_of(c);
	const struct exchange *x = c->exchange;
	switch (c->state) {
	case CONN_PROXY:
		return c->since_ms + core->header_timeout_ms;
	case CONN_HEAD:
		return c->since_ms + (c->kept ? core->header_timeout_ms : core->idle_timeout_ms);
	case CONN_DRAIN:
		return pace_due_ms(&x->pace, core, core->body_timeout_ms);
	case CONN_LINGER:
		return c->since_ms + core->linger_timeout_ms;
	case CONN_TUNNEL:
		return c->since_ms + c->tunnel->idle_ms;
	case CONN_REQ:
		break;
	case CONN_CLOSE:
		return 0;
	}
	switch (x->waiting) {
	case WAITING_UPLOAD:
		return pace_due_ms(&x->pace, core, core->body_timeout_ms);
	case WAITING_SEND:
		return pace_due_ms(&x->pace, core, core->send_timeout_ms);
	case WAITING_THROTTLE:
		return c->home->loop.now_ms + 20;
	case WAITING_HANDLER:
		break;
	}
	return 0;
}

/* Whether the window's bytes were too few; begins a new window. */
static bool too_slow(struct pace *p, const struct core *core, uint64_t now_ms)
{
	uint64_t ms = now_ms - p->since_ms;
	if (!core->min_rate_bps || ms < PACE_WINDOW_MS)
		return false;
	bool slow = p->moved_b * 1000 < core->min_rate_bps * ms;
	p->since_ms = now_ms;
	p->moved_b = 0;
	return slow;
}

/* --- One turn of a connection. --- */

static void conn_free(struct conn *c)
{
	struct home *h = c->home;
	if (c->exchange)
		exchange_end(c);
	if (c->tunnel)
		end_tunnel(c, h->draining ? END_DRAIN : END_CLIENT);
	loop_forget(&h->loop, &c->watch);
	close(c->watch.fd);
	timer_stop(&c->timer);
	task_stop(&c->task);
	link_del(&c->link);
	h->conn_count--;
	counter_add(&h->stats.by_state[c->state], UINT64_MAX);
	if (c->counted)
		limits_leave(h->limits, address_of(&c->peer));
	mem_free(c->kept);
	mem_free(c);
}

static bool run_state(struct conn *c)
{
	switch (c->state) {
	case CONN_PROXY: return run_proxy(c);
	case CONN_HEAD: return run_head(c);
	case CONN_REQ: return run_req(c);
	case CONN_TUNNEL: return run_tunnel(c);
	case CONN_DRAIN: return run_drain(c);
	case CONN_LINGER: return run_linger(c);
	case CONN_CLOSE: break;
	}
	return false;
}

/* Whether a client that sends no more is taken for gone. */
static bool left(const struct conn *c)
{
	return c->fin && c->state == CONN_REQ && !upload_left_b(c->exchange) && req_minds_fin(&c->exchange->req);
}

static void cut(struct conn *c, enum end end);

/* Runs the connection until it has to wait.  It may be freed when this returns. */
static void conn_turn(struct conn *c)
{
	struct home *h = c->home;
	must(!h->input.n);
	h->fills = 0;
	for (unsigned answered = 0; run_state(c);) {
		if (c->state != CONN_HEAD)
			continue;
		exchange_end(c);
		c->whole = true;
		if (++answered < PIPELINE_MOST)
			continue;
		loop_queue(&h->loop, &c->task);
		break;
	}
	/* The end of what it sends may have come together with the request. */
	if (left(c)) {
		h->input.n = 0;
		cut(c, END_CLIENT);
		return;
	}
	if (c->state == CONN_CLOSE) {
		h->input.n = 0;
		conn_free(c);
		return;
	}
	save_input(c);
	uint64_t due = due_ms(c);
	if (due)
		timer_set(&h->loop.wheel, &c->timer, due);
	else
		timer_stop(&c->timer);
}

/* Has close() throw away what is left in the socket's buffer: who does not take it would keep the kernel busy. */
static void forget_unsent(struct conn *c)
{
	static const struct linger NONE = { .l_onoff = 1 };
	setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &NONE, sizeof NONE);
}

/* Cuts a request off. */
static void cut(struct conn *c, enum end end)
{
	if (end == END_MIN_RATE || end == END_SEND_TIMEOUT)
		forget_unsent(c);
	req_abort(&c->exchange->req, end);
	counter_add(&c->home->stats.bytes_out, c->exchange->req.sent_b);
	enter(c, CONN_CLOSE);
	conn_turn(c);
}

/* A deadline that came while the request waits for its client. */
static void req_late(struct conn *c, bool slow, bool silent)
{
	struct exchange *x = c->exchange;
	if (x->waiting == WAITING_UPLOAD && (slow || silent)) {
		/* Whoever reads the body finds it broken, and answers. */
		x->upload.broken = true;
		x->req.upload_status = 408;
		x->req.end = slow ? END_MIN_RATE : END_BODY_TIMEOUT;
		conn_turn(c);
	} else if (x->waiting == WAITING_SEND && (slow || silent)) {
		cut(c, slow ? END_MIN_RATE : END_SEND_TIMEOUT);
	} else {
		conn_turn(c);
	}
}

/* What the client took of its answer since the last look.  A socket's buffer holds much, and is said to have room only
 * when much of it is gone: a slow client may take bytes all the time while none can be sent. */
static void see_taken(struct conn *c)
{
	struct pace *p = &c->exchange->pace;
	uint64_t sent_b = c->exchange->req.sent_b;
	int queued_b = 0;
	if (ioctl(c->watch.fd, SIOCOUTQ, &queued_b) < 0 || queued_b < 0 || (uint64_t)queued_b > sent_b)
		return;
	uint64_t taken_b = sent_b - (uint64_t)queued_b;
	if (taken_b > p->taken_b)
		pace_moved(p, c->home->loop.now_ms, taken_b - p->taken_b);
	p->taken_b = taken_b;
}

static void conn_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	const struct core *core = core_of(c);
	uint64_t now_ms = c->home->loop.now_ms;
	struct pace *p = c->exchange ? &c->exchange->pace : NULL;
	switch (c->state) {
	case CONN_HEAD:
		if (c->kept) {
			exchange_begin(c);
			refuse(c, 408, "The request's head did not arrive in time.", END_HEADER_TIMEOUT);
			conn_turn(c);
			return;
		}
		break;
	case CONN_REQ: {
		if (c->exchange->waiting == WAITING_SEND)
			see_taken(c);
		uint64_t silence_ms = c->exchange->waiting == WAITING_UPLOAD ? core->body_timeout_ms
		                                                             : core->send_timeout_ms;
		req_late(c, too_slow(p, core, now_ms), now_ms >= p->last_ms + silence_ms);
		return;
	}
	case CONN_DRAIN:
		if (!too_slow(p, core, now_ms) && now_ms < p->last_ms + core->body_timeout_ms) {
			conn_turn(c);
			return;
		}
		break;
	case CONN_TUNNEL:
		end_tunnel(c, END_IDLE);
		break;
	case CONN_PROXY:
	case CONN_LINGER:
	case CONN_CLOSE:
		break;
	}
	enter(c, CONN_CLOSE);
	conn_turn(c);
}

static void conn_task(struct task *t)
{
	conn_turn(container_of(t, struct conn, task));
}

static void conn_ready(struct watch *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, watch);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->readable = true;
	if (events & EPOLLRDHUP)
		c->fin = true;
	if (events & (EPOLLHUP | EPOLLERR) || left(c)) {
		if (c->state == CONN_REQ)
			cut(c, END_CLIENT);
		else {
			enter(c, CONN_CLOSE);
			conn_turn(c);
		}
		return;
	}
	conn_turn(c);
}

/* --- Coming and going. --- */

/* One connection too many: told so in one write, which an empty socket buffer always takes. */
static void turn_away(struct home *h, int fd, enum admitted why)
{
	static const char FULL[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n"
	                           "Connection: close\r\n\r\n";
	static const char ADDRESS[] = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n"
	                              "Connection: close\r\n\r\n";
	struct str text = str_of(why == LIMITS_FULL ? FULL : ADDRESS);
	counter_add(&h->stats.refused, 1);
	if (send(fd, text.p, text.n, MSG_NOSIGNAL) == (ssize_t)text.n)
		shutdown(fd, SHUT_WR);
	/* A request that is there already, and was not read, would take the answer away from its client. */
	(void)!sys_recv(fd, h->loop.scratch, LOOP_SCRATCH_B);
	close(fd);
}

void conn_new(struct home *h, int fd, const struct ip *peer, const struct listen_spec *spec)
{
	bool admin = spec->admin;
	/* Whoever looks after a server that is full has to get in: by its Unix socket. */
	bool counted = !admin || peer->family != AF_UNIX;
	enum admitted admitted = counted ? limits_enter(h->limits, address_of(peer)) : LIMITS_ADMITTED;
	if (admitted != LIMITS_ADMITTED) {
		turn_away(h, fd, admitted);
		return;
	}
	struct conn *c = MEM_NEW(struct conn);
	c->home = h;
	c->peer = *peer;
	c->counted = counted;
	c->admin = admin;
	c->watch = (struct watch){ fd, conn_ready };
	timer_init(&c->timer, conn_timer);
	task_init(&c->task, conn_task);
	link_add(&h->conns, &c->link);
	h->conn_count++;
	counter_add(&h->stats.by_state[c->state], 1);
	counter_add(&h->stats.accepted, 1);
	enter(c, CONN_HEAD);
	if (loop_watch(&h->loop, &c->watch)) {
		conn_free(c);
		return;
	}
	if (spec->proxy || spec->stream.n) {
		begin_apart(c, spec);
		enter(c, CONN_PROXY);
	}
	if (spec->stream.n && !spec->proxy) {
		begin_stream(c);
		conn_turn(c);
		return;
	}
	timer_set(&h->loop.wheel, &c->timer, due_ms(c));
}

void home_drain(struct home *h)
{
	h->draining = true;
	for (struct link *l = h->conns.next; l != &h->conns; l = l->next) {
		struct conn *c = container_of(l, struct conn, link);
		loop_queue(&h->loop, &c->task);
	}
}

size_t home_cut(struct home *h)
{
	size_t under_way = 0;
	while (!link_alone(&h->conns)) {
		struct conn *c = container_of(h->conns.next, struct conn, link);
		under_way += c->state == CONN_REQ || c->state == CONN_TUNNEL;
		if (c->state == CONN_REQ) {
			cut(c, END_DRAIN);
			continue;
		}
		enter(c, CONN_CLOSE);
		conn_turn(c);
	}
	return under_way;
}

void home_fini(struct home *h)
{
	while (!link_alone(&h->spares)) {
		struct exchange *x = container_of(h->spares.next, struct exchange, spare);
		link_del(&x->spare);
		mem_free(x);
	}
	buf_fini(&h->head);
	buf_fini(&h->line);
	buf_fini(&h->asked);
	mem_free(h->inbox);
}

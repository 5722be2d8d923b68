/* Connections to memcached servers.  Each runs on its loop's thread. */
#include "http/mc_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

enum { SLOTS_FIRST = 64, READS_A_TURN = 32, KEY_BINARY_MOST_B = MC_KEY_MOST_B / 4 * 3 };

/* --- Its line of requests. --- */

static struct mc_slot *slot_at(const struct mc_conn *c, uint64_t seq)
{
	return &c->slots[seq & (c->cap - 1)];
}

static void grow(struct mc_conn *c)
{
	size_t cap = c->cap ? c->cap * 2 : SLOTS_FIRST;
	struct mc_slot *slots = mem_new(cap * sizeof *slots);
	for (uint64_t seq = c->first; seq != c->next; seq++)
		slots[seq & (cap - 1)] = *slot_at(c, seq);
	mem_free(c->slots);
	c->slots = slots;
	c->cap = cap;
}

static void op_over(struct mc_conn *c, struct mc_op *op, enum mc_got got)
{
	timer_stop(&op->timer);
	op->conn = NULL;
	op->got = got;
	if (op->task)
		loop_queue(c->loop, op->task);
}

static void lose_all(struct mc_conn *c)
{
	c->unsent = c->next;
	for (; c->first != c->next; c->first++) {
		struct mc_op *op = slot_at(c, c->first)->op;
		if (!op)
			continue;
		counter_add(&c->counts->lost, 1);
		op_over(c, op, MC_LOST);
	}
}

/* --- Its end. --- */

void mc_conn_close(struct mc_conn *c)
{
	if (c->state == MC_DOWN)
		return;
	c->state = MC_DOWN;
	timer_stop(&c->timer);
	task_stop(&c->flush);
	loop_forget(c->loop, &c->watch);
	close(c->watch.fd);
	c->watch.fd = -1;
	buf_clear(&c->out);
	c->out_at = 0;
	mc_reader_fini(&c->reader);
	lose_all(c);
	if (c->owner)
		loop_queue(c->loop, c->owner);
}

/* What the server did is the breaker's business, too. */
static void broke(struct mc_conn *c, enum breaker_why why)
{
	bool opened = c->breaker && breaker_open(c->breaker, c->term, why);
	mc_conn_close(c);
	if (opened)
		c->opened(c);
}

static void count(struct mc_conn *c, enum breaker_outcome outcome)
{
	if (c->breaker && breaker_count(c->breaker, c->term, outcome, c->loop->now_ms))
		c->opened(c);
}

/* --- What comes in. --- */

static bool is_error(enum mc_code code)
{
	return code == MC_SERVER_ERROR || code == MC_CLIENT_ERROR || code == MC_ERROR;
}

/* Errors, and MN, have no number; and later servers leave it out where there is nothing. */
static bool fits(const struct mc_conn *c, const struct mc_answer *a)
{
	if (a->marks & MC_OPAQUE)
		return a->opaque == c->first;
	return is_error(a->code) || a->code == MC_MN || a->code == MC_EN;
}

static void tally(struct mc_conn *c, const struct mc_slot *slot, const struct mc_answer *a)
{
	if (is_error(a->code))
		counter_add(&c->counts->errors, 1);
	else if (slot->get)
		counter_add(a->code == MC_VA && !(a->size_b == 0 && a->marks & (MC_WON | MC_SENT)) ? &c->counts->hits :
		                                                                                    &c->counts->misses, 1);
}

/* A server without room for what it was sent is well all the same; what a ghost gets was counted as late. */
static void judge(struct mc_conn *c, const struct mc_slot *slot, const struct mc_answer *a)
{
	bool bad = is_error(a->code) && !slot->sets;
	if (slot->op || bad)
		count(c, bad ? BREAKER_ERROR : BREAKER_GOOD);
}

/* False: the connection is closed. */
static bool answered(struct mc_conn *c)
{
	const struct mc_answer *a = &c->reader.answer;
	if (c->first == c->next || !fits(c, a)) {
		broke(c, BREAKER_NONSENSE);
		return false;
	}
	struct mc_slot slot = *slot_at(c, c->first);
	c->first++;
	tally(c, &slot, a);
	if (slot.op) {
		slot.op->answer = *a;
		slot.op->value = str_make(c->reader.value, c->reader.value ? (size_t)a->size_b : 0);
		c->reader.value = NULL;
		op_over(c, slot.op, MC_ANSWERED);
	}
	judge(c, &slot, a);
	/* Who does not know what it was asked may take the rest of that for another question. */
	if ((a->code == MC_CLIENT_ERROR && slot.sets) || a->code == MC_ERROR)
		broke(c, BREAKER_NONSENSE);
	return c->state == MC_UP;
}

static void hear(struct mc_conn *c, struct str in)
{
	while (in.n) {
		enum mc_heard heard = mc_read(&c->reader, &in, MC_VALUE_MOST_B);
		if (heard == MC_NONSENSE) {
			broke(c, BREAKER_NONSENSE);
			return;
		}
		if (heard == MC_HEARD && !answered(c))
			return;
	}
}

static void receive(struct mc_conn *c)
{
	for (unsigned i = 0; c->state == MC_UP; i++) {
		if (i == READS_A_TURN) {
			loop_again(c->loop, &c->watch);
			return;
		}
		ssize_t n = recv(c->watch.fd, c->loop->scratch, LOOP_SCRATCH_B, MSG_DONTWAIT);
		if (n > 0)
			hear(c, str_make(c->loop->scratch, (size_t)n));
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		else
			broke(c, n ? BREAKER_RESET : BREAKER_END);
	}
}

/* --- What goes out. --- */

/* What is appended faster than it leaves does not take what left along. */
static void drop_sent(struct mc_conn *c)
{
	if (c->out_at < c->out.n / 2)
		return;
	memmove(c->out.p, c->out.p + c->out_at, c->out.n - c->out_at);
	c->out.n -= c->out_at;
	c->out_at = 0;
}

static void transmit(struct mc_conn *c)
{
	while (c->state == MC_UP && c->out_at < c->out.n) {
		ssize_t n = send(c->watch.fd, c->out.p + c->out_at, c->out.n - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			drop_sent(c);
			return;
		}
		if (n < 0) {
			broke(c, BREAKER_RESET);
			return;
		}
		c->out_at += (size_t)n;
	}
	buf_clear(&c->out);
	c->out_at = 0;
	/* A large value's memory is not kept. */
	if (c->out.cap > LOOP_SCRATCH_B)
		buf_fini(&c->out);
}

/* Deadlines count from here: a loop's long turn is not the server's fault. */
static void flush(struct task *t)
{
	struct mc_conn *c = container_of(t, struct mc_conn, flush);
	uint64_t now_ms = clock_ms();
	for (; c->unsent != c->next; c->unsent++)
		slot_at(c, c->unsent)->at_ms = now_ms;
	transmit(c);
}

/* Blanks and control characters would end the key, or the line. */
static bool is_plain(struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] <= ' ' || key.p[i] == 0x7f)
			return false;
	return true;
}

bool mc_key_fits(struct str key)
{
	return key.n && key.n <= (is_plain(key) ? MC_KEY_MOST_B : KEY_BINARY_MOST_B);
}

static void add_base64(struct buf *out, struct str s)
{
	static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < s.n; i += 3) {
		size_t n = s.n - i < 3 ? s.n - i : 3;
		uint32_t bits = 0;
		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (unsigned char)s.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_add_char(out, k <= n ? DIGITS[bits >> (18 - 6 * k) & 63] : '=');
	}
}

static uint64_t value_b(const struct mc_request *ask)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ask->part_count; i++)
		n += ask->parts[i].n;
	return n;
}

static void print(struct buf *out, const struct mc_request *ask, uint64_t seq)
{
	bool plain = is_plain(ask->key);
	buf_add(out, str_of(ask->verb));
	if (ask->key.n)
		buf_add_char(out, ' ');
	if (plain)
		buf_add(out, ask->key);
	else
		add_base64(out, ask->key);
	if (ask->parts)
		buf_addf(out, " %llu", (unsigned long long)value_b(ask));
	if (ask->key.n)
		buf_addf(out, "%s O%llu", plain ? "" : " b", (unsigned long long)seq);
	if (ask->ttl_s)
		buf_addf(out, " T%u", ask->ttl_s);
	if (ask->flags.n)
		buf_addf(out, " %.*s", STR_F(ask->flags));
	buf_add(out, STR("\r\n"));
	for (size_t i = 0; i < ask->part_count; i++)
		buf_add(out, ask->parts[i]);
	if (ask->parts)
		buf_add(out, STR("\r\n"));
}

/* --- Asking. --- */

static void op_late(struct timer *t)
{
	struct mc_op *op = container_of(t, struct mc_op, timer);
	struct mc_conn *c = op->conn;
	uint64_t due_ms = slot_at(c, op->seq)->at_ms + op->wait_ms;
	if (due_ms > c->loop->now_ms) {
		timer_set(&c->loop->wheel, t, due_ms);
		return;
	}
	slot_at(c, op->seq)->op = NULL;
	counter_add(&c->counts->late, 1);
	op_over(c, op, MC_LATE);
	count(c, BREAKER_DEADLINE);
}

/* The oldest request was not answered: what hangs so long does not come back to what it was. */
static void stalled(struct timer *t)
{
	struct mc_conn *c = container_of(t, struct mc_conn, timer);
	if (c->state == MC_CONNECTING) {
		broke(c, BREAKER_CONNECT);
		return;
	}
	if (c->first == c->next)
		return;
	uint64_t due_ms = slot_at(c, c->first)->at_ms + c->stall_ms;
	if (due_ms <= c->loop->now_ms)
		broke(c, BREAKER_LATE);
	else
		timer_set(&c->loop->wheel, t, due_ms);
}

bool mc_ask(struct mc_conn *c, const struct mc_request *ask, struct mc_op *op, uint64_t wait_ms)
{
	uint64_t out_b = c->out.n - c->out_at + value_b(ask);
	must(c->state == MC_UP);
	if (c->next - c->first >= MC_WAITING_MOST || out_b > (ask->parts ? MC_SET_MOST_B : MC_OUT_MOST_B)) {
		counter_add(&c->counts->full, 1);
		return false;
	}
	if (c->next - c->first == c->cap)
		grow(c);
	*slot_at(c, c->next) = (struct mc_slot){ op, c->loop->now_ms, ask->verb[1] == 'g', ask->verb[1] == 's' };
	if (op) {
		*op = (struct mc_op){ .task = op->task, .conn = c, .seq = c->next, .wait_ms = wait_ms };
		timer_init(&op->timer, op_late);
		timer_set(&c->loop->wheel, &op->timer, c->loop->now_ms + wait_ms);
	}
	print(&c->out, ask, c->next++);
	loop_queue(c->loop, &c->flush);
	if (!timer_is_set(&c->timer))
		timer_set(&c->loop->wheel, &c->timer, c->loop->now_ms + c->stall_ms);
	return true;
}

void mc_cancel(struct mc_op *op)
{
	if (op->got == MC_WAITING && op->conn) {
		slot_at(op->conn, op->seq)->op = NULL;
		timer_stop(&op->timer);
		op->conn = NULL;
		op->got = MC_LOST;
	}
	mem_str_free(op->value);
	op->value = (struct str){};
}

/* --- Connecting. --- */

static void up(struct mc_conn *c)
{
	int err = 0;
	socklen_t n = sizeof err;
	if (getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &err, &n) || err) {
		broke(c, BREAKER_CONNECT);
		return;
	}
	c->state = MC_UP;
	timer_stop(&c->timer);
	if (c->owner)
		loop_queue(c->loop, c->owner);
}

static void ready(struct watch *w, uint32_t events)
{
	struct mc_conn *c = container_of(w, struct mc_conn, watch);
	if (c->state == MC_CONNECTING && events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		up(c);
	if (c->state == MC_UP && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		receive(c);
	if (c->state == MC_UP && events & EPOLLOUT && c->out.n)
		transmit(c);
}

static int start(struct mc_conn *c, const struct sockaddr *addr, socklen_t length)
{
	int one = 1, err = 0;
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (addr->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, addr, length) && errno != EINPROGRESS)
		err = -errno;
	c->watch = (struct watch){ fd, ready };
	if (!err)
		err = loop_watch(c->loop, &c->watch);
	if (err)
		close(fd);
	return err;
}

void mc_conn_open(struct mc_conn *c, const struct sockaddr *addr, socklen_t length)
{
	must(c->state == MC_DOWN);
	counter_add(&c->counts->connects, 1);
	c->term = c->breaker ? breaker_term(c->breaker) : 0;
	if (start(c, addr, length)) {
		if (c->breaker && breaker_open(c->breaker, c->term, BREAKER_CONNECT))
			c->opened(c);
		if (c->owner)
			loop_queue(c->loop, c->owner);
		return;
	}
	c->state = MC_CONNECTING;
	timer_set(&c->loop->wheel, &c->timer, c->loop->now_ms + MC_CONNECT_MS);
}

void mc_conn_init(struct mc_conn *c, struct loop *l, uint64_t opaque)
{
	*c = (struct mc_conn){ .watch = { -1, ready }, .loop = l, .first = opaque, .next = opaque, .unsent = opaque };
	timer_init(&c->timer, stalled);
	task_init(&c->flush, flush);
}

void mc_conn_fini(struct mc_conn *c)
{
	mc_conn_close(c);
	buf_fini(&c->out);
	mem_free(c->slots);
	c->slots = NULL;
	c->cap = 0;
}

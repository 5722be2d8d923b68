/* Bytes both ways.  Runs on the client's loop, in its connection's turns. */
#include "http/tunnel.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/sys.h"

enum { TURN_MOST_B = 256 * 1024 };  /* one way in one turn, before others get theirs */

struct tunnel *tunnel_of(struct call *c)
{
	struct tunnel *t = MEM_NEW(struct tunnel);
	*t = (struct tunnel){ .origin = c->origin, .pool = c->pool, .peer = c->peer, .up.held = c->out, .up.at = c->out_at,
		              .idle_ms = c->outward->backend->tunnel_ms };
	buf_add(&t->down.held, buf_str(&c->kept));
	buf_add(&t->down.held, c->input);
	c->out = (struct buf){};
	c->input = (struct str){};
	c->req->home->calls--;
	c->origin = NULL;
	c->peer = NULL;
	return t;
}

/* Where bytes come from, and where they go. */
struct ends {
	struct loop *loop;
	int from, to;
	bool *readable;
	bool fin;             /* the end of `from` was announced: reading on will find it */
};

static ssize_t write_some(int fd, struct str bytes)
{
	ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

/* False where the other side is gone. */
static bool push_held(struct pipe *p, int to)
{
	ssize_t n = write_some(to, str_from(buf_str(&p->held), p->at));
	if (n < 0)
		return false;
	p->at += (size_t)n;
	if (p->at < p->held.n)
		return true;
	buf_fini(&p->held);
	p->held = (struct buf){};
	p->at = 0;
	return true;
}

/* Reads once, and passes it on: false where either side is broken. */
static bool move(struct pipe *p, const struct ends *e)
{
	ssize_t n = sys_recv(e->from, e->loop->scratch, LOOP_SCRATCH_B);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n < LOOP_SCRATCH_B && !e->fin)
		*e->readable = false;
	p->ended = n == 0;
	if (n < 0 && e->fin)
		*e->readable = false;
	if (n <= 0)
		return true;
	p->moved_b += (uint64_t)n;
	struct str bytes = str_make(e->loop->scratch, (size_t)n);
	n = write_some(e->to, bytes);
	if (n >= 0)
		buf_add(&p->held, str_from(bytes, (size_t)n));
	return n >= 0;
}

static bool pass_end_on(struct pipe *p, int to)
{
	if (p->told)
		return true;
	p->told = true;
	return shutdown(to, SHUT_WR) == 0;
}

static bool run_pipe(struct pipe *p, const struct ends *e, struct task *task)
{
	uint64_t until_b = p->moved_b + TURN_MOST_B;
	for (;;) {
		if (p->held.n && !push_held(p, e->to))
			return false;
		if (p->held.n)
			return true;
		if (p->ended)
			return pass_end_on(p, e->to);
		if (!*e->readable)
			return true;
		if (p->moved_b >= until_b) {
			loop_queue(e->loop, task);
			return true;
		}
		if (!move(p, e))
			return false;
	}
}

bool tunnel_run(struct tunnel *t, struct task *task, int client_fd, bool *readable, bool fin)
{
	struct origin *o = t->origin;
	struct loop *loop = &o->home->loop;
	struct ends up = { loop, client_fd, o->watch.fd, readable, fin };
	struct ends down = { loop, o->watch.fd, client_fd, &o->readable, o->fin };
	return run_pipe(&t->up, &up, task) && run_pipe(&t->down, &down, task) && !(t->up.told && t->down.told);
}

void tunnel_free(struct tunnel *t, enum end end)
{
	struct req *r = t->req;
	struct home *h = t->origin->home;
	r->end = end;
	r->sent_b += t->down.moved_b;
	r->sent_body_b += t->down.moved_b;
	r->received_b += t->up.moved_b;
	req_log(r);
	home_conf_put(r->use);
	arena_fini(&r->arena);
	mem_free(r);
	origin_close(t->origin);
	peer_leave(t->pool, t->peer, OUTCOME_GOOD, 0, h->loop.now_ms);
	buf_fini(&t->up.held);
	buf_fini(&t->down.held);
	mem_free(t);
}

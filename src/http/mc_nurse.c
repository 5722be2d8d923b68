/* Looks after memcached servers, on the control thread: where a name is, and what becomes of a server whose breaker opened.
 *
 * Such a server is looked at after 250 ms, then after twice as long each time, up to 10 s, a fifth more or less, so that
 * many machines do not all come at once.  It has to say that it is there, to answer for a key within the deadline that all
 * have, and to take in what was kept for it; then the breaker's ramp begins. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "http/memcached_in.h"

enum {
	REST_FIRST_MS = 250,
	REST_MOST_MS = 10000,
	ALIVE_MS = 1000,             /* to say that it is there */
	TELL_AT_ONCE = 64,
	TELL_MS = 1000,
	WELL_MS = 3 * BREAKER_RAMP_MS,  /* after so long its next illness is a new one */
	NAME_TIMEOUT_MS = 5000,
	NAME_LEAST_MS = 1000,        /* between two looks at a name */
	NAME_MOST_MS = 300000,
};

static struct mc_server *server_of(struct nurse *n)
{
	return container_of(n, struct mc_server, nurse);
}

static struct mc_place *place(struct mc_server *s)
{
	return place_of(s, s->m->all->loops);
}

static uint64_t now_ms(const struct mc_server *s)
{
	return s->m->all->control->now_ms;
}

/* --- Rest, and the next look. --- */

static void rest(struct mc_server *s)
{
	struct nurse *n = &s->nurse;
	uint64_t fifth = n->rest_ms / 5, seed = now_ms(s);
	uint64_t dice = hash_bytes(s->text, seed) % (2 * fifth + 1);
	n->at = NURSE_REST;
	timer_set(&s->m->all->control->wheel, &n->timer, now_ms(s) + n->rest_ms - fifth + dice);
	n->rest_ms = n->rest_ms * 2 < REST_MOST_MS ? n->rest_ms * 2 : REST_MOST_MS;
}

/* Not well yet: what was not told is told another time. */
static void give_up(struct mc_server *s)
{
	mc_cancel(&s->nurse.op);
	mc_conn_close(&place(s)->conn);
	task_stop(&s->nurse.step);
	rest(s);
}

static void look(struct timer *t)
{
	struct nurse *n = container_of(t, struct nurse, timer);
	struct mc_server *s = server_of(n);
	struct mc_place *p = place(s);
	if (!p->addr.length) {
		rest(s);
		return;
	}
	mc_conn_close(&p->conn);
	task_stop(&n->step);
	timer_stop(&n->timer);
	n->at = NURSE_CONNECT;
	mc_conn_open(&p->conn, &p->addr.any, p->addr.length);
}

/* --- Word to the loops. --- */

/* Where a server is, on its way to a loop, which connects to it unless the breaker is open. */
struct moved {
	struct mail mail;
	struct mc_place *place;
	struct addr addr;
};

static void take_addr(struct mc_place *p, const struct addr *addr)
{
	if (!p->addr.length || !addr_eq(&p->addr, addr))
		mc_conn_close(&p->conn);
	p->addr = *addr;
	place_conn(p);
}

static void moved(struct mail *m)
{
	struct moved *w = container_of(m, struct moved, mail);
	take_addr(w->place, &w->addr);
	mem_free(w);
}

static void tell_loops(struct mc_server *s, const struct addr *addr)
{
	struct memcacheds *all = s->m->all;
	for (unsigned i = 0; i < all->loops; i++) {
		if (!all->seats[i].loop)
			continue;
		struct moved *w = MEM_NEW(struct moved);
		*w = (struct moved){ .mail.deliver = moved, .place = place_of(s, i), .addr = *addr };
		mailbox_post(&all->seats[i].loop->mailbox, &w->mail);
	}
}

/* --- Steps. --- */

static void ask(struct mc_server *s, enum nurse_at at, const struct mc_request *what, uint64_t wait_ms)
{
	struct nurse *n = &s->nurse;
	n->at = at;
	n->op.task = &n->step;
	struct mc_conn *c = &place(s)->conn;
	if (c->state != MC_UP || !mc_ask(c, what, &n->op, wait_ms))
		give_up(s);
}

static void recovered(struct mc_server *s)
{
	struct nurse *n = &s->nurse;
	n->at = NURSE_IDLE;
	n->well_ms = now_ms(s);
	if (breaker_state(&s->breaker) != BREAKER_OPEN)
		return;
	/* Who was not there yet needs no care. */
	bool first = breaker_why(&s->breaker) == BREAKER_UNKNOWN;
	breaker_ramp(&s->breaker, now_ms(s) - (first ? BREAKER_RAMP_MS : 0));
	tell_loops(s, &place(s)->addr);
	log_line(s->m->all->ring, LOG_LEVEL_INFO, "memcached %.*s: %.*s %s", STR_F(s->m->name), STR_F(s->text),
	         first ? "is there" : "is well again");
}

/* What was answered is told, whatever the answer: there is nothing to delete, or the server won't.  True: one was lost. */
static bool sweep(struct nurse *n)
{
	for (struct link *l = n->kept.next, *next; l != &n->kept; l = next) {
		struct mc_kept *k = container_of(l, struct mc_kept, link);
		next = l->next;
		if (k->op.got == MC_LATE || k->op.got == MC_LOST)
			return true;
		if (k->op.got != MC_ANSWERED)
			continue;
		mc_cancel(&k->op);
		kept_free(k);
		counter_set(&n->kept_now, --n->kept_count);
	}
	return false;
}

static size_t send_kept(struct mc_server *s)
{
	struct nurse *n = &s->nurse;
	size_t under_way = 0;
	for (struct link *l = n->kept.next; l != &n->kept && under_way < TELL_AT_ONCE; l = l->next, under_way++) {
		struct mc_kept *k = container_of(l, struct mc_kept, link);
		if (!k->op.conn && !kept_send(k, &place(s)->conn, &n->step, TELL_MS))
			break;
	}
	return under_way;
}

/* They begin anew, on another connection. */
static void unsend(struct nurse *n)
{
	for (struct link *l = n->kept.next; l != &n->kept; l = l->next) {
		struct mc_kept *k = container_of(l, struct mc_kept, link);
		mc_cancel(&k->op);
		k->op.got = MC_WAITING;
	}
}

static void tell(struct mc_server *s)
{
	struct nurse *n = &s->nurse;
	n->at = NURSE_TELL;
	if (sweep(n) || place(s)->conn.state != MC_UP) {
		unsend(n);
		give_up(s);
	} else if (!send_kept(s)) {
		recovered(s);
	}
}

static bool fine(const struct mc_op *op, enum mc_code least, enum mc_code most)
{
	return op->got == MC_ANSWERED && op->answer.code >= least && op->answer.code <= most;
}

static void connected(struct mc_server *s)
{
	enum mc_state state = place(s)->conn.state;
	if (state == MC_UP)
		ask(s, NURSE_MN, &(struct mc_request){ .verb = "mn" }, ALIVE_MS);
	else if (state == MC_DOWN)
		give_up(s);
}

/* Queued when the connection comes up or breaks, and with each answer. */
static void step(struct task *t)
{
	struct nurse *n = container_of(t, struct nurse, step);
	struct mc_server *s = server_of(n);
	bool waits = (n->at == NURSE_MN || n->at == NURSE_MG) && n->op.got == MC_WAITING;
	if (waits)
		return;
	switch (n->at) {
	case NURSE_IDLE:
	case NURSE_REST:
		break;
	case NURSE_CONNECT:
		connected(s);
		break;
	case NURSE_MN:
		if (fine(&n->op, MC_MN, MC_MN))
			ask(s, NURSE_MG, &(struct mc_request){ .verb = "mg", .key = STR("pc1:well?"), .flags = STR("v") },
			    s->m->timeout_ms);
		else
			give_up(s);
		break;
	case NURSE_MG:
		if (fine(&n->op, MC_HD, MC_EN)) {
			mc_cancel(&n->op);
			tell(s);
		} else {
			give_up(s);
		}
		break;
	case NURSE_TELL:
		tell(s);
		break;
	}
}

/* --- What calls it. --- */

void nurse_call(struct mc_server *s)
{
	struct nurse *n = &s->nurse;
	if (n->at != NURSE_IDLE)
		return;
	bool open = breaker_state(&s->breaker) == BREAKER_OPEN;
	if (now_ms(s) - n->well_ms > WELL_MS)
		n->rest_ms = REST_FIRST_MS;
	/* Something to tell to a server that is well is told at once, and later only where that failed just now. */
	if (open || now_ms(s) - n->well_ms <= REST_FIRST_MS)
		rest(s);
	else
		look(&n->timer);
}

void nurse_opened(struct mail *m)
{
	struct mc_server *s = container_of(m, struct mc_server, opened);
	atomic_store(&s->opened_posted, false);
	/* The last that a loop had to say: the nurse is gone. */
	if (!s->m->refs)
		return;
	log_line(s->m->all->ring, LOG_LEVEL_WARN, "memcached %.*s: %.*s %s: it is not asked for now, its keys are misses",
	         STR_F(s->m->name), STR_F(s->text), breaker_sentence(breaker_why(&s->breaker)));
	/* Its own look at the server is over, too: what that used is of the term before. */
	if (s->nurse.at > NURSE_REST)
		give_up(s);
	nurse_call(s);
}

/* --- Names. --- */

static void resolved(struct resolver_query *q, const struct resolver_answer *a)
{
	struct nurse *n = container_of(q, struct nurse, query);
	struct mc_server *s = server_of(n);
	struct mc_place *p = place(s);
	uint64_t again_ms = a->err ? NAME_LEAST_MS * 5 : a->ttl_ms;
	if (a->err && !p->addr.length)
		log_line(s->m->all->ring, LOG_LEVEL_WARN, "memcached %.*s: %.*s: %s: its keys are misses", STR_F(s->m->name),
		         STR_F(s->text), a->why);
	if (!a->err && !(addr_eq(&p->addr, &a->found[0].addr) && p->addr.length)) {
		take_addr(p, &a->found[0].addr);
		tell_loops(s, &p->addr);
		n->rest_ms = REST_FIRST_MS;
		if (n->at == NURSE_REST)
			look(&n->timer);
	}
	again_ms = again_ms < NAME_LEAST_MS ? NAME_LEAST_MS : again_ms;
	timer_set(&s->m->all->control->wheel, &n->resolve, now_ms(s) + (again_ms < NAME_MOST_MS ? again_ms : NAME_MOST_MS));
}

static void resolve_again(struct timer *t)
{
	nurse_resolve(server_of(container_of(t, struct nurse, resolve)));
}

void nurse_resolve(struct mc_server *s)
{
	struct memcacheds *all = s->m->all;
	struct nurse *n = &s->nurse;
	n->named = true;
	/* A system without resolvers: another look later. */
	if (!all->resolver && resolver_new(&all->resolver, all->control, STR(""))) {
		timer_set(&all->control->wheel, &n->resolve, all->control->now_ms + NAME_MOST_MS);
		return;
	}
	n->query = (struct resolver_query){ .name = s->host, .port = s->port, .timeout_ms = NAME_TIMEOUT_MS, .done = resolved };
	resolver_ask(all->resolver, &n->query);
}

/* --- Its life. --- */

void nurse_init(struct mc_server *s)
{
	struct nurse *n = &s->nurse;
	task_init(&n->step, step);
	timer_init(&n->timer, look);
	timer_init(&n->resolve, resolve_again);
	link_init(&n->kept);
	n->rest_ms = REST_FIRST_MS;
	place(s)->conn.owner = &n->step;
}

void nurse_fini(struct mc_server *s)
{
	struct nurse *n = &s->nurse;
	place(s)->conn.owner = NULL;
	task_stop(&n->step);
	timer_stop(&n->timer);
	timer_stop(&n->resolve);
	if (n->named)
		resolver_cancel(&n->query);
	mc_cancel(&n->op);
	while (!link_alone(&n->kept)) {
		struct mc_kept *k = container_of(n->kept.next, struct mc_kept, link);
		mc_cancel(&k->op);
		kept_free(k);
	}
}

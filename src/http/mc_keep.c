/* What a server has to be told for sure: deletes, mostly. Sent by the loop that has it to say; where that fails, it
 * goes to the control thread, whose nurse tells it as soon as the server is well, and before anybody asks it for
 * anything. */
#include "base/mem.h"
#include "http/memcached_in.h"

enum { KEPT_MS = 1000 };

void kept_free(struct mc_kept *k)
{
	link_del(&k->link);
	mem_str_free(k->key);
	mem_str_free(k->flags);
	mem_free(k);
}

static struct nurse *nurse_of(const struct mc_kept *k)
{
	return &k->place->server->nurse;
}

/* On the control thread.  The newest are worth more than the oldest: those may have been evicted meanwhile. */
static void arrived(struct mail *m)
{
	struct mc_kept *k = container_of(m, struct mc_kept, mail);
	struct mc_server *s = k->place->server;
	struct nurse *n = nurse_of(k);
	k->op = (struct mc_op){};
	/* Nobody is to be told any more. */
	if (!s->m->refs) {
		kept_free(k);
		return;
	}
	if (n->kept_count == MEMCACHED_KEPT_MOST) {
		struct mc_kept *oldest = container_of(n->kept.next, struct mc_kept, link);
		mc_cancel(&oldest->op);
		kept_free(oldest);
		counter_add(&n->kept_lost, 1);
		n->kept_count--;
	}
	link_add(&n->kept, &k->link);
	counter_set(&n->kept_now, ++n->kept_count);
	nurse_call(s);
}

static void send_home(struct mc_kept *k)
{
	struct memcacheds *all = k->place->server->m->all;
	link_del(&k->link);
	k->mail.deliver = arrived;
	mailbox_post(&all->control->mailbox, &k->mail);
}

/* On the loop that told it. */
static void told(struct task *t)
{
	struct mc_kept *k = container_of(t, struct mc_kept, task);
	if (k->op.got == MC_ANSWERED) {
		mc_cancel(&k->op);
		kept_free(k);
	} else {
		send_home(k);
	}
}

bool kept_send(struct mc_kept *k, struct mc_conn *c, struct task *task, uint64_t wait_ms)
{
	struct mc_request ask = { .verb = k->verb, .key = k->key, .flags = k->flags, .ttl_s = k->ttl_s };
	k->op.task = task;
	return mc_ask(c, &ask, &k->op, wait_ms);
}

void kept_new(struct mc_place *p, const struct mc_request *ask)
{
	struct mc_kept *k = MEM_NEW(struct mc_kept);
	*k = (struct mc_kept){ .place = p, .verb = ask->verb, .key = mem_str(ask->key), .flags = mem_str(ask->flags),
		               .ttl_s = ask->ttl_s };
	task_init(&k->task, told);
	link_init(&k->link);
	link_add(&p->kept, &k->link);
	counter_add(&p->counts.deletes, 1);
	struct mc_conn *c = place_conn(p);
	if (!c || !kept_send(k, c, &k->task, KEPT_MS))
		send_home(k);
}

void kept_end(struct mc_place *p)
{
	while (!link_alone(&p->kept)) {
		struct mc_kept *k = container_of(p->kept.next, struct mc_kept, link);
		task_stop(&k->task);
		mc_cancel(&k->op);
		kept_free(k);
	}
}

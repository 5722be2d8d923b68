/* Closing idle connections on all loops.  Begins and ends on the control thread; in between each loop does its part. */
#include "control/sweep.h"

#include "base/mem.h"
#include "http/origin.h"

/* A loop's part. */
struct errand {
	struct mail mail;
	struct sweep *sweep;
	unsigned loop;
};

struct sweep {
	struct peer *peer;
	struct mailbox *control;
	void (*done)(void *arg);     /* NULL: nobody waits */
	void *arg;
	unsigned left;               /* errands that are not back */
	struct errand errands[];
};

static void is_back(struct mail *m)
{
	struct sweep *s = container_of(m, struct errand, mail)->sweep;
	if (--s->left)
		return;
	if (s->done)
		s->done(s->arg);
	peer_put(s->peer->pool, s->peer);
	mem_free(s);
}

/* On the loop. */
static void carry_out(struct mail *m)
{
	struct errand *e = container_of(m, struct errand, mail);
	struct link *idle = &e->sweep->peer->here[e->loop].idle;
	while (!link_alone(idle))
		origin_close(container_of(idle->next, struct origin, link));
	m->deliver = is_back;
	mailbox_post(e->sweep->control, m);
}

struct sweep *sweep_start(struct pools *pools, struct peer *peer, struct mailbox *control, void (*done)(void *arg),
                          void *arg)
{
	unsigned loops = pools_loops(pools);
	struct sweep *s = mem_new(sizeof *s + loops * sizeof *s->errands);
	*s = (struct sweep){ .peer = peer, .control = control, .done = done, .arg = arg, .left = loops };
	peer_get(peer);
	for (unsigned i = 0; i < loops; i++) {
		struct mailbox *to = pools_mailbox(pools, i);
		s->errands[i] = (struct errand){ .mail = { .deliver = to ? carry_out : is_back }, .sweep = s, .loop = i };
		mailbox_post(to ? to : control, &s->errands[i].mail);
	}
	return s;
}

void sweep_drop(struct sweep *s)
{
	if (s)
		s->done = NULL;
}

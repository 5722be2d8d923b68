/* Waiting for the last reference of a server that left its pool.  The control thread. */
#include "control/parting.h"

#include "base/mem.h"

struct parting {
	struct link link;
	struct slot slot;
	struct peer *peer;
};

static void parting_free(struct parting *p)
{
	link_del(&p->link);
	slot_close(&p->slot);
	peer_put(p->peer->pool, p->peer);
	mem_free(p);
}

void parting_add(struct link *list, struct slot *slot, struct peer *peer)
{
	if (!peer) {
		slot_close(slot);
		return;
	}
	struct parting *p = MEM_NEW(struct parting);
	p->slot = *slot;
	p->peer = peer;
	slot_init(slot);
	slot_shut(&p->slot);
	link_add(list, &p->link);
}

void parting_look(struct link *list)
{
	for (struct link *l = list->next, *next; l != list; l = next) {
		struct parting *p = container_of(l, struct parting, link);
		next = l->next;
		if (atomic_load(&p->peer->refs) == 1)
			parting_free(p);
	}
}

void parting_end(struct link *list)
{
	while (!link_alone(list))
		parting_free(container_of(list->next, struct parting, link));
}

/* Doubly linked lists whose links are embedded in what they hold.  A link that is on no list points at itself. */
#pragma once

#include <stdbool.h>

struct link {
	struct link *next, *prev;
};

static inline void link_init(struct link *l)
{
	l->next = l->prev = l;
}

static inline bool link_alone(const struct link *l)
{
	return l->next == l;
}

/* Puts l at the end of the list whose head is given. */
static inline void link_add(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Takes l off whatever list it is on; harmless where it is on none. */
static inline void link_del(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

/* struct line: at most so many at a time; the others stand in line, first come, first served, on any loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "event/mailbox.h"

struct line;

/* Embedded in who stands there, until its mail was delivered. */
struct line_place {
	struct mail mail;            /* set deliver; posted to `to` when it is its turn */
	struct mailbox *to;
	struct link link;            /* the line's */
};

struct line *line_new(uint64_t most);
/* Nobody stands in it. */
void line_free(struct line *l);
/* A new bound (a reload). */
void line_bound(struct line *l, uint64_t most);
/* True: go on.  False: the mail says when.  Who went on calls line_leave() once. */
bool line_enter(struct line *l, struct line_place *p);
void line_leave(struct line *l);
/* Who stands in it goes away.  False: its turn has come; the mail is on its way. */
bool line_quit(struct line *l, struct line_place *p);
struct line_stats {
	uint64_t inside, waiting;
};
struct line_stats line_stats(struct line *l);

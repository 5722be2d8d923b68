/* struct lines: at most so many at a time for each name; the others stand in that name's line, first come, first served, on
 * any loop.  Who is slow has a line of his own, and holds up nobody else's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "event/mailbox.h"

struct lines;
struct line;

/* Embedded in who stands there, until its mail was delivered. */
struct line_place {
	struct mail mail;            /* set deliver; posted to `to` when it is its turn */
	struct mailbox *to;
	struct line *line;           /* which it stands in, or has gone on from: line_enter()'s */
	struct link link;            /* the line's */
};

/* For each name so many at a time. */
struct lines *lines_new(uint64_t most);
/* Nobody stands in any, or has gone on and not left. */
void lines_free(struct lines *l);
/* A new bound (a reload).  Lines that nobody stands in or has gone on from are forgotten, so that names which are not used
 * any more take no memory. */
void lines_bound(struct lines *l, uint64_t most);
/* True: go on.  False: the mail says when.  Who went on calls line_leave() once. */
bool line_enter(struct lines *l, struct str name, struct line_place *p);
void line_leave(struct lines *l, struct line_place *p);
/* Who stands in it goes away.  False: its turn has come; the mail is on its way. */
bool line_quit(struct lines *l, struct line_place *p);

struct line_stats {
	struct str name;
	uint64_t inside, waiting;
};
/* All of them together. */
struct line_stats lines_sum(struct lines *l);
/* Each, in the order of their names, those where nobody is now included: from mem_new(), in one block. */
struct line_stats *lines_stats(struct lines *l, size_t *count);

/* What is to outlive reloads, restarts of the worker and of the whole server (`--keep`): a JSON document of named parts,
 * which the supervisor keeps and writes to the file that `state` names.
 *
 * The document is printed after each change and sent where it is another one than before; the change is answered when the
 * supervisor said whether it could be written.  The control thread. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/list.h"

struct admin_call;
struct control;

enum { STATE_MOST_B = 4 << 20 };

/* A row of control/state.c's table. */
struct state_part {
	const char *name;
	bool early;              /* restored before the first configuration is built; else when its parts are there */
	json_t *(*print)(const struct control *c);   /* a list; empty: nothing is kept */
	/* What fits no more is left out, and *lost says what and why. */
	void (*restore)(struct control *c, const json_t *list, struct buf *lost);
};

struct state {
	struct buf sent;         /* the document that the supervisor has */
	json_t *found;           /* what it had at the start, until all parts are restored; NULL */
	struct link calls;       /* struct admin_call: whose changes it is writing, in that order */
};

void state_init(struct state *s);
void state_fini(struct state *s);
/* Empty where nothing is kept. */
void state_print(const struct control *c, struct buf *out);

/* Where the document changed it is sent, and the call is answered later: true. */
bool state_keep(struct control *c, struct admin_call *call);
/* As the supervisor answered: why it could not be written; empty: it was. */
void state_kept(struct control *c, struct str why);
/* The server stops: no answer comes any more. */
void state_end(struct control *c);

/* The document that the supervisor had when this worker began, and what of it can't be used: a sentence in *lost. */
void state_found(struct state *s, struct str text, struct buf *lost);
/* Restores the parts that are due; after the late ones what was lost is forgotten by the supervisor, too. */
void state_restore(struct control *c, bool early, struct buf *lost);

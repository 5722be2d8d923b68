/* struct settings: what operators set in the running server, as configuration laid over the files' (config/overlay.h).
 *
 * A change of it is a new snapshot: it is built from the bytes that the worker keeps of its configuration, with all
 * settings over them, and is answered when all loops work with it.  One at a time, in the order in which they came: of two
 * for the same thing the later one wins, and both stand in the list of changes.  The control thread. */
#pragma once

#include <jansson.h>

#include "base/list.h"
#include "control/change.h"

struct admin_call;
struct control;

enum { SETTINGS_MOST = 200 };

struct setting {
	struct buf words;        /* "pool api queue 2000 timeout 3s" */
	struct buf name;         /* "pool api queue" */
	struct buf text;         /* "pool api {\nqueue 2000 timeout 3s;\n}\n" */
	bool keep;
	uint64_t wall_ms;
	struct caller who;
};

struct settings {
	struct setting *list;
	size_t count;
	struct link waiting;     /* struct admin_call: changes to come */
	struct admin_call *call; /* the change under way; NULL: none */
	struct buf did;          /* what it will have done */
};

void settings_init(struct settings *s);
void settings_fini(struct settings *s);
/* As configuration: all of them, or those that are to be kept. */
void settings_text(const struct settings *s, bool kept, struct buf *out);

/* A change is asked for: answered in the end. */
void settings_ask(struct control *c, struct admin_call *call);
/* The snapshot that control_ops.lay() began is in effect. */
void settings_laid(struct control *c);
/* Another snapshot is: the next change may begin. */
void settings_step(struct control *c);

/* A new configuration comes: what was not to be kept is forgotten. */
void settings_forget(struct settings *s);
/* Drops what fits no more, one by one, and says in *lost what and why. */
void settings_fit(struct settings *s, bool (*fits)(void *arg, struct str overlay, struct buf *why), void *arg,
                  struct buf *lost);

/* {"settings":[…]} */
void settings_print(const struct settings *s, struct buf *out);
/* What is kept, for the state file; and back. */
json_t *settings_kept(const struct control *c);
void settings_restore(struct control *c, const json_t *list, struct buf *lost);

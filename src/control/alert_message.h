/* Messages about alerts as text: what each says, and several of them together.  No state; the control thread. */
#pragma once

#include "base/list.h"
#include "control/alert_conf.h"
#include "control/alert_tell.h"

/* One thing to tell, on its way. */
struct item {
	struct link link;
	enum tell_what what;
	struct buf name;
	struct buf json;         /* an object */
	struct buf head;         /* "slow begins: 612ms" */
	struct buf line;         /* the same with its condition and its text */
};

enum { MESSAGE_ID_B = 16, MESSAGE_SUMMARY_B = 300, MESSAGE_MOST_B = 56000 };

struct item *item_new(const struct tell *what);
void item_free(struct item *i);
void items_free(struct link *items);
/* What the spawner gets (event/spawn.h, SPAWN_NOTIFY): a line for $PETREL_TEXT and the subject of a mail, and behind it
 * what the way's process is to read: JSON, or the mail's text.  left_out: how many more there would have been. */
void message_print(struct buf *out, enum notify_kind kind, const struct link *items, unsigned left_out,
                   const char id[MESSAGE_ID_B + 1]);

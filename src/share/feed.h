/* struct feed: lines on their way from any threads to one reader on its loop: a trace, an event stream.
 *
 * Bounded: of what the reader has not taken, most_b bytes are kept; what comes then is dropped and counted, so that nobody
 * waits for a reader who does not read.  Counted: the reader has a reference, and so has each who sends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "event/mailbox.h"

struct feed;

/* The reader's loop; came(arg) is called there, after lines have come, until feed_end().  One reference, the reader's. */
struct feed *feed_new(struct mailbox *to, uint64_t most_b, void (*came)(void *arg), void *arg);
void feed_get(struct feed *f);
void feed_put(struct feed *f);

/* Any thread: the line is copied.  False: it was dropped, since the reader is slow, or gone. */
bool feed_send(struct feed *f, struct str line);
/* The reader is gone: who sends may put his reference. */
bool feed_ended(const struct feed *f);
/* How many lines were dropped. */
uint64_t feed_dropped(const struct feed *f);

/* The reader's: appends what has come, oldest first, as it was sent. */
void feed_take(struct feed *f, struct buf *out);
/* The reader's: came() is not called any more, what still comes is dropped; puts the reader's reference. */
void feed_end(struct feed *f);

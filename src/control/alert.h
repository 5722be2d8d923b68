/* struct alerts: rules over what petrel measures, looked at each second, and who is told when one begins and ends.  The
 * control thread.
 *
 * Rules are made anew with each configuration; one that is as it was keeps its state, which outlives snapshots.  Times
 * are of the monotonic clock: a clock that is set changes nothing but what is shown. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/directive.h"
#include "control/change.h"
#include "event/loop.h"
#include "share/log.h"

struct alerts;
struct admin_call;
struct apps;
struct conf;
struct control;

enum { SILENCE_MOST_MS = 31 * 24 * 3600 * 1000u, SILENCES_MOST = 200 };

/* What it measures is asked of c, and of its observer, each second from the first configuration on. */
struct alerts *alerts_new(struct control *c, struct loop *l, struct log_ring *ring);
/* Nobody waits for an answer any more: what is under way is not told. */
void alerts_stop(struct alerts *a);
/* No loop runs any more, and the observer is gone. */
void alerts_free(struct alerts *a);
/* The rules are those of this configuration. */
void alerts_conf(struct alerts *a, const struct conf *c);

/* An alert that has begun and not ended, as the status page shows it. */
struct alert_seen {
	struct str name;
	const char *label;           /* of which series it is; NULL: of all */
	struct str label_value;
	struct str text, when;       /* what it means (may be empty), its condition */
	struct str value;            /* "612ms" */
	uint64_t since_ms;           /* how long ago it began */
	bool silenced;
};
void alerts_each(const struct alerts *a, void (*see)(void *arg, const struct alert_seen *seen), void *arg);

/* {"alerts":[…],"notify":[…],"silences":[…]} */
void alerts_print(const struct alerts *a, struct buf *out);
/* Whether there is an alert of this name. */
bool alerts_know(const struct alerts *a, struct str name);
/* Nobody is told of the alert for so long; one that has been told of ends all the same.  0, or -ENOENT: there is no
 * alert of this name; -ENOSPC. */
[[nodiscard]] int alerts_silence(struct alerts *a, struct str name, uint64_t ms, struct str reason,
                                 const struct caller *who);
/* False: it was not silenced. */
bool alerts_unsilence(struct alerts *a, struct str name);
/* Appends the names of all alerts, for messages. */
void alerts_names(const struct alerts *a, struct buf *out);
/* The silences as a list, for control/state.h, and from one: those that are not over are set. */
json_t *alerts_kept(const struct alerts *a);
void alerts_restore(struct alerts *a, const json_t *list);
/* Sends a message to try a way to tell (empty: all), and answers the call with what became of it.  False: there is none
 * of this name, and the call is the caller's. */
bool alerts_test(struct alerts *a, struct str notify, struct admin_call *call);
/* Appends the names of all ways to tell. */
void alerts_notify_names(const struct alerts *a, struct buf *out);

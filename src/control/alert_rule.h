/* struct rule: one alert's condition with the history it needs, and its instances: one, or one for each value of a label.
 * Owns all that it knows, since it outlives the snapshot that it came from.  The control thread. */
#pragma once

#include "base/list.h"
#include "control/alert_eval.h"
#include "control/alert_tell.h"

struct control;
struct rule;

enum { INSTANCES_MOST = 64 };

enum alert_state {
	ALERT_FINE,
	ALERT_PENDING,               /* the condition holds, but not for long enough */
	ALERT_FIRING,
};

struct instance {
	struct link link;
	struct rule *rule;
	struct buf label;            /* the value of the label that the rule makes instances by */
	enum alert_state state;
	uint64_t since_ms;           /* not fine: since when the condition holds; firing: when it began to fire */
	uint64_t gone_ms;            /* firing: since when the condition does not hold; 0: it does */
	double value;
	bool told;                   /* somebody was told that it began */
	bool seen;                   /* there is a series of this label */
	struct eval *eval;
};

/* What became of the last message about it, by one way. */
struct rule_notice {
	struct link link;
	struct buf way, outcome;
	enum tell_what what;
	bool fine;
	uint64_t wall_ms;
};

struct rule {
	struct link link;
	struct arena arena;
	struct str name, when, text;
	bool builtin;
	const struct str *to;        /* to_count names; 0: the default */
	size_t to_count;
	struct expr expr;
	struct link instances;
	unsigned instance_count;
	bool overflowed;             /* there are more than INSTANCES_MOST */
	struct link notices;
	bool kept;                   /* during a reload */
};

/* What rule_look() tells. */
struct rule_ops {
	void (*begins)(void *arg, struct instance *i);
	void (*ends)(void *arg, struct instance *i);
};

/* All texts are copied. */
struct rule *rule_new(struct str name, struct str when, struct str text, const struct items *to, bool builtin);
void rule_free(struct rule *r);
bool rule_is(const struct rule *r, struct str name, struct str when);
/* Other words for the same rule. */
void rule_set_texts(struct rule *r, struct str text, const struct items *to, bool builtin);
/* Looks at what c and the sample say; clear_ms: how long a condition has to be gone.  */
void rule_look(struct rule *r, const struct control *c, const struct sample *now, uint64_t clear_ms,
               const struct rule_ops *ops, void *arg);
/* What became of a message. */
void rule_note(struct rule *r, struct str way, enum tell_what what, bool fine, struct str outcome, uint64_t wall_ms);
/* What its value is a number of. */
enum expr_unit rule_unit(const struct rule *r);

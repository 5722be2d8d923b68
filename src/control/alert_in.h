/* What the files of struct alerts share: its members and its silences.  The control thread. */
#pragma once

#include "control/alert.h"
#include "control/alert_rule.h"

struct silence {
	struct link link;
	struct buf name, reason;
	uint64_t until_ms;           /* on the loop's clock */
	uint64_t until_wall_ms;      /* as it was when the silence was set */
	struct caller who;
};

struct alerts {
	struct control *control;
	struct loop *loop;
	struct log_ring *ring;
	struct link rules;           /* in the order of the configuration, built-in ones last */
	struct link silences;
	unsigned silence_count;
	struct teller *teller;
	uint64_t clear_ms;
	uint64_t at_ms;              /* of the sample that was looked at last */
};

/* control/alert_silence.c; NULL: the alert is not silenced. */
const struct silence *silence_find(const struct alerts *a, struct str name);
void silences_expire(struct alerts *a);
void silences_free(struct alerts *a);
/* How long it still lasts. */
uint64_t silence_left_ms(const struct alerts *a, const struct silence *s);

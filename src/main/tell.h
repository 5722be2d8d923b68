/* What the spawner starts to tell somebody of alerts: a command, sendmail, or petrel itself for a webhook, with what it is
 * to read on its standard input.  By the supervisor's configuration; of the worker's word comes the message alone. */
#pragma once

#include "control/alert_conf.h"
#include "main/launch.h"

struct tell_start {
	struct launch launch;
	struct arena arena;          /* of what it points at */
};

/* text: a line, and what the process is to read.  0 or -errno; tell_fini() either way. */
[[nodiscard]] int tell_start(struct tell_start *t, const struct notify_conf *n, struct str text);
void tell_fini(struct tell_start *t);

/* What the worker counts, as JSON: /status.json.  The control thread. */
#pragma once

#include "base/buf.h"
#include "control/sample.h"

/* Appends the JSON object: the newest sample, and rates and percentiles of late. */
void status_print(struct buf *out, struct observer *o);

/* How a directive is written, from its row: `server ADDRESS [weight NUMBER] [backup];`.  For messages and the
 * reference. No state; any thread. */
#pragma once

#include "base/buf.h"
#include "base/directive.h"

/* The whole statement, a block as "{ ... }". */
void usage_print(struct buf *out, const struct directive *row);
/* What one argument stands for: "COUNT", "on|off", "weight NUMBER". */
void usage_arg(struct buf *out, const struct arg *arg);
/* What its words may be, in a phrase: "a size such as 64k, 10m or 2g, from 1k to 1m". */
void usage_expects(struct buf *out, const struct arg *arg);
/* The number of arguments in the table, and whether the directive has a block. */
size_t usage_count(const struct directive *row);
bool usage_has_block(const struct directive *row);

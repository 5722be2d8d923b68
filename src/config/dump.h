/* The effective configuration as text. */
#pragma once

#include "base/buf.h"
#include "http/conf.h"

/* Appends all that is in effect, defaults included, as configuration that builds the same snapshot: a directive stands
 * in the outermost scope that allows it, and further in only where it differs; the block of a route's handler stands
 * there whole.  What has no value and no default is left out. */
void conf_dump(const struct conf *c, struct buf *out);
/* Appends what is in effect of one module on a route, as lines of its block. */
void conf_dump_module(const struct conf *c, const struct route *route, const struct module *m, struct buf *out);

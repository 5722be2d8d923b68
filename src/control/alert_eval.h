/* struct eval: a condition as it is worked out again and again: what the series said just now, and as much of what they
 * said before as its windows need.  The control thread. */
#pragma once

#include "control/alert_expr.h"

struct eval;

struct eval *eval_new(const struct expr *e);
void eval_free(struct eval *v);

/* --- One round: begin, what there is of each node's series, step. --- */

void eval_begin(struct eval *v);
/* Node number `node` asks a metric, and this series of it fits. */
void eval_number(struct eval *v, unsigned node, double value);
void eval_histogram(struct eval *v, unsigned node, const struct distribution *d);
/* Whether the condition holds at this time of the monotonic clock, later than the one before; *value: what is shown.  What
 * can't be known, for want of data, is never true: but absent() is, where there is no series. */
bool eval_step(struct eval *v, uint64_t at_ms, double *value);

/* Whether all filters of the node let these labels pass. */
bool expr_node_fits(const struct expr_node *n, const struct labels *labels);
/* The label's value; .p NULL: there is none. */
struct str labels_get(const struct labels *labels, const char *name);

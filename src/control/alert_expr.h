/* struct expr: the condition of an alert, from its text to a list of operations in the order in which they are done.
 *
 *	condition = value OP value, absent(SERIES), condition and condition, condition or condition, ( condition )
 *	value     = NUMBER UNIT, SERIES, value + - * / value, - value, ( value ), or one of
 *	            sum min max avg count (SERIES), rate increase (SERIES, TIME), p99(SERIES, TIME), change(value, TIME)
 *	SERIES    = METRIC, METRIC(label=value, label!=value), and in p99() also: all, route PATTERN, site NAME, pool NAME
 *
 * behind it "for TIME" and "each LABEL".  No state; any thread. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "control/metric.h"

enum {
	EXPR_TEXT_B = 1000,
	EXPR_NODES = 48,
	EXPR_DEPTH = 12,
	EXPR_FILTERS = LABELS_MOST,
	EXPR_STACK = EXPR_NODES,
};

enum expr_op {
	EXPR_NUMBER,
	EXPR_SUM, EXPR_MIN, EXPR_MAX, EXPR_AVG, EXPR_COUNT,   /* of the series that there are */
	EXPR_RATE, EXPR_INCREASE,                             /* of their sum, over a window */
	EXPR_QUANTILE,                                        /* of their distributions, over a window: seconds */
	EXPR_ABSENT,
	EXPR_CHANGE,                                          /* of a value, against its mean over the window: 0.5 is +50 % */
	EXPR_NEGATE,
	EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_DIV,
	EXPR_LT, EXPR_LE, EXPR_GT, EXPR_GE, EXPR_EQ, EXPR_NE,
	EXPR_AND, EXPR_OR,
};

/* What a number is of, for showing it. */
enum expr_unit { UNIT_NONE, UNIT_SECONDS, UNIT_BYTES, UNIT_SHARE };

struct expr_filter {
	const char *label;
	struct str value;
	bool unlike;                     /* != */
};

struct expr_node {
	enum expr_op op;
	enum expr_unit unit;             /* of a comparison: of what is compared */
	double number;                   /* EXPR_NUMBER; EXPR_QUANTILE: the share */
	bool minutes;                    /* a number with "m", of which the comparison says whether those are minutes */
	uint64_t window_ms;
	const struct metric *metric;     /* NULL: it asks none */
	struct expr_filter filters[EXPR_FILTERS];
	unsigned filter_count;
	uint32_t at, n;                  /* where it stands in the text, for messages */
};

struct expr {
	struct expr_node nodes[EXPR_NODES];
	unsigned count;
	unsigned shown;                  /* the comparison whose left side is the value that is shown: the first; or absent() */
	uint64_t for_ms;
	const char *each;                /* a label: an alert of its own for each of its values; NULL: one for all */
};

struct expr_error {
	size_t at, n;                    /* in the text */
	char text[240];
	char hint[1000];                 /* empty: none */
};

/* 0 or -EINVAL.  metrics is a table as METRICS; what the expression keeps of the text is copied to the arena. */
[[nodiscard]] int expr_parse(struct arena *arena, const struct metric *metrics, struct str text, struct expr *out,
                             struct expr_error *error);
/* "612ms", "12.5%", "1.5m", "42": as a person would write it. */
void expr_print_value(struct buf *out, enum expr_unit unit, double value);
/* The value of the filter that asks for one value of this label; .p NULL: there is none. */
struct str expr_filter_of(const struct expr_node *node, const char *label);
/* Whether the metric's series have this label. */
bool metric_has_label(const struct metric *m, struct str label);

/* struct metric: what petrel says of itself in numbers.  From the one table come /metrics and what alert rules
 * may ask for.  The control thread. */
#pragma once

#include "control/sample.h"

struct buf;
struct control;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum { LABELS_MOST = 3 };

/* Names are constants; values are whatever the configuration and the world hold. */
struct label {
	const char *name;
	struct str value;
};

struct labels {
	struct label p[LABELS_MOST];
	unsigned count;
};

/* Whom a metric tells its series. */
struct metric_out {
	void (*number)(struct metric_out *out, const struct labels *labels, double value);
	void (*histogram)(struct metric_out *out, const struct labels *labels, const struct distribution *d);
};

struct metric {
	const char *name;    /* as Prometheus has it: "petrel_requests_total" */
	const char *help;    /* one sentence */
	enum metric_kind kind;
	const char *labels;  /* their names, apart by blanks: "site route"; "": none */
	/* Tells all series that there are: now is the sample, c the rest. */
	void (*each)(struct metric_out *out, const struct control *c, const struct sample *now);
};

/* Ended by a NULL name. */
extern const struct metric METRICS[];

const struct metric *metric_find(struct str name);
/* All of it in the Prometheus text format, version 0.0.4. */
void metrics_print(struct buf *out, const struct control *c, const struct sample *now);

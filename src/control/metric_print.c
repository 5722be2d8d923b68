/* Metrics in the Prometheus text format, version 0.0.4.  The control thread; no state. */
#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "control/metric.h"

/* Of a histogram's buckets those are shown whose bounds are powers of two, from 128 µs to 67 s. */
enum { BUCKET_FIRST = 12, BUCKET_STEP = 4, BUCKET_LAST = 88 };

struct printer {
	struct metric_out out;
	const struct metric *metric;
	struct buf *text;
};

/* A backslash, a quote and a newline are escaped; what is not UTF-8 would make the whole text invalid. */
static void add_value(struct buf *out, struct str value)
{
	struct buf json = {};
	buf_add_json(&json, value);
	struct str rest = buf_str(&json);
	while (rest.n) {
		bool coded = rest.n >= 6 && rest.p[0] == '\\' && rest.p[1] == 'u';
		bool other = rest.p[0] == '\\' && !coded && rest.p[1] != '\\' && rest.p[1] != '"' && rest.p[1] != 'n';
		size_t n = coded ? 6 : rest.p[0] == '\\' ? 2 : 1;
		/* The format knows no other escapes: what is left are control characters, of which a label needs none. */
		buf_add(out, coded || other ? STR(" ") : str_head(rest, n));
		rest = str_from(rest, n);
	}
	buf_fini(&json);
}

static void add_labels(struct buf *out, const struct labels *labels)
{
	for (unsigned i = 0; i < labels->count; i++) {
		buf_addf(out, "%s%s=\"", i ? "," : "", labels->p[i].name);
		add_value(out, labels->p[i].value);
		buf_add_char(out, '"');
	}
}

static void print_number(struct metric_out *out, const struct labels *labels, double value)
{
	struct printer *p = container_of(out, struct printer, out);
	buf_add(p->text, str_of(p->metric->name));
	if (labels->count) {
		buf_add_char(p->text, '{');
		add_labels(p->text, labels);
		buf_add_char(p->text, '}');
	}
	buf_addf(p->text, " %.15g\n", value);
}

static void print_bucket(struct printer *p, const struct labels *labels, const char *le, uint64_t count)
{
	buf_addf(p->text, "%s_bucket{", p->metric->name);
	add_labels(p->text, labels);
	buf_addf(p->text, "%sle=\"%s\"} %" PRIu64 "\n", labels->count ? "," : "", le, count);
}

static void print_end(struct printer *p, const struct labels *labels, const char *suffix)
{
	buf_addf(p->text, "%s_%s", p->metric->name, suffix);
	if (!labels->count)
		return;
	buf_add_char(p->text, '{');
	add_labels(p->text, labels);
	buf_add_char(p->text, '}');
}

static void print_histogram(struct metric_out *out, const struct labels *labels, const struct distribution *d)
{
	struct printer *p = container_of(out, struct printer, out);
	uint64_t count = 0;
	for (unsigned i = 0; i <= BUCKET_LAST; i++) {
		char le[32];
		count += d->bucket[i];
		if (i < BUCKET_FIRST || i % BUCKET_STEP)
			continue;
		snprintf(le, sizeof le, "%.9g", (double)histogram_bound_us(i) / 1e6);
		print_bucket(p, labels, le, count);
	}
	print_bucket(p, labels, "+Inf", d->count);
	print_end(p, labels, "sum");
	buf_addf(p->text, " %.15g\n", (double)d->sum_us / 1e6);
	print_end(p, labels, "count");
	buf_addf(p->text, " %" PRIu64 "\n", d->count);
}

void metrics_print(struct buf *out, const struct control *c, const struct sample *now)
{
	static const char *const KINDS[] = { "counter", "gauge", "histogram" };
	for (const struct metric *m = METRICS; m->name; m++) {
		struct printer p = { { print_number, print_histogram }, m, out };
		buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, KINDS[m->kind]);
		m->each(&p.out, c, now);
	}
}

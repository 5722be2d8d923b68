/* Working out conditions: a stack of numbers, and a history for each node that looks back.  The control thread. */
#include "control/alert_eval.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

enum {
	PARTS = 12,              /* a window is looked at in so many steps */
	CHANGE_PARTS = 60,       /* and the one that change() compares with: an hour by minutes */
	CHANGE_LEAST = 10,       /* so many of those have to be known */
};

/* What was said at some time; of a ring. */
struct past {
	uint64_t at_ms;
	double value;
	struct distribution *d;  /* NULL: a number */
};

/* As far back as a window, and one step more. */
struct history {
	struct past ring[PARTS + 2];
	unsigned first, count;
};

/* Means of the parts of a window. */
struct means {
	double part[CHANGE_PARTS];
	unsigned at, count;
	double sum;              /* of the part under way */
	uint64_t values, began_ms;
};

/* Of one node. */
struct state {
	unsigned series;
	double sum, min, max;
	struct distribution *d;  /* EXPR_QUANTILE: of all series */
	struct history *history;
	struct means *means;
};

struct eval {
	const struct expr *expr;
	struct state states[];
};

/* --- Beginning and end. --- */

static bool looks_back(enum expr_op op)
{
	return op == EXPR_RATE || op == EXPR_INCREASE || op == EXPR_QUANTILE;
}

static void history_init(struct history *h, bool distributions)
{
	for (size_t i = 0; distributions && i < countof(h->ring); i++)
		h->ring[i].d = MEM_NEW(struct distribution);
}

struct eval *eval_new(const struct expr *e)
{
	struct eval *v = mem_new(sizeof *v + e->count * sizeof *v->states);
	v->expr = e;
	for (unsigned i = 0; i < e->count; i++) {
		struct state *s = &v->states[i];
		bool quantile = e->nodes[i].op == EXPR_QUANTILE;
		if (quantile)
			s->d = MEM_NEW(struct distribution);
		if (looks_back(e->nodes[i].op)) {
			s->history = MEM_NEW(struct history);
			history_init(s->history, quantile);
		}
		if (e->nodes[i].op == EXPR_CHANGE)
			s->means = MEM_NEW(struct means);
	}
	return v;
}

void eval_free(struct eval *v)
{
	for (unsigned i = 0; i < v->expr->count; i++) {
		struct state *s = &v->states[i];
		for (size_t k = 0; s->history && k < countof(s->history->ring); k++)
			mem_free(s->history->ring[k].d);
		mem_free(s->history);
		mem_free(s->means);
		mem_free(s->d);
	}
	mem_free(v);
}

/* --- What the series say. --- */

struct str labels_get(const struct labels *labels, const char *name)
{
	for (unsigned i = 0; i < labels->count; i++)
		if (!strcmp(labels->p[i].name, name))
			return labels->p[i].value;
	return (struct str){};
}

bool expr_node_fits(const struct expr_node *n, const struct labels *labels)
{
	for (unsigned i = 0; i < n->filter_count; i++)
		if (str_eq(labels_get(labels, n->filters[i].label), n->filters[i].value) == n->filters[i].unlike)
			return false;
	return true;
}

void eval_begin(struct eval *v)
{
	for (unsigned i = 0; i < v->expr->count; i++) {
		struct state *s = &v->states[i];
		s->series = 0;
		s->sum = 0;
		if (s->d)
			*s->d = (struct distribution){};
	}
}

void eval_number(struct eval *v, unsigned node, double value)
{
	struct state *s = &v->states[node];
	must(node < v->expr->count);
	s->sum += value;
	if (!s->series || value < s->min)
		s->min = value;
	if (!s->series || value > s->max)
		s->max = value;
	s->series++;
}

void eval_histogram(struct eval *v, unsigned node, const struct distribution *d)
{
	struct state *s = &v->states[node];
	must(node < v->expr->count);
	s->series++;
	if (s->d)
		distribution_add(s->d, d);
}

/* --- Looking back. --- */

static struct past *past_at(struct history *h, unsigned i)
{
	return &h->ring[(h->first + i) % countof(h->ring)];
}

static void history_add(struct history *h, uint64_t at_ms, double value, const struct distribution *d)
{
	if (h->count == countof(h->ring)) {
		h->first = (h->first + 1) % countof(h->ring);
		h->count--;
	}
	struct past *p = past_at(h, h->count++);
	p->at_ms = at_ms;
	p->value = value;
	if (d)
		*p->d = *d;
}

/* Notes what is said now, where the note before is a step old, and finds what was said a window ago, or as far back as
 * anything is known. */
static struct past *look_back(struct history *h, const struct expr_node *n, uint64_t at_ms, double value,
                              const struct distribution *d)
{
	uint64_t step_ms = n->window_ms / PARTS;
	if (!h->count || at_ms - past_at(h, h->count - 1)->at_ms >= step_ms)
		history_add(h, at_ms, value, d);
	/* The oldest but those that are further back than they need to be. */
	while (h->count > 1 && at_ms - past_at(h, 1)->at_ms >= n->window_ms) {
		h->first = (h->first + 1) % countof(h->ring);
		h->count--;
	}
	return past_at(h, 0);
}

/* A count that became less is another one: a route or a pool is gone, and its series with it.  It begins anew. */
static double growth(struct state *s, const struct expr_node *n, uint64_t at_ms)
{
	if (s->history->count && s->sum < past_at(s->history, s->history->count - 1)->value)
		s->history->count = 0;
	if (!s->series)
		return NAN;
	struct past *then = look_back(s->history, n, at_ms, s->sum, NULL);
	uint64_t since_ms = at_ms - then->at_ms;
	if (n->op == EXPR_INCREASE)
		return s->sum - then->value;
	/* Of a few seconds alone, one request would make a rate. */
	return since_ms && since_ms >= n->window_ms / 4 ? (s->sum - then->value) / ((double)since_ms / 1000) : NAN;
}

static bool shrank(const struct distribution *now, const struct distribution *then)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (now->bucket[i] < then->bucket[i])
			return true;
	return now->count < then->count || now->sum_us < then->sum_us;
}

static double quantile(struct state *s, const struct expr_node *n, uint64_t at_ms)
{
	struct history *h = s->history;
	if (h->count && shrank(s->d, past_at(h, h->count - 1)->d))
		h->count = 0;
	if (!s->series)
		return NAN;
	struct distribution d = *s->d;
	distribution_sub(&d, look_back(h, n, at_ms, 0, s->d)->d);
	return d.count ? (double)distribution_quantile_us(&d, n->number) / 1e6 : NAN;
}

static void means_add(struct means *m, uint64_t part_ms, uint64_t at_ms, double value)
{
	if (!m->values || at_ms - m->began_ms < part_ms) {
		m->began_ms = m->values ? m->began_ms : at_ms;
		m->sum += value;
		m->values++;
		return;
	}
	m->part[m->at] = m->sum / (double)m->values;
	m->at = (m->at + 1) % CHANGE_PARTS;
	m->count += m->count < CHANGE_PARTS;
	m->sum = value;
	m->values = 1;
	m->began_ms = at_ms;
}

static double change(struct means *m, const struct expr_node *n, uint64_t at_ms, double value)
{
	double sum = 0;
	if (isnan(value))
		return NAN;
	for (unsigned i = 0; i < m->count; i++)
		sum += m->part[i];
	double before = m->count >= CHANGE_LEAST ? sum / m->count : 0;
	means_add(m, n->window_ms / CHANGE_PARTS, at_ms, value);
	return before > 0 ? (value - before) / before : NAN;
}

/* --- The stack. --- */

static double of_series(struct state *s, const struct expr_node *n, uint64_t at_ms)
{
	if (looks_back(n->op))
		return n->op == EXPR_QUANTILE ? quantile(s, n, at_ms) : growth(s, n, at_ms);
	if (n->op == EXPR_COUNT)
		return s->series;
	if (n->op == EXPR_ABSENT)
		return !s->series;
	if (!s->series)
		return NAN;
	switch (n->op) {
	case EXPR_MIN: return s->min;
	case EXPR_MAX: return s->max;
	case EXPR_AVG: return s->sum / s->series;
	default: return s->sum;
	}
}

/* Of truths, 1 and 0.  Where a number is not known (NaN), no comparison is true: not even "!=". */
static double joined(enum expr_op op, double a, double b)
{
	switch (op) {
	case EXPR_ADD: return a + b;
	case EXPR_SUB: return a - b;
	case EXPR_MUL: return a * b;
	case EXPR_DIV: return b == 0 ? NAN : a / b;
	case EXPR_LT: return a < b;
	case EXPR_LE: return a <= b;
	case EXPR_GT: return a > b;
	case EXPR_GE: return a >= b;
	case EXPR_EQ: return a <= b && a >= b;
	case EXPR_NE: return a < b || a > b;
	case EXPR_AND: return a > 0 && b > 0;
	case EXPR_OR: return a > 0 || b > 0;
	default: must(!"no operation of two"); return NAN;
	}
}

bool eval_step(struct eval *v, uint64_t at_ms, double *value)
{
	double stack[EXPR_STACK] = {};
	unsigned depth = 0;
	*value = NAN;
	for (unsigned i = 0; i < v->expr->count; i++) {
		const struct expr_node *n = &v->expr->nodes[i];
		if (n->op == EXPR_NUMBER) {
			stack[depth++] = n->number;
		} else if (n->metric) {
			stack[depth++] = of_series(&v->states[i], n, at_ms);
		} else if (n->op == EXPR_NEGATE) {
			stack[depth - 1] = -stack[depth - 1];
		} else if (n->op == EXPR_CHANGE) {
			stack[depth - 1] = change(v->states[i].means, n, at_ms, stack[depth - 1]);
		} else {
			depth--;
			if (i == v->expr->shown)
				*value = stack[depth - 1];
			stack[depth - 1] = joined(n->op, stack[depth - 1], stack[depth]);
		}
	}
	return depth && stack[0] > 0;
}

/* Conditions of alerts: what is accepted can be worked out, within its bounds; what is refused says why, and where. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "control/alert_eval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say(const struct eval *v, const struct expr *e, unsigned round)
{
	struct distribution d = { .count = round, .sum_us = round * 5000u };
	d.bucket[40] = round;
	for (unsigned i = 0; i < e->count; i++) {
		const struct metric *m = e->nodes[i].metric;
		if (m && m->kind == METRIC_HISTOGRAM)
			eval_histogram((struct eval *)(uintptr_t)v, i, &d);
		else if (m)
			eval_number((struct eval *)(uintptr_t)v, i, round % 7);
	}
}

static void work_out(const struct expr *e)
{
	struct eval *v = eval_new(e);
	double value;
	for (unsigned round = 1; round < 20; round++) {
		eval_begin(v);
		if (round % 5)
			say(v, e, round);
		eval_step(v, round * 1700u, &value);
	}
	eval_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct expr *e = malloc(sizeof *e);
	struct expr_error error;
	char *exact = malloc(size ? size : 1);
	must(e && exact);
	memcpy(exact, data, size);
	arena_init(&arena, NULL, 0);
	if (expr_parse(&arena, METRICS, str_make(exact, size), e, &error)) {
		must(error.text[0] && error.at <= size);
	} else {
		must(e->count && e->count <= EXPR_NODES);
		work_out(e);
	}
	arena_fini(&arena);
	free(exact);
	free(e);
	return 0;
}

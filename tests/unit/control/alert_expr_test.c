/* Conditions of alerts: what they are read as, and what is said of mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "control/alert_expr.h"

static const struct metric TABLE[] = {
	{ "petrel_connections", "Open.", METRIC_GAUGE, "state", NULL },
	{ "petrel_requests_total", "Answered.", METRIC_COUNTER, "site route class", NULL },
	{ "petrel_request_seconds", "Time.", METRIC_HISTOGRAM, "site route", NULL },
	{ "petrel_pool_seconds", "Time.", METRIC_HISTOGRAM, "pool", NULL },
	{ "petrel_pool_servers", "Servers.", METRIC_GAUGE, "pool state", NULL },
	{ "petrel_memory_bytes", "Memory.", METRIC_GAUGE, "", NULL },
	{ "petrel_turn_seconds", "Longest.", METRIC_GAUGE, "", NULL },
	{},
};

static const char *const OPS[] = {
	[EXPR_SUM] = "sum", [EXPR_MIN] = "min", [EXPR_MAX] = "max", [EXPR_AVG] = "avg", [EXPR_COUNT] = "count",
	[EXPR_RATE] = "rate", [EXPR_INCREASE] = "increase", [EXPR_QUANTILE] = "quantile", [EXPR_ABSENT] = "absent",
	[EXPR_CHANGE] = "change", [EXPR_NEGATE] = "neg", [EXPR_ADD] = "+", [EXPR_SUB] = "-", [EXPR_MUL] = "*",
	[EXPR_DIV] = "/", [EXPR_LT] = "<", [EXPR_LE] = "<=", [EXPR_GT] = ">", [EXPR_GE] = ">=", [EXPR_EQ] = "==",
	[EXPR_NE] = "!=", [EXPR_AND] = "and", [EXPR_OR] = "or",
};

/* Operations in their order, apart by blanks: what the rows below expect. */
static void print(struct buf *out, const struct expr *e)
{
	for (unsigned i = 0; i < e->count; i++) {
		const struct expr_node *n = &e->nodes[i];
		if (n->op == EXPR_NUMBER)
			buf_addf(out, "%g ", n->number);
		else
			buf_addf(out, "%s", OPS[n->op]);
		if (n->op == EXPR_NUMBER)
			continue;
		if (n->op == EXPR_QUANTILE)
			buf_addf(out, "%g", n->number);
		if (n->metric)
			buf_addf(out, "[%s", n->metric->name + 7);
		for (unsigned k = 0; k < n->filter_count; k++)
			buf_addf(out, " %s%s%.*s", n->filters[k].label, n->filters[k].unlike ? "!=" : "=",
			         STR_F(n->filters[k].value));
		if (n->metric)
			buf_add_char(out, ']');
		if (n->window_ms)
			buf_addf(out, "@%llu", (unsigned long long)n->window_ms / 1000);
		buf_add_char(out, ' ');
	}
	if (e->for_ms)
		buf_addf(out, "for %llu ", (unsigned long long)e->for_ms / 1000);
	if (e->each)
		buf_addf(out, "each %s ", e->each);
	if (out->n)
		out->n--;
}

static const struct {
	const char *text, *expected;
} RIGHT[] = {
	{ "petrel_connections > 10", "sum[connections] 10 >" },
	{ "petrel_connections(state=idle) > 10k for 30s", "sum[connections state=idle] 10240 > for 30" },
	{ "petrel_connections{state=\"idle\"} > 10000 for 30s", "sum[connections state=idle] 10000 > for 30" },
	{ "petrel_connections( state != idle ) >= .5", "sum[connections state!=idle] 0.5 >=" },
	{ "p99(route /api/*) > 500ms for 1m", "quantile0.99[request_seconds route=/api/*]@60 0.5 > for 60" },
	{ "p99.9(route ~ ^/(a|b)$) > 2s", "quantile0.999[request_seconds route=^/(a|b)$]@60 2 >" },
	{ "p99(route \"~ ^/a,(b$\", 10s) > 2s", "quantile0.99[request_seconds route=^/a,(b$]@10 2 >" },
	{ "p999(route = /x, 5m) > 2s", "quantile0.999[request_seconds route=/x]@300 2 >" },
	{ "p50(all) > 1s", "quantile0.5[request_seconds]@60 1 >" },
	{ "p90(pool api) > 20ms", "quantile0.9[pool_seconds pool=api]@60 0.02 >" },
	{ "p90(site example.org) > 5m", "quantile0.9[request_seconds site=example.org]@60 300 >" },
	{ "p90(petrel_pool_seconds(pool=api), 10s) > 20ms", "quantile0.9[pool_seconds pool=api]@10 0.02 >" },
	{ "petrel_memory_bytes > 5m", "sum[memory_bytes] 5.24288e+06 >" },
	{ "petrel_turn_seconds > 5m", "sum[turn_seconds] 300 >" },
	{ "rate(petrel_requests_total(class=5xx)) > 5 for 1m", "rate[requests_total class=5xx]@60 5 > for 60" },
	{ "rate(petrel_requests_total(class=5xx), 30s) / rate(petrel_requests_total, 30s) > 5%",
	  "rate[requests_total class=5xx]@30 rate[requests_total]@30 / 0.05 >" },
	{ "change(rate(petrel_requests_total), 1h) < -50% for 5m",
	  "rate[requests_total]@60 change@3600 0.5 neg < for 300" },
	{ "change(rate(petrel_requests_total)) < -50%", "rate[requests_total]@60 change@3600 0.5 neg <" },
	{ "absent(petrel_pool_servers(pool=api)) for 10s", "absent[pool_servers pool=api] for 10" },
	{ "petrel_pool_servers(state=ready) < 1 for 5s each pool", "sum[pool_servers state=ready] 1 < for 5 each pool" },
	{ "petrel_pool_servers < 1 each pool for 5s", "sum[pool_servers] 1 < for 5 each pool" },
	{ "min(petrel_pool_servers(state=ready)) = 0", "min[pool_servers state=ready] 0 ==" },
	{ "1 + 2 * 3 - 4 / 2 > petrel_connections", "1 2 3 * + 4 2 / - sum[connections] >" },
	{ "(1 + 2) * 3 > petrel_connections", "1 2 + 3 * sum[connections] >" },
	{ "petrel_connections > 1 or petrel_connections < 2 and petrel_memory_bytes > 3",
	  "sum[connections] 1 > sum[connections] 2 < sum[memory_bytes] 3 > and or" },
	{ "(petrel_connections > 1 or petrel_connections < 2) and petrel_memory_bytes > 3",
	  "sum[connections] 1 > sum[connections] 2 < or sum[memory_bytes] 3 > and" },
	{ "petrel_requests_total(route=\"/a,b)\", class=2xx) > 1", "sum[requests_total route=/a,b) class=2xx] 1 >" },
	{ "increase(petrel_requests_total, 10m) == 0", "increase[requests_total]@600 0 ==" },
};

static const struct {
	const char *text, *marked, *error, *hint;
} WRONG[] = {
	{ "", "", "a metric or a number is missing at the end", "" },
	{ "petrel_conections > 1", "petrel_conections", "there is no metric \"petrel_conections\"",
	  "did you mean \"petrel_connections\"?" },
	{ "rte(petrel_requests_total) > 1", "rte", "there is no metric \"rte\"", "did you mean \"rate\"?" },
	{ "nothing_like_it > 1", "nothing_like_it", "there is no metric \"nothing_like_it\"",
	  "all are listed by GET /metrics, and in the reference" },
	{ "petrel_connections(stat=idle) > 1", "stat", "petrel_connections has no label \"stat\"",
	  "did you mean \"state\"?" },
	{ "petrel_memory_bytes(x=y) > 1", "x", "petrel_memory_bytes has no label \"x\"", "" },
	{ "petrel_requests_total(zzzzz=1) > 1", "zzzzz", "petrel_requests_total has no label \"zzzzz\"",
	  "there are: site route class" },
	{ "petrel_request_seconds > 1", "petrel_request_seconds", "petrel_request_seconds is a histogram",
	  "ask for a percentile of it: p99(petrel_request_seconds)" },
	{ "p99(petrel_connections) > 1", "petrel_connections", "petrel_connections is no histogram",
	  "percentiles are asked of histograms only: p99(route /api/*)" },
	{ "petrel_connections", "petrel_connections",
	  "a comparison is missing: what is this to be more or less than?", "" },
	{ "petrel_connections > ", " ", "a metric or a number is missing at the end", "" },
	{ "petrel_connections > 1 > 2", "petrel_connections > 1 ", "a comparison stands where a number has to", "" },
	{ "petrel_connections > 5x", "5x", "\"5x\" is no number that is understood here",
	  "numbers are such as 0.5, 500ms, 30s, 10k, 64m, 2g or 50%" },
	{ "petrel_connections > 1 for 5", "5", "\"5\" is no time such as 30s, 5m or 1h", "" },
	{ "petrel_connections > 1 for 90d", "90d", "a time from 0s to 24h is possible here", "" },
	{ "petrel_connections > 1 for", "r", "a time such as 30s, 5m or 1h is missing at the end", "" },
	{ "petrel_connections > 1 each pool", "pool", "petrel_connections has no label \"pool\"", "there are: state" },
	{ "petrel_connections > 1 each stat", "stat", "petrel_connections has no label \"stat\"",
	  "did you mean \"state\"?" },
	{ "petrel_connections > 1 fo 5s", "fo", "\"for\", \"and\", \"or\" or the end is missing before \"fo\"", "" },
	{ "p99(route /a > 1", "1", "\")\" is missing at the end", "" },
	{ "rate(petrel_requests_total, 1s) > 1", "1s", "a time from 2s to 24h is possible here", "" },
	{ "((((((((((((((petrel_connections)))))))))))))) > 1", "(", "the condition is too long: make two alerts of it",
	  "" },
	{ "--------------petrel_connections > 1", "-", "the condition is too long: make two alerts of it", "" },
	{ "1 < 2 and 3", "3", "a comparison is missing: what is this to be more or less than?", "" },
};

static void conditions_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(RIGHT); i++) {
		struct arena arena;
		struct expr e;
		struct expr_error error;
		struct buf out = {};
		arena_init(&arena, NULL, 0);
		if (expr_parse(&arena, TABLE, str_of(RIGHT[i].text), &e, &error))
			fail_msg("%s: %s at %zu", RIGHT[i].text, error.text, error.at);
		print(&out, &e);
		buf_add_char(&out, '\0');
		assert_string_equal(out.p, RIGHT[i].expected);
		buf_fini(&out);
		arena_fini(&arena);
	}
}

static void mistakes_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(WRONG); i++) {
		struct arena arena;
		struct expr e;
		struct expr_error error;
		struct str text = str_of(WRONG[i].text);
		arena_init(&arena, NULL, 0);
		if (!expr_parse(&arena, TABLE, text, &e, &error))
			fail_msg("%s: was accepted", WRONG[i].text);
		assert_string_equal(error.text, WRONG[i].error);
		assert_string_equal(error.hint, WRONG[i].hint);
		struct str marked = str_head(str_from(text, error.at), error.n);
		if (!str_eq(marked, str_of(WRONG[i].marked)))
			fail_msg("%s: marks \"%.*s\"", WRONG[i].text, STR_F(marked));
		arena_fini(&arena);
	}
}

static void conditions_are_bounded(void **state)
{
	(void)state;
	struct buf text = {};
	struct arena arena;
	struct expr e;
	struct expr_error error;
	arena_init(&arena, NULL, 0);
	buf_add(&text, STR("petrel_connections"));
	for (int i = 0; i < 60; i++)
		buf_add(&text, STR("+1"));
	buf_add(&text, STR(">1"));
	assert_int_not_equal(expr_parse(&arena, TABLE, buf_str(&text), &e, &error), 0);
	assert_string_equal(error.text, "the condition is too long: make two alerts of it");
	while (text.n <= EXPR_TEXT_B)
		buf_add_char(&text, ' ');
	assert_int_not_equal(expr_parse(&arena, TABLE, buf_str(&text), &e, &error), 0);
	assert_string_equal(error.text, "the condition has more than 1000 bytes");
	arena_fini(&arena);
	buf_fini(&text);
}

static void values_are_shown(void **state)
{
	static const struct {
		enum expr_unit unit;
		double value;
		const char *expected;
	} ROWS[] = {
		{ UNIT_NONE, 0, "0" },           { UNIT_NONE, 42, "42" },          { UNIT_NONE, 1234567, "1234567" },
		{ UNIT_NONE, 0.25, "0.25" },     { UNIT_NONE, 1.5, "1.5" },        { UNIT_NONE, -3, "-3" },
		{ UNIT_NONE, 100, "100" },       { UNIT_NONE, 10, "10" },          { UNIT_SECONDS, 0.6125, "612ms" },
		{ UNIT_SECONDS, 1.5, "1.5s" },   { UNIT_SECONDS, 900, "15m" },     { UNIT_SECONDS, 7200, "2h" },
		{ UNIT_SECONDS, 0.00002, "0.02ms" }, { UNIT_BYTES, 1536, "1.5k" }, { UNIT_BYTES, 0x1p31, "2g" },
		{ UNIT_SHARE, -0.5, "-50%" },    { UNIT_SHARE, 0.051, "5.1%" },    { UNIT_NONE, __builtin_nan(""), "nothing" },
		{ UNIT_NONE, __builtin_inf(), "infinite" },
	};
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf out = {};
		expr_print_value(&out, ROWS[i].unit, ROWS[i].value);
		buf_add_char(&out, '\0');
		assert_string_equal(out.p, ROWS[i].expected);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_are_read),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(conditions_are_bounded),
		cmocka_unit_test(values_are_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

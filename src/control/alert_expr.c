/* Parsing conditions of alerts.  A parser by precedence that writes operations in the order in which they are done;
 * what it recurses into is bounded by EXPR_DEPTH, what it writes by EXPR_NODES. */
#include "control/alert_expr.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "config/guess.h"

enum { RATE_MS = 60000, CHANGE_MS = 3600000, WINDOW_LEAST_MS = 2000, WINDOW_MOST_MS = 24 * 3600000 };

/* What an operand is. */
enum kind { KIND_NUMBER, KIND_TRUTH };

struct operand {
	enum kind kind;
	enum expr_unit unit;
	size_t at;             /* its first byte */
};

struct parser {
	struct arena *arena;
	const struct metric *metrics;
	struct str text;
	size_t at;
	unsigned depth;
	bool shown;            /* out->shown is known */
	struct expr *out;
	struct expr_error *error;
};

/* --- What is wrong. --- */

/* Only the first mistake counts: what follows from it would be noise. */
[[gnu::format(printf, 4, 5)]] static int wrong(struct parser *p, size_t at, size_t n, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	p->error->at = at;
	p->error->n = n ? n : 1;
	vsnprintf(p->error->text, sizeof p->error->text, format, args);
	va_end(args);
	return -EINVAL;
}

[[gnu::format(printf, 2, 3)]] static void hint(struct parser *p, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(p->error->hint, sizeof p->error->hint, format, args);
	va_end(args);
}

static void hint_guess(struct parser *p, const struct guess *guess, struct str list)
{
	if (guess->best.p)
		hint(p, "did you mean \"%.*s\"?", STR_F(guess->best));
	else
		hint(p, "there are: %.*s", STR_F(list));
}

/* --- Words. --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip(struct parser *p)
{
	while (p->at < p->text.n && is_blank(p->text.p[p->at]))
		p->at++;
}

/* The byte at the parser's place; NUL at the end. */
static char peek(struct parser *p)
{
	skip(p);
	return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static bool is_word(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '_' || c == ':' || c == '.';
}

/* The word at the parser's place, which is not passed; may be empty. */
static struct str word_at(struct parser *p)
{
	skip(p);
	size_t n = p->at;
	while (n < p->text.n && is_word(p->text.p[n]))
		n++;
	return str_from(str_head(p->text, n), p->at);
}

static bool take_char(struct parser *p, char c)
{
	bool there = peek(p) == c;
	p->at += there;
	return there;
}

static bool take_word(struct parser *p, struct str word)
{
	bool there = str_eq(word_at(p), word);
	p->at += there ? word.n : 0;
	return there;
}

/* What stands at the parser's place, for a message. */
static int unexpected(struct parser *p, const char *wanted)
{
	struct str word = word_at(p);
	if (p->at >= p->text.n)
		return wrong(p, p->text.n ? p->text.n - 1 : 0, 1, "%s is missing at the end", wanted);
	if (!word.n)
		word = str_head(str_from(p->text, p->at), 1);
	return wrong(p, p->at, word.n, "%s is missing before \"%.*s\"", wanted, STR_F(str_head(word, 60)));
}

static int need_char(struct parser *p, char c)
{
	char wanted[] = { '"', c, '"', '\0' };
	return take_char(p, c) ? 0 : unexpected(p, wanted);
}

/* --- Operations. --- */

static struct expr_node *node_add(struct parser *p, enum expr_op op, size_t at)
{
	if (p->out->count == EXPR_NODES)
		return NULL;
	struct expr_node *n = &p->out->nodes[p->out->count++];
	*n = (struct expr_node){ .op = op, .at = (uint32_t)at, .n = (uint32_t)(p->at - at) };
	return n;
}

static int too_long(struct parser *p, size_t at)
{
	return wrong(p, at, 1, "the condition is too long: make two alerts of it");
}

static int add_op(struct parser *p, enum expr_op op, size_t at)
{
	return node_add(p, op, at) ? 0 : too_long(p, at);
}

/* --- Numbers. --- */

static int take_duration(struct parser *p, uint64_t *ms, uint64_t least, uint64_t most)
{
	struct str word = word_at(p);
	size_t at = p->at;
	if (!word.n)
		return unexpected(p, "a time such as 30s, 5m or 1h");
	if (num_parse_duration(word, ms))
		return wrong(p, at, word.n, "\"%.*s\" is no time such as 30s, 5m or 1h", STR_F(str_head(word, 60)));
	if (*ms < least || *ms > most)
		return wrong(p, at, word.n, "a time from %llus to %lluh is possible here", (unsigned long long)least / 1000,
		             (unsigned long long)most / 3600000);
	p->at += word.n;
	return 0;
}

static const struct unit {
	const char *name;
	double worth;
	enum expr_unit unit;
} UNITS[] = {
	{ "", 1, UNIT_NONE },        { "us", 1e-6, UNIT_SECONDS }, { "ms", 1e-3, UNIT_SECONDS },
	{ "s", 1, UNIT_SECONDS },    { "h", 3600, UNIT_SECONDS },  { "d", 86400, UNIT_SECONDS },
	{ "k", 0x1p10, UNIT_BYTES }, { "m", 0x1p20, UNIT_BYTES },  { "g", 0x1p30, UNIT_BYTES },
	{ "t", 0x1p40, UNIT_BYTES },
};

/* The digits of a number: 15 of them are exact, and more are none that anybody means. */
static size_t digits_at(struct str s, double *out)
{
	double value = 0, place = 1;
	size_t i = 0;
	bool point = false;
	for (; i < s.n && i < 16 && (ascii_digit(s.p[i]) || (s.p[i] == '.' && !point)); i++) {
		if (s.p[i] == '.') {
			point = true;
			continue;
		}
		value = value * 10 + (s.p[i] - '0');
		place *= point ? 10 : 1;
	}
	*out = value / place;
	return i;
}

static int take_number(struct parser *p, struct operand *out)
{
	size_t at = p->at;
	double value;
	struct str word = word_at(p), unit = str_from(word, digits_at(word, &value));
	const struct unit *u = UNITS;
	while (u < UNITS + countof(UNITS) && !str_eq_nocase(unit, str_of(u->name)))
		u++;
	if (u == UNITS + countof(UNITS)) {
		int err = wrong(p, at, word.n, "\"%.*s\" is no number that is understood here", STR_F(str_head(word, 60)));
		hint(p, "numbers are such as 0.5, 500ms, 30s, 10k, 64m, 2g or 50%%");
		return err;
	}
	p->at += word.n;
	bool share = u->unit == UNIT_NONE && p->at < p->text.n && p->text.p[p->at] == '%';
	p->at += share;
	struct expr_node *n = node_add(p, EXPR_NUMBER, at);
	if (!n)
		return too_long(p, at);
	n->number = share ? value / 100 : value * u->worth;
	n->unit = share ? UNIT_SHARE : u->unit;
	n->minutes = str_eq_nocase(unit, STR("m"));
	*out = (struct operand){ KIND_NUMBER, n->unit, at };
	return 0;
}

/* --- Series. --- */

bool metric_has_label(const struct metric *m, struct str label)
{
	struct str rest = str_of(m->labels);
	while (rest.n)
		if (str_eq(str_cut(&rest, ' '), label))
			return true;
	return false;
}


static const struct metric *find_metric(const struct metric *metrics, struct str name)
{
	for (const struct metric *m = metrics; m->name; m++)
		if (str_eq(name, str_of(m->name)))
			return m;
	return NULL;
}

static int no_metric(struct parser *p, size_t at, struct str name)
{
	static const char *const WORDS[] = { "sum", "min", "max", "avg", "count", "rate", "increase", "change", "absent" };
	struct guess guess = guess_of(name);
	for (const struct metric *m = p->metrics; m->name; m++)
		guess_offer(&guess, str_of(m->name));
	for (size_t i = 0; i < countof(WORDS); i++)
		guess_offer(&guess, str_of(WORDS[i]));
	int err = wrong(p, at, name.n, "there is no metric \"%.*s\"", STR_F(str_head(name, 80)));
	if (guess.best.p)
		hint(p, "did you mean \"%.*s\"?", STR_F(guess.best));
	else
		hint(p, "all are listed by GET /metrics, and in the reference");
	return err;
}

static int no_label(struct parser *p, size_t at, const struct metric *m, struct str label)
{
	struct guess guess = guess_of(label);
	struct str rest = str_of(m->labels);
	while (rest.n)
		guess_offer(&guess, str_cut(&rest, ' '));
	int err = wrong(p, at, label.n, "%s has no label \"%.*s\"", m->name, STR_F(str_head(label, 60)));
	if (*m->labels)
		hint_guess(p, &guess, str_of(m->labels));
	return err;
}

/* A label's value: between quotes, or up to the next comma or bracket that closes; brackets in it come in pairs. */
static int take_text(struct parser *p, struct str *out)
{
	size_t at, open = 0;
	bool quoted = take_char(p, '"');
	skip(p);
	at = p->at;
	for (; p->at < p->text.n; p->at++) {
		char c = p->text.p[p->at];
		if (quoted ? c == '"' : !open && (c == ')' || c == '}' || c == ','))
			break;
		open += !quoted && (c == '(' || c == '{');
		open -= !quoted && open && (c == ')' || c == '}');
	}
	*out = str_from(str_head(p->text, p->at), at);
	if (quoted)
		return need_char(p, '"');
	while (out->n && is_blank(out->p[out->n - 1]))
		out->n--;
	return out->n ? 0 : unexpected(p, "a value");
}

/* Metrics have a route's pattern without the mark before it. */
static struct str pattern_of(struct str value)
{
	bool marked = value.n > 1 && (value.p[0] == '=' || value.p[0] == '~') && is_blank(value.p[1]);
	return marked ? str_trim(str_from(value, 1)) : value;
}

static int filter_add(struct parser *p, struct expr_node *n, size_t at, struct str label, struct str value, bool unlike)
{
	if (!metric_has_label(n->metric, label))
		return no_label(p, at, n->metric, label);
	if (n->filter_count == EXPR_FILTERS)
		return wrong(p, at, label.n, "no more than %d labels can be asked for", EXPR_FILTERS);
	if (str_eq(label, STR("route")))
		value = pattern_of(value);
	struct expr_filter *f = &n->filters[n->filter_count++];
	*f = (struct expr_filter){ arena_str(p->arena, label).p, arena_str(p->arena, value), unlike };
	return 0;
}

/* "label=value, label!=value)", behind the bracket that opened them. */
static int take_filters(struct parser *p, struct expr_node *n, char close)
{
	int err = 0;
	while (!err && !take_char(p, close)) {
		struct str label = word_at(p), value;
		size_t at = p->at;
		if (!label.n)
			return unexpected(p, "a label");
		p->at += label.n;
		bool unlike = take_char(p, '!');
		err = need_char(p, '=');
		if (!err)
			err = take_text(p, &value);
		if (!err)
			err = filter_add(p, n, at, label, value, unlike);
		if (!err && !take_char(p, ',') && peek(p) != close)
			err = unexpected(p, close == ')' ? "\")\"" : "\"}\"");
	}
	return err;
}

/* METRIC, METRIC(…) or METRIC{…}. */
static int take_series(struct parser *p, struct expr_node *n)
{
	struct str name = word_at(p);
	size_t at = p->at;
	if (!name.n)
		return unexpected(p, "a metric");
	n->metric = find_metric(p->metrics, name);
	if (!n->metric)
		return no_metric(p, at, name);
	p->at += name.n;
	n->n = (uint32_t)(p->at - n->at);
	if (peek(p) != '(' && peek(p) != '{')
		return 0;
	char close = take_char(p, '(') ? ')' : '}';
	p->at += close == '}';
	int err = take_filters(p, n, close);
	n->n = (uint32_t)(p->at - n->at);
	return err;
}

static enum expr_unit unit_of(const struct metric *m)
{
	struct str name = str_of(m->name);
	if (str_ends(name, STR("_seconds")) || str_ends(name, STR("_seconds_total")))
		return UNIT_SECONDS;
	return str_ends(name, STR("_bytes")) || str_ends(name, STR("_bytes_total")) ? UNIT_BYTES : UNIT_NONE;
}

static int need_histogram(struct parser *p, const struct expr_node *n, bool wanted)
{
	if ((n->metric->kind == METRIC_HISTOGRAM) == wanted)
		return 0;
	int err = wrong(p, n->at, n->n, wanted ? "%s is no histogram" : "%s is a histogram", n->metric->name);
	hint(p, wanted ? "percentiles are asked of histograms only: p99(route /api/*)"
	               : "ask for a percentile of it: p99(%s)", n->metric->name);
	return err;
}

static int take_window(struct parser *p, struct expr_node *n, uint64_t preset_ms, uint64_t least_ms)
{
	n->window_ms = preset_ms;
	int err = take_char(p, ',') ? take_duration(p, &n->window_ms, least_ms, WINDOW_MOST_MS) : 0;
	return err ? err : need_char(p, ')');
}

/* --- Percentiles. --- */

/* "p99", "p99.9", "p999": the share, or 0. */
static double share_of(struct str word)
{
	double value;
	if (word.n < 2 || word.p[0] != 'p' || digits_at(str_from(word, 1), &value) != word.n - 1)
		return 0;
	while (value >= 100 && str_find(word, '.') == word.n)
		value /= 10;
	return value < 100 ? value / 100 : 0;
}

/* The first one with this label; an empty one: the first of all. */
static const struct metric *histogram_of(const struct metric *metrics, struct str label)
{
	for (const struct metric *m = metrics; m->name; m++)
		if (m->kind == METRIC_HISTOGRAM && (!label.n || metric_has_label(m, label)))
			return m;
	return NULL;
}

/* "route PATTERN", "site NAME", "pool NAME", where its metric is the first that has such a label. */
static int take_named(struct parser *p, struct expr_node *n, struct str label)
{
	size_t at = p->at;
	struct str value;
	p->at += label.n;
	n->metric = histogram_of(p->metrics, label);
	if (!n->metric)
		return no_metric(p, at, label);
	int err = take_text(p, &value);
	n->n = (uint32_t)(p->at - n->at);
	return err ? err : filter_add(p, n, at, label, value, false);
}

static int take_measured(struct parser *p, struct expr_node *n)
{
	static const struct str NAMED[] = { { "route", 5 }, { "site", 4 }, { "pool", 4 } };
	struct str word = word_at(p);
	if (str_eq(word, STR("all"))) {
		p->at += word.n;
		n->metric = histogram_of(p->metrics, STR(""));
		return n->metric ? 0 : no_metric(p, p->at, word);
	}
	for (size_t i = 0; i < countof(NAMED); i++)
		if (str_eq(word, NAMED[i]))
			return take_named(p, n, word);
	int err = take_series(p, n);
	return err ? err : need_histogram(p, n, true);
}

static int take_quantile(struct parser *p, size_t at, double share, struct operand *out)
{
	struct expr_node *n = node_add(p, EXPR_QUANTILE, p->at);
	if (!n)
		return too_long(p, at);
	n->number = share;
	*out = (struct operand){ KIND_NUMBER, UNIT_SECONDS, at };
	skip(p);
	n->at = (uint32_t)p->at;
	int err = take_measured(p, n);
	return err ? err : take_window(p, n, RATE_MS, WINDOW_LEAST_MS);
}

/* --- Functions. --- */

static int take_condition(struct parser *p, unsigned above, struct operand *out);

static int need_kind(struct parser *p, const struct operand *o, enum kind kind)
{
	if (o->kind == kind)
		return 0;
	if (kind == KIND_NUMBER)
		return wrong(p, o->at, p->at - o->at, "a comparison stands where a number has to");
	return wrong(p, o->at, p->at - o->at, "a comparison is missing: what is this to be more or less than?");
}

static int take_change(struct parser *p, size_t at, struct operand *out)
{
	struct operand inner;
	int err = take_condition(p, 0, &inner);
	if (!err)
		err = need_kind(p, &inner, KIND_NUMBER);
	if (err)
		return err;
	struct expr_node *n = node_add(p, EXPR_CHANGE, at);
	*out = (struct operand){ KIND_NUMBER, UNIT_SHARE, at };
	return n ? take_window(p, n, CHANGE_MS, RATE_MS) : too_long(p, at);
}

static const struct function {
	const char *name;
	enum expr_op op;
	bool window;
} FUNCTIONS[] = {
	{ "sum", EXPR_SUM, false },        { "min", EXPR_MIN, false },   { "max", EXPR_MAX, false },
	{ "avg", EXPR_AVG, false },        { "count", EXPR_COUNT, false }, { "rate", EXPR_RATE, true },
	{ "increase", EXPR_INCREASE, true }, { "absent", EXPR_ABSENT, false },
};

static const struct function *function_of(struct str word)
{
	for (size_t i = 0; i < countof(FUNCTIONS); i++)
		if (str_eq(word, str_of(FUNCTIONS[i].name)))
			return &FUNCTIONS[i];
	return NULL;
}

static int take_function(struct parser *p, const struct function *f, size_t at, struct operand *out)
{
	skip(p);
	struct expr_node *n = node_add(p, f->op, p->at);
	if (!n)
		return too_long(p, at);
	int err = take_series(p, n);
	if (!err && f->op != EXPR_ABSENT)
		err = need_histogram(p, n, false);
	if (err)
		return err;
	*out = (struct operand){ f->op == EXPR_ABSENT ? KIND_TRUTH : KIND_NUMBER, unit_of(n->metric), at };
	if (f->op == EXPR_COUNT || f->op == EXPR_RATE)
		out->unit = UNIT_NONE;
	return f->window ? take_window(p, n, RATE_MS, WINDOW_LEAST_MS) : need_char(p, ')');
}

static int take_metric(struct parser *p, struct operand *out)
{
	size_t at = p->at;
	struct expr_node *n = node_add(p, EXPR_SUM, at);
	if (!n)
		return too_long(p, at);
	int err = take_series(p, n);
	if (!err)
		err = need_histogram(p, n, false);
	if (!err)
		*out = (struct operand){ KIND_NUMBER, unit_of(n->metric), at };
	return err;
}

/* A word with a bracket behind it may be a function; without, it is a metric. */
static int take_call(struct parser *p, struct operand *out)
{
	struct str word = word_at(p);
	size_t at = p->at;
	const struct function *f = function_of(word);
	double share = share_of(word);
	bool change = str_eq(word, STR("change"));
	if (!f && !share && !change)
		return take_metric(p, out);
	p->at += word.n;
	int err = need_char(p, '(');
	if (err)
		return err;
	if (change)
		return take_change(p, at, out);
	return f ? take_function(p, f, at, out) : take_quantile(p, at, share, out);
}

static int take_operand(struct parser *p, struct operand *out)
{
	char c = peek(p);
	size_t at = p->at;
	int err;
	if (c == '(') {
		p->at++;
		err = take_condition(p, 0, out);
		out->at = at;
		return err ? err : need_char(p, ')');
	}
	if (c == '-') {
		p->at++;
		err = ++p->depth > EXPR_DEPTH ? too_long(p, at) : take_operand(p, out);
		p->depth--;
		if (!err)
			err = need_kind(p, out, KIND_NUMBER);
		out->at = at;
		return err ? err : add_op(p, EXPR_NEGATE, at);
	}
	if (ascii_digit(c) || c == '.')
		return take_number(p, out);
	return word_at(p).n ? take_call(p, out) : unexpected(p, "a metric or a number");
}

/* --- Operators. --- */

static const struct operator {
	const char *text;
	enum expr_op op;
	unsigned rank;                 /* those of a higher one are done first */
	enum kind takes, makes;
} OPERATORS[] = {
	{ "or", EXPR_OR, 1, KIND_TRUTH, KIND_TRUTH },    { "and", EXPR_AND, 2, KIND_TRUTH, KIND_TRUTH },
	{ "<=", EXPR_LE, 3, KIND_NUMBER, KIND_TRUTH },   { ">=", EXPR_GE, 3, KIND_NUMBER, KIND_TRUTH },
	{ "==", EXPR_EQ, 3, KIND_NUMBER, KIND_TRUTH },   { "!=", EXPR_NE, 3, KIND_NUMBER, KIND_TRUTH },
	{ "<", EXPR_LT, 3, KIND_NUMBER, KIND_TRUTH },    { ">", EXPR_GT, 3, KIND_NUMBER, KIND_TRUTH },
	{ "=", EXPR_EQ, 3, KIND_NUMBER, KIND_TRUTH },    { "+", EXPR_ADD, 4, KIND_NUMBER, KIND_NUMBER },
	{ "-", EXPR_SUB, 4, KIND_NUMBER, KIND_NUMBER },  { "*", EXPR_MUL, 5, KIND_NUMBER, KIND_NUMBER },
	{ "/", EXPR_DIV, 5, KIND_NUMBER, KIND_NUMBER },
};

static const struct operator *operator_at(struct parser *p)
{
	struct str word = word_at(p), rest = str_from(p->text, p->at);
	for (size_t i = 0; i < countof(OPERATORS); i++) {
		struct str text = str_of(OPERATORS[i].text);
		if (ascii_alpha(text.p[0]) ? str_eq(word, text) : str_starts(rest, text))
			return &OPERATORS[i];
	}
	return NULL;
}

/* "5m" is five minutes beside seconds, and five megabytes beside anything else. */
static void settle_minutes(struct expr *e, unsigned from, enum expr_unit unit)
{
	for (unsigned i = from; i < e->count; i++) {
		struct expr_node *n = &e->nodes[i];
		if (n->minutes && unit == UNIT_SECONDS)
			n->number = n->number / 0x1p20 * 60;
		n->minutes = false;
	}
}

static enum expr_unit joined(enum expr_op op, enum expr_unit a, enum expr_unit b)
{
	if (op == EXPR_DIV && a == b)
		return UNIT_NONE;
	return a == UNIT_NONE ? b : a;
}

/* A share is shown as one where it is compared with one. */
static int join(struct parser *p, const struct operator *o, unsigned from, struct operand *a, const struct operand *b)
{
	struct expr_node *n = node_add(p, o->op, a->at);
	if (!n)
		return too_long(p, a->at);
	n->unit = o->makes == KIND_TRUTH && a->unit == UNIT_NONE ? b->unit : a->unit;
	if (o->rank == 3) {
		bool time = a->unit == UNIT_SECONDS || b->unit == UNIT_SECONDS;
		settle_minutes(p->out, from, time ? UNIT_SECONDS : UNIT_BYTES);
		if (!p->shown)
			p->out->shown = p->out->count - 1;
		p->shown = true;
	}
	a->kind = o->makes;
	a->unit = o->makes == KIND_TRUTH ? UNIT_NONE : joined(o->op, a->unit, b->unit);
	return 0;
}

/* An operand with all operators behind it whose rank is above so much. */
static int take_condition(struct parser *p, unsigned above, struct operand *out)
{
	unsigned from = p->out->count;
	const struct operator *o;
	if (++p->depth > EXPR_DEPTH)
		return too_long(p, p->at);
	int err = take_operand(p, out);
	while (!err && (o = operator_at(p)) && o->rank > above) {
		struct operand right;
		if ((err = need_kind(p, out, o->takes)))
			break;
		p->at += strlen(o->text);
		err = take_condition(p, o->rank, &right);
		if (!err)
			err = need_kind(p, &right, o->takes);
		if (!err)
			err = join(p, o, from, out, &right);
	}
	p->depth--;
	return err;
}

/* --- The whole. --- */

static int take_each(struct parser *p)
{
	struct str label = word_at(p);
	const struct metric *first = NULL;
	if (!label.n)
		return unexpected(p, "a label");
	for (unsigned i = 0; i < p->out->count; i++) {
		const struct metric *m = p->out->nodes[i].metric;
		if (m && metric_has_label(m, label)) {
			p->out->each = arena_str(p->arena, label).p;
			p->at += label.n;
			return 0;
		}
		first = first ? first : m;
	}
	return first ? no_label(p, p->at, first, label) : wrong(p, p->at, label.n, "no metric is asked for");
}

static int take_rest(struct parser *p)
{
	int err = 0;
	bool has_for = false;
	while (!err && peek(p)) {
		if (!has_for && take_word(p, STR("for"))) {
			has_for = true;
			err = take_duration(p, &p->out->for_ms, 0, WINDOW_MOST_MS);
		} else if (!p->out->each && take_word(p, STR("each"))) {
			err = take_each(p);
		} else {
			err = unexpected(p, "\"for\", \"and\", \"or\" or the end");
		}
	}
	return err;
}

static int check_shown(struct parser *p, const struct operand *whole)
{
	for (unsigned i = 0; i < p->out->count && !p->shown; i++) {
		p->shown = p->out->nodes[i].op == EXPR_ABSENT;
		p->out->shown = i;
	}
	return need_kind(p, whole, KIND_TRUTH);
}

int expr_parse(struct arena *arena, const struct metric *metrics, struct str text, struct expr *out,
               struct expr_error *error)
{
	struct parser p = { .arena = arena, .metrics = metrics, .text = text, .out = out, .error = error };
	struct operand whole;
	*out = (struct expr){};
	*error = (struct expr_error){};
	if (text.n > EXPR_TEXT_B)
		return wrong(&p, 0, 1, "the condition has more than %d bytes", EXPR_TEXT_B);
	int err = take_condition(&p, 0, &whole);
	if (!err)
		err = check_shown(&p, &whole);
	return err ? err : take_rest(&p);
}

struct str expr_filter_of(const struct expr_node *node, const char *label)
{
	for (unsigned i = 0; i < node->filter_count; i++)
		if (!node->filters[i].unlike && !strcmp(node->filters[i].label, label))
			return node->filters[i].value;
	return (struct str){};
}

/* --- Showing. --- */

/* Three digits that count, without a tail of noughts. */
static void print_scaled(struct buf *out, double value, const char *unit)
{
	char text[48];
	double size = fabs(value);
	int places = size >= 100 || size == 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
	int n = snprintf(text, sizeof text, "%.*f", places, value);
	while (strchr(text, '.') && (text[n - 1] == '0' || text[n - 1] == '.'))
		if (text[--n] == '.')
			break;
	text[n > 0 ? n : 0] = '\0';
	buf_addf(out, "%s%s", text, unit);
}

static void print_seconds(struct buf *out, double s)
{
	double size = fabs(s);
	if (size < 1)
		print_scaled(out, s * 1000, "ms");
	else if (size < 600)
		print_scaled(out, s, "s");
	else if (size < 7200)
		print_scaled(out, s / 60, "m");
	else
		print_scaled(out, s / 3600, "h");
}

static void print_bytes(struct buf *out, double b)
{
	static const char *const NAMES[] = { "", "k", "m", "g", "t" };
	size_t i = 0;
	for (; fabs(b) >= 1024 && i + 1 < countof(NAMES); i++)
		b /= 1024;
	print_scaled(out, b, NAMES[i]);
}

void expr_print_value(struct buf *out, enum expr_unit unit, double value)
{
	if (!isfinite(value))
		buf_add(out, isnan(value) ? STR("nothing") : value > 0 ? STR("infinite") : STR("-infinite"));
	else if (unit == UNIT_SECONDS)
		print_seconds(out, value);
	else if (unit == UNIT_BYTES)
		print_bytes(out, value);
	else if (unit == UNIT_SHARE)
		print_scaled(out, value * 100, "%");
	else
		print_scaled(out, value, "");
}

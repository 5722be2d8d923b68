/* Rules: gathering what the series say, and the states of instances. */
#include "control/alert_rule.h"

#include "base/mem.h"
#include "base/must.h"
#include "control/alert_conf.h"

/* --- Instances. --- */

static struct instance *instance_of(struct link *l)
{
	return container_of(l, struct instance, link);
}

static struct instance *instance_new(struct rule *r, struct str label)
{
	struct instance *i = MEM_NEW(struct instance);
	i->rule = r;
	i->eval = eval_new(&r->expr);
	buf_add(&i->label, label);
	link_add(&r->instances, &i->link);
	r->instance_count++;
	return i;
}

static void instance_free(struct instance *i)
{
	i->rule->instance_count--;
	link_del(&i->link);
	eval_free(i->eval);
	buf_fini(&i->label);
	mem_free(i);
}

/* The one of this label, made where there is room; NULL. */
static struct instance *instance_at(struct rule *r, struct str label)
{
	for (struct link *l = r->instances.next; l != &r->instances; l = l->next)
		if (str_eq(buf_str(&instance_of(l)->label), label))
			return instance_of(l);
	if (r->instance_count < INSTANCES_MOST)
		return instance_new(r, label);
	r->overflowed = true;
	return NULL;
}

/* --- Gathering. --- */

struct gatherer {
	struct metric_out out;
	struct rule *rule;
	unsigned node;
	bool by_label;           /* each series goes to the instance of its label; else to all */
};

static void give(struct gatherer *g, struct instance *i, double value, const struct distribution *d)
{
	if (d)
		eval_histogram(i->eval, g->node, d);
	else
		eval_number(i->eval, g->node, value);
}

static void gather(struct gatherer *g, const struct labels *labels, double value, const struct distribution *d)
{
	struct rule *r = g->rule;
	if (!expr_node_fits(&r->expr.nodes[g->node], labels))
		return;
	if (g->by_label) {
		struct instance *i = instance_at(r, labels_get(labels, r->expr.each));
		if (!i)
			return;
		i->seen = true;
		give(g, i, value, d);
		return;
	}
	for (struct link *l = r->instances.next; l != &r->instances; l = l->next)
		give(g, instance_of(l), value, d);
}

static void gather_number(struct metric_out *out, const struct labels *labels, double value)
{
	gather(container_of(out, struct gatherer, out), labels, value, NULL);
}

static void gather_histogram(struct metric_out *out, const struct labels *labels, const struct distribution *d)
{
	gather(container_of(out, struct gatherer, out), labels, 0, d);
}

static bool is_by_label(const struct rule *r, const struct expr_node *n)
{
	return r->expr.each && metric_has_label(n->metric, str_of(r->expr.each));
}

/* First the series that say which instances there are, then those that all of them share. */
static void gather_all(struct rule *r, const struct control *c, const struct sample *now)
{
	for (int by_label = 1; by_label >= 0; by_label--) {
		for (unsigned i = 0; i < r->expr.count; i++) {
			const struct expr_node *n = &r->expr.nodes[i];
			struct gatherer g = { { gather_number, gather_histogram }, r, i, by_label };
			if (n->metric && is_by_label(r, n) == by_label)
				n->metric->each(&g.out, c, now);
		}
	}
}

/* --- States. --- */

static void holds(struct instance *i, uint64_t at_ms, const struct rule_ops *ops, void *arg)
{
	i->gone_ms = 0;
	if (i->state == ALERT_FINE) {
		i->state = ALERT_PENDING;
		i->since_ms = at_ms;
	}
	if (i->state != ALERT_PENDING || at_ms - i->since_ms < i->rule->expr.for_ms)
		return;
	i->state = ALERT_FIRING;
	i->since_ms = at_ms;
	ops->begins(arg, i);
}

static void holds_not(struct instance *i, uint64_t at_ms, uint64_t clear_ms, const struct rule_ops *ops, void *arg)
{
	if (i->state == ALERT_PENDING)
		i->state = ALERT_FINE;
	if (i->state != ALERT_FIRING)
		return;
	if (!i->gone_ms)
		i->gone_ms = at_ms;
	if (at_ms - i->gone_ms < clear_ms)
		return;
	ops->ends(arg, i);
	i->state = ALERT_FINE;
	i->gone_ms = 0;
	i->told = false;
}

void rule_look(struct rule *r, const struct control *c, const struct sample *now, uint64_t clear_ms,
               const struct rule_ops *ops, void *arg)
{
	if (!r->expr.each && link_alone(&r->instances))
		instance_new(r, STR(""));
	for (struct link *l = r->instances.next; l != &r->instances; l = l->next) {
		eval_begin(instance_of(l)->eval);
		instance_of(l)->seen = !r->expr.each;
	}
	gather_all(r, c, now);
	for (struct link *l = r->instances.next, *next; l != &r->instances; l = next) {
		struct instance *i = instance_of(l);
		next = l->next;
		if (eval_step(i->eval, now->at_ms, &i->value))
			holds(i, now->at_ms, ops, arg);
		else
			holds_not(i, now->at_ms, clear_ms, ops, arg);
		if (!i->seen && i->state == ALERT_FINE)
			instance_free(i);
	}
}

/* --- Notices. --- */

static struct rule_notice *notice_of(struct link *l)
{
	return container_of(l, struct rule_notice, link);
}

static void notice_free(struct rule_notice *n)
{
	link_del(&n->link);
	buf_fini(&n->way);
	buf_fini(&n->outcome);
	mem_free(n);
}

/* By one way there is one; of ways that are gone, the oldest goes. */
static struct rule_notice *notice_at(struct rule *r, struct str way)
{
	unsigned count = 0;
	for (struct link *l = r->notices.next; l != &r->notices; l = l->next, count++)
		if (str_eq(buf_str(&notice_of(l)->way), way))
			return notice_of(l);
	if (count >= NOTIFIES_MOST)
		notice_free(notice_of(r->notices.next));
	struct rule_notice *n = MEM_NEW(struct rule_notice);
	buf_add(&n->way, way);
	link_add(&r->notices, &n->link);
	return n;
}

void rule_note(struct rule *r, struct str way, enum tell_what what, bool fine, struct str outcome, uint64_t wall_ms)
{
	struct rule_notice *n = notice_at(r, way);
	buf_clear(&n->outcome);
	buf_add(&n->outcome, outcome);
	n->what = what;
	n->fine = fine;
	n->wall_ms = wall_ms;
}

/* --- Beginning and end. --- */

enum expr_unit rule_unit(const struct rule *r)
{
	return r->expr.nodes[r->expr.shown].unit;
}

bool rule_is(const struct rule *r, struct str name, struct str when)
{
	return str_eq(r->name, name) && str_eq(r->when, when);
}

/* What it said before stays in the arena, which is small and goes with the rule: a person has edited a text. */
void rule_set_texts(struct rule *r, struct str text, const struct items *to, bool builtin)
{
	bool same = str_eq(r->text, text) && r->to_count == to->count;
	for (size_t i = 0; same && i < to->count; i++)
		same = str_eq(r->to[i], ((const struct str *)to->p)[i]);
	r->builtin = builtin;
	if (same)
		return;
	struct str *names = arena_new(&r->arena, to->count * sizeof *names);
	for (size_t i = 0; i < to->count; i++)
		names[i] = arena_str(&r->arena, ((const struct str *)to->p)[i]);
	r->text = arena_str(&r->arena, text);
	r->to = names;
	r->to_count = to->count;
}

struct rule *rule_new(struct str name, struct str when, struct str text, const struct items *to, bool builtin)
{
	struct rule *r = MEM_NEW(struct rule);
	struct expr_error error;
	arena_init(&r->arena, NULL, 0);
	link_init(&r->instances);
	link_init(&r->notices);
	r->name = arena_str(&r->arena, name);
	r->when = arena_str(&r->arena, when);
	rule_set_texts(r, text, to, builtin);
	int err = expr_parse(&r->arena, METRICS, r->when, &r->expr, &error);
	must(!err && "a condition that was checked");
	return r;
}

void rule_free(struct rule *r)
{
	while (!link_alone(&r->instances))
		instance_free(instance_of(r->instances.next));
	while (!link_alone(&r->notices))
		notice_free(notice_of(r->notices.next));
	link_del(&r->link);
	arena_fini(&r->arena);
	mem_free(r);
}

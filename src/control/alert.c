/* The set of rules and silences; what is logged and told.  The control thread. */
#include "control/alert.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/mem.h"
#include "control/admin.h"
#include "control/alert_conf.h"
#include "control/alert_in.h"

static struct rule *rule_of(struct link *l)
{
	return container_of(l, struct rule, link);
}

/* --- Beginnings and ends. --- */

static uint64_t age_ms(const struct alerts *a, const struct instance *i)
{
	return a->at_ms - i->since_ms;
}

static struct tell tell_of(const struct alerts *a, const struct instance *i, enum tell_what what, struct str value_text)
{
	const struct rule *r = i->rule;
	return (struct tell){ .what = what, .name = r->name, .label = r->expr.each, .label_value = buf_str(&i->label),
		                  .when = r->when, .text = r->text, .value = i->value, .value_text = value_text,
		                  .lasted_ms = age_ms(a, i), .to = r->to, .to_count = r->to_count };
}

/* "slow", "no_server pool=api" */
static void print_name(struct buf *out, const struct instance *i)
{
	buf_add(out, i->rule->name);
	if (i->rule->expr.each)
		buf_addf(out, " %s=%.*s", i->rule->expr.each, STR_F(buf_str(&i->label)));
}

static void tell_begin(struct alerts *a, struct instance *i)
{
	struct buf value = {};
	if (silence_find(a, i->rule->name))
		return;
	expr_print_value(&value, rule_unit(i->rule), i->value);
	struct tell what = tell_of(a, i, TELL_BEGIN, buf_str(&value));
	i->told = true;
	teller_add(a->teller, &what);
	buf_fini(&value);
}

static void begins(void *arg, struct instance *i)
{
	struct alerts *a = arg;
	struct buf name = {}, value = {};
	print_name(&name, i);
	expr_print_value(&value, rule_unit(i->rule), i->value);
	log_line(a->ring, LOG_LEVEL_WARN, "alert %.*s begins: %.*s (%.*s)%s%.*s", STR_F(buf_str(&name)), STR_F(buf_str(&value)),
	         STR_F(i->rule->when), i->rule->text.n ? ": " : "", STR_F(i->rule->text));
	tell_begin(a, i);
	buf_fini(&name);
	buf_fini(&value);
}

static void ends(void *arg, struct instance *i)
{
	struct alerts *a = arg;
	struct buf name = {}, age = {};
	print_name(&name, i);
	buf_add_age(&age, age_ms(a, i));
	log_line(a->ring, LOG_LEVEL_INFO, "alert %.*s ends after %.*s", STR_F(buf_str(&name)), STR_F(buf_str(&age)));
	struct tell what = tell_of(a, i, TELL_END, STR(""));
	if (i->told)
		teller_add(a->teller, &what);
	buf_fini(&name);
	buf_fini(&age);
}

static void told(void *arg, struct str name, struct str way, enum tell_what what, bool fine, struct str outcome)
{
	struct alerts *a = arg;
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next)
		if (str_eq(rule_of(l)->name, name))
			rule_note(rule_of(l), way, what, fine, outcome, clock_wall_ms());
}

/* --- Each second. --- */

/* Those that began during a silence which is over. */
static void tell_late(struct alerts *a, struct rule *r)
{
	for (struct link *l = r->instances.next; l != &r->instances; l = l->next) {
		struct instance *i = container_of(l, struct instance, link);
		if (i->state == ALERT_FIRING && !i->told)
			tell_begin(a, i);
	}
}

static void look(void *arg)
{
	static const struct rule_ops OPS = { begins, ends };
	struct alerts *a = arg;
	const struct sample *now = observer_now(a->control->observer);
	if (!a->control->conf || now->at_ms <= a->at_ms)
		return;
	a->at_ms = now->at_ms;
	silences_expire(a);
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next) {
		struct rule *r = rule_of(l);
		bool overflowed = r->overflowed;
		rule_look(r, a->control, now, a->clear_ms, &OPS, a);
		tell_late(a, r);
		if (r->overflowed && !overflowed)
			log_line(a->ring, LOG_LEVEL_WARN, "alert %.*s: only %d values of \"%s\" are looked at", STR_F(r->name),
			         INSTANCES_MOST, r->expr.each);
	}
}

/* --- Configurations. --- */

static struct rule *find(const struct alerts *a, struct str name)
{
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next)
		if (str_eq(rule_of(l)->name, name))
			return rule_of(l);
	return NULL;
}

/* What was told to begin is told to end, with the rule. */
static void drop(struct alerts *a, struct rule *r)
{
	for (struct link *l = r->instances.next; l != &r->instances; l = l->next) {
		struct instance *i = container_of(l, struct instance, link);
		if (i->state == ALERT_FIRING)
			ends(a, i);
	}
	rule_free(r);
}

static void add(struct alerts *a, struct str name, struct str when, struct str text, const struct items *to, bool builtin)
{
	struct rule *r = find(a, name);
	if (r && rule_is(r, name, when)) {
		rule_set_texts(r, text, to, builtin);
		link_del(&r->link);
	} else {
		if (r)
			drop(a, r);
		r = rule_new(name, when, text, to, builtin);
	}
	r->kept = true;
	link_add(&a->rules, &r->link);
}

static bool is_replaced(const struct alerts_conf *c, const char *name)
{
	const struct alert_conf *p = c->alerts.p;
	for (size_t i = 0; i < c->alerts.count; i++)
		if (str_eq(p[i].name, str_of(name)))
			return true;
	return false;
}

static void add_all(struct alerts *a, const struct alerts_conf *c)
{
	const struct alert_conf *p = c->alerts.p;
	const struct items nobody = {};
	struct arena arena;
	arena_init(&arena, NULL, 0);
	for (size_t i = 0; i < c->alerts.count; i++)
		add(a, p[i].name, alert_when(&arena, &p[i].when), p[i].text, &p[i].to, false);
	for (size_t i = 0; ALERT_BUILTINS[i].name; i++) {
		const struct alert_builtin *b = &ALERT_BUILTINS[i];
		if (alert_builtin_is_on(c, i) && !is_replaced(c, b->name))
			add(a, str_of(b->name), str_of(b->when), str_of(b->text), &nobody, true);
	}
	arena_fini(&arena);
}

void alerts_conf(struct alerts *a, const struct conf *conf)
{
	const struct alerts_conf *c = conf_alerts(conf);
	if (!c)
		return;
	a->clear_ms = c->clear_ms;
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next)
		rule_of(l)->kept = false;
	add_all(a, c);
	for (struct link *l = a->rules.next, *next; l != &a->rules; l = next) {
		next = l->next;
		if (!rule_of(l)->kept)
			drop(a, rule_of(l));
	}
	/* After the ends of dropped rules, which ways of before may still be told. */
	teller_conf(a->teller, c);
	/* When the server starts nothing has been counted yet: what happens in its first second is growth, too. */
	look(a);
}

/* --- For others. --- */

void alerts_names(const struct alerts *a, struct buf *out)
{
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next)
		buf_addf(out, "%s%.*s", out->n ? ", " : "", STR_F(rule_of(l)->name));
}

void alerts_notify_names(const struct alerts *a, struct buf *out)
{
	teller_names(a->teller, out);
}

bool alerts_test(struct alerts *a, struct str notify, struct admin_call *call)
{
	return teller_test(a->teller, notify, call);
}

static void see_instance(const struct alerts *a, const struct instance *i, void (*see)(void *, const struct alert_seen *),
                         void *arg)
{
	const struct rule *r = i->rule;
	struct buf value = {};
	if (i->state != ALERT_FIRING)
		return;
	expr_print_value(&value, rule_unit(r), i->value);
	see(arg, &(struct alert_seen){ .name = r->name, .label = r->expr.each, .label_value = buf_str(&i->label),
	                               .text = r->text, .when = r->when, .value = buf_str(&value), .since_ms = age_ms(a, i),
	                               .silenced = silence_find(a, r->name) != NULL });
	buf_fini(&value);
}

void alerts_each(const struct alerts *a, void (*see)(void *arg, const struct alert_seen *seen), void *arg)
{
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next)
		for (struct link *k = rule_of(l)->instances.next; k != &rule_of(l)->instances; k = k->next)
			see_instance(a, container_of(k, struct instance, link), see, arg);
}

/* --- Beginning and end. --- */

struct alerts *alerts_new(struct control *c, struct loop *l, struct log_ring *ring)
{
	struct alerts *a = MEM_NEW(struct alerts);
	*a = (struct alerts){ .control = c, .loop = l, .ring = ring };
	link_init(&a->rules);
	link_init(&a->silences);
	a->teller = teller_new(l, ring, c->apps, &(struct teller_ops){ told, a });
	observer_each(c->observer, look, a);
	return a;
}

void alerts_stop(struct alerts *a)
{
	teller_stop(a->teller);
}

void alerts_free(struct alerts *a)
{
	if (!a)
		return;
	while (!link_alone(&a->rules))
		rule_free(rule_of(a->rules.next));
	silences_free(a);
	teller_free(a->teller);
	mem_free(a);
}

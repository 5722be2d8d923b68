/* The listing of alerts as JSON: GET /alerts.  The control thread. */
#include <inttypes.h>
#include <math.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/mem.h"
#include "control/alert_in.h"

static void add_text(struct buf *out, const char *name, struct str text)
{
	buf_add_char(out, ',');
	buf_add_member(out, name, text);
}

static void add_time(struct buf *out, const char *name, uint64_t wall_ms)
{
	char text[32];
	size_t n = civil_print(text, (int64_t)(wall_ms / 1000));
	buf_addf(out, ",\"%s\":\"%.*sZ\"", name, (int)n, text);
}

static const char *state_name(const struct instance *i)
{
	static const char *const NAMES[] = { [ALERT_FINE] = "fine", [ALERT_PENDING] = "pending", [ALERT_FIRING] = "firing" };
	return NAMES[i->state];
}

static void print_instance(const struct alerts *a, const struct instance *i, struct buf *out)
{
	struct buf value = {};
	buf_addf(out, "{\"state\":\"%s\"", state_name(i));
	if (i->rule->expr.each)
		add_text(out, i->rule->expr.each, buf_str(&i->label));
	if (isfinite(i->value))
		buf_addf(out, ",\"value\":%.9g", i->value);
	expr_print_value(&value, rule_unit(i->rule), i->value);
	add_text(out, "value_text", buf_str(&value));
	buf_fini(&value);
	if (i->state != ALERT_FINE) {
		buf_addf(out, ",\"for_ms\":%" PRIu64, a->at_ms - i->since_ms);
		add_time(out, "since", clock_wall_ms() - (a->loop->now_ms - i->since_ms));
	}
	buf_addf(out, ",\"told\":%s}", i->told ? "true" : "false");
}

static void print_notice(const struct rule_notice *n, struct buf *out)
{
	buf_addf(out, "{\"state\":\"%s\",\"ok\":%s", tell_state(n->what), n->fine ? "true" : "false");
	add_text(out, "notify", buf_str(&n->way));
	add_text(out, "outcome", buf_str(&n->outcome));
	add_time(out, "time", n->wall_ms);
	buf_add_char(out, '}');
}

static void print_silence(const struct alerts *a, const struct silence *s, struct buf *out)
{
	uint64_t left_ms = silence_left_ms(a, s);
	buf_addf(out, "{\"left_ms\":%" PRIu64 ",\"uid\":%u", left_ms, s->who.uid);
	add_time(out, "until", clock_wall_ms() + left_ms);
	add_text(out, "alert", buf_str(&s->name));
	add_text(out, "reason", buf_str(&s->reason));
	buf_add_char(out, '}');
}

/* The worst of its instances: what is firing, then what may soon. */
static enum alert_state worst(const struct rule *r)
{
	enum alert_state state = ALERT_FINE;
	for (struct link *l = r->instances.next; l != &r->instances; l = l->next) {
		const struct instance *i = container_of(l, struct instance, link);
		state = i->state > state ? i->state : state;
	}
	return state;
}

static void print_rule(const struct alerts *a, const struct rule *r, struct buf *out)
{
	static const char *const NAMES[] = { [ALERT_FINE] = "fine", [ALERT_PENDING] = "pending", [ALERT_FIRING] = "firing" };
	const struct silence *silence = silence_find(a, r->name);
	buf_addf(out, "{\"state\":\"%s\",\"builtin\":%s", NAMES[worst(r)], r->builtin ? "true" : "false");
	add_text(out, "name", r->name);
	add_text(out, "when", r->when);
	if (r->text.n)
		add_text(out, "text", r->text);
	if (silence) {
		buf_add(out, STR(",\"silence\":"));
		print_silence(a, silence, out);
	}
	buf_add(out, STR(",\"series\":["));
	for (struct link *l = r->instances.next; l != &r->instances; l = l->next) {
		buf_add(out, l == r->instances.next ? STR("") : STR(","));
		print_instance(a, container_of(l, struct instance, link), out);
	}
	buf_add(out, STR("],\"notices\":["));
	for (struct link *l = r->notices.next; l != &r->notices; l = l->next) {
		buf_add(out, l == r->notices.next ? STR("") : STR(","));
		print_notice(container_of(l, struct rule_notice, link), out);
	}
	buf_add(out, STR("]}"));
}

void alerts_print(const struct alerts *a, struct buf *out)
{
	buf_add(out, STR("{\"alerts\":["));
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next) {
		buf_add(out, l == a->rules.next ? STR("\n") : STR(",\n"));
		print_rule(a, container_of(l, struct rule, link), out);
	}
	buf_add(out, STR("],\n\"notify\":"));
	teller_print(a->teller, out);
	buf_add(out, STR(",\n\"silences\":["));
	for (struct link *l = a->silences.next; l != &a->silences; l = l->next) {
		buf_add(out, l == a->silences.next ? STR("\n") : STR(",\n"));
		print_silence(a, container_of(l, struct silence, link), out);
	}
	buf_add(out, STR("]}\n"));
}

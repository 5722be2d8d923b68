/* Silences: alerts that nobody is told of for a while.  They last by the monotonic clock, and are written down by the
 * wall clock, which alone survives a restart.  The control thread. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/alert_in.h"

enum { REASON_B = 200 };

static struct silence *silence_of(struct link *l)
{
	return container_of(l, struct silence, link);
}

const struct silence *silence_find(const struct alerts *a, struct str name)
{
	for (struct link *l = a->silences.next; l != &a->silences; l = l->next)
		if (str_eq(buf_str(&silence_of(l)->name), name))
			return silence_of(l);
	return NULL;
}

uint64_t silence_left_ms(const struct alerts *a, const struct silence *s)
{
	return s->until_ms > a->loop->now_ms ? s->until_ms - a->loop->now_ms : 0;
}

static void silence_free(struct alerts *a, struct silence *s)
{
	a->silence_count--;
	link_del(&s->link);
	buf_fini(&s->name);
	buf_fini(&s->reason);
	mem_free(s);
}

/* Not in the middle of a character. */
static struct str cut(struct str text)
{
	size_t n = text.n < REASON_B ? text.n : REASON_B;
	while (n < text.n && n && (text.p[n] & 0xC0) == 0x80)
		n--;
	return str_head(text, n);
}

static void silence_set(struct alerts *a, struct str name, uint64_t ms, struct str reason, const struct caller *who)
{
	struct silence *s = (struct silence *)(uintptr_t)silence_find(a, name);
	if (!s) {
		s = MEM_NEW(struct silence);
		buf_add(&s->name, name);
		link_add(&a->silences, &s->link);
		a->silence_count++;
	}
	buf_clear(&s->reason);
	buf_add(&s->reason, cut(reason));
	s->until_ms = a->loop->now_ms + ms;
	s->until_wall_ms = clock_wall_ms() + ms;
	s->who = *who;
}

bool alerts_know(const struct alerts *a, struct str name)
{
	for (struct link *l = a->rules.next; l != &a->rules; l = l->next)
		if (str_eq(container_of(l, struct rule, link)->name, name))
			return true;
	return false;
}

int alerts_silence(struct alerts *a, struct str name, uint64_t ms, struct str reason, const struct caller *who)
{
	if (!alerts_know(a, name))
		return -ENOENT;
	if (a->silence_count >= SILENCES_MOST && !silence_find(a, name))
		return -ENOSPC;
	silence_set(a, name, ms, reason, who);
	return 0;
}

bool alerts_unsilence(struct alerts *a, struct str name)
{
	struct silence *s = (struct silence *)(uintptr_t)silence_find(a, name);
	if (s)
		silence_free(a, s);
	return s != NULL;
}

void silences_expire(struct alerts *a)
{
	for (struct link *l = a->silences.next, *next; l != &a->silences; l = next) {
		next = l->next;
		if (!silence_left_ms(a, silence_of(l)))
			silence_free(a, silence_of(l));
	}
}

void silences_free(struct alerts *a)
{
	while (!link_alone(&a->silences))
		silence_free(a, silence_of(a->silences.next));
}

/* --- For a state file. --- */

static json_t *text_json(const struct buf *text)
{
	return json_stringn(text->p ? text->p : "", text->n);
}

json_t *alerts_kept(const struct alerts *a)
{
	json_t *list = json_array();
	for (struct link *l = a->silences.next; l != &a->silences; l = l->next) {
		const struct silence *s = silence_of(l);
		json_array_append_new(list, json_pack("{s:o,s:o,s:I,s:I}", "alert", text_json(&s->name), "reason",
		                                      text_json(&s->reason), "until_ms", (json_int_t)s->until_wall_ms, "uid",
		                                      (json_int_t)s->who.uid));
	}
	return list;
}

static struct str text_in(const json_t *json, const char *name)
{
	const json_t *text = json_object_get(json, name);
	return json_is_string(text) ? str_make(json_string_value(text), json_string_length(text)) : STR("");
}

/* A wall clock that was set meanwhile can make it longer than anybody asked for: the most is the most. */
static void restore(struct alerts *a, const json_t *json)
{
	json_int_t until_ms = json_integer_value(json_object_get(json, "until_ms"));
	json_int_t left_ms = until_ms > 0 ? until_ms - (json_int_t)clock_wall_ms() : 0;
	struct caller who = { .uid = (uid_t)json_integer_value(json_object_get(json, "uid")) };
	struct str name = text_in(json, "alert");
	if (left_ms > SILENCE_MOST_MS)
		left_ms = SILENCE_MOST_MS;
	if (name.n && left_ms > 0 && a->silence_count < SILENCES_MOST)
		silence_set(a, name, (uint64_t)left_ms, text_in(json, "reason"), &who);
}

void alerts_restore(struct alerts *a, const json_t *list)
{
	const json_t *one;
	size_t i;
	json_array_foreach(list, i, one)
		restore(a, one);
}

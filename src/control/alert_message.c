/* Putting messages together.  What they say comes from the configuration and from petrel's counters; it is escaped all the
 * same, and has no control characters where it goes on a line. */
#include "control/alert_message.h"

#include <math.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/mem.h"

enum { WHEN_SHOWN_B = 300, TEXT_SHOWN_B = 500, LABEL_SHOWN_B = 200, HOST_B = 64 };

const char *tell_state(enum tell_what what)
{
	return what == TELL_BEGIN ? "firing" : what == TELL_END ? "resolved" : "test";
}

/* Without what would end a line, or move a terminal's cursor. */
static void add_clean(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		buf_add_char(out, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? ' ' : text.p[i]);
}

static void add_json(struct buf *out, const char *name, struct str text)
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

/* --- One. --- */

static void print_item(struct buf *out, const struct tell *t)
{
	uint64_t now_ms = clock_wall_ms();
	buf_addf(out, "{\"state\":\"%s\"", tell_state(t->what));
	add_json(out, "alert", t->name);
	if (t->label)
		buf_addf(out, ",\"labels\":{\"%s\":\"", t->label);
	if (t->label)
		buf_add_json(out, str_head(t->label_value, LABEL_SHOWN_B));
	if (t->label)
		buf_add(out, STR("\"}"));
	if (t->what != TELL_TEST)
		add_time(out, "since", now_ms - t->lasted_ms);
	if (t->what != TELL_TEST && isfinite(t->value))
		buf_addf(out, ",\"value\":%.9g", t->value);
	if (t->value_text.n)
		add_json(out, "value_text", t->value_text);
	if (t->when.n)
		add_json(out, "when", str_head(t->when, WHEN_SHOWN_B));
	if (t->text.n)
		add_json(out, "text", str_head(t->text, TEXT_SHOWN_B));
	buf_add_char(out, '}');
}

static void print_head(struct buf *out, const struct tell *t)
{
	add_clean(out, t->name);
	if (t->label)
		buf_addf(out, " %s=", t->label);
	if (t->label)
		add_clean(out, str_head(t->label_value, LABEL_SHOWN_B));
	if (t->what == TELL_TEST)
		buf_add(out, STR(": nothing is wrong, somebody tries whether this message arrives"));
	if (t->what == TELL_BEGIN)
		buf_addf(out, " begins: %.*s", STR_F(t->value_text));
	if (t->what == TELL_END) {
		buf_add(out, STR(" ends after "));
		buf_add_age(out, t->lasted_ms);
	}
}

struct item *item_new(const struct tell *t)
{
	struct item *i = MEM_NEW(struct item);
	link_init(&i->link);
	i->what = t->what;
	buf_add(&i->name, t->name);
	print_item(&i->json, t);
	print_head(&i->head, t);
	buf_add(&i->line, buf_str(&i->head));
	if (t->when.n) {
		buf_add(&i->line, STR(" ("));
		add_clean(&i->line, str_head(t->when, WHEN_SHOWN_B));
		buf_add_char(&i->line, ')');
	}
	if (t->text.n) {
		buf_add(&i->line, STR(": "));
		add_clean(&i->line, str_head(t->text, TEXT_SHOWN_B));
	}
	return i;
}

void item_free(struct item *i)
{
	link_del(&i->link);
	buf_fini(&i->name);
	buf_fini(&i->json);
	buf_fini(&i->head);
	buf_fini(&i->line);
	mem_free(i);
}

void items_free(struct link *items)
{
	while (!link_alone(items))
		item_free(container_of(items->next, struct item, link));
}

/* --- Several. --- */

static const struct item *item_of(struct link *l)
{
	return container_of(l, struct item, link);
}

static unsigned count_of(const struct link *items, enum tell_what what)
{
	unsigned n = 0;
	for (struct link *l = items->next; l != items; l = l->next)
		n += item_of(l)->what == what;
	return n;
}

static void add_host(struct buf *out)
{
	char name[HOST_B + 1] = "";
	if (gethostname(name, HOST_B) == 0)
		add_clean(out, str_of(name));
}

/* One alert in full; of several, how many and which. */
static void print_summary(struct buf *out, const struct link *items, unsigned left_out)
{
	const struct item *first = item_of(items->next);
	unsigned begin = count_of(items, TELL_BEGIN), end = count_of(items, TELL_END);
	size_t from = out->n;
	buf_add(out, STR("petrel "));
	add_host(out);
	buf_add(out, STR(": "));
	if (items->next->next == items)
		buf_add(out, buf_str(&first->line));
	else
		buf_addf(out, "%u begin, %u end", begin, end);
	for (struct link *l = items->next; l != items && items->next->next != items; l = l->next)
		buf_addf(out, "; %.*s", STR_F(buf_str(&item_of(l)->head)));
	if (left_out)
		buf_addf(out, "; and %u more", left_out);
	/* Not in the middle of a character. */
	if (out->n - from > MESSAGE_SUMMARY_B)
		for (out->n = from + MESSAGE_SUMMARY_B; out->n > from && (out->p[out->n] & 0xC0) == 0x80; out->n--)
			continue;
}

static void print_json(struct buf *out, struct str summary, const struct link *items, unsigned left_out, const char *id)
{
	size_t from = out->n;
	const char *comma = "";
	bool all_end = !count_of(items, TELL_BEGIN) && !count_of(items, TELL_TEST);
	buf_addf(out, "{\"source\":\"petrel\",\"version\":\"%s\",\"id\":\"%s\",\"host\":\"", PETREL_VERSION, id);
	struct buf host = {};
	add_host(&host);
	buf_add_json(out, buf_str(&host));
	buf_fini(&host);
	buf_add_char(out, '"');
	add_time(out, "time", clock_wall_ms());
	buf_addf(out, ",\"state\":\"%s\"", all_end ? "resolved" : count_of(items, TELL_TEST) ? "test" : "firing");
	add_json(out, "text", summary);
	buf_add(out, STR(",\"alerts\":["));
	for (struct link *l = items->next; l != items; l = l->next) {
		if (out->n - from + item_of(l)->json.n > MESSAGE_MOST_B) {
			left_out++;
			continue;
		}
		buf_addf(out, "%s%.*s", comma, STR_F(buf_str(&item_of(l)->json)));
		comma = ",";
	}
	buf_addf(out, "],\"left_out\":%u}\n", left_out);
}

static void print_lines(struct buf *out, struct str summary, const struct link *items, unsigned left_out, const char *id)
{
	buf_addf(out, "%.*s\n\n", STR_F(summary));
	for (struct link *l = items->next; l != items; l = l->next)
		buf_addf(out, "- %.*s\n", STR_F(buf_str(&item_of(l)->line)));
	if (left_out)
		buf_addf(out, "- and %u more\n", left_out);
	buf_addf(out, "\nWhat is the matter now: petrel ctl alerts\nMessage %s\n", id);
}

void message_print(struct buf *out, enum notify_kind kind, const struct link *items, unsigned left_out,
                   const char id[MESSAGE_ID_B + 1])
{
	struct buf summary = {};
	print_summary(&summary, items, left_out);
	buf_addf(out, "%.*s\n", STR_F(buf_str(&summary)));
	if (kind == NOTIFY_MAIL)
		print_lines(out, buf_str(&summary), items, left_out, id);
	else
		print_json(out, buf_str(&summary), items, left_out, id);
	buf_fini(&summary);
}

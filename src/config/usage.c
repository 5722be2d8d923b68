/* How a directive is written.  No state; any thread. */
#include "config/usage.h"

static void add_upper(struct buf *out, const char *name)
{
	for (; *name; name++)
		buf_add_char(out, ascii_alpha(*name) ? (char)(*name & ~0x20) : *name);
}

static void add_words(struct buf *out, const char *const *words, const char *between)
{
	for (size_t i = 0; words[i]; i++)
		buf_addf(out, "%s%s", i ? between : "", words[i]);
}

/* What stands in the value's place. */
static void add_value(struct buf *out, const struct arg *arg, const char *name)
{
	if (arg->range.words)
		add_words(out, arg->range.words, "|");
	else if (arg->type == &TYPE_FLAG)
		buf_add(out, STR("on|off"));
	else
		add_upper(out, name);
}

void usage_arg(struct buf *out, const struct arg *arg)
{
	if (arg->form == ARG_SWITCH) {
		buf_add(out, str_of(arg->name));
		return;
	}
	if (arg->form == ARG_KEYWORD)
		buf_addf(out, "%s ", arg->name);
	add_value(out, arg, arg->form == ARG_KEYWORD ? arg->type->name : arg->name);
	if (arg->form == ARG_MANY || arg->form == ARG_ANY)
		buf_add(out, STR("..."));
}

static bool may_be_left_out(const struct arg *arg)
{
	return arg->form != ARG_ONE && arg->form != ARG_MANY;
}

bool usage_has_block(const struct directive *row)
{
	return row->inner || row->kind == DIR_GROUP || row->kind == DIR_SITE || row->kind == DIR_ROUTE;
}

size_t usage_count(const struct directive *row)
{
	size_t count = 0;
	while (row->args && row->args[count].name)
		count++;
	return count;
}

void usage_print(struct buf *out, const struct directive *row)
{
	buf_add(out, str_of(row->name));
	for (const struct arg *a = row->args; a && a->name; a++) {
		buf_add(out, may_be_left_out(a) ? STR(" [") : STR(" "));
		usage_arg(out, a);
		if (may_be_left_out(a))
			buf_add_char(out, ']');
	}
	buf_add(out, usage_has_block(row) ? STR(" { ... }") : STR(";"));
}

static void add_bound(struct buf *out, const struct arg *arg, const char *before, uint64_t bound)
{
	buf_add(out, str_of(before));
	arg->type->print(out, &arg->range, &bound);
}

void usage_expects(struct buf *out, const struct arg *arg)
{
	if (arg->range.words) {
		buf_add(out, STR("one of "));
		add_words(out, arg->range.words, ", ");
		return;
	}
	buf_add(out, str_of(arg->type ? arg->type->expects : "the word alone"));
	bool number = arg->type == &TYPE_NUMBER || arg->type == &TYPE_SIZE || arg->type == &TYPE_DURATION;
	if (number && (arg->range.min || arg->range.max))
		add_bound(out, arg, ", from ", arg->range.min);
	if (number && arg->range.max)
		add_bound(out, arg, " to ", arg->range.max);
}

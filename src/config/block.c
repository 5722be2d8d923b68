/* Applying statements to values by their rows.  Owns nothing; one thread at a time. */
#include "config/block.h"

#include <errno.h>

#include "base/must.h"
#include "config/usage.h"

enum { STATEMENTS_MOST = 4 << 20 };

static const struct directive INCLUDE = { .name = "include", .args = ARGS({ .name = "pattern", .type = &TYPE_WORD }) };

static bool is_include(const struct statement *s)
{
	return str_eq(s->words[0].text, STR("include"));
}

/* The files of an include, or NULL where it is malformed or was not read. */
static const struct inclusion *included(const struct statement *s)
{
	return s->count == 2 && !s->block ? source_inclusion(&s->words[1].at) : NULL;
}

/* Files can include others often enough that a few kilobytes stand for billions of statements; so they are counted,
 * and counting stops at the bound. */
static size_t count_flat(struct builder *b, const struct statement *s)
{
	size_t count = 0;
	for (; s && b->expanded <= STATEMENTS_MOST; s = s->next) {
		const struct inclusion *x = is_include(s) ? included(s) : NULL;
		count++;
		b->expanded++;
		for (uint32_t i = 0; x && i < x->count; i++)
			count += count_flat(b, b->trees[x->files[i]]);
	}
	return count;
}

static void say_include(struct builder *b, const struct statement *s)
{
	if (s->broken || (s->count > 1 && s->words[1].broken))
		return;
	if (s->count == 2 && !s->block && s->words[1].text.n) {
		message_add(b->messages, LEVEL_ERROR, &s->words[1].at, "no file can be included here");
		return;
	}
	struct message *m = message_add(b->messages, LEVEL_ERROR, &s->words[0].at, "\"include\" takes one name or pattern");
	block_hint_usage(b, m, &INCLUDE);
}

static void fill_flat(struct builder *b, const struct statement *s, struct flat *list, size_t most)
{
	for (; s && list->count < most; s = s->next) {
		if (!is_include(s)) {
			list->p[list->count++] = s;
			continue;
		}
		const struct inclusion *x = included(s);
		if (!x)
			say_include(b, s);
		for (uint32_t i = 0; x && i < x->count; i++)
			fill_flat(b, b->trees[x->files[i]], list, most);
	}
}

struct flat block_flatten(struct builder *b, const struct statement *first)
{
	bool fits = b->expanded <= STATEMENTS_MOST;
	size_t count = count_flat(b, first);
	if (b->expanded > STATEMENTS_MOST) {
		if (fits)
			message_add(b->messages, LEVEL_ERROR, first ? &first->words[0].at : NULL,
			            "includes of includes: more than %d directives in all", STATEMENTS_MOST);
		return (struct flat){};
	}
	struct flat list = { arena_raw(&b->scratch, count * sizeof(void *)), 0 };
	fill_flat(b, first, &list, count);
	return list;
}

/* Where statements are applied: a scope, or the block of a row. */
struct target {
	struct frame *frame;
	const struct directive *block;  /* NULL: the scope itself */
	size_t module;
	void *base;                     /* of a list's item; NULL: the module's values in the scope */
	struct seen *seen;
	bool over;                      /* what is applied is laid over what was */
};

/* A statement at its row. */
struct met {
	const struct target *t;
	const struct directive *row;
	size_t module;
	const struct statement *s;
	const struct flat *list;  /* it stands at list->p[index] */
	size_t index;
};

static void *base_of(const struct met *x)
{
	return x->t->base ? x->t->base : frame_values(x->t->frame, x->module);
}

static void mark_broken(const struct met *x)
{
	x->t->frame->marks[x->module] |= FRAME_BROKEN;
}

static struct values_in values_of(const struct met *x)
{
	struct builder *b = x->t->frame->b;
	return (struct values_in){ b->messages, &b->conf->arena, &x->t->frame->spots };
}

void block_hint_usage(struct builder *b, struct message *m, const struct directive *row)
{
	struct buf usage = {};
	usage_print(&usage, row);
	message_hint(b->messages, m, "usage: %.*s", STR_F(buf_str(&usage)));
	buf_fini(&usage);
}

bool block_is_there(struct builder *b, const struct statement *s, const struct directive *row)
{
	if (s->block)
		return true;
	struct spot after = spot_after(&s->words[s->count - 1].at);
	if (!s->broken)
		block_hint_usage(b, message_add(b->messages, LEVEL_ERROR, &after, "\"%s\" needs a block", row->name), row);
	return false;
}

static bool no_block(const struct met *x)
{
	if (!x->s->block)
		return true;
	struct builder *b = x->t->frame->b;
	struct message *m = message_add(b->messages, LEVEL_ERROR, &x->s->open, "\"%s\" takes no block", x->row->name);
	block_hint_usage(b, m, x->row);
	return false;
}

static void hint_first(struct builder *b, struct message *m, const struct spot *first)
{
	message_hint(b->messages, m, "first at %.*s:%u:%u", STR_F(first->source->name), first->line, first->column);
}

static bool is_second(const struct met *x)
{
	struct builder *b = x->t->frame->b;
	const struct spot *at = &x->s->words[0].at, *first = seen_add(x->t->seen, x->row, at);
	if (!first)
		return false;
	struct message *m = message_add(b->messages, LEVEL_ERROR, at, "\"%s\" stands twice in %s%s", x->row->name,
	                                x->t->block ? "the block of " : "",
	                                x->t->block ? x->t->block->name : scope_name(x->t->frame->scope));
	hint_first(b, m, first);
	return true;
}

static void apply_all(const struct target *t, const struct flat *list);

static void apply_inside(const struct target *inside, const struct statement *s)
{
	struct flat list = block_flatten(inside->frame->b, s->inside);
	apply_all(inside, &list);
}

static int apply_value(const struct met *x)
{
	struct values_in in = values_of(x);
	if (is_second(x) || !no_block(x))
		return -EINVAL;
	return values_write(&in, x->row, x->s, (char *)base_of(x) + x->row->offset);
}

static int apply_group(const struct met *x)
{
	struct seen seen = {};
	if (is_second(x) || !block_is_there(x->t->frame->b, x->s, x->row))
		return -EINVAL;
	struct target inside = { x->t->frame, x->row, x->module, x->t->base, &seen, x->t->over };
	apply_inside(&inside, x->s);
	seen_fini(&seen);
	if (x->s->count > 1) {
		struct builder *b = x->t->frame->b;
		struct message *m = message_add(b->messages, LEVEL_ERROR, &x->s->words[1].at, "\"%s\" takes a block only",
		                                x->row->name);
		block_hint_usage(b, m, x->row);
		return -EINVAL;
	}
	return 0;
}

static bool is_second_handler(const struct met *x)
{
	struct frame *f = x->t->frame;
	struct messages *m = f->b->messages;
	const struct spot *at = &x->s->words[0].at;
	if (f->scope != SCOPE_ROUTE)
		return is_second(x);
	if (x->t->over && f->handler == f->b->rows.modules[x->module])
		return false;
	if (x->t->over) {
		struct message *message = message_add(m, LEVEL_ERROR, at, "\"%s\" does not answer on this route", x->row->name);
		if (f->handler)
			message_hint(f->b->messages, message, "the route is answered by: %s", f->handler->name);
		return true;
	}
	if (f->handler) {
		struct message *message = message_add(m, LEVEL_ERROR, at, "a second handler, \"%s\", on one route",
		                                      x->row->name);
		hint_first(f->b, message, &f->handler_at);
		return true;
	}
	f->handler = f->b->rows.modules[x->module];
	f->handler_at = *at;
	return false;
}

static int apply_handler(const struct met *x)
{
	struct frame *f = x->t->frame;
	struct seen seen = {};
	struct values_in in = values_of(x);
	int err = 0;
	if (is_second_handler(x) || (!x->row->inner && !no_block(x)))
		return -EINVAL;
	if (x->row->args && !(x->t->over && x->s->count == 1 && x->s->block)) {
		char *at = (char *)base_of(x) + x->row->offset;
		spots_add(&f->spots, at, &x->s->words[0].at);
		err = values_write(&in, x->row, x->s, at);
	} else if (x->s->count > 1) {
		err = values_write(&in, x->row, x->s, NULL);
	}
	struct target inside = { f, x->row, x->module, NULL, &seen, x->t->over };
	apply_inside(&inside, x->s);
	seen_fini(&seen);
	return err;
}

static const struct directive *row_of(const struct target *t, const struct statement *s, size_t *module)
{
	if (t->block)
		return rows_inside(t->block, s->words[0].text);
	const struct rows_entry *e = rows_find(&t->frame->b->rows, s->words[0].text, t->frame->scope);
	if (e)
		*module = e->module;
	return e ? e->row : NULL;
}

const struct directive *block_row(const struct frame *f, const struct statement *s)
{
	const struct rows_entry *e = rows_find(&f->b->rows, s->words[0].text, f->scope);
	return e ? e->row : NULL;
}

/* Room for all items that this block adds, the outer scope's before them: so that no item ever moves. */
static void make_room(const struct met *x, struct items *items)
{
	struct items outer = *items;
	size_t own = 0, module;
	for (size_t i = x->index; i < x->list->count; i++)
		own += row_of(x->t, x->list->p[i], &module) == x->row;
	items->p = arena_new(&x->t->frame->b->conf->arena, (outer.count + own) * x->row->item_size);
	if (outer.count)
		memcpy(items->p, outer.p, outer.count * x->row->item_size);
}

static void say_lacking(const struct met *x, const struct directive *row)
{
	struct builder *b = x->t->frame->b;
	struct message *m = message_add(b->messages, LEVEL_ERROR, &x->s->words[0].at, "\"%s%s%.*s\" lacks \"%s\"",
	                                x->row->name, x->s->count > 1 ? " " : "",
	                                x->s->count > 1 ? (int)x->s->words[1].text.n : 0,
	                                x->s->count > 1 ? x->s->words[1].text.p : "", row->name);
	block_hint_usage(b, m, row);
}

static int apply_item_block(const struct met *x, void *item)
{
	struct seen seen = {};
	struct target inside = { x->t->frame, x->row, x->module, item, &seen, x->t->over };
	int err = 0;
	apply_inside(&inside, x->s);
	for (const struct directive *d = x->row->inner; d && d->name && !x->t->over; d++) {
		if (d->required && !seen_has(&seen, d)) {
			say_lacking(x, d);
			err = -EINVAL;
		}
	}
	seen_fini(&seen);
	return err;
}

/* Items of blocks have their names first: pool, app. */
static struct str item_name(const struct met *x, const char *item)
{
	return *(const struct str *)(const void *)(item + x->row->args->offset);
}

static void say_no_item(const struct met *x, const struct items *items)
{
	struct builder *b = x->t->frame->b;
	const struct word *name = &x->s->words[1];
	struct guess guess = guess_of(name->text);
	struct buf list = {};
	for (size_t i = 0; i < items->count; i++) {
		struct str one = item_name(x, (const char *)items->p + i * x->row->item_size);
		guess_offer(&guess, one);
		buf_addf(&list, "%s%.*s", i ? ", " : "", STR_F(one));
	}
	struct message *m = message_add(b->messages, LEVEL_ERROR, &name->at, "there is no %s \"%.*s\"", x->row->name,
	                                STR_F(name->text));
	if (guess.best.p)
		message_hint(b->messages, m, "did you mean \"%.*s\"?", STR_F(guess.best));
	message_hint_list(b->messages, m, items->count ? "there are: " : "there is none at all", buf_str(&list));
	buf_fini(&list);
}

/* A block that is there, by its name: what is set is laid over its values. */
static int apply_over_item(const struct met *x)
{
	const struct items *items = (const struct items *)(void *)((char *)base_of(x) + x->row->offset);
	if (x->s->count != 2 || !block_is_there(x->t->frame->b, x->s, x->row))
		return -EINVAL;
	for (size_t i = 0; i < items->count; i++) {
		char *item = (char *)items->p + i * x->row->item_size;
		if (str_eq(item_name(x, item), x->s->words[1].text))
			return apply_item_block(x, item);
	}
	say_no_item(x, items);
	return -EINVAL;
}

static int apply_item(const struct met *x)
{
	if (x->t->over && x->row->inner)
		return apply_over_item(x);
	struct items *items = (struct items *)(void *)((char *)base_of(x) + x->row->offset);
	struct values_in in = values_of(x);
	if (!seen_add(x->t->seen, x->row, &x->s->words[0].at))
		make_room(x, items);
	char *item = (char *)items->p + items->count++ * x->row->item_size;
	values_preset_all(in.arena, x->row->inner, item);
	spots_add(in.spots, item, &x->s->words[0].at);
	int err = values_write(&in, x->row, x->s, item);
	if (!x->row->inner)
		return no_block(x) ? err : -EINVAL;
	return apply_item_block(x, item) < 0 ? -EINVAL : err;
}

static int apply_met(const struct met *x)
{
	switch (x->row->kind) {
	case DIR_VALUE: return apply_value(x);
	case DIR_LIST: return apply_item(x);
	case DIR_GROUP: return apply_group(x);
	case DIR_HANDLER: return apply_handler(x);
	default: return 0;
	}
}

/* The list is long: once for each kind of block is enough. */
static bool list_again(const struct target *t)
{
	struct builder *b = t->frame->b;
	bool again = t->block ? b->listed == t->block : (b->listed_scopes & t->frame->scope) != 0;
	if (t->block)
		b->listed = t->block;
	else
		b->listed_scopes |= t->frame->scope;
	return again;
}

/* A name that has no row here: what it may be, where it would be right, and what is. */
static void say_unknown(const struct target *t, const struct statement *s)
{
	struct builder *b = t->frame->b;
	const struct word *name = &s->words[0];
	struct buf where = {}, allowed = {};
	struct guess guess = guess_of(name->text);
	if (name->broken)
		return;
	rows_where(&b->rows, name->text, &where);
	rows_allowed(&b->rows, t->frame->scope, t->block, &allowed, &guess);
	struct message *m = message_add(b->messages, LEVEL_ERROR, &name->at, where.n ?
	                                "\"%.*s\" is not allowed in %s%s" : "unknown directive \"%.*s\" in %s%s",
	                                STR_F(name->text), t->block ? "the block of " : "",
	                                t->block ? t->block->name : scope_name(t->frame->scope));
	if (where.n)
		message_hint(b->messages, m, "\"%.*s\" belongs in %.*s", STR_F(name->text), STR_F(buf_str(&where)));
	if (guess.best.p)
		message_hint(b->messages, m, "did you mean \"%.*s\"?", STR_F(guess.best));
	if (m && !list_again(t))
		message_hint_list(b->messages, m, "allowed here: ", buf_str(&allowed));
	buf_fini(&where);
	buf_fini(&allowed);
}

/* A row of a group that is meant for some of the scopes that the group may stand in. */
static bool is_out_of_scope(const struct target *t, const struct directive *row, const struct statement *s)
{
	if (!t->block || !row->scopes || (row->scopes & t->frame->scope))
		return false;
	struct message *m = message_add(t->frame->b->messages, LEVEL_ERROR, &s->words[0].at,
	                                "\"%s\" of \"%s\" can't be set in %s", row->name, t->block->name,
	                                scope_name(t->frame->scope));
	if (row->scopes & SCOPE_MAIN)
		message_hint(t->frame->b->messages, m, "it is set in the main part, outside of all sites");
	return true;
}

/* What only a reload or a start can bring. */
static bool is_fixed(const struct target *t, const struct directive *row, const struct statement *s)
{
	enum fixed fixed = row->kind == DIR_INCLUDE ? FIXED_RELOAD : row->fixed;
	if (!t->over || fixed == FIXED_NOT)
		return false;
	struct message *m = message_add(t->frame->b->messages, LEVEL_ERROR, &s->words[0].at,
	                                "\"%s\" can't be set in a running server", row->name);
	switch (fixed) {
	case FIXED_START:
		message_hint(t->frame->b->messages, m, "it takes effect at a start: change the configuration and restart");
		break;
	case FIXED_OWN:
		message_hint(t->frame->b->messages, m, "there are commands for it: petrel ctl pool NAME add SERVER");
		break;
	default:
		message_hint(t->frame->b->messages, m, "what it needs is opened, started or checked with the supervisor's rights: "
		             "change the configuration, then: petrel reload");
	}
	return true;
}

static void apply_all(const struct target *t, const struct flat *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct met x = { t, NULL, t->module, list->p[i], list, i };
		x.row = row_of(t, x.s, &x.module);
		if (!x.row)
			say_unknown(t, x.s);
		else if (is_fixed(t, x.row, x.s) || is_out_of_scope(t, x.row, x.s) || apply_met(&x) < 0)
			mark_broken(&x);
	}
}

void block_apply(struct frame *f, const struct flat *list)
{
	struct target t = { .frame = f, .seen = &f->seen };
	apply_all(&t, list);
}

/* Each is met for the first time: what a former one set may be set again. */
void block_overlay(struct frame *f, const struct statement *first)
{
	for (const struct statement *s = first; s; s = s->next) {
		struct seen seen = {};
		struct target t = { .frame = f, .seen = &seen, .over = true };
		apply_all(&t, &(struct flat){ &s, 1 });
		seen_fini(&seen);
	}
}

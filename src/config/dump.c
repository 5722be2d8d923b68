/* Printing a snapshot as configuration.  Reads the snapshot by the same tables that wrote it; any thread. */
#include "config/dump.h"

enum { ALIGN_MOST = 24 };

struct dump {
	struct buf *out;
	unsigned depth;
	struct buf run;  /* lines since the last block, without indentation: their values are put below one another */
};

/* One scope, and the one around it. */
struct view {
	enum scope scope, outer_scope;
	const char *outer;             /* values of the outer scope; NULL: everything is printed */
	const struct module *handler;  /* of a route */
};

static size_t name_length(struct str line)
{
	size_t n = str_find(line, ' ');
	return n == line.n ? 0 : n;
}

/* Writes the lines of the run with their first values in one column. */
static void flush(struct dump *d)
{
	size_t widest = 0;
	if (!d->depth && d->run.n && str_ends(buf_str(d->out), STR("}\n")))
		buf_add_char(d->out, '\n');
	for (struct str rest = buf_str(&d->run); rest.n;) {
		size_t n = name_length(str_cut(&rest, '\n'));
		widest = n > widest && n <= ALIGN_MOST ? n : widest;
	}
	for (struct str rest = buf_str(&d->run); rest.n;) {
		struct str line = str_cut(&rest, '\n');
		size_t n = name_length(line);
		buf_addf(d->out, "%*s%.*s", (int)d->depth * 4, "", (int)n, line.p);
		for (size_t pad = n; n && pad < widest; pad++)
			buf_add_char(d->out, ' ');
		buf_add(d->out, str_from(line, n));
		buf_add_char(d->out, '\n');
	}
	buf_clear(&d->run);
}

static void block_open(struct dump *d, struct str head)
{
	flush(d);
	/* The file falls into paragraphs: main's blocks stand apart. */
	if (!d->depth && d->out->n)
		buf_add_char(d->out, '\n');
	buf_addf(d->out, "%*s%.*s {\n", (int)d->depth * 4, "", STR_F(head));
	d->depth++;
}

static void block_close(struct dump *d)
{
	flush(d);
	d->depth--;
	buf_addf(d->out, "%*s}\n", (int)d->depth * 4, "");
}

static bool is_zero(const char *value, size_t size)
{
	while (size && !*value)
		value++, size--;
	return !size;
}

/* Zero bytes without a default mean "never set", unless zero is one of the type's values. */
static bool is_unset(const struct arg *arg, const char *value)
{
	const struct type *t = arg->type;
	bool zero_is_value = t == &TYPE_FLAG || t == &TYPE_CHOICE;
	if (t == &TYPE_NUMBER || t == &TYPE_SIZE || t == &TYPE_DURATION)
		zero_is_value = !arg->range.min;
	return !arg->preset && !zero_is_value && is_zero(value, t->size);
}

/* A word among positional ones that would be taken for a keyword is put between quotes. */
static void add_word(struct buf *out, const struct directive *row, const struct arg *arg, const char *value)
{
	struct buf word = {};
	bool keyword = false;
	arg->type->print(&word, &arg->range, value);
	for (const struct arg *a = row->args; a->name && arg->form != ARG_KEYWORD && arg->form != ARG_ONE; a++)
		if (a->form == ARG_KEYWORD || a->form == ARG_SWITCH)
			keyword = keyword || str_eq(buf_str(&word), str_of(a->name));
	buf_addf(out, keyword ? " \"%.*s\"" : " %.*s", STR_F(buf_str(&word)));
	buf_fini(&word);
}

static bool add_list(struct buf *out, const struct directive *row, const struct arg *arg, const struct items *items)
{
	for (size_t i = 0; i < items->count; i++)
		add_word(out, row, arg, (const char *)items->p + i * arg->type->size);
	return items->count || arg->form == ARG_ANY;
}

static void add_named(struct buf *out, const struct directive *row, const struct arg *arg, const char *value)
{
	if (arg->form == ARG_SWITCH ? !*(const bool *)value : is_unset(arg, value))
		return;
	buf_addf(out, " %s", arg->name);
	if (arg->form == ARG_KEYWORD)
		add_word(out, row, arg, value);
}

/* The row's arguments with a blank before each; false where it has no value that could be written. */
static bool add_args(struct buf *out, const struct directive *row, const char *at)
{
	bool more = true;
	size_t before = out->n;
	for (const struct arg *a = row->args; a && a->name; a++) {
		const char *value = at + a->offset;
		if (a->form == ARG_MANY || a->form == ARG_ANY) {
			if (!add_list(out, row, a, (const struct items *)(const void *)value))
				return false;
		} else if (a->form == ARG_KEYWORD || a->form == ARG_SWITCH) {
			add_named(out, row, a, value);
		} else if (is_unset(a, value)) {
			if (a->form == ARG_ONE)
				return false;
			more = false;
		} else if (more) {
			add_word(out, row, a, value);
		}
	}
	return !row->args || out->n > before;
}

static void dump_row(struct dump *d, const struct view *v, const struct directive *row, unsigned scopes,
                     const char *base);

static void dump_block(struct dump *d, const struct view *v, const struct directive *block, unsigned scopes,
                       const char *base)
{
	for (const struct directive *row = block->inner; row && row->name; row++)
		dump_row(d, v, row, row->scopes ? row->scopes : scopes, base);
}

/* A block under its head; without statements it is a line, or nothing where it was only there for its statements. */
static void dump_headed(struct dump *d, const struct view *v, const struct directive *row, unsigned scopes,
                        const char *base, struct str head, bool always)
{
	struct buf inside = {};
	struct dump below = { .out = &inside, .depth = d->depth + 1 };
	dump_block(&below, v, row, scopes, base);
	flush(&below);
	buf_fini(&below.run);
	if (inside.n) {
		block_open(d, head);
		buf_add(d->out, buf_str(&inside));
		block_close(d);
	} else if (always) {
		buf_addf(&d->run, "%.*s;\n", STR_F(head));
	}
	buf_fini(&inside);
}

/* Whether the outer scope would say the same. */
static bool is_inherited(const struct view *v, const struct directive *row, unsigned scopes, struct str args)
{
	struct buf outer = {};
	bool same = v->outer && (scopes & v->outer_scope) && add_args(&outer, row, v->outer + row->offset) &&
	            str_eq(buf_str(&outer), args);
	buf_fini(&outer);
	return same;
}

static void dump_value(struct dump *d, const struct view *v, const struct directive *row, unsigned scopes,
                       const char *base)
{
	struct buf args = {};
	if (add_args(&args, row, base + row->offset) && !is_inherited(v, row, scopes, buf_str(&args)))
		buf_addf(&d->run, "%s%.*s;\n", row->name, STR_F(buf_str(&args)));
	buf_fini(&args);
}

static void dump_item(struct dump *d, const struct view *v, const struct directive *row, const char *item)
{
	struct buf head = {};
	struct view inside = { .scope = v->scope };
	buf_add(&head, str_of(row->name));
	add_args(&head, row, item);
	dump_headed(d, &inside, row, v->scope, item, buf_str(&head), true);
	buf_fini(&head);
}

static void dump_list(struct dump *d, const struct view *v, const struct directive *row, unsigned scopes,
                      const char *base)
{
	const struct items *items = (const struct items *)(const void *)(base + row->offset);
	const struct items *outer = (const struct items *)(const void *)(v->outer ? v->outer + row->offset : NULL);
	size_t from = outer && (scopes & v->outer_scope) ? outer->count : 0;
	for (size_t i = from; i < items->count; i++)
		dump_item(d, v, row, (const char *)items->p + i * row->item_size);
}

/* Of a route, the chosen handler with its whole block; further out, defaults for the routes inside. */
static void dump_handler(struct dump *d, const struct view *v, const struct directive *row, unsigned scopes,
                         const char *base)
{
	struct buf head = {};
	bool route = v->scope == SCOPE_ROUTE;
	struct view inside = *v;
	if (route)
		inside.outer = NULL;
	buf_add(&head, str_of(row->name));
	bool whole = !row->args || add_args(&head, row, base + row->offset);
	if (whole || route)
		dump_headed(d, &inside, row, scopes, base, buf_str(&head), route);
	buf_fini(&head);
}

static void dump_row(struct dump *d, const struct view *v, const struct directive *row, unsigned scopes,
                     const char *base)
{
	if (!(scopes & v->scope))
		return;
	switch (row->kind) {
	case DIR_VALUE: dump_value(d, v, row, scopes, base); break;
	case DIR_LIST: dump_list(d, v, row, scopes, base); break;
	case DIR_GROUP: dump_headed(d, v, row, scopes, base, str_of(row->name), false); break;
	case DIR_HANDLER: dump_handler(d, v, row, scopes, base); break;
	default: break;
	}
}

static bool is_wanted(const struct view *v, const struct module *m, const struct directive *row, bool blocks)
{
	bool block = row->kind == DIR_GROUP || row->kind == DIR_HANDLER || row->inner;
	if (row->kind == DIR_HANDLER && v->scope == SCOPE_ROUTE && v->handler != m)
		return false;
	return block == blocks;
}

static void dump_rows(struct dump *d, const struct conf *c, struct view v, void *const *values, void *const *outer,
                      bool blocks)
{
	for (size_t i = 0; i < c->module_count; i++) {
		v.outer = outer ? outer[i] : NULL;
		for (const struct directive *row = c->modules[i]->directives; row && row->name; row++)
			if (is_wanted(&v, c->modules[i], row, blocks))
				dump_row(d, &v, row, row->scopes, values[i]);
	}
}

/* What is one line comes first, then the blocks; no order among directives of one scope means anything. */
static void dump_scope(struct dump *d, const struct conf *c, struct view v, void *const *values, void *const *outer)
{
	dump_rows(d, c, v, values, outer, false);
	dump_rows(d, c, v, values, outer, true);
}

static void dump_route(struct dump *d, const struct conf *c, const struct site *site, const struct route *route)
{
	struct view v = { .scope = SCOPE_ROUTE, .outer_scope = SCOPE_MAIN | SCOPE_SITE, .handler = route->handler.module };
	struct buf head = {};
	buf_add(&head, STR("route "));
	pattern_print(&head, &route->pattern);
	block_open(d, buf_str(&head));
	dump_scope(d, c, v, route->values, site->values);
	block_close(d);
	buf_fini(&head);
}

static void dump_site(struct dump *d, const struct conf *c, const struct site *site)
{
	struct view v = { .scope = SCOPE_SITE, .outer_scope = SCOPE_MAIN };
	struct buf head = {};
	buf_add(&head, STR("site"));
	for (size_t i = 0; i < site->name_count; i++) {
		buf_add_char(&head, ' ');
		type_print_word(&head, site->names[i]);
	}
	block_open(d, buf_str(&head));
	dump_scope(d, c, v, site->values, c->values);
	for (size_t i = 0; i < site->route_count; i++)
		dump_route(d, c, site, &site->routes[i]);
	block_close(d);
	buf_fini(&head);
}

void conf_dump(const struct conf *c, struct buf *out)
{
	struct dump d = { .out = out };
	dump_scope(&d, c, (struct view){ .scope = SCOPE_MAIN }, c->values, NULL);
	flush(&d);
	for (size_t i = 0; i < c->site_count; i++)
		dump_site(&d, c, &c->sites[i]);
	buf_fini(&d.run);
}

void conf_dump_module(const struct conf *c, const struct route *route, const struct module *m, struct buf *out)
{
	struct dump d = { .out = out };
	struct view v = { .scope = SCOPE_ROUTE, .handler = route->handler.module };
	for (size_t i = 0; i < c->module_count; i++)
		for (const struct directive *row = c->modules[i]->directives; c->modules[i] == m && row && row->name; row++)
			if (is_wanted(&v, m, row, false) || is_wanted(&v, m, row, true))
				dump_row(&d, &v, row, row->scopes, route->values[i]);
	flush(&d);
	buf_fini(&d.run);
}

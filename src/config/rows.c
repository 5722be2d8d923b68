/* The index of directives.  Owns its tables; rows are the modules'. */
#include "config/rows.h"

#include "base/mem.h"
#include "base/must.h"

const char *scope_name(enum scope scope)
{
	switch (scope) {
	case SCOPE_SITE: return "a site";
	case SCOPE_ROUTE: return "a route";
	default: return "main";
	}
}

static void know(struct rows *r, const struct directive *rows)
{
	bool fresh;
	for (const struct directive *d = rows; d && d->name; d++) {
		names_put(&r->known, str_of(d->name), &fresh);
		know(r, d->inner);
	}
}

static void add(struct rows *r, const struct directive *row, size_t module)
{
	bool fresh;
	size_t *first = names_put(&r->index, str_of(row->name), &fresh);
	/* Two modules with one name in one scope would be our own mistake. */
	for (size_t i = *first; i; i = r->list[i - 1].next)
		must((r->list[i - 1].row->scopes & row->scopes) == 0);
	r->list[r->count++] = (struct rows_entry){ row, module, *first };
	*first = r->count;
}

void rows_init(struct rows *r, const struct module *const *modules, size_t count)
{
	size_t total = 0;
	*r = (struct rows){ .modules = modules, .module_count = count };
	for (size_t i = 0; i < count; i++)
		for (const struct directive *d = modules[i]->directives; d && d->name; d++)
			total++;
	r->list = mem_new((total + 1) * sizeof *r->list);
	for (size_t i = 0; i < count; i++) {
		know(r, modules[i]->directives);
		for (const struct directive *d = modules[i]->directives; d && d->name; d++)
			add(r, d, i);
	}
}

void rows_fini(struct rows *r)
{
	mem_free(r->list);
	names_fini(&r->index);
	names_fini(&r->known);
	*r = (struct rows){};
}

const struct rows_entry *rows_find(const struct rows *r, struct str name, enum scope scope)
{
	const size_t *first = names_get(&r->index, name);
	for (size_t i = first ? *first : 0; i; i = r->list[i - 1].next)
		if (r->list[i - 1].row->scopes & scope)
			return &r->list[i - 1];
	return NULL;
}

const struct directive *rows_inside(const struct directive *block, struct str name)
{
	for (const struct directive *d = block->inner; d && d->name; d++)
		if (str_eq(str_of(d->name), name))
			return d;
	return NULL;
}

static void add_place(struct buf *out, const char *kind, const char *name)
{
	buf_addf(out, "%s%s%s", out->n ? ", " : "", kind, name);
}

static void where_inside(const struct directive *block, struct str name, struct buf *out)
{
	for (const struct directive *d = block->inner; d && d->name; d++) {
		if (str_eq(str_of(d->name), name))
			add_place(out, "the block of ", block->name);
		where_inside(d, name, out);
	}
}

void rows_where(const struct rows *r, struct str name, struct buf *out)
{
	static const enum scope SCOPES[] = { SCOPE_MAIN, SCOPE_SITE, SCOPE_ROUTE };
	for (size_t i = 0; i < countof(SCOPES); i++)
		if (rows_find(r, name, SCOPES[i]))
			add_place(out, scope_name(SCOPES[i]), "");
	for (size_t i = 0; i < r->count; i++)
		where_inside(r->list[i].row, name, out);
}

static void allow(const char *name, struct buf *out, struct guess *guess)
{
	add_place(out, "", name);
	guess_offer(guess, str_of(name));
}

void rows_allowed(const struct rows *r, enum scope scope, const struct directive *block, struct buf *out,
                  struct guess *guess)
{
	for (size_t i = 0; !block && i < r->count; i++)
		if (r->list[i].row->scopes & scope)
			allow(r->list[i].row->name, out, guess);
	for (const struct directive *d = block ? block->inner : NULL; d && d->name; d++)
		allow(d->name, out, guess);
	if (!rows_find(r, STR("include"), scope))
		allow("include", out, guess);
}

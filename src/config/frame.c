/* Scopes while a configuration is built: inheritance.  Owns its lists; values live in the snapshot's arena. */
#include "config/frame.h"

#include "base/mem.h"
#include "base/must.h"

void seen_fini(struct seen *s)
{
	mem_free(s->p);
	*s = (struct seen){};
}

bool seen_has(const struct seen *s, const struct directive *row)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->p[i].row == row)
			return true;
	return false;
}

const struct spot *seen_add(struct seen *s, const struct directive *row, const struct spot *at)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->p[i].row == row)
			return &s->p[i].at;
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->p = mem_grow(s->p, s->cap * sizeof *s->p);
	}
	s->p[s->count++] = (struct seen_row){ row, *at };
	return NULL;
}

/* Main's values are the defaults, until its directives are read. */
static void **preset(struct builder *b)
{
	void **values = arena_new(&b->conf->arena, (b->rows.module_count + 1) * sizeof *values);
	for (size_t i = 0; i < b->rows.module_count; i++) {
		const struct module *m = b->rows.modules[i];
		if (!m->size)
			continue;
		values[i] = arena_new(&b->conf->arena, m->size);
		values_preset_all(&b->conf->arena, m->directives, values[i]);
	}
	return values;
}

struct frame *frame_open(struct builder *b, enum scope scope, const struct frame *outer, const struct spot *at)
{
	struct frame *f = &b->frames[scope == SCOPE_MAIN ? 0 : scope == SCOPE_SITE ? 1 : 2];
	f->b = b;
	f->scope = scope;
	f->outer = outer;
	f->at = *at;
	f->values = outer ? outer->values : preset(b);
	if (!f->marks)
		f->marks = mem_new(b->rows.module_count + 1);
	memset(f->marks, 0, b->rows.module_count);
	f->seen.count = 0;
	f->spots.count = 0;
	f->handler = NULL;
	return f;
}

void frame_fini(struct frame *f)
{
	seen_fini(&f->seen);
	spots_fini(&f->spots);
	mem_free(f->marks);
	f->marks = NULL;
}

static void *copy(struct arena *arena, const void *from, size_t size)
{
	return memcpy(arena_raw(arena, size), from, size);
}

void *frame_values(struct frame *f, size_t module)
{
	struct arena *arena = &f->b->conf->arena;
	const struct module *m = f->b->rows.modules[module];
	must(m->size && "directives that write need a struct of values");
	if (frame_shares(f))
		f->values = copy(arena, f->outer->values, f->b->rows.module_count * sizeof *f->values);
	if (f->outer && f->values[module] == f->outer->values[module])
		f->values[module] = copy(arena, f->outer->values[module], m->size);
	f->marks[module] |= FRAME_OWN;
	return f->values[module];
}

/* Directives of one file follow one another. */
const char *frame_file(struct builder *b, const struct source *source)
{
	if (b->named != source) {
		b->name = arena_str(&b->conf->arena, source->name).p;
		b->named = source;
	}
	return b->name;
}

static struct mention mention_of(struct builder *b, const struct directive *row, const struct spot *at)
{
	return (struct mention){ row, frame_file(b, at->source), at->line };
}

/* The row by which a module answers. */
static const struct directive *handler_row(const struct module *m)
{
	const struct directive *row = m->directives;
	while (row->kind != DIR_HANDLER)
		row++;
	return row;
}

struct mentions frame_mentions(const struct frame *f)
{
	size_t count = 0;
	struct mention *p = arena_raw(&f->b->conf->arena, (f->seen.count + 1) * sizeof *p);
	for (size_t i = 0; i < f->seen.count; i++)
		p[count++] = mention_of(f->b, f->seen.p[i].row, &f->seen.p[i].at);
	if (f->handler)
		p[count++] = mention_of(f->b, handler_row(f->handler), &f->handler_at);
	return (struct mentions){ p, count };
}

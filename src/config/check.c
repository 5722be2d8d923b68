/* Checks.  Owns nothing; runs on the thread that builds the configuration. */
#include "config/check.h"

/* Where a value was set in this scope, else the scope. */
static const struct spot *spot_of(const struct checker *c, const void *value)
{
	const struct spot *at = spots_find(&c->frame->spots, value);
	return at ? at : &c->frame->at;
}

void check_error(struct checker *c, const void *value, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	c->failed = true;
	c->last = message_addv(c->frame->b->messages, LEVEL_ERROR, spot_of(c, value), format, args);
	va_end(args);
}

void check_warn(struct checker *c, const void *value, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	c->last = message_addv(c->frame->b->messages, LEVEL_WARNING, spot_of(c, value), format, args);
	va_end(args);
}

void check_hint(struct checker *c, const char *format, ...)
{
	struct buf text = {};
	va_list args;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	message_hint_list(c->frame->b->messages, c->last, "", buf_str(&text));
	buf_fini(&text);
}

bool check_files(const struct checker *c)
{
	return c->frame->b->files;
}

bool check_was_set(const struct checker *c, const void *value)
{
	return spots_find(&c->frame->spots, value) != NULL;
}

enum scope check_scope(const struct checker *c)
{
	return c->frame->scope;
}

struct place check_place(struct checker *c, const void *value)
{
	const struct spot *at = spot_of(c, value);
	struct place place = spot_place(at);
	place.file = str_of(frame_file(c->frame->b, at->source));
	return place;
}

struct arena *check_arena(struct checker *c)
{
	return &c->frame->b->conf->arena;
}

const struct conf *check_conf(const struct checker *c)
{
	return c->frame->b->conf;
}

void frame_check(struct frame *f)
{
	for (size_t i = 0; i < f->b->rows.module_count; i++) {
		const struct module *m = f->b->rows.modules[i];
		struct checker c = { .frame = f };
		if (m->check && f->marks[i] == FRAME_OWN)
			m->check(&c, f->values[i]);
	}
}

void frame_check_all(struct frame *main)
{
	for (size_t i = 0; i < main->b->rows.module_count; i++) {
		const struct module *m = main->b->rows.modules[i];
		struct checker c = { .frame = main };
		if (m->check_all && main->marks[i] == FRAME_OWN)
			m->check_all(&c, main->values[i]);
	}
}

void frame_check_defaults(struct frame *f, size_t module)
{
	struct frame *main = &f->b->frames[0];
	const struct module *m = f->b->rows.modules[module];
	if (!m->check || main->marks[module] || f->values[module] != main->values[module])
		return;
	main->marks[module] = FRAME_OWN;
	m->check(&(struct checker){ .frame = main }, main->values[module]);
}

/* Comparing every route with all before it is quadratic: sites with more routes than this get no such warnings. */
enum { ROUTES_COMPARED = 2000 };

static bool may_pass(const struct route *r)
{
	const struct module *m = r->handler.module;
	return m && m->passes && m->passes(r->handler.values);
}

static void shadow_check(struct builder *b, const struct site *site, size_t later, const struct spot *routes)
{
	for (size_t i = 0; i < later; i++) {
		if (may_pass(&site->routes[i]) || !pattern_covers(&site->routes[i].pattern, &site->routes[later].pattern))
			continue;
		struct message *m = message_add(b->messages, LEVEL_WARNING, &routes[later],
		                                "this route is never reached: an earlier one matches all that it matches");
		struct buf pattern = {};
		pattern_print(&pattern, &site->routes[i].pattern);
		message_hint(b->messages, m, "route %.*s at %.*s:%u:%u; the first route that matches serves",
		             STR_F(buf_str(&pattern)), STR_F(routes[i].source->name), routes[i].line, routes[i].column);
		buf_fini(&pattern);
		return;
	}
}

void site_check(struct builder *b, const struct site *site, const struct spot *at, const struct spot *routes)
{
	if (!site->route_count)
		message_add(b->messages, LEVEL_WARNING, at, "a site without routes answers 404 to everything");
	for (size_t i = 0; i < site->route_count && site->route_count <= ROUTES_COMPARED; i++)
		shadow_check(b, site, i, routes);
}

/* Sites and routes.  Owns nothing; all of it lives in the snapshot's arena. */
#include "config/site.h"

#include <errno.h>

#include "config/check.h"
#include "config/host.h"
#include "config/overlay.h"

static bool is_kind(const struct frame *f, const struct statement *s, enum directive_kind kind)
{
	const struct directive *row = block_row(f, s);
	return row && row->kind == kind;
}

static size_t count_kind(const struct frame *f, const struct flat *list, enum directive_kind kind)
{
	size_t count = 0;
	for (size_t i = 0; i < list->count; i++)
		count += is_kind(f, list->p[i], kind);
	return count;
}

/* Places in the snapshot keep the file's name, which the sources own: one copy for each source would do, but names are
 * short. */
static struct place place_of(struct builder *b, const struct spot *at, const struct place *near)
{
	struct place place = spot_place(at);
	place.file = near && str_eq(near->file, place.file) ? near->file : arena_str(&b->conf->arena, place.file);
	return place;
}

enum hook_kind { HOOK_GATE, HOOK_HEAD, HOOK_DONE };

static bool has_hook(const struct module *m, enum hook_kind kind)
{
	switch (kind) {
	case HOOK_GATE: return m->gate;
	case HOOK_HEAD: return m->on_head;
	default: return m->on_done;
	}
}

/* The modules whose values make them do something on a route; heads run from the last module to the first. */
static struct hooks hooks_of(struct builder *b, void *const *values, enum hook_kind kind)
{
	const struct rows *r = &b->rows;
	size_t count = 0;
	struct hook *p = arena_raw(&b->scratch, (r->module_count + 1) * sizeof *p);
	for (size_t i = 0; i < r->module_count; i++) {
		size_t at = kind == HOOK_HEAD ? r->module_count - 1 - i : i;
		const struct module *m = r->modules[at];
		if (has_hook(m, kind) && (!m->active || m->active(values[at])))
			p[count++] = (struct hook){ m, values[at] };
	}
	struct hook *kept = arena_raw(&b->conf->arena, count * sizeof *kept);
	memcpy(kept, p, count * sizeof *kept);
	return (struct hooks){ kept, count };
}

/* Routes that set nothing of their own share the site's lists. */
static void set_hooks(struct frame *f, const struct route *like, struct route *route)
{
	route->values = f->values;
	route->meter = arena_new(&f->b->conf->arena, sizeof *route->meter);
	if (like && frame_shares(f)) {
		route->gates = like->gates;
		route->heads = like->heads;
		route->dones = like->dones;
		return;
	}
	route->gates = hooks_of(f->b, f->values, HOOK_GATE);
	route->heads = hooks_of(f->b, f->values, HOOK_HEAD);
	route->dones = hooks_of(f->b, f->values, HOOK_DONE);
}

static void set_handler(struct frame *f, struct route *route)
{
	for (size_t i = 0; f->handler && i < f->b->rows.module_count; i++) {
		if (f->b->rows.modules[i] != f->handler)
			continue;
		frame_check_defaults(f, i);
		route->handler = (struct hook){ f->handler, f->values[i] };
	}
}

static bool is_mark(const struct word *w)
{
	return !w->quoted && (str_eq(w->text, STR("=")) || str_eq(w->text, STR("~")));
}

/* The spot of the pattern, from its mark to its end. */
static struct spot pattern_spot(const struct statement *s)
{
	struct spot at = s->words[s->count > 1 ? 1 : 0].at;
	const struct spot *last = &s->words[s->count - 1].at;
	if (last->line == at.line)
		at.length = last->offset + last->length - at.offset;
	return at;
}

static int route_pattern(struct frame *f, const struct statement *s, struct pattern *out)
{
	struct builder *b = f->b;
	bool marked = s->count > 2 && is_mark(&s->words[1]);
	if (s->count != (marked ? 3u : 2u) || (!marked && is_mark(&s->words[1]))) {
		struct spot after = spot_after(&s->words[0].at);
		struct message *m = message_add(b->messages, LEVEL_ERROR, s->count > 1 ? &s->words[s->count - 1].at : &after,
		                                "\"route\" takes one pattern");
		message_hint(b->messages, m, "usage: route /path/* { ... }   route = /exact { ... }   route ~ regex { ... }");
		return -EINVAL;
	}
	const struct word *text = &s->words[marked ? 2 : 1];
	struct type_in in = { .arena = &b->conf->arena, .folder = text->at.source->folder };
	int err = text->broken ? -EINVAL : pattern_parse(&in, marked ? s->words[1].text : STR(""), text->text, out);
	if (err && !text->broken)
		message_add(b->messages, LEVEL_ERROR, &text->at, "wrong pattern: %s", in.error);
	return err;
}

static void route_build(struct frame *site_frame, const struct site *site, const struct statement *s,
                        struct route *route, struct spot *at)
{
	struct builder *b = site_frame->b;
	*at = pattern_spot(s);
	struct frame *f = frame_open(b, SCOPE_ROUTE, site_frame, at);
	route->place = place_of(b, &s->words[0].at, &site->place);
	/* What is wrong is counted: nothing uses a route without its pattern. */
	(void)!route_pattern(f, s, &route->pattern);
	if (!block_is_there(b, s, block_row(site_frame, s)))
		return;
	struct flat list = block_flatten(b, s->inside);
	block_apply(f, &list);
	overlay_route(f, site, s);
	frame_check(f);
	route->mentions = frame_mentions(f);
	set_hooks(f, &site->fallback, route);
	set_handler(f, route);
}

/* errors: how many there were before this site, which is warned of only where it is right. */
static void routes_build(struct frame *f, struct site *site, const struct flat *list, size_t errors)
{
	struct builder *b = f->b;
	size_t count = count_kind(f, list, DIR_ROUTE);
	struct route *routes = arena_new(&b->conf->arena, count * sizeof *routes);
	struct spot *spots = arena_new(&b->scratch, count * sizeof *spots);
	for (size_t i = 0; i < list->count; i++) {
		if (!is_kind(f, list->p[i], DIR_ROUTE))
			continue;
		route_build(f, site, list->p[i], &routes[site->route_count], &spots[site->route_count]);
		site->route_count++;
	}
	site->routes = routes;
	overlay_check_routes(f, site, list);
	if (errors == b->messages->count[LEVEL_ERROR])
		site_check(b, site, &f->at, spots);
}

static int site_name(struct builder *b, const struct word *word, struct str *name)
{
	struct type_in in = { .arena = &b->conf->arena };
	if (word->broken)
		return -EINVAL;
	if (host_parse(&in, word->text, name) < 0) {
		message_add(b->messages, LEVEL_ERROR, &word->at, "wrong name \"%.*s\" for a site: %s", STR_F(word->text),
		            in.error);
		return -EINVAL;
	}
	bool fresh;
	size_t *index = names_put(&b->hosts, *name, &fresh);
	if (!fresh) {
		const struct spot *first = &b->host_spots.p[*index].at;
		struct message *m = message_add(b->messages, LEVEL_ERROR, &word->at, "\"%.*s\" already names a site",
		                                STR_F(*name));
		message_hint(b->messages, m, "first at %.*s:%u:%u", STR_F(first->source->name), first->line, first->column);
		return -EINVAL;
	}
	*index = b->host_spots.count;
	spots_add(&b->host_spots, NULL, &word->at);
	return 0;
}

static void site_names(struct builder *b, const struct statement *s, struct site *site)
{
	struct str *names = arena_new(&b->conf->arena, s->count * sizeof *names);
	struct spot after = spot_after(&s->words[0].at);
	if (s->count == 1)
		message_hint(b->messages, message_add(b->messages, LEVEL_ERROR, &after, "\"site\" lacks its name"),
		             "\"*\" takes every request that no other site takes");
	for (size_t i = 1; i < s->count; i++)
		if (site_name(b, &s->words[i], &names[site->name_count]) == 0)
			site->name_count++;
	site->names = names;
}

static void site_build(struct frame *main, const struct statement *s, struct site *site, const struct route *main_hooks)
{
	struct builder *b = main->b;
	const struct spot *at = &s->words[s->count > 1 ? 1 : 0].at;
	size_t errors = b->messages->count[LEVEL_ERROR];
	site->place = place_of(b, &s->words[0].at, site > b->conf->sites ? &site[-1].place : NULL);
	site_names(b, s, site);
	if (!block_is_there(b, s, block_row(main, s)))
		return;
	struct frame *f = frame_open(b, SCOPE_SITE, main, at);
	struct flat list = block_flatten(b, s->inside);
	block_apply(f, &list);
	overlay_site(f, site);
	frame_check(f);
	site->values = f->values;
	site->mentions = frame_mentions(f);
	site->fallback.place = site->place;
	set_hooks(f, main_hooks, &site->fallback);
	routes_build(f, site, &list, errors);
}

void site_build_all(struct frame *main, const struct flat *list)
{
	struct builder *b = main->b;
	size_t count = count_kind(main, list, DIR_SITE);
	struct site *sites = arena_new(&b->conf->arena, count * sizeof *sites);
	b->conf->sites = sites;
	set_hooks(main, NULL, &b->conf->unsited);
	for (size_t i = 0; i < list->count; i++)
		if (is_kind(main, list->p[i], DIR_SITE))
			site_build(main, list->p[i], &sites[b->conf->site_count++], &b->conf->unsited);
}

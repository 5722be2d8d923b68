/* Building a snapshot: parse every source, apply main, then the sites.  Owns what is gone afterwards; one thread. */
#include "config/build.h"

#include <errno.h>

#include "base/mem.h"
#include "base/must.h"
#include "config/check.h"
#include "config/overlay.h"
#include "config/site.h"
#include "http/route.h"

static const struct statement *parse(struct builder *b, const struct source *source)
{
	struct env env = b->sources->env;
	return tree_parse(&(struct tree_in){ .source = source, .env = &env, .known = &b->rows.known, .arena = &b->scratch,
	                                     .messages = b->messages });
}

static void parse_all(struct builder *b)
{
	const struct sources *s = b->sources;
	b->trees = arena_new(&b->scratch, (s->count + 1) * sizeof *b->trees);
	for (size_t i = 0; i < s->count; i++)
		b->trees[i] = parse(b, s->list[i]);
	if (s->overlay)
		b->overlay = parse(b, s->overlay);
}

static void build(struct builder *b)
{
	struct spot top = { sources_root(b->sources), 0, 1, 1, 1 };
	struct frame *main = frame_open(b, SCOPE_MAIN, NULL, &top);
	struct flat list = block_flatten(b, b->trees[b->sources->count - 1]);
	b->conf->values = main->values;
	block_apply(main, &list);
	block_overlay(main, b->overlay);
	frame_check(main);
	b->conf->mentions = frame_mentions(main);
	site_build_all(main, &list);
	overlay_check_sites(main);
	frame_check_all(main);
}

static void fini(struct builder *b)
{
	for (int i = 0; i < 3; i++)
		frame_fini(&b->frames[i]);
	rows_fini(&b->rows);
	names_fini(&b->hosts);
	spots_fini(&b->host_spots);
	arena_fini(&b->scratch);
}

int conf_build(const struct sources *sources, const struct module *const *modules, size_t count, bool files,
               struct messages *messages, struct conf **out)
{
	struct frame frames[3] = {};
	struct conf *conf = MEM_NEW(struct conf);
	struct builder b = { .sources = sources, .conf = conf, .messages = messages, .files = files, .frames = frames };
	size_t errors = messages->count[LEVEL_ERROR];
	must(sources->env.sealed && sources->count);
	rows_init(&b.rows, modules, count);
	conf->modules = modules;
	conf->module_count = count;
	parse_all(&b);
	build(&b);
	fini(&b);
	if (messages->count[LEVEL_ERROR] > errors) {
		conf_free(conf);
		return -EINVAL;
	}
	conf->hosts = host_table_build(&conf->arena, conf->sites, conf->site_count);
	*out = conf;
	return 0;
}

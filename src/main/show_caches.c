/* Caches and memcached servers, from the admin socket's JSON to text.  No state; one thread. */
#include <stdio.h>
#include <string.h>

#include "main/show.h"
#include "main/show_in.h"

static bool is_off(const json_t *cache)
{
	return json_is_true(json_object_get(json_object_get(cache, "disk"), "off"));
}

static void cell_size(struct table *t, uint64_t bytes)
{
	struct buf text = {};
	size_add(&text, bytes);
	table_add(t, "%.*s", STR_F(buf_str(&text)));
	buf_fini(&text);
}

static void cell_of(struct table *t, const json_t *tier)
{
	struct buf text = {};
	size_add(&text, number_of(tier, "bytes"));
	buf_add(&text, STR(" of "));
	size_add(&text, number_of(tier, "bound"));
	table_add(t, "%.*s", STR_F(buf_str(&text)));
	buf_fini(&text);
}

static void cell_share(struct table *t, uint64_t part, uint64_t all)
{
	if (all)
		table_add(t, "%.1f %%", 100 * (double)part / (double)all);
	else
		table_add(t, "-");
}

static void cache_row(struct table *t, const json_t *cache)
{
	const json_t *memory = json_object_get(cache, "memory"), *disk = json_object_get(cache, "disk");
	const json_t *fills = json_object_get(cache, "fills");
	table_add(t, "%s", text_of(cache, "name"));
	table_count(t, number_of(memory, "objects"));
	cell_of(t, memory);
	if (json_is_object(disk))
		cell_size(t, number_of(disk, "bytes"));
	else
		table_add(t, "-");
	table_colour(t, is_off(cache) ? COLOUR_BAD : COLOUR_NONE);
	cell_share(t, number_of(cache, "hits"), number_of(cache, "asked"));
	table_count(t, number_of(cache, "asked"));
	table_count(t, number_of(fills, "under_way"));
	table_count(t, number_of(fills, "waiting"));
}

static void add_off(struct buf *out, const json_t *cache)
{
	struct buf line = {};
	if (!is_off(cache))
		return;
	buf_addf(&line, "%s: nothing is written to its disk tier: %s", text_of(cache, "name"),
	         text_of(json_object_get(cache, "disk"), "why"));
	add_wrapped(out, 0, buf_str(&line));
	buf_fini(&line);
}

void show_caches(const json_t *json, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "CACHE", false, true }, { "PAGES", true }, { "MEMORY", true }, { "DISK", true }, { "HITS", true },
		{ "ASKED", true },        { "FILLS", true }, { "WAIT", true },   {},
	};
	const json_t *caches = json_object_get(json, "caches"), *cache;
	struct table t;
	size_t i;
	if (!json_array_size(caches)) {
		buf_add(out, STR("no caches\n"));
		return;
	}
	table_init(&t, COLUMNS);
	json_array_foreach(caches, i, cache)
		cache_row(&t, cache);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
	json_array_foreach(caches, i, cache)
		add_off(out, cache);
}

/* --- One of them. --- */

static void show_got(const json_t *cache, bool colour, struct buf *out)
{
	static const struct {
		const char *name, *word;
	} GOT[] = { { "hit", "hits" }, { "stale", "stale" }, { "renewed", "renewed" }, { "joined", "joined" },
		    { "miss", "misses" }, { "pass", "can't be stored" }, { "bypass", "went by" } };
	const json_t *got = json_object_get(cache, "got");
	bool any = false;
	line_head(out, colour, "requests");
	for (size_t i = 0; i < sizeof GOT / sizeof *GOT; i++) {
		if (!number_of(got, GOT[i].name))
			continue;
		buf_add(out, any ? STR(", ") : STR(""));
		part(out, got, GOT[i].name, GOT[i].word, "");
		any = true;
	}
	buf_add(out, any ? STR("\n") : STR("none\n"));
	line_head(out, colour, "hits");
	if (number_of(cache, "asked"))
		buf_addf(out, "%.1f %%, ", 100 * (double)number_of(cache, "hits") / (double)number_of(cache, "asked"));
	size_add(out, number_of(cache, "hit_bytes"));
	buf_add(out, STR(" served\n"));
}

static void show_size(const json_t *tier, struct buf *out)
{
	size_add(out, number_of(tier, "bytes"));
	buf_add(out, STR(" of "));
	size_add(out, number_of(tier, "bound"));
	buf_add(out, STR("; "));
}

static void show_tiers(const json_t *cache, bool colour, struct buf *out)
{
	const json_t *memory = json_object_get(cache, "memory"), *disk = json_object_get(cache, "disk");
	line_head(out, colour, "memory");
	show_size(memory, out);
	part(out, memory, "objects", "pages", ", ");
	part(out, memory, "evicted", "made room\n", "");
	if (json_is_object(disk)) {
		line_head(out, colour, "disk");
		show_size(disk, out);
		part(out, disk, "hits", "hits", ", ");
		part(out, disk, "written", "written", ", ");
		part(out, disk, "dropped", "dropped", ", ");
		part(out, disk, "bad", "damaged", "\n");
	}
	if (json_is_true(json_object_get(cache, "memcached"))) {
		line_head(out, colour, "memcached");
		buf_add(out, STR("shared with other machines\n"));
	}
}

/* By whom they ask. */
static void show_lines(const json_t *lines, bool colour, struct buf *out)
{
	const json_t *line;
	size_t i;
	json_array_foreach(lines, i, line) {
		const char *pool = text_of(line, "pool");
		line_head(out, colour, i ? "" : "of pools");
		plain_add(out, *pool ? str_of(pool) : STR("petrel itself"));
		buf_add(out, STR(": "));
		part(out, line, "under_way", "under way", ", ");
		part(out, line, "waiting", "in line", "\n");
	}
}

void show_cache(const json_t *json, bool colour, struct buf *out)
{
	const json_t *fills = json_object_get(json, "fills"), *purges = json_object_get(json, "purges");
	line_head(out, colour, "cache");
	plain_add(out, str_of(text_of(json, "name")));
	buf_add_char(out, '\n');
	show_got(json, colour, out);
	show_tiers(json, colour, out);
	line_head(out, colour, "fills");
	part(out, fills, "all", "in all", ", ");
	part(out, fills, "under_way", "under way", ", ");
	part(out, fills, "waiting", "in line", ", ");
	part(out, fills, "validations", "validated", ", ");
	part(out, fills, "waits_late", "waits given up", "\n");
	show_lines(json_object_get(json, "lines"), colour, out);
	line_head(out, colour, "answers");
	part(out, json, "stored", "stored", ", ");
	part(out, json, "not_stored", "not", ", ");
	part(out, json, "invalidated", "requests made others out of date", "\n");
	line_head(out, colour, "purges");
	part(out, purges, "all", "in all", ", ");
	part(out, purges, "marks", "URLs and tags", ", ");
	part(out, purges, "matches", "patterns remembered", "\n");
	add_off(out, json);
}

/* --- Servers of memcached. --- */

static void memcached_row(struct table *t, const json_t *memcached, const json_t *s)
{
	const char *state = text_of(s, "state");
	table_add(t, "%s", text_of(memcached, "name"));
	table_add(t, "%s", text_of(s, "server"));
	table_add(t, "%s", state);
	table_colour(t, !strcmp(state, "ready") ? COLOUR_GOOD : !strcmp(state, "away") ? COLOUR_BAD : COLOUR_WARN);
	table_count(t, number_of(s, "gets"));
	cell_share(t, number_of(s, "hits"), number_of(s, "hits") + number_of(s, "misses"));
	table_count(t, number_of(s, "sets"));
	table_count(t, number_of(s, "late"));
	table_count(t, number_of(s, "errors") + number_of(s, "lost"));
	table_count(t, number_of(s, "skipped"));
}

static void add_away(struct buf *out, const json_t *s)
{
	struct buf line = {};
	if (!*text_of(s, "why"))
		return;
	buf_addf(&line, "%s: %s", text_of(s, "server"), text_of(s, "why"));
	add_wrapped(out, 0, buf_str(&line));
	buf_fini(&line);
}

void show_memcached(const json_t *json, bool colour, struct buf *out)
{
	static const struct column COLUMNS[] = {
		{ "MEMCACHED", false, true }, { "SERVER", false, true }, { "STATE" }, { "GETS", true }, { "HITS", true },
		{ "SETS", true },             { "LATE", true },          { "FAILED", true }, { "SKIPPED", true }, {},
	};
	const json_t *all = json_object_get(json, "memcached"), *memcached, *s;
	struct table t;
	size_t i, k;
	if (!json_array_size(all)) {
		buf_add(out, STR("no memcached servers\n"));
		return;
	}
	table_init(&t, COLUMNS);
	json_array_foreach(all, i, memcached)
		json_array_foreach(json_object_get(memcached, "servers"), k, s)
			memcached_row(&t, memcached, s);
	table_print(&t, TABLE_WIDTH, colour, out);
	table_fini(&t);
	json_array_foreach(all, i, memcached)
		json_array_foreach(json_object_get(memcached, "servers"), k, s)
			add_away(out, s);
}

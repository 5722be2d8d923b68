/* The part of the status page that says how caches do: hits of the last minute, tiers, fills.  No state; the control
 * thread. */
#include "control/page_in.h"

static void tier_cell(struct buf *out, double bytes, double bound, bool off)
{
	cell_begin(out, off ? "share bad" : "share");
	if (bound > 0)
		add_level(out, bytes / bound);
	add_size(out, bytes);
	if (off)
		buf_add(out, STR(" <small class=\"bad\">nothing is written</small>"));
	cell_end(out);
}

static void hits_cell(struct buf *out, uint64_t hits, uint64_t asked)
{
	cell_begin(out, "share");
	if (asked) {
		add_level(out, (double)hits / (double)asked);
		add_percent(out, (double)hits / (double)asked);
	} else {
		buf_add(out, STR("–"));
	}
	cell_end(out);
}

static void cache_row(struct buf *out, const struct view *v, const struct cache_sample *s)
{
	static const struct cache_sample NOTHING;
	const struct cache_sample *then = cache_sample_find(v->minute->caches, v->minute->cache_count, s->name);
	if (!then || cache_sample_asked(then) > cache_sample_asked(s))
		then = &NOTHING;
	uint64_t asked = cache_sample_asked(s) - cache_sample_asked(then);
	buf_add(out, STR("<tr>"));
	cell_begin(out, "name");
	html_text(out, str_of(s->name));
	if (s->has_memcached)
		buf_add(out, STR(" <i>memcached</i>"));
	cell_end(out);
	hits_cell(out, cache_sample_hits(s) - cache_sample_hits(then), asked);
	cell_count(out, (double)asked / seconds_between(v));
	cell_count(out, (double)s->memory.objects);
	tier_cell(out, (double)s->memory.bytes, (double)s->memory.bound_b, false);
	if (s->has_disk)
		tier_cell(out, (double)s->disk.bytes, (double)s->disk.bound_b, s->disk.off);
	else
		cell_text(out, STR("–"));
	cell_count(out, (double)s->filling);
	cell_bad(out, (double)s->waiting);
	buf_add(out, STR("</tr>"));
}

void part_caches(struct buf *out, const struct view *v)
{
	if (!v->now->cache_count)
		return;
	buf_add(out, STR("<h2>Caches</h2>"));
	table_begin(out, "caches", "Cache|Hits lately|>requests/s|>pages|Memory|Disk|>fills|>in line");
	for (unsigned i = 0; i < v->now->cache_count; i++)
		cache_row(out, v, &v->now->caches[i]);
	table_end(out);
}

/* The part of the status page that says how petrel itself does: loops, the hot set, the disk, the log.  No state; the
 * control thread. */
#include <inttypes.h>

#include "control/page_in.h"

/* --- Loops. --- */

static double busy_of(const struct view *v, unsigned i)
{
	uint64_t before = i < v->minute->loop_count ? v->minute->loops[i].busy_ns : 0;
	return (double)(v->now->loops[i].busy_ns - before) / 1e9 / seconds_between(v);
}

static void loop_row(struct buf *out, const struct view *v, unsigned i)
{
	const struct loop_sample *l = &v->now->loops[i];
	uint64_t before = i < v->minute->loop_count ? v->minute->loops[i].requests : 0;
	double busy = busy_of(v, i);
	buf_addf(out, "<tr><td>%u</td>", i);
	cell_begin(out, "share");
	add_bar(out, busy);
	add_percent(out, busy);
	cell_end(out);
	cell_time(out, (double)l->longest_us / 1000);
	cell_count(out, (double)(l->requests - before) / seconds_between(v));
	cell_count(out, (double)l->busy);
	cell_count(out, (double)l->idle);
	cell_count(out, (double)l->tunnels);
	buf_add(out, STR("</tr>"));
}

static void print_loops(struct buf *out, const struct view *v)
{
	buf_add(out, STR("<div class=\"card wide\"><h3>Loops <small>in the last minute</small></h3>"));
	table_begin(out, "loops", "Loop|Busy|>longest turn|>requests/s|>busy|>idle|>tunnels");
	for (unsigned i = 0; i < v->now->loop_count; i++)
		loop_row(out, v, i);
	table_end(out);
	buf_add(out, STR("</div>"));
}

/* --- Cards of facts. --- */

static void card_begin(struct buf *out, const char *title)
{
	buf_addf(out, "<div class=\"card\"><h3>%s</h3><dl>", title);
}

static void card_end(struct buf *out)
{
	buf_add(out, STR("</dl></div>"));
}

static void fact_begin(struct buf *out, const char *name, bool bad)
{
	buf_addf(out, "<dt>%s</dt><dd%s>", name, bad ? " class=\"bad\"" : "");
}

static void fact_end(struct buf *out)
{
	buf_add(out, STR("</dd>"));
}

static void fact_count(struct buf *out, const char *name, uint64_t n)
{
	fact_begin(out, name, false);
	add_count(out, (double)n);
	fact_end(out);
}

/* Of what should not happen. */
static void fact_bad(struct buf *out, const char *name, uint64_t n)
{
	fact_begin(out, name, n > 0);
	add_count(out, (double)n);
	fact_end(out);
}

static void fact_share(struct buf *out, const char *name, double n, double of, void (*print)(struct buf *, double))
{
	fact_begin(out, name, false);
	if (of > 0)
		add_bar(out, n / of);
	print(out, n);
	if (of > 0) {
		buf_add(out, STR(" of "));
		print(out, of);
	}
	fact_end(out);
}

static void print_hot(struct buf *out, const struct view *v)
{
	const struct store_stats *now = &v->now->hot, *then = &v->minute->hot;
	uint64_t hits = now->hits - then->hits, asked = hits + now->misses - then->misses;
	card_begin(out, "Hot set");
	fact_share(out, "memory", (double)now->bytes, (double)now->bound_b, add_size);
	fact_count(out, "files", now->objects);
	fact_begin(out, "hits lately", false);
	if (asked)
		add_percent(out, (double)hits / (double)asked);
	else
		buf_add(out, STR("–"));
	fact_end(out);
	fact_count(out, "evicted", now->evicted);
	card_end(out);
}

static void print_disk(struct buf *out, const struct view *v)
{
	const struct disk_stats *d = &v->now->disk;
	card_begin(out, "Disk");
	fact_begin(out, "engine", false);
	buf_add(out, v->now->disk_kind == DISK_URING ? STR("io_uring") : STR("threads"));
	fact_end(out);
	fact_count(out, "under way", d->under_way);
	fact_count(out, "waiting", d->waiting);
	fact_count(out, "done", d->finished);
	fact_bad(out, "shed", d->refused);
	card_end(out);
}

static void print_worker(struct buf *out, const struct view *v)
{
	const struct sample *s = v->now;
	card_begin(out, "Worker");
	fact_share(out, "descriptors", (double)s->descriptors, (double)s->descriptors_most, add_count);
	fact_count(out, "accepted", s->all.accepted);
	fact_bad(out, "refused", s->all.refused);
	fact_count(out, "log lines", s->log.written);
	fact_bad(out, "log lines dropped", s->log.dropped);
	fact_bad(out, "log write errors", s->log.write_errors);
	card_end(out);
}

void part_inside(struct buf *out, const struct view *v)
{
	buf_add(out, STR("<h2>Inside</h2><div class=\"cards\">"));
	print_loops(out, v);
	print_hot(out, v);
	print_disk(out, v);
	print_worker(out, v);
	buf_add(out, STR("</div>"));
}

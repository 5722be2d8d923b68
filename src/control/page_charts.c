/* The charts of the status page, as SVG: a point each two seconds, five minutes in all.  No state; the control thread.
 *
 * A chart is stretched to whatever width there is, so that no text stands in the drawing itself. */
#include "control/page_in.h"

#include <math.h>

#include "base/mem.h"

enum { HIGH = 100, STEP = 4, WIDE = (POINTS - 1) * STEP, LINES_MOST = 4 };

struct line {
	const char *name, *class;
	size_t offset;               /* of its float in struct point */
};

struct chart {
	const char *id, *title;
	void (*print)(struct buf *out, double value);
	bool stacked;                /* each line is an area on those before it */
	struct line lines[LINES_MOST];
};

static void print_bps(struct buf *out, double value)
{
	add_size(out, value);
	buf_add(out, STR("/s"));
}

#define AT(member) offsetof(struct point, member)

static const struct chart CHARTS[] = {
	{ "requests", "Answers a second", add_count, true,
	  { { "2xx", "c2", AT(by_class_ps[2]) }, { "3xx", "c3", AT(by_class_ps[3]) }, { "4xx", "c4", AT(by_class_ps[4]) },
	    { "5xx", "c5", AT(by_class_ps[5]) } } },
	{ "latency", "Time to answer", add_time, false,
	  { { "p50", "l1", AT(p50_ms) }, { "p90", "l2", AT(p90_ms) }, { "p99", "l3", AT(p99_ms) } } },
	{ "traffic", "Sent", print_bps, true, { { "out", "c2", AT(out_bps) } } },
	{ "connections", "Connections", add_count, true, { { "open", "c3", AT(connections) } } },
	{ "busy", "Busiest loop", add_percent, true, { { "busy", "c2", AT(busy) } } },
};

static double value_of(const struct point *p, const struct line *l)
{
	float value = *(const float *)(const void *)((const char *)p + l->offset);
	return isfinite(value) && value > 0 ? (double)value : 0;
}

/* What line i of a chart stands at: on those before it, where they are stacked. */
static double height_of(const struct chart *c, unsigned i, const struct point *p)
{
	double sum = 0;
	for (unsigned k = c->stacked ? 0 : i; k <= i; k++)
		sum += value_of(p, &c->lines[k]);
	return sum;
}

static unsigned lines_of(const struct chart *c)
{
	unsigned count = 0;
	while (count < LINES_MOST && c->lines[count].name)
		count++;
	return count;
}

/* The round number above all values: 1, 2 or 5 and zeros, of the unit that it is shown in. */
static double top_of(const struct chart *c, const struct view *v)
{
	static const double STEPS[] = { 1, 2, 5, 10 };
	double most = 0, unit = 1;
	for (unsigned i = 0; i < v->point_count; i++)
		for (unsigned k = 0; k < lines_of(c); k++)
			most = fmax(most, height_of(c, k, &v->points[i]));
	if (c->print == add_percent && most < 0.1)
		return 0.1;
	if (c->print == print_bps && most >= 1024)
		unit = pow(1024, floor(log2(most) / 10));
	if (most > 0)
		unit *= pow(10, floor(log10(most / unit)));
	size_t i = 0;
	while (i + 1 < countof(STEPS) && STEPS[i] * unit < most)
		i++;
	return STEPS[i] * unit;
}

static unsigned x_of(const struct view *v, unsigned i)
{
	return (POINTS - v->point_count + i) * STEP;
}

/* Where nothing was asked there is no time to show: the line has a gap. */
static void print_line(struct buf *out, const struct view *v, const struct chart *c, unsigned k, double top)
{
	bool drawn = false;
	buf_addf(out, "<path class=\"%s\" d=\"", c->lines[k].class);
	for (unsigned i = 0; i < v->point_count; i++) {
		double value = height_of(c, k, &v->points[i]);
		if (value > 0)
			buf_addf(out, "%s%u %.1f", drawn ? "L" : "M", x_of(v, i), HIGH * (1 - value / top));
		drawn = value > 0;
	}
	buf_add(out, STR("\"/>"));
}

static void print_area(struct buf *out, const struct view *v, const struct chart *c, unsigned k, double top)
{
	if (!v->point_count)
		return;
	buf_addf(out, "<path class=\"%s\" d=\"M%u %u", c->lines[k].class, x_of(v, 0), HIGH);
	for (unsigned i = 0; i < v->point_count; i++)
		buf_addf(out, "L%u %.1f", x_of(v, i), HIGH * (1 - height_of(c, k, &v->points[i]) / top));
	buf_addf(out, "V%uZ\"/>", HIGH);
}

/* What stands behind is drawn first: the sum of all, then what is below each. */
static void print_drawing(struct buf *out, const struct view *v, const struct chart *c, double top)
{
	buf_addf(out, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" aria-hidden=\"true\">", WIDE, HIGH);
	for (unsigned k = lines_of(c); k-- > 0;) {
		if (c->stacked)
			print_area(out, v, c, k, top);
		else
			print_line(out, v, c, k, top);
	}
	buf_addf(out, "<path class=\"grid\" d=\"M0 0H%d M0 %dH%d M0 %dH%d\"/></svg>", WIDE, HIGH / 2, WIDE, HIGH, WIDE);
}

static void print_legend(struct buf *out, const struct view *v, const struct chart *c)
{
	const struct point *last = v->point_count ? &v->points[v->point_count - 1] : NULL;
	buf_add(out, STR("<ul class=\"legend\">"));
	for (unsigned k = 0; k < lines_of(c); k++) {
		buf_addf(out, "<li class=\"%s\">%s <b>", c->lines[k].class, c->lines[k].name);
		c->print(out, last ? value_of(last, &c->lines[k]) : 0);
		buf_add(out, STR("</b></li>"));
	}
	buf_add(out, STR("</ul>"));
}

static void print_chart(struct buf *out, const struct view *v, const struct chart *c)
{
	double top = top_of(c, v);
	buf_addf(out, "<figure class=\"chart\" id=\"chart-%s\"><figcaption><h2>%s</h2>", c->id, c->title);
	print_legend(out, v, c);
	buf_add(out, STR("</figcaption><div class=\"plot\"><span class=\"top\">"));
	c->print(out, top);
	buf_add(out, STR("</span><span class=\"half\">"));
	c->print(out, top / 2);
	buf_add(out, STR("</span>"));
	print_drawing(out, v, c, top);
	buf_add(out, STR("</div><div class=\"ends\"><span>5 min ago</span><span>now</span></div></figure>"));
}

void part_charts(struct buf *out, const struct view *v)
{
	for (size_t i = 0; i < countof(CHARTS); i++)
		print_chart(out, v, &CHARTS[i]);
}

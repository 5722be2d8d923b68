/* HTML for the status page's parts.  No state. */
#include "control/page_in.h"

#include <math.h>

#include "base/mem.h"

/* --- Text. --- */

void html_text(struct buf *out, struct str text)
{
	buf_add(out, STR("<bdi>"));
	while (text.n) {
		size_t plain = 0;
		while (plain < text.n && str_is_printable(str_make(text.p + plain, 1)))
			plain++;
		buf_add_html(out, str_head(text, plain));
		if (plain < text.n)
			buf_add(out, STR("\xef\xbf\xbd"));
		text = str_from(text, plain + 1);
	}
	buf_add(out, STR("</bdi>"));
}

void html_value(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (str_is_printable(str_make(text.p + i, 1)))
			buf_add_html(out, str_make(text.p + i, 1));
		else
			buf_addf(out, "&#%u;", (unsigned char)text.p[i]);
}

/* --- Numbers. --- */

struct scale {
	double least;                /* from here on the unit is used; 0: the last row */
	double is;                   /* what one of the unit is */
	const char *unit;
};

/* Two or three digits are all that a glance takes in. */
static void add_scaled(struct buf *out, double n, const struct scale *rows)
{
	while (rows->least > 0 && n < rows->least * 0.9995)
		rows++;
	double shown = n / rows->is;
	buf_addf(out, "%.*f%s", shown >= 9.95 || shown == floor(shown) ? 0 : 1, shown, rows->unit);
}

void add_count(struct buf *out, double n)
{
	static const struct scale ROWS[] = { { 1e10, 1e9, " G" }, { 1e7, 1e6, " M" }, { 1e5, 1e3, " k" }, { 0, 1, "" } };
	if (n > 0 && n < 0.05)
		buf_addf(out, "%.2f", n);
	else
		add_scaled(out, n, ROWS);
}

void add_size(struct buf *out, double bytes)
{
	static const struct scale ROWS[] = { { 0x1p40, 0x1p40, " TB" }, { 0x1p30, 0x1p30, " GB" },
		                             { 0x1p20, 0x1p20, " MB" }, { 0x1p10, 0x1p10, " KB" }, { 0, 1, " B" } };
	add_scaled(out, bytes >= 1024 ? bytes : bytes > 0 ? floor(bytes) : 0, ROWS);
}

void add_time(struct buf *out, double ms)
{
	static const struct scale ROWS[] = { { 60000, 60000, " min" }, { 1000, 1000, " s" }, { 1, 1, " ms" },
		                             { 0, 0.001, " µs" } };
	if (ms > 0 && isfinite(ms))
		add_scaled(out, ms < 1 ? floor(ms * 1000) / 1000 : ms, ROWS);
	else
		buf_add(out, STR("–"));
}

void add_age(struct buf *out, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} UNITS[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" } };
	size_t i = 0;
	while (i + 1 < countof(UNITS) && ms < 2 * UNITS[i].ms)
		i++;
	buf_addf(out, "%llu %s", (unsigned long long)(ms / UNITS[i].ms), UNITS[i].unit);
}

void add_percent(struct buf *out, double share)
{
	double percent = 100 * share;
	buf_addf(out, "%.*f %%", percent > 0 && percent < 9.95 ? 1 : 0, percent);
}

/* --- Cells and tables. --- */

void cell_begin(struct buf *out, const char *class)
{
	if (*class)
		buf_addf(out, "<td class=\"%s\">", class);
	else
		buf_add(out, STR("<td>"));
}

void cell_end(struct buf *out)
{
	buf_add(out, STR("</td>"));
}

void cell_text(struct buf *out, struct str text)
{
	cell_begin(out, "");
	html_text(out, text);
	cell_end(out);
}

void cell_count(struct buf *out, double n)
{
	cell_begin(out, n > 0 ? "n" : "n zero");
	add_count(out, n);
	cell_end(out);
}

void cell_size(struct buf *out, double bytes)
{
	cell_begin(out, bytes > 0 ? "n" : "n zero");
	add_size(out, bytes);
	cell_end(out);
}

void cell_time(struct buf *out, double ms)
{
	cell_begin(out, ms > 0 ? "n" : "n zero");
	add_time(out, ms);
	cell_end(out);
}

/* What should not happen at all. */
void cell_bad(struct buf *out, double n)
{
	cell_begin(out, n > 0 ? "n bad" : "n zero");
	add_count(out, n);
	cell_end(out);
}

static void bar(struct buf *out, double share, const char *class)
{
	double shown = share < 0 ? 0 : share > 1 ? 1 : share;
	buf_addf(out,
	         "<svg class=\"%s\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
	         "<rect width=\"100\" height=\"1\"/><rect width=\"%.1f\" height=\"1\"/></svg>", class, 100 * shown);
}

void add_bar(struct buf *out, double share)
{
	bar(out, share, share >= 0.9 ? "bar bad" : share >= 0.7 ? "bar warn" : "bar");
}

void add_level(struct buf *out, double share)
{
	bar(out, share, "bar");
}

void table_begin(struct buf *out, const char *class, const char *titles)
{
	struct str rest = str_of(titles);
	buf_addf(out, "<div class=\"scroll\"><table class=\"%s\"><thead><tr>", class);
	while (rest.p) {
		struct str title = str_cut(&rest, '|');
		bool number = str_starts(title, STR(">"));
		title = str_from(title, number);
		buf_addf(out, "<th%s>%.*s</th>", number ? " class=\"n\"" : "", STR_F(title));
	}
	buf_add(out, STR("</tr></thead><tbody>"));
}

void table_end(struct buf *out)
{
	buf_add(out, STR("</tbody></table></div>"));
}

/* --- Rates. --- */

double seconds_between(const struct view *v)
{
	uint64_t ms = v->now->at_ms - v->minute->at_ms;
	return ms ? (double)ms / 1000 : 1;
}

void rates_of(const struct view *v, unsigned number, struct rates *out)
{
	static const struct meter_sum NOTHING;
	const struct meter_sum *before = number < v->minute->meter_count ? &v->minute->meters[number] : &NOTHING;
	const struct meter_sum *now = &v->now->meters[number];
	double seconds = seconds_between(v);
	*out = (struct rates){
		.requests_ps = (double)(now->requests - before->requests) / seconds,
		.out_bps = (double)(now->out_b - before->out_b) / seconds,
		.shed_ps = (double)(now->shed - before->shed) / seconds,
		.time = now->time,
		.wait = now->wait,
	};
	for (size_t i = 0; i < METER_CLASSES; i++)
		out->by_class_ps[i] = (double)(now->by_class[i] - before->by_class[i]) / seconds;
	distribution_sub(&out->time, &before->time);
	distribution_sub(&out->wait, &before->wait);
}

bool rates_of_pool(const struct view *v, struct str name, struct rates *out)
{
	for (unsigned i = 1; i < v->now->meter_count; i++) {
		const struct meter_sum *m = &v->now->meters[i];
		if (m->kind != METER_POOL || !str_eq(m->name, name))
			continue;
		rates_of(v, i, out);
		return true;
	}
	*out = (struct rates){};
	return false;
}

double quantile_ms(const struct distribution *d, double q)
{
	return (double)distribution_quantile_us(d, q) / 1000;
}

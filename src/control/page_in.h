/* What the files of the status page know of each other: page_live.c asks for the parts, page_*.c print them.  All of it
 * on the control thread. */
#pragma once

#include "control/admin.h"
#include "control/sample.h"

/* What is shown. */
struct view {
	const struct control *control;
	const struct sample *now, *minute;   /* the newest, and one of about a minute before it */
	const struct point *points;          /* oldest first */
	unsigned point_count;
	bool buttons;
};

/* A section of the page: what it shows stands in an element of this id.  It has no line breaks, so that it is one line
 * of an event stream. */
struct part {
	const char *id;
	void (*print)(struct buf *out, const struct view *v);
};

/* Ended by a NULL id. */
extern const struct part PARTS[];
enum { PARTS_MOST = 16 };

void part_head(struct buf *out, const struct view *v);        /* page_parts.c */
void part_alerts(struct buf *out, const struct view *v);
void part_tiles(struct buf *out, const struct view *v);
void part_charts(struct buf *out, const struct view *v);      /* page_charts.c */
void part_routes(struct buf *out, const struct view *v);      /* page_parts.c */
void part_pools(struct buf *out, const struct view *v);       /* page_pools.c */
void part_apps(struct buf *out, const struct view *v);
void part_caches(struct buf *out, const struct view *v);      /* page_caches.c */
void part_inside(struct buf *out, const struct view *v);      /* page_inside.c */
void part_changes(struct buf *out, const struct view *v);

/* --- page_text.c: text of anybody's, escaped; as text, without what controls, and as an attribute's value. --- */

void html_text(struct buf *out, struct str text);
void html_value(struct buf *out, struct str text);

/* --- Numbers as a person reads them: "12.3 k", "4.2 MB", "17 ms", "3 min", "0.4 %". --- */

void add_count(struct buf *out, double n);
void add_size(struct buf *out, double bytes);
void add_time(struct buf *out, double ms);
void add_age(struct buf *out, uint64_t ms);
void add_percent(struct buf *out, double share);
/* A bar of a share, 0 … 1. */
void add_bar(struct buf *out, double share);
/* Of one that may be anything. */
void add_level(struct buf *out, double share);

/* --- Tables. --- */

/* Titles apart by '|', a '>' before those of numbers. */
void table_begin(struct buf *out, const char *class, const char *titles);
void table_end(struct buf *out);
void cell_begin(struct buf *out, const char *class);
void cell_end(struct buf *out);
void cell_text(struct buf *out, struct str text);
void cell_count(struct buf *out, double n);
void cell_size(struct buf *out, double bytes);
void cell_time(struct buf *out, double ms);
/* Of what should not happen at all. */
void cell_bad(struct buf *out, double n);

/* --- What happened in the last minute. --- */

struct rates {
	double requests_ps, out_bps, shed_ps;
	double by_class_ps[METER_CLASSES];
	struct distribution time, wait;
};

double seconds_between(const struct view *v);
/* Of meter `number`; one that is new counts from nothing. */
void rates_of(const struct view *v, unsigned number, struct rates *out);
/* Of a pool by its name; false: it was not asked yet. */
bool rates_of_pool(const struct view *v, struct str name, struct rates *out);
double quantile_ms(const struct distribution *d, double q);

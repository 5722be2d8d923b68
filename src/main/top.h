/* What `petrel top` shows of a server's answers.  One thread. */
#pragma once

#include <jansson.h>

#include "main/table.h"

/* What is asked of the server each time: its paths. */
enum { TOP_STATUS, TOP_POOLS, TOP_APPS, TOP_ALERTS, TOP_ASKED };
extern const char *const TOP_PATHS[TOP_ASKED];

/* One round of answers. */
struct top_round {
	json_t *answer[TOP_ASKED];
	uint64_t at_ms;              /* monotonic */
};

void top_round_fini(struct top_round *r);

enum top_view { TOP_OVERVIEW, TOP_ROUTES, TOP_SERVERS, TOP_PROCESSES, TOP_CACHES, TOP_LOOPS,
                TOP_VIEWS };

struct top {
	struct top_round now, before;   /* before: its answers are NULL while there was one only */
	enum top_view view;
	unsigned sort[TOP_VIEWS];       /* a column of the view's table; UINT_MAX: as it comes */
	bool reverse[TOP_VIEWS];
	unsigned scroll;                /* rows that are above the screen */
	unsigned width, height;         /* height 0: as many lines as there are */
	bool colour;
	const char *trouble;            /* why there is no newer answer; NULL */
	const char *where;              /* who was asked */
};

/* Appends what is to be seen, line by line, each within the width, at most `height` of them. */
void top_draw(struct top *t, struct buf *out);

/* --- main/top_rows.c --- */

enum { TOP_CELLS = 10, TOP_NARROW = 100 };

struct top_row {
	struct str cell[TOP_CELLS];
	double key[TOP_CELLS];          /* what to sort by; texts are sorted by themselves where both are 0 */
	enum colour colour;             /* of cell `coloured` */
	bool trouble;                   /* comes first where nobody chose an order */
};

struct top_rows {
	struct arena arena;
	struct top_row *p;
	size_t count, cap;
};

struct top_table {
	const char *name;               /* of the view */
	struct column columns[TOP_CELLS + 1];
	unsigned coloured;              /* the column with the state */
	unsigned sort;                  /* what it is sorted by while nobody chose */
	unsigned aside;                 /* the column that stands below the table where the terminal is narrow; 0: none */
	void (*collect)(const struct top *t, struct top_rows *rows);
};

/* By view; that of the overview is empty. */
extern const struct top_table TOP_TABLES[TOP_VIEWS];
void top_rows_fini(struct top_rows *rows);

/* A member as text, and as number. */
const char *json_text(const json_t *json, const char *name);
double json_number(const json_t *json, const char *name);
/* "3.4 ms"; "-": none. */
void time_add(struct buf *out, double ms);
void rate_add(struct buf *out, double n);

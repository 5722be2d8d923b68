/* What an operator sets in a running server: configuration that is laid over the files'.
 *
 * It is applied by the same rows and functions, scope by scope, after what stands in the files: so a value that was set
 * wins over the file's, a statement of a list is added to it, and a block (pool, app, site, route) is one that is there.
 * Which rows can't be set says their `fixed`.  No state; the thread that builds. */
#pragma once

#include "config/site.h"

/* The statements for this site, over its own; f is its frame. */
void overlay_site(struct frame *f, const struct site *site);
/* Those for the route of this statement; f is the route's frame. */
void overlay_route(struct frame *f, const struct site *site, const struct statement *route);
/* Says which routes of the site, and which sites, are not there. */
void overlay_check_routes(struct frame *f, const struct site *site, const struct flat *list);
void overlay_check_sites(struct frame *main);

/* A setting: "pool api queue 2000 timeout 3s", taken apart. */
struct overlay_line {
	struct buf text;   /* as configuration, each head, statement and brace on a line: "pool api {\nqueue 2000;\n}\n" */
	struct buf words;  /* as it was said, with one blank between words */
	struct buf name;   /* what is set, without the values: "pool api queue"; of a list, with them */
	bool block;        /* a block is named, and nothing in it */
};

void overlay_line_fini(struct overlay_line *l);
/* Takes words apart by the tables; 0, or -EINVAL and a sentence in *why.  Whether the names and values are right shows when
 * it is built. */
[[nodiscard]] int overlay_line_read(const struct module *const *modules, size_t count, struct str words,
                                    struct overlay_line *out, struct buf *why);
/* Why it can't be built: the first error in one line, with its hints or without. */
void overlay_why(const struct messages *m, bool hints, struct buf *out);

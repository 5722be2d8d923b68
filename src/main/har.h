/* struct har: requests in a file that browsers and other programs read (HTTP Archive 1.2).  Whole after each request, so
 * that whoever ends the program has one that can be read.  One thread. */
#pragma once

#include <jansson.h>
#include <stdio.h>

struct har {
	FILE *file;
	long end;             /* where the next entry begins */
	size_t count;
};

/* Replaces the file; only its owner can read it.  0 or -errno. */
[[nodiscard]] int har_open(struct har *h, const char *path);
/* A line of GET /trace.  0 or -errno. */
[[nodiscard]] int har_add(struct har *h, const json_t *trace);
void har_close(struct har *h);

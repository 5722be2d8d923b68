/* The hot list: the names of hot files, written down when the worker stops, and warmed when the next one starts.
 *
 * A text file that anyone may read: a first line that says what it is, then a line for each file, the hottest first: the
 * number of its root (http/hot.h), a blank, its path.  Whatever is not understood is passed over. */
#pragma once

#include "http/home.h"

/* Writes the list of what is hot to fd, in place of what was there.  The control thread, at the end; may wait. */
void warm_write(int fd, struct store *hot);

struct warm;
/* Reads the list from fd (borrowed) and takes the roots from the configuration.  NULL where there is nothing to warm.  The
 * control thread; may wait. */
struct warm *warm_read(int fd, const struct conf *conf);
/* On the loop's thread: brings the list's files into the hot set at the configured rate; then frees *w, and makes it
 * NULL. */
void warm_start(struct warm **w, struct home *h);
/* NULL is fine. */
void warm_free(struct warm *w);

/* struct journal: the purges of a cache's folder, one line each, so that what was purged stays so after a restart.
 *
 * Belongs to whoever may write to the folder, one thread at a time.  A journal that is missing, is another folder's, or has
 * a line that is damaged stands for a purge of all that was there. */
#pragma once

#include "share/purges.h"

struct journal;

/* The folder's, with the number that tells it from others; is_new: there is nothing in it yet.  What it says is added to
 * purges.  Waits.  0, or -errno with *why. */
[[nodiscard]] int journal_open(struct journal **out, int dir_fd, uint64_t seed, bool is_new, struct purges *purges,
                               const char **why);
void journal_free(struct journal *j);
/* Appends lines, and has them on the disk.  0 or -errno: then, unless a later call has more luck, the next start finds no
 * journal. */
[[nodiscard]] int journal_add(struct journal *j, struct str lines);

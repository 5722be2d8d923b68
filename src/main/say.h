/* What the supervisor says: lines on standard error, where systemd's journal or a terminal reads them, and in the error
 * log's file, where there is one.
 *
 * The worker has a log with a thread of its own; the supervisor says little, and may wait for whoever reads. */
#pragma once

#include "base/str.h"

/* "petrel: …" and a newline, in one write; in the file, with the time. */
[[gnu::format(printf, 1, 2)]] void say(const char *format, ...);
/* Lines that are on standard error already, for the file. */
void say_again(struct str lines);
/* The error log's file, borrowed; -1: none. */
void say_to(int fd);

/* The last words of a worker: what every loop was doing when a signal ended it.
 *
 * Lines go to standard error and into a memory file that the supervisor reads after the death; then the signal does
 * what it would have done anyway, so that the supervisor sees the true one and a core dump shows the true stack. */
#pragma once

#include "event/loop.h"

/* Takes over SIGSEGV, SIGBUS, SIGABRT, SIGFPE and SIGILL for the process.  report_fd: where else the lines go; -1 for
 * nowhere.  The calling thread needs panic_thread(), too. */
void panic_start(int report_fd);
/* What this loop did last is shown from now on.  The loop has to live as long as the process.  Before its thread runs;
 * one thread at a time. */
void panic_watch(struct loop *l);
/* The calling thread can report a stack overflow; what names it in the first line ("loop", "writer"; a literal), l
 * is the loop that it runs, or NULL.  Every thread, once, before its work. */
void panic_thread(const char *what, struct loop *l);

/* The end of a program whose invariant broke: one line on standard error, then SIGABRT.  Any thread. */
#include "base/must.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void must_fail(const char *cond, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof text, "petrel: %s:%d: must(%s)\n", file, line, cond);
	/* One write, so that lines of two threads do not mix; nothing can be done if it fails. */
	if (n > 0 && write(STDERR_FILENO, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1) < 0)
		_exit(70);
	/* The signal carries the line, for a handler that wants to show it elsewhere. */
	pthread_sigqueue(pthread_self(), SIGABRT, (union sigval){ .sival_ptr = text });
	abort();
}

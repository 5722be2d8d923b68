/* The supervisor's lines on standard error.  Any process of ours before it has a log; no state. */
#include "main/say.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/buf.h"

void say(const char *format, ...)
{
	struct buf line = {};
	va_list args;
	va_start(args, format);
	buf_add(&line, STR("petrel: "));
	buf_addv(&line, format, args);
	buf_add_char(&line, '\n');
	va_end(args);
	/* Nothing can be done, and nobody told, where this fails. */
	(void)!write(STDERR_FILENO, line.p, line.n);
	buf_fini(&line);
}

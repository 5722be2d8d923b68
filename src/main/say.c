/* The supervisor's lines.  The supervisor's thread, and the worker's before it has a log. */
#include "main/say.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/civil.h"
#include "base/clock.h"

#define NAME STR("petrel: ")

static int file = -1;

/* Nothing can be done, and nobody told, where writing fails. */
static void write_file(struct str text)
{
	struct timespec now;
	char stamp[32];
	struct buf line = {};
	clock_gettime(CLOCK_REALTIME, &now);
	int n = (int)civil_print(stamp, now.tv_sec);
	buf_addf(&line, "%.*s.%03ldZ notice: %.*s\n", n, stamp, now.tv_nsec / 1000000, STR_F(text));
	(void)!write(file, line.p, line.n);
	buf_fini(&line);
}

void say(const char *format, ...)
{
	struct buf line = {};
	va_list args;
	va_start(args, format);
	buf_add(&line, NAME);
	buf_addv(&line, format, args);
	va_end(args);
	if (file >= 0)
		write_file(str_from(buf_str(&line), NAME.n));
	buf_add_char(&line, '\n');
	(void)!write(STDERR_FILENO, line.p, line.n);
	buf_fini(&line);
}

void say_again(struct str lines)
{
	if (file < 0)
		return;
	while (lines.n)
		write_file(str_cut(&lines, '\n'));
}

void say_to(int fd)
{
	file = fd;
}

/* A terminal's modes, by termios and what all terminals since the VT100 understand.  The process has one terminal, and so
 * what it was like before is kept here.  The main thread. */
#include "main/term.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"

/* The other screen, no cursor, no wrapping of long lines; and back. */
static const char ENTER[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char LEAVE[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

static struct termios before;
static volatile sig_atomic_t is_open;

/* Also in a signal's handler: calls nothing but the system. */
static void put(const char *text, size_t n)
{
	while (n) {
		ssize_t wrote = write(STDOUT_FILENO, text, n);
		if (wrote <= 0)
			return;
		text += wrote;
		n -= (size_t)wrote;
	}
}

void term_close(void)
{
	if (!is_open)
		return;
	is_open = 0;
	put(LEAVE, sizeof LEAVE - 1);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* What ends us without a word. */
static void on_crash(int number)
{
	term_close();
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_crashes(void)
{
	static const int CRASHES[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS };
	for (size_t i = 0; i < countof(CRASHES); i++)
		signal(CRASHES[i], on_crash);
}

bool term_open(void)
{
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before))
		return false;
	struct termios raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		return false;
	is_open = 1;
	atexit(term_close);
	catch_crashes();
	put(ENTER, sizeof ENTER - 1);
	return true;
}

void term_size(unsigned *width, unsigned *height)
{
	struct winsize size = {};
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*width = size.ws_col ? size.ws_col : 80;
	*height = size.ws_row ? size.ws_row : 24;
}

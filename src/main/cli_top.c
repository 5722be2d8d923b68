/* petrel top: asks a server over its admin socket each second, draws what it said, and listens to keys.  One thread,
 * which waits in poll() only: a server that hangs holds up no key. */
#include "main/cli_top.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "main/cli_ctl.h"
#include "main/fetch.h"
#include "main/term.h"
#include "main/top.h"

enum { TOP_CONFIG, TOP_SOCKET, TOP_EVERY, TOP_TOKEN };
enum { FAILED = 1, USAGE = 2, EVERY_MS = 1000, PATIENCE_MS = 5000, RATES_MS = 300 };

const struct option TOP_OPTIONS[] = {
	[TOP_CONFIG] = { "config", 'c', "FILE", "the configuration, which names the admin socket" },
	[TOP_SOCKET] = { "socket", 's', "ADDRESS", "the admin socket: a path, or ADDR:PORT" },
	[TOP_EVERY] = { "every", 'e', "TIME", "how often to look: 500ms, 5s; each second otherwise" },
	[TOP_TOKEN] = { "token-file", 0, "FILE", "holds the token for an address over TCP; else $PETREL_TOKEN does" },
	{},
};

struct looking {
	struct admin_at admin;
	struct top top;
	struct fetch fetches[TOP_ASKED];
	struct top_round coming;         /* answers of the round under way */
	unsigned left;                   /* of them; 0: none is under way */
	uint64_t every_ms, asked_ms;     /* asked_ms 0: not yet */
	uint64_t lost_ms;                /* when the server did not answer first; 0: it does */
	struct buf where, trouble;
	int signal_fd;
	bool quit;
};

/* --- Rounds. --- */

static void break_off(struct looking *l)
{
	for (size_t i = 0; i < TOP_ASKED; i++)
		fetch_stop(&l->fetches[i]);
	top_round_fini(&l->coming);
	l->left = 0;
}

static const char *trouble_of(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED: return "no server runs";
	case -ETIMEDOUT: return "no answer comes";
	case -EPROTO: return "no such answer came";
	default: return strerror(-err);
	}
}

static void lose(struct looking *l, int err)
{
	uint64_t now_ms = clock_ms();
	break_off(l);
	l->lost_ms = l->lost_ms ? l->lost_ms : now_ms;
	buf_clear(&l->trouble);
	buf_add(&l->trouble, str_of(trouble_of(err)));
	if (now_ms >= l->lost_ms + 1000) {
		buf_add(&l->trouble, STR(", for "));
		buf_add_age(&l->trouble, now_ms - l->lost_ms);
		buf_add_char(&l->trouble, ',');
	}
	buf_addf(&l->trouble, " at %.*s", STR_F(buf_str(&l->where)));
	buf_add_char(&l->trouble, '\0');
	l->top.trouble = l->trouble.p;
}

static void ask_all(struct looking *l)
{
	l->asked_ms = clock_ms();
	for (size_t i = 0; i < TOP_ASKED; i++) {
		int err = fetch_start(&l->fetches[i], &l->admin, TOP_PATHS[i]);
		if (err) {
			lose(l, err);
			return;
		}
		l->left++;
	}
}

/* All have answered. */
static void take_round(struct looking *l)
{
	struct top *t = &l->top;
	top_round_fini(&t->before);
	t->before = t->now;
	t->now = l->coming;
	t->now.at_ms = l->asked_ms;
	l->coming = (struct top_round){};
	/* What was before a restart is no measure of what is now. */
	if (l->lost_ms)
		top_round_fini(&t->before);
	l->lost_ms = 0;
	t->trouble = NULL;
}

/* True: there is something new to see. */
static bool hear(struct looking *l, const struct pollfd *fds)
{
	if (!l->left)
		return false;
	for (size_t i = 0; i < TOP_ASKED; i++) {
		if (fds[i].fd < 0 || !fds[i].revents)
			continue;
		int err = fetch_ready(&l->fetches[i], &l->coming.answer[i]);
		if (err && err != -EAGAIN) {
			lose(l, err);
			return true;
		}
		l->left -= !err;
	}
	if (!l->left) {
		take_round(l);
		return true;
	}
	if (clock_ms() < l->asked_ms + PATIENCE_MS)
		return false;
	lose(l, -ETIMEDOUT);
	return true;
}

/* --- Keys. --- */

static void move_order(struct top *t, int step)
{
	const struct top_table *table = &TOP_TABLES[t->view == TOP_OVERVIEW ? TOP_ROUTES : t->view];
	unsigned *sort = &t->sort[table - TOP_TABLES], count = 0;
	while (table->columns[count].title && !(table->aside == count && count && t->width < TOP_NARROW))
		count++;
	*sort = ((*sort == UINT_MAX ? table->sort : *sort) + count + (unsigned)step) % count;
}

static void on_key(struct looking *l, char key)
{
	static const char VIEWS[] = "orspcl";
	struct top *t = &l->top;
	const char *view = key ? strchr(VIEWS, key) : NULL;
	if (view) {
		t->view = (enum top_view)(view - VIEWS);
		t->scroll = 0;
	} else if (key == '<' || key == '>') {
		move_order(t, key == '<' ? -1 : 1);
	} else if (key == 'i') {
		t->reverse[t->view == TOP_OVERVIEW ? TOP_ROUTES : t->view] ^= true;
	} else if (key == 'k' || key == 'j') {
		t->scroll = key == 'j' ? t->scroll + 1 : t->scroll - (t->scroll > 0);
	} else if (key == '\t') {
		t->view = (t->view + 1) % TOP_VIEWS;
		t->scroll = 0;
	} else if (key == 'q' || key == 'Q') {
		l->quit = true;
	}
}

/* A key that sends several bytes, as another that sends one. */
static const struct {
	const char *bytes;
	char key;
	unsigned times;
} LONG_KEYS[] = {
	{ "\033[A", 'k', 1 }, { "\033[B", 'j', 1 }, { "\033[C", '>', 1 },   { "\033[D", '<', 1 },
	{ "\033OA", 'k', 1 }, { "\033OB", 'j', 1 }, { "\033OC", '>', 1 },   { "\033OD", '<', 1 },
	{ "\033[5~", 'k', 20 }, { "\033[6~", 'j', 20 },
};

static size_t on_long_key(struct looking *l, struct str input)
{
	for (size_t i = 0; i < countof(LONG_KEYS); i++) {
		if (!str_starts(input, str_of(LONG_KEYS[i].bytes)))
			continue;
		for (unsigned n = 0; n < LONG_KEYS[i].times; n++)
			on_key(l, LONG_KEYS[i].key);
		return strlen(LONG_KEYS[i].bytes);
	}
	return 0;
}

static void read_keys(struct looking *l)
{
	char bytes[64];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
	l->quit |= n <= 0;
	for (struct str rest = str_make(bytes, n > 0 ? (size_t)n : 0); rest.n;) {
		size_t used = on_long_key(l, rest);
		if (!used)
			on_key(l, rest.p[0]);
		rest = str_from(rest, used ? used : 1);
	}
}

/* --- Signals. --- */

static void suspend(void)
{
	term_close();
	raise(SIGSTOP);
	term_open();
}

static void read_signals(struct looking *l)
{
	struct signalfd_siginfo info;
	while (read(l->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGTSTP)
			suspend();
		else if (info.ssi_signo != SIGWINCH)
			l->quit = true;
	}
}

static int watch_signals(void)
{
	static const int WATCHED[] = { SIGWINCH, SIGTSTP, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < countof(WATCHED); i++)
		sigaddset(&set, WATCHED[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* --- The screen. --- */

/* In one write: nothing flickers. */
static void draw(struct looking *l)
{
	struct buf lines = {}, out = {};
	term_size(&l->top.width, &l->top.height);
	top_draw(&l->top, &lines);
	buf_add(&out, STR("\033[H"));
	for (struct str rest = buf_str(&lines); rest.n;) {
		buf_add(&out, str_cut(&rest, '\n'));
		buf_add(&out, rest.n ? STR("\033[K\r\n") : STR("\033[K\033[J"));
	}
	if (fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout))
		l->quit = true;
	buf_fini(&lines);
	buf_fini(&out);
}

static int until_next(const struct looking *l)
{
	uint64_t now_ms = clock_ms(), next_ms = l->asked_ms + (l->left ? PATIENCE_MS : l->every_ms);
	return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static void watch(struct looking *l)
{
	enum { KEYS = TOP_ASKED, SIGNALS, FDS };
	bool drawn = false;
	while (!l->quit) {
		if (!l->left && !until_next(l)) {
			ask_all(l);
			drawn &= !l->lost_ms;
		}
		if (!drawn)
			draw(l);
		struct pollfd fds[FDS] = { [KEYS] = { STDIN_FILENO, POLLIN, 0 }, [SIGNALS] = { l->signal_fd, POLLIN, 0 } };
		for (size_t i = 0; i < TOP_ASKED; i++)
			fds[i] = (struct pollfd){ l->fetches[i].fd, fetch_events(&l->fetches[i]), 0 };
		poll(fds, FDS, until_next(l));
		drawn = !hear(l, fds) && !fds[KEYS].revents && !fds[SIGNALS].revents;
		if (fds[SIGNALS].revents)
			read_signals(l);
		if (fds[KEYS].revents)
			read_keys(l);
	}
}

/* --- Without a terminal: what there is, once. --- */

static void ask_once(struct looking *l)
{
	ask_all(l);
	while (l->left) {
		struct pollfd fds[TOP_ASKED];
		for (size_t i = 0; i < TOP_ASKED; i++)
			fds[i] = (struct pollfd){ l->fetches[i].fd, fetch_events(&l->fetches[i]), 0 };
		poll(fds, TOP_ASKED, until_next(l));
		hear(l, fds);
	}
}

static int print_once(struct looking *l)
{
	struct buf out = {};
	ask_once(l);
	if (!l->lost_ms) {
		usleep(RATES_MS * 1000);
		ask_once(l);
	}
	if (l->lost_ms) {
		fprintf(stderr, "petrel top: %s\n", l->top.trouble);
		return FAILED;
	}
	l->top.width = 120;
	top_draw(&l->top, &out);
	fwrite(out.p, 1, out.n, stdout);
	buf_fini(&out);
	return 0;
}

static int every_of(const struct options *o, uint64_t *ms)
{
	const char *text = o->values[TOP_EVERY];
	*ms = EVERY_MS;
	if (!text || (!num_parse_duration(str_of(text), ms) && *ms >= 100 && *ms <= 3600000))
		return 0;
	fprintf(stderr, "petrel top: --every takes a time from 100ms to 1h, such as 5s\n");
	return USAGE;
}

int cli_top(const struct options *o)
{
	struct looking l = {};
	struct admin_told told = { "top", o->values[TOP_SOCKET], o->values[TOP_CONFIG], o->values[TOP_TOKEN] };
	int status = every_of(o, &l.every_ms);
	if (!status)
		status = admin_at_find(&told, &l.admin);
	if (status)
		return status;
	for (size_t i = 0; i < TOP_ASKED; i++)
		l.fetches[i].fd = -1;
	for (size_t i = 0; i < TOP_VIEWS; i++)
		l.top.sort[i] = UINT_MAX;
	addr_print(&l.where, &l.admin.addr);
	buf_add_char(&l.where, '\0');
	l.where.n--;
	l.top.where = l.where.p;
	l.top.colour = colour_wanted();
	l.signal_fd = watch_signals();
	if (term_open()) {
		watch(&l);
		term_close();
	} else {
		status = print_once(&l);
	}
	break_off(&l);
	for (size_t i = 0; i < TOP_ASKED; i++)
		fetch_fini(&l.fetches[i]);
	top_round_fini(&l.top.now);
	top_round_fini(&l.top.before);
	buf_fini(&l.where);
	buf_fini(&l.trouble);
	close(l.signal_fd);
	return status;
}

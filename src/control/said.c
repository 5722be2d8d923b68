/* Reading what processes say.  The control thread.
 *
 * A process may write without end: it is read at most READ_MOST_B at a time, with a pause after it, so that it waits for
 * us and not the other way round; and of its lines only so many go into the log. */
#include "control/said.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	READ_MOST_B = 2 * LOOP_SCRATCH_B,
	PAUSE_MS = 8,
	TOKENS_MOST = 200,
	TOKENS_A_SECOND = 50,
};

void tail_add(struct tail *l, struct str line)
{
	struct buf *b = &l->line[(l->at + l->count) % SAID_LINES];
	if (l->count < SAID_LINES)
		l->count++;
	else
		l->at = (l->at + 1) % SAID_LINES;
	buf_clear(b);
	buf_add(b, str_head(line, SAID_LINE_B));
}

struct str tail_get(const struct tail *l, unsigned i)
{
	return buf_str(&l->line[(l->at + i) % SAID_LINES]);
}

void tail_fini(struct tail *l)
{
	for (size_t i = 0; i < SAID_LINES; i++)
		buf_fini(&l->line[i]);
	*l = (struct tail){};
}

static bool take_token(struct said *s)
{
	uint64_t now_ms = s->loop->now_ms, more = (now_ms - s->tokens_ms) * TOKENS_A_SECOND / 1000;
	if (more) {
		s->tokens = s->tokens + more > TOKENS_MOST ? TOKENS_MOST : s->tokens + (unsigned)more;
		s->tokens_ms = now_ms;
	}
	if (!s->tokens)
		return false;
	s->tokens--;
	return true;
}

static void tell_left_out(struct said *s)
{
	if (s->left_out)
		log_line(s->ring, LOG_LEVEL_WARN, "%s: said %" PRIu64 " more line%s, which are left out here", s->who, s->left_out,
		         s->left_out == 1 ? "" : "s");
	s->left_out = 0;
}

static void add_line(struct said *s, struct str line)
{
	if (str_ends(line, STR("\r")))
		line.n--;
	tail_add(&s->last, line);
	if (s->quiet)
		return;
	if (!take_token(s)) {
		s->left_out++;
		return;
	}
	tell_left_out(s);
	log_line(s->ring, LOG_LEVEL_WARN, "%s: %.*s", s->who, STR_F(line));
}

static void add_part(struct said *s)
{
	if (s->part.n)
		add_line(s, buf_str(&s->part));
	buf_clear(&s->part);
}

/* Longer lines are logged in pieces. */
static void add_bytes(struct said *s, struct str bytes)
{
	while (bytes.n) {
		size_t room = SAID_LINE_B - s->part.n, end = str_find(str_head(bytes, room), '\n');
		struct str piece = str_head(bytes, end);
		if (end < bytes.n && bytes.p[end] == '\n') {
			buf_add(&s->part, piece);
			add_line(s, buf_str(&s->part));
			buf_clear(&s->part);
			bytes = str_from(bytes, end + 1);
			continue;
		}
		buf_add(&s->part, piece);
		bytes = str_from(bytes, piece.n);
		if (s->part.n == SAID_LINE_B)
			add_part(s);
	}
}

static void close_fd(struct said *s)
{
	timer_stop(&s->pause);
	if (s->watch.fd < 0)
		return;
	loop_unwatch(s->loop, &s->watch);
	close(s->watch.fd);
	s->watch.fd = -1;
	add_part(s);
	tell_left_out(s);
}

/* True: there may be more. */
static bool read_some(struct said *s)
{
	size_t all = 0;
	while (all < READ_MOST_B) {
		ssize_t n = read(s->watch.fd, s->loop->scratch, LOOP_SCRATCH_B);
		if (n == 0)
			close_fd(s);
		if (n <= 0)
			return false;
		add_bytes(s, str_make(s->loop->scratch, (size_t)n));
		s->read_b += (size_t)n;
		all += (size_t)n;
	}
	return true;
}

static void go_on(struct said *s)
{
	if (s->watch.fd >= 0 && !timer_is_set(&s->pause) && read_some(s))
		timer_set(&s->loop->wheel, &s->pause, s->loop->now_ms + PAUSE_MS);
}

static void ready(struct watch *w, uint32_t events)
{
	(void)events;
	go_on(container_of(w, struct said, watch));
}

static void paused(struct timer *t)
{
	go_on(container_of(t, struct said, pause));
}

void said_init(struct said *s, struct loop *l, struct log_ring *ring)
{
	*s = (struct said){ .watch = { -1, ready }, .loop = l, .ring = ring, .tokens = TOKENS_MOST };
	s->tokens_ms = l->now_ms;
	timer_init(&s->pause, paused);
}

void said_open(struct said *s, int fd, const char *who)
{
	said_close(s);
	s->watch.fd = fd;
	snprintf(s->who, sizeof s->who, "%s", who);
	if (loop_watch(s->loop, &s->watch) == 0)
		return;
	close(fd);
	s->watch.fd = -1;
}

void said_close(struct said *s)
{
	/* A pipe holds 64 KB, and at most a megabyte. */
	for (int i = 0; s->watch.fd >= 0 && i < 8 && read_some(s); i++)
		continue;
	close_fd(s);
}

void said_fini(struct said *s)
{
	close_fd(s);
	buf_fini(&s->part);
	tail_fini(&s->last);
}

/* Writes lines to descriptors.  See sink.h.  Runs on the log's writer thread. */
#include "share/sink.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

enum {
	STREAM_PIECE_B = 4096,    /* PIPE_BUF: what a pipe that is writable takes without waiting (pipe(7)) */
	FACILITY_DAEMON = 3 << 3, /* RFC 3164, 4.1.1 */
	TOLD_EVERY_MS = 1000,
};

static enum sink_kind kind_of(struct str name, int fd)
{
	struct stat s;
	if (str_starts(name, STR("syslog:")))
		return SINK_SYSLOG;
	if (fstat(fd, &s) < 0 || S_ISREG(s.st_mode) || (S_ISCHR(s.st_mode) && !isatty(fd)))
		return SINK_FILE;
	return SINK_STREAM;
}

struct log_sink *sink_new(struct str name, int fd)
{
	struct log_sink *s = mem_new(sizeof *s + name.n);
	char *own = (char *)(s + 1);
	if (name.n)
		memcpy(own, name.p, name.n);
	s->name = str_make(own, name.n);
	s->refs = 1;
	s->fd = fd;
	s->next_fd = s->move_fd = -1;
	s->kind = kind_of(name, fd);
	s->peer_b = sizeof s->peer;
	if (s->kind != SINK_SYSLOG || getpeername(fd, (struct sockaddr *)&s->peer, &s->peer_b) < 0)
		s->peer_b = 0;
	link_init(&s->all);
	link_init(&s->dirty);
	return s;
}

static void fd_close(int fd)
{
	if (fd >= 0 && fd != STDERR_FILENO)
		close(fd);
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Whole or torn lines among what is not written yet. */
static uint64_t lines_left(const struct log_sink *s)
{
	struct str rest = str_from(buf_str(&s->pending), s->written_b);
	uint64_t lines = 0;
	for (size_t i = 0; i < rest.n; i++)
		lines += rest.p[i] == '\n';
	return lines;
}

static void pending_clear(struct log_sink *s)
{
	buf_clear(&s->pending);
	s->written_b = 0;
	s->lines = 0;
}

static void lose_pending(struct log_sink *s, struct sink_counts *counts)
{
	uint64_t lost = lines_left(s);
	if (s->written_b > 0 && s->pending.p[s->written_b - 1] != '\n')
		s->torn = true;
	count(&counts->dropped, lost);
	count(&counts->written, s->lines - lost);
	pending_clear(s);
}

void sink_free(struct log_sink *s, struct sink_counts *counts)
{
	lose_pending(s, counts);
	link_del(&s->dirty);
	fd_close(s->fd);
	fd_close(s->next_fd);
	fd_close(s->move_fd);
	buf_fini(&s->pending);
	mem_free(s);
}

/* The rest of a line whose beginning went to the old file means nothing in the new one. */
static void skip_torn_line(struct log_sink *s)
{
	struct str rest = str_from(buf_str(&s->pending), s->written_b);
	if (s->written_b > 0 && rest.n > 0 && s->pending.p[s->written_b - 1] != '\n')
		s->written_b += str_find(rest, '\n') + 1;
	s->torn = false;
}

static void move(struct log_sink *s)
{
	fd_close(s->fd);
	s->fd = s->move_fd;
	s->move_fd = -1;
	s->kind = kind_of(s->name, s->fd);
	skip_torn_line(s);
}

static bool writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	return poll(&p, 1, 0) == 1;
}

/* There is no better place to tell that logs can't be written. */
static void tell(struct log_sink *s, int err)
{
	char text[256], reason[64];
	uint64_t now_ms = clock_ms();
	if (s->fd == STDERR_FILENO || (s->told_ms && now_ms - s->told_ms < TOLD_EVERY_MS) || !writable(STDERR_FILENO))
		return;
	s->told_ms = now_ms;
	int n = snprintf(text, sizeof text, "petrel: error: log %.*s: %s; lines are lost until it can be written\n",
	                 (int)(s->name.n < 100 ? s->name.n : 100), s->name.p, strerror_r(err, reason, sizeof reason));
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		return;
}

static void failed(struct log_sink *s, int err, struct sink_counts *counts)
{
	count(&counts->write_errors, 1);
	tell(s, err);
}

/* --- syslog. --- */

static unsigned severity_of(enum log_level level)
{
	static const unsigned SEVERITY[] = {
		[LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARN] = 4, [LOG_LEVEL_INFO] = 6, [LOG_LEVEL_DEBUG] = 7,
	};
	return SEVERITY[level];
}

/* The daemon was restarted: its socket is another one under the same name. */
static bool connect_again(const struct log_sink *s)
{
	return s->peer_b > 0 && connect(s->fd, (const struct sockaddr *)&s->peer, s->peer_b) == 0;
}

/* As the C library's syslog() says it, but without its local time: the daemon adds the time when it got it. */
static bool syslog_send(struct log_sink *s, enum log_level level, struct str line)
{
	char head[48];
	int n = snprintf(head, sizeof head, "<%u>petrel[%d]: ", FACILITY_DAEMON | severity_of(level), (int)getpid());
	struct str text = str_head(line, SYSLOG_MAX_B);
	if (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	char datagram[sizeof head + SYSLOG_MAX_B];
	memcpy(datagram, head, (size_t)n);
	memcpy(datagram + n, text.p, text.n);
	size_t size_b = (size_t)n + text.n;
	if (send(s->fd, datagram, size_b, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
		return false;
	return connect_again(s) && send(s->fd, datagram, size_b, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool syslog_add(struct log_sink *s, enum log_level level, struct str line, struct sink_counts *counts)
{
	bool sent = syslog_send(s, level, line);
	int err = errno;
	count(sent ? &counts->written : &counts->dropped, 1);
	if (!sent && err != EAGAIN)
		failed(s, err, counts);
	return sent;
}

/* --- Files and streams. --- */

bool sink_add(struct log_sink *s, enum log_level level, struct str line, struct sink_counts *counts)
{
	if (s->kind == SINK_SYSLOG)
		return syslog_add(s, level, line, counts);
	if (s->pending.n + line.n > PENDING_MAX_B) {
		count(&counts->dropped, 1);
		return false;
	}
	if (s->torn)
		buf_add_char(&s->pending, '\n');
	s->lines += s->torn;
	s->torn = false;
	buf_add(&s->pending, line);
	s->lines++;
	return true;
}

bool sink_flush(struct log_sink *s, struct sink_counts *counts)
{
	if (s->move_fd >= 0)
		move(s);
	while (s->written_b < s->pending.n) {
		size_t left_b = s->pending.n - s->written_b;
		if (s->kind == SINK_STREAM && !writable(s->fd))
			return false;
		if (s->kind == SINK_STREAM && left_b > STREAM_PIECE_B)
			left_b = STREAM_PIECE_B;
		ssize_t n = write(s->fd, s->pending.p + s->written_b, left_b);
		if (n >= 0) {
			s->written_b += (size_t)n;
		} else if (errno == EAGAIN) {
			return false;
		} else if (errno != EINTR) {
			int err = errno;
			lose_pending(s, counts);
			failed(s, err, counts);
			return true;
		}
	}
	count(&counts->written, s->lines);
	pending_clear(s);
	return true;
}

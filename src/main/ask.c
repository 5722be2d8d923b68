/* Asking a running server.  Blocks; one thread. */
#include "main/ask.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/num.h"

enum { ANSWER_MOST_B = 64 << 20, READ_B = 65536 };

/* A reload of ten thousand sites takes a fraction of a second; a server that hangs takes longer. */
static const struct timeval PATIENCE = { .tv_sec = 30 };

static int send_all(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -errno;
		bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

static int receive_all(int fd, struct buf *out)
{
	while (out->n < ANSWER_MOST_B) {
		ssize_t n = recv(fd, buf_room(out, READ_B), READ_B, 0);
		if (!n)
			return 0;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		out->n += n > 0 ? (size_t)n : 0;
	}
	return -EMSGSIZE;
}

/* HTTP/1.0: the answer ends with its connection, and nothing is chunked. */
static int send_ask(int fd, const struct admin_at *at, const char *method, struct str path, struct str body)
{
	struct buf request = {};
	buf_addf(&request, "%s %.*s HTTP/1.0\r\n", method, STR_F(path));
	admin_at_head(at, &request);
	if (body.n)
		buf_addf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.n);
	buf_add(&request, STR("\r\n"));
	buf_add(&request, body);
	int err = send_all(fd, buf_str(&request));
	buf_fini(&request);
	return err;
}

static void split(struct answer *a)
{
	struct str raw = buf_str(&a->raw);
	const char *end = raw.n ? memmem(raw.p, raw.n, "\r\n\r\n", 4) : NULL;
	uint64_t status = 0;
	if (!end || !str_starts(raw, STR("HTTP/1.")) || num_parse(str_head(str_from(raw, 9), 3), 999, &status))
		return;
	a->status = (unsigned)status;
	a->body = str_from(raw, (size_t)(end - raw.p) + 4);
}

/* A descriptor, or -errno. */
static int open_admin(const struct addr *admin)
{
	int fd = socket(admin->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &PATIENCE, sizeof PATIENCE);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &PATIENCE, sizeof PATIENCE);
	if (connect(fd, &admin->any, admin->length) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int ask(const struct admin_at *at, const char *method, struct str path, struct str body, struct answer *out)
{
	int fd = open_admin(&at->addr);
	*out = (struct answer){};
	if (fd < 0)
		return fd;
	int err = send_ask(fd, at, method, path, body);
	if (!err)
		err = receive_all(fd, &out->raw);
	close(fd);
	if (!err)
		split(out);
	return err;
}

/* --- Asking for what has no end. --- */

/* Until the head is whole. */
static int receive_head(int fd, struct answer *out)
{
	while (!out->status && out->raw.n < READ_B) {
		ssize_t n = recv(fd, buf_room(&out->raw, READ_B), READ_B, 0);
		if (n <= 0)
			return n < 0 && errno != EINTR ? -errno : -EPIPE;
		out->raw.n += (size_t)n;
		split(out);
	}
	return 0;
}

/* Gives away the whole lines in b, and keeps the rest. */
static bool give_lines(struct buf *b, bool (*see)(void *arg, struct str line), void *arg)
{
	struct str rest = buf_str(b);
	bool goes_on = true;
	for (size_t n; goes_on && (n = str_find(rest, '\n')) < rest.n; rest = str_from(rest, n + 1))
		goes_on = see(arg, str_head(rest, n));
	/* There may be no memory yet: the head came alone. */
	if (rest.n)
		memmove(b->p, rest.p, rest.n);
	b->n = rest.n;
	return goes_on;
}

static int receive_lines(int fd, struct str begin, bool (*see)(void *arg, struct str line), void *arg)
{
	static const struct timeval FOR_EVER = {};
	struct buf b = {};
	int err = 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &FOR_EVER, sizeof FOR_EVER);
	buf_add(&b, begin);
	while (give_lines(&b, see, arg) && b.n < ANSWER_MOST_B) {
		ssize_t n = recv(fd, buf_room(&b, READ_B), READ_B, 0);
		if (!n)
			break;
		if (n < 0 && errno != EINTR) {
			err = -errno;
			break;
		}
		b.n += n > 0 ? (size_t)n : 0;
	}
	buf_fini(&b);
	return err;
}

int ask_lines(const struct admin_at *at, struct str path, bool (*see)(void *arg, struct str line), void *arg,
              struct answer *out)
{
	int fd = open_admin(&at->addr);
	*out = (struct answer){};
	if (fd < 0)
		return fd;
	int err = send_ask(fd, at, "GET", path, STR(""));
	if (!err)
		err = receive_head(fd, out);
	if (!err && out->status == 200)
		err = receive_lines(fd, out->body, see, arg);
	else if (!err)
		err = receive_all(fd, &out->raw);
	close(fd);
	split(out);
	return err;
}

void answer_fini(struct answer *a)
{
	buf_fini(&a->raw);
	*a = (struct answer){};
}

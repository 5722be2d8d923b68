/* Asking without waiting.  Owns its socket. */
#include "main/fetch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MOST_B = 64 << 20, READ_B = 65536 };

void fetch_stop(struct fetch *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void fetch_fini(struct fetch *f)
{
	fetch_stop(f);
	buf_fini(&f->request);
	buf_fini(&f->answer);
}

int fetch_start(struct fetch *f, const struct admin_at *at, const char *path)
{
	buf_clear(&f->request);
	buf_clear(&f->answer);
	/* HTTP/1.0: the answer ends with its connection, and nothing is chunked. */
	buf_addf(&f->request, "GET %s HTTP/1.0\r\n", path);
	admin_at_head(at, &f->request);
	buf_add(&f->request, STR("\r\n"));
	f->sent = 0;
	f->fd = socket(at->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		return -errno;
	if (!connect(f->fd, &at->addr.any, at->addr.length) || errno == EINPROGRESS)
		return 0;
	int err = -errno;
	fetch_stop(f);
	return err;
}

short fetch_events(const struct fetch *f)
{
	return f->sent < f->request.n ? POLLOUT : POLLIN;
}

static int send_more(struct fetch *f)
{
	while (f->sent < f->request.n) {
		ssize_t n = send(f->fd, f->request.p + f->sent, f->request.n - f->sent, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		f->sent += (size_t)n;
	}
	return 0;
}

static int receive_more(struct fetch *f)
{
	while (f->answer.n < ANSWER_MOST_B) {
		ssize_t n = recv(f->fd, buf_room(&f->answer, READ_B), READ_B, 0);
		if (!n)
			return 0;
		if (n < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		f->answer.n += (size_t)n;
	}
	return -EMSGSIZE;
}

static int parse(const struct fetch *f, json_t **json)
{
	struct str all = buf_str(&f->answer);
	const char *end = all.n ? memmem(all.p, all.n, "\r\n\r\n", 4) : NULL;
	if (!end || !str_eq(str_head(str_from(all, 8), 5), STR(" 200 ")))
		return -EPROTO;
	struct str body = str_from(all, (size_t)(end - all.p) + 4);
	*json = json_loadb(body.p, body.n, 0, NULL);
	return *json ? 0 : -EPROTO;
}

int fetch_ready(struct fetch *f, json_t **json)
{
	int err = send_more(f);
	if (!err)
		err = receive_more(f);
	if (err == -EAGAIN)
		return err;
	fetch_stop(f);
	return err ? err : parse(f, json);
}

/* petrel webhook.  Blocks as long as it takes: who started it ends it at its deadline.  One thread. */
#include "main/webhook.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"
#include "control/alert_conf.h"
#include "main/tell.h"
#include "main/webhook_tls.h"

enum { INPUT_MOST_B = 1 << 20, ANSWER_MOST_B = 4096, PIECE_B = 4096, FAILED = 1 };

struct delivery {
	struct str url_text, secret, ca, fields, body;
	struct url url;
	struct tls_lib lib;
	int fd;
	struct tls tls;
	char why[300];
};

[[gnu::format(printf, 2, 3)]] static int fail(struct delivery *h, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(h->why, sizeof h->why, format, args);
	va_end(args);
	return -1;
}

/* --- What is to be sent. --- */

static int read_input(struct buf *in)
{
	ssize_t n;
	while (in->n < INPUT_MOST_B && (n = read(0, buf_room(in, PIECE_B), PIECE_B)) > 0)
		in->n += (size_t)n;
	return in->n < INPUT_MOST_B ? 0 : -1;
}

/* As tell_input() wrote it: texts with a NUL behind each, and the body. */
static int parse(struct delivery *h, struct str in)
{
	const char *why;
	h->url_text = str_cut(&in, '\0');
	h->secret = str_cut(&in, '\0');
	h->ca = str_cut(&in, '\0');
	h->fields = str_cut(&in, '\0');
	h->body = in;
	if (!in.p || url_parse(h->url_text, &h->url, &why))
		return fail(h, "there is nothing to send");
	return 0;
}

/* --- There. --- */

static int connect_to(struct delivery *h, const char *host, const char *port)
{
	const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found = NULL;
	int err = getaddrinfo(host, port, &wanted, &found);
	if (err)
		return fail(h, "%s can't be found: %s", host, err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
	h->fd = -1;
	for (const struct addrinfo *a = found; a && h->fd < 0; a = a->ai_next) {
		h->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (h->fd >= 0 && connect(h->fd, a->ai_addr, a->ai_addrlen) < 0) {
			err = errno;
			close(h->fd);
			h->fd = -1;
		}
	}
	freeaddrinfo(found);
	return h->fd < 0 ? fail(h, "%s port %s can't be connected to: %s", host, port, strerror(err)) : 0;
}

static int send_all(struct delivery *h, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = h->tls.ssl ? h->lib.SSL_write(h->tls.ssl, bytes.p, (int)bytes.n)
		                   : send(h->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n <= 0)
			return fail(h, "the server closed the connection");
		bytes = str_from(bytes, (size_t)n);
	}
	return 0;
}

static void add_signature(struct delivery *h, struct buf *out)
{
	struct buf text = {};
	char sum[HMAC_HEX_B + 1];
	unsigned long long now_s = clock_wall_ms() / 1000;
	buf_addf(out, "X-Petrel-Timestamp: %llu\r\n", now_s);
	if (!h->secret.n)
		return;
	buf_addf(&text, "%llu.", now_s);
	buf_add(&text, h->body);
	hmac_print(&h->lib, h->secret, buf_str(&text), sum);
	buf_addf(out, "X-Petrel-Signature: sha256=%s\r\n", sum);
	buf_fini(&text);
}

static int send_request(struct delivery *h)
{
	struct buf out = {};
	struct str target = h->url.target;
	buf_addf(&out, "POST %s%.*s HTTP/1.1\r\nHost: %.*s\r\n", str_starts(target, STR("/")) ? "" : "/", STR_F(target),
	         STR_F(h->url.authority));
	buf_addf(&out, "User-Agent: petrel/%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n", PETREL_VERSION,
	         h->body.n);
	add_signature(h, &out);
	buf_add(&out, h->fields);
	buf_add(&out, STR("Connection: close\r\n\r\n"));
	buf_add(&out, h->body);
	int err = send_all(h, buf_str(&out));
	buf_fini(&out);
	return err;
}

/* --- And back. --- */

/* Enough is known: the head of an answer of 2xx, or, of another, something of the body, which may say why. */
static bool is_enough(struct delivery *h, const struct buf *in)
{
	static const struct timeval SOON = { .tv_usec = 300000 };
	const char *end = memmem(in->p, in->n, "\r\n\r\n", 4);
	if (!end)
		return false;
	/* The body may be empty, and the server need not close. */
	setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &SOON, sizeof SOON);
	return (in->n > 9 && in->p[9] == '2') || end + 4 < in->p + in->n;
}

/* The head, and as much of the body as there is room for. */
static void receive(struct delivery *h, struct buf *in)
{
	while (in->n < ANSWER_MOST_B) {
		ssize_t n = h->tls.ssl ? h->lib.SSL_read(h->tls.ssl, buf_room(in, PIECE_B), PIECE_B)
		                   : recv(h->fd, buf_room(in, PIECE_B), PIECE_B, 0);
		if (n <= 0)
			return;
		in->n += (size_t)n;
		if (is_enough(h, in))
			return;
	}
}

static int understand(struct delivery *h, struct str in)
{
	uint64_t status = 0;
	if (!in.n)
		return fail(h, "the server closed the connection without an answer");
	if (!str_starts(in, STR("HTTP/1.")) || num_parse(str_head(str_from(in, 9), 3), 999, &status) || status < 100)
		return fail(h, "the server did not answer in HTTP");
	const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	struct str body = end ? str_trim(str_from(in, (size_t)(end - in.p) + 4)) : STR("");
	body = str_head(body, str_find(body, '\n'));
	if (status / 100 == 2)
		printf("answered %llu\n", (unsigned long long)status);
	else if (status / 100 == 3)
		return fail(h, "answered %llu: it is elsewhere, and redirects are not followed", (unsigned long long)status);
	else
		return fail(h, "answered %llu%s%.*s", (unsigned long long)status, body.n ? ": " : "", STR_F(str_head(body, 160)));
	return 0;
}

static int post(struct delivery *h)
{
	char host[300], port[16];
	struct buf answer = {};
	const char *missing = h->url.tls || h->secret.n ? tls_lib_open(&h->lib) : NULL;
	if (missing)
		return fail(h, "%s", missing);
	snprintf(host, sizeof host, "%.*s", STR_F(h->url.host));
	snprintf(port, sizeof port, "%.*s", STR_F(h->url.port));
	int err = connect_to(h, host, port);
	if (!err && h->url.tls)
		err = tls_open(&h->lib, &h->tls, h->fd, host, h->ca.p, h->why, sizeof h->why);
	if (!err)
		err = send_request(h);
	if (!err) {
		receive(h, &answer);
		err = understand(h, buf_str(&answer));
	}
	tls_close(&h->lib, &h->tls);
	buf_fini(&answer);
	return err;
}

int webhook_main(void)
{
	struct delivery h = {};
	struct buf in = {};
	/* What is in its memory now is a secret, and others may run as the same user. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	int err = read_input(&in) ? fail(&h, "there is too much to send") : parse(&h, buf_str(&in));
	close(0);
	if (!err)
		err = post(&h);
	if (err)
		printf("%s\n", h.why);
	fflush(stdout);
	buf_fini(&in);
	return err ? FAILED : 0;
}

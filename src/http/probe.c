/* Active health checks.  See probe.h.
 *
 * A look ends as soon as it can be judged: with the connection, with the status line, with the bytes that were looked
 * for.  Only the status line is read strictly (RFC 9112, 4): what else a server says is for its
 * real requests to judge. */
#include "http/probe.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"

enum { STATUS_LINE_B = 1024, READ_B = 4096, REST_MOST_B = 64 * 1024 };

static void disconnect(struct probe *p)
{
	if (p->watch.fd >= 0) {
		loop_forget(p->loop, &p->watch);
		close(p->watch.fd);
	}
	p->watch.fd = -1;
	buf_fini(&p->got);
}

/* What else there is of an answer is read and thrown away until the next look: a server that is still writing takes a
 * broken connection for a fault, and logs it. */
static void read_rest(struct probe *p)
{
	char rest[READ_B];
	ssize_t n = 0;
	while (p->rest_b < REST_MOST_B && (n = recv(p->watch.fd, rest, sizeof rest, 0)) > 0)
		p->rest_b += (size_t)n;
	if (n >= 0 || errno != EAGAIN)
		disconnect(p);
}

/* An eighth more or less than every_ms, so that the looks at many servers don't stay together. */
static uint64_t pause_ms(struct probe *p)
{
	uint64_t every_ms = p->health->every_ms, part_ms = every_ms / 4;
	p->chance = p->chance * 6364136223846793005u + 1442695040888963407u;
	return every_ms - part_ms / 2 + (p->chance >> 33) % (part_ms + 1);
}

/* The first look decides alone: what is known of a server that was never well? */
static bool turns(struct probe *p, bool well)
{
	if (p->known && well == p->well) {
		p->in_a_row = 0;
		return false;
	}
	return !p->known || ++p->in_a_row >= (well ? p->health->rise : p->health->fall);
}

/* What this look has found, in p->why. */
static void judge(struct probe *p, bool well)
{
	bool answers = p->at == PROBE_STATUS || p->at == PROBE_BODY;
	p->at = PROBE_PAUSE;
	p->rest_b = 0;
	buf_fini(&p->got);
	if (answers)
		read_rest(p);
	else
		disconnect(p);
	p->looks++;
	p->good = well ? p->good + 1 : 0;
	timer_stop(&p->timer);
	timer_set(&p->loop->wheel, &p->timer, p->loop->now_ms + pause_ms(p));
	if (!turns(p, well))
		return;
	p->known = true;
	p->well = well;
	p->in_a_row = 0;
	p->changed(p, well, p->why);  /* the last thing: it may stop the probe */
}

[[gnu::format(printf, 2, 3)]] static void unwell(struct probe *p, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(p->why, sizeof p->why, format, args);
	va_end(args);
	judge(p, false);
}

static void well(struct probe *p, const char *why)
{
	snprintf(p->why, sizeof p->why, "%s", why);
	judge(p, true);
}

/* --- The answer. --- */

/* "HTTP/1.1 200 OK": the status, or 0. */
static unsigned status_of(struct str line)
{
	uint64_t status;
	if (!str_starts(line, STR("HTTP/1.")) || line.n < 12 || !ascii_digit(line.p[7]) || line.p[8] != ' ')
		return 0;
	if (num_parse(str_make(line.p + 9, 3), 599, &status) || status < 100 || (line.n > 12 && line.p[12] != ' '))
		return 0;
	return (unsigned)status;
}

static bool is_expected(const struct probe *p, unsigned status)
{
	return p->health->status ? status == p->health->status : status >= 200 && status <= 399;
}

/* Takes an interim answer (RFC 9110, 15.2) off: it ends with an empty line.  False where that has not come yet. */
static bool skip_interim(struct probe *p)
{
	const char *end = memmem(p->got.p, p->got.n, "\r\n\r\n", 4);
	if (!end)
		return false;
	struct str rest = str_from(buf_str(&p->got), (size_t)(end + 4 - p->got.p));
	memmove(p->got.p, rest.p, rest.n);
	p->got.n = rest.n;
	return true;
}

/* True where the look is over. */
static bool judge_status(struct probe *p, unsigned status)
{
	if (!is_expected(p, status)) {
		unwell(p, "answered %u", status);
		return true;
	}
	if (p->health->body.n) {
		p->at = PROBE_BODY;
		return false;
	}
	snprintf(p->why, sizeof p->why, "answered %u", status);
	judge(p, true);
	return true;
}

/* After each piece of the answer; true where the look is over. */
static bool hear_status(struct probe *p)
{
	for (;;) {
		struct str rest = buf_str(&p->got), line = str_cut(&rest, '\n');
		if (!rest.p && p->got.n < STATUS_LINE_B)
			return false;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		unsigned status = rest.p ? status_of(line) : 0;
		if (!status) {
			unwell(p, "does not answer in HTTP");
			return true;
		}
		if (status >= 200 || status == 101)
			return judge_status(p, status);
		if (p->got.n >= PROBE_KEPT_B) {
			unwell(p, "answered %u, and nothing else", status);
			return true;
		}
		if (!skip_interim(p))
			return false;
	}
}

static bool hear_body(struct probe *p)
{
	struct str want = p->health->body;
	const char *head = memmem(p->got.p, p->got.n, "\r\n\r\n", 4);
	size_t from = head ? (size_t)(head + 4 - p->got.p) : 0;
	if (head && memmem(p->got.p + from, p->got.n - from, want.p, want.n)) {
		well(p, "answered with what it has to contain");
		return true;
	}
	if (p->got.n < PROBE_KEPT_B)
		return false;
	unwell(p, "answered %d bytes without \"%.*s\"", PROBE_KEPT_B, STR_F(str_head(want, 60)));
	return true;
}

static bool hear(struct probe *p)
{
	if (p->at == PROBE_STATUS && hear_status(p))
		return true;
	return p->at == PROBE_BODY && hear_body(p);
}

static void ended(struct probe *p)
{
	if (p->at == PROBE_BODY)
		unwell(p, "answered without \"%.*s\"", STR_F(str_head(p->health->body, 60)));
	else
		unwell(p, "closed the connection without an answer");
}

static void receive(struct probe *p)
{
	for (;;) {
		size_t room_b = PROBE_KEPT_B - p->got.n < READ_B ? PROBE_KEPT_B - p->got.n : READ_B;
		ssize_t n = recv(p->watch.fd, buf_room(&p->got, room_b), room_b, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			unwell(p, "broke the connection off: %s", strerror(errno));
			return;
		}
		if (n == 0) {
			ended(p);
			return;
		}
		p->got.n += (size_t)n;
		if (hear(p))
			return;
	}
}

/* --- The way there. --- */

static void send_ask(struct probe *p)
{
	while (p->ask_at < p->ask.n) {
		ssize_t n = send(p->watch.fd, p->ask.p + p->ask_at, p->ask.n - p->ask_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			unwell(p, "broke the connection off: %s", strerror(errno));
			return;
		}
		p->ask_at += (size_t)n;
	}
	p->at = PROBE_STATUS;
	receive(p);
}

static void connected(struct probe *p)
{
	int err = 0;
	socklen_t err_b = sizeof err;
	getsockopt(p->watch.fd, SOL_SOCKET, SO_ERROR, &err, &err_b);
	if (err) {
		unwell(p, "can't be connected to: %s", strerror(err));
	} else if (p->health->tcp) {
		well(p, "can be connected to");
	} else {
		p->at = PROBE_SEND;
		send_ask(p);
	}
}

static void ready(struct watch *w, uint32_t events)
{
	struct probe *p = container_of(w, struct probe, watch);
	if (p->at == PROBE_CONNECT && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		connected(p);
	else if (p->at == PROBE_SEND)
		send_ask(p);
	else if (p->at == PROBE_STATUS || p->at == PROBE_BODY)
		receive(p);
	else if (p->at == PROBE_PAUSE)
		read_rest(p);
}

static void look(struct probe *p)
{
	disconnect(p);
	p->ask_at = 0;
	p->at = PROBE_CONNECT;
	timer_set(&p->loop->wheel, &p->timer, p->loop->now_ms + p->health->timeout_ms);
	p->watch.fd = socket(p->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err = p->watch.fd < 0 ? errno : 0;
	if (!err && connect(p->watch.fd, (const struct sockaddr *)&p->addr, p->addr_b) < 0 && errno != EINPROGRESS)
		err = errno;
	if (!err)
		err = -loop_watch(p->loop, &p->watch);
	if (err)
		unwell(p, "can't be connected to: %s", strerror(err));
}

static void fired(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);
	char within[40];
	if (p->at == PROBE_PAUSE) {
		look(p);
		return;
	}
	size_t n = num_print_duration(within, p->health->timeout_ms);
	unwell(p, p->at == PROBE_CONNECT ? "can't be connected to within %.*s" : "did not answer within %.*s", (int)n, within);
}

/* --- Its life. --- */

static void ask_print(struct probe *p, struct str host)
{
	const struct health_conf *h = p->health;
	struct str method = h->method.n ? h->method : STR("GET"), path = h->path.n ? h->path : STR("/");
	host = h->host.n ? h->host : host;
	buf_addf(&p->ask, "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: petrel\r\nAccept: */*\r\nConnection: close\r\n\r\n",
	         STR_F(method), STR_F(path), STR_F(host));
}

void probe_init(struct probe *p, struct loop *l, const struct health_conf *health, struct str host)
{
	*p = (struct probe){ .loop = l, .health = health, .watch = { -1, ready } };
	timer_init(&p->timer, fired);
	if (!health->tcp)
		ask_print(p, host);
}

void probe_start(struct probe *p, const struct sockaddr_storage *addr, socklen_t addr_b)
{
	p->addr = *addr;
	p->addr_b = addr_b;
	p->chance = hash_bytes(str_make((const char *)addr, addr_b), p->loop->now_ns);
	timer_set(&p->loop->wheel, &p->timer, p->loop->now_ms);
}

void probe_fini(struct probe *p)
{
	timer_stop(&p->timer);
	disconnect(p);
	buf_fini(&p->ask);
}

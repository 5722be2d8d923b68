/* CGI programs, from the connection that asks for one to its end.  The control thread.
 *
 * The connection stays open here, too: only so is it seen when the client leaves, and the answer ends when the program
 * ends, whatever it left running with its standard output. */
#include "control/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "handlers/cgi.h"

enum {
	READ_MS = 10000,     /* for what is to be run: our own loops say it at once */
	LEFT_MS = 1000,      /* how long a program may go on that nobody listens to */
	STOP_MS = 2000,      /* from SIGTERM to SIGKILL */
};

enum program_state {
	PROGRAM_READING,     /* what is to be run is being said */
	PROGRAM_STARTING,    /* the spawner was asked */
	PROGRAM_RUNNING,     /* deadline: its timeout */
	PROGRAM_LEFT,        /* its client is gone, or has all that it wanted; SIGTERM at the deadline */
	PROGRAM_ENDING,      /* it was sent SIGTERM; SIGKILL at the deadline */
};

struct program {
	struct link link;
	struct programs *all;
	enum program_state state;
	struct watch watch;      /* the connection */
	struct buf asked;        /* a struct cgi_frame and the variables */
	uint64_t id;
	pid_t pid;
	struct said said;
	struct timer timer;
};

struct programs {
	const struct app_ways *ways;
	struct link running;     /* struct program */
	struct slot slot;
	struct watch watch;      /* of its socket; fd -1: no configuration has wanted it yet */
	struct pool *pool;
};

static struct program *program_of(struct link *l)
{
	return container_of(l, struct program, link);
}

static const struct app_ways *ways_of(const struct program *p)
{
	return p->all->ways;
}

static void wait_for(struct program *p, uint64_t ms)
{
	timer_set(&ways_of(p)->loop->wheel, &p->timer, ways_of(p)->loop->now_ms + ms);
}

static void enter(struct program *p, enum program_state state, uint64_t wait_ms)
{
	p->state = state;
	wait_for(p, wait_ms);
}

/* What nobody read of the request would look like a broken connection to the loop, so it is taken out before. */
static void hang_up(struct program *p)
{
	char rest[4096];
	if (p->watch.fd < 0)
		return;
	shutdown(p->watch.fd, SHUT_RDWR);
	while (recv(p->watch.fd, rest, sizeof rest, MSG_DONTWAIT) > 0)
		continue;
	loop_unwatch(ways_of(p)->loop, &p->watch);
	close(p->watch.fd);
	p->watch.fd = -1;
}

static void program_free(struct program *p)
{
	hang_up(p);
	said_fini(&p->said);
	timer_stop(&p->timer);
	buf_fini(&p->asked);
	link_del(&p->link);
	mem_free(p);
}

/* The name of what is to be run: its path as it was asked for. */
static struct str var_of(const struct program *p, struct str name)
{
	struct str rest = str_from(buf_str(&p->asked), sizeof(struct cgi_frame));
	while (rest.n) {
		struct str value = str_cut(&rest, '\0');
		if (str_eq(str_cut(&value, '='), name))
			return value;
	}
	return STR("");
}

static void send_signal(struct program *p, int number)
{
	const struct spawn_message m = { .kind = SPAWN_SIGNAL, .id = p->id, .number = number };
	(void)!ways_of(p)->send(ways_of(p)->apps, &m, -1);
}

/* --- Starting. --- */

/* As a program would answer. */
static void answer(struct program *p, const char *status)
{
	char text[256];
	int n = snprintf(text, sizeof text, "Status: %s\nContent-Type: text/plain\nContent-Length: %zu\n\n%s\n", status,
	                 strlen(status) + 1, status);
	(void)!send(p->watch.fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	program_free(p);
}

static void refuse(struct program *p, int err, struct str why)
{
	struct str path = var_of(p, STR("SCRIPT_NAME"));
	if (err == ENOENT && str_eq(why, STR(SPAWN_NO_PROGRAM))) {
		answer(p, "404 Not Found");
		return;
	}
	log_note(ways_of(p)->ring, LOG_LEVEL_ERROR, "cgi: %.*s could not be started: %.*s (%s)", STR_F(path), STR_F(why),
	         strerror(err));
	answer(p, err == EACCES ? "403 Forbidden" : err == EAGAIN ? "503 Service Unavailable" : "500 Internal Server Error");
}

static void start(struct program *p)
{
	const struct app_ways *w = ways_of(p);
	struct str vars = str_from(buf_str(&p->asked), sizeof(struct cgi_frame));
	p->id = w->next_id(w->apps);
	const struct spawn_message m = { .kind = SPAWN_RUN, .id = p->id, .name = var_of(p, STR("SCRIPT_NAME")), .text = vars };
	int err = m.name.n > SPAWN_NAME_B ? -ENAMETOOLONG : w->send(w->apps, &m, p->watch.fd);
	if (err)
		refuse(p, err == -ETIMEDOUT ? EAGAIN : -err, STR("its spawner does not hear"));
	else
		enter(p, PROGRAM_STARTING, READ_MS);
}

/* Takes at most what is still missing of n bytes, so that the request's body is left to the program: 1 when all are
 * there, 0 when more is to come, -1 when it will not. */
static int take(struct program *p, size_t n)
{
	while (p->asked.n < n) {
		size_t want = n - p->asked.n;
		ssize_t got = recv(p->watch.fd, buf_room(&p->asked, want), want, MSG_DONTWAIT);
		if (got <= 0)
			return got < 0 && errno == EAGAIN ? 0 : -1;
		p->asked.n += (size_t)got;
	}
	return 1;
}

static void read_asked(struct program *p)
{
	struct cgi_frame frame;
	int got = take(p, sizeof frame);
	if (got > 0) {
		memcpy(&frame, p->asked.p, sizeof frame);
		got = frame.vars_b > SPAWN_TEXT_B ? -1 : take(p, sizeof frame + frame.vars_b);
	}
	if (got > 0)
		start(p);
	else if (got < 0)
		program_free(p);
}

static void connection_ready(struct watch *w, uint32_t events)
{
	struct program *p = container_of(w, struct program, watch);
	if (p->state == PROGRAM_READING)
		read_asked(p);
	else if (p->state == PROGRAM_RUNNING && (events & EPOLLHUP))
		enter(p, PROGRAM_LEFT, LEFT_MS);
}

/* --- Its end. --- */

static uint32_t timeout_ms(const struct program *p)
{
	struct cgi_frame frame;
	memcpy(&frame, p->asked.p, sizeof frame);
	return frame.timeout_ms;
}

static void on_time(struct timer *t)
{
	struct program *p = container_of(t, struct program, timer);
	switch (p->state) {
	case PROGRAM_READING:
		program_free(p);
		break;
	case PROGRAM_RUNNING:
		log_note(ways_of(p)->ring, LOG_LEVEL_ERROR,
		         "cgi: %.*s (process %d) ran for %" PRIu32 " ms, longer than its timeout",
		         STR_F(var_of(p, STR("SCRIPT_NAME"))), (int)p->pid, timeout_ms(p));
		[[fallthrough]];
	case PROGRAM_STARTING:
	case PROGRAM_LEFT:
		send_signal(p, SIGTERM);
		enter(p, PROGRAM_ENDING, STOP_MS);
		break;
	case PROGRAM_ENDING:
		send_signal(p, SIGKILL);
		wait_for(p, STOP_MS);
	}
}

static void on_started(struct program *p, const struct spawn_message *m, int fd)
{
	char who[112];
	struct str path = str_head(var_of(p, STR("SCRIPT_NAME")), 80);
	p->pid = (pid_t)m->number;
	snprintf(who, sizeof who, "cgi %.*s[%d]", STR_F(path), (int)p->pid);
	if (fd >= 0)
		said_open(&p->said, fd, who);
	if (p->state == PROGRAM_STARTING)
		enter(p, PROGRAM_RUNNING, timeout_ms(p));
}

static void on_ended(struct program *p, int status)
{
	said_close(&p->said);
	if (p->state == PROGRAM_RUNNING && status)
		log_note(ways_of(p)->ring, LOG_LEVEL_WARN, "cgi: %.*s (process %d) %s %d",
		         STR_F(var_of(p, STR("SCRIPT_NAME"))), (int)p->pid, WIFSIGNALED(status) ? "was killed by signal" :
		         "exited with status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	program_free(p);
}

bool programs_heard(struct programs *all, const struct spawn_message *m, int fd)
{
	struct link *l = all->running.next;
	while (l != &all->running && program_of(l)->id != m->id)
		l = l->next;
	if (l == &all->running)
		return false;
	struct program *p = program_of(l);
	if (m->kind == SPAWN_STARTED) {
		on_started(p, m, fd);
		return true;
	}
	if (fd >= 0)
		close(fd);
	if (m->kind == SPAWN_FAILED)
		refuse(p, (int)(m->number & 0xFFF), m->text);
	else if (m->kind == SPAWN_ENDED)
		on_ended(p, (int)m->number);
	return true;
}

void programs_lost(struct programs *all)
{
	for (struct link *l = all->running.next, *next; l != &all->running; l = next) {
		next = l->next;
		if (program_of(l)->id)
			program_free(program_of(l));
	}
}

/* --- Who asks. --- */

static void program_new(struct programs *all, int fd)
{
	struct program *p = MEM_NEW(struct program);
	p->all = all;
	p->watch = (struct watch){ fd, connection_ready };
	said_init(&p->said, all->ways->loop, all->ways->ring);
	timer_init(&p->timer, on_time);
	link_add(&all->running, &p->link);
	if (loop_watch(all->ways->loop, &p->watch) < 0) {
		close(fd);
		p->watch.fd = -1;
		program_free(p);
		return;
	}
	enter(p, PROGRAM_READING, READ_MS);
}

/* What is accepted becomes a program's standard input: it blocks. */
static void came(struct watch *w, uint32_t events)
{
	struct programs *all = container_of(w, struct programs, watch);
	int fd;
	(void)events;
	while ((fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		program_new(all, fd);
	if (errno == EMFILE || errno == ENFILE)
		log_note(all->ways->ring, LOG_LEVEL_ERROR, "cgi: no descriptor left for another program");
}

static void open_socket(struct programs *p)
{
	char error[160];
	if (slot_open_socket(&p->slot, error, sizeof error) < 0) {
		log_note(p->ways->ring, LOG_LEVEL_ERROR, "cgi: %s", error);
		return;
	}
	p->watch.fd = p->slot.listen_fd;
	fcntl(p->watch.fd, F_SETFL, O_NONBLOCK);
	if (loop_watch(p->ways->loop, &p->watch) == 0)
		return;
	p->watch.fd = -1;
	slot_close(&p->slot);
}

void programs_conf(struct programs *p, const struct conf *c)
{
	if (!cgi_is_used(c))
		return;
	if (!p->pool)
		p->pool = pool_get(p->ways->pools, CGI_POOL);
	if (p->watch.fd < 0)
		open_socket(p);
	struct peer_spec spec = { .name = STR("programs"), .addr = p->slot.addr, .addr_b = p->slot.addr_b, .weight = 1,
		                      .connections = (unsigned)cgi_at_once(c) };
	pool_set_peers(p->pool, &spec, p->watch.fd >= 0);
}

/* --- Beginning and end. --- */

struct programs *programs_new(const struct app_ways *ways)
{
	struct programs *p = MEM_NEW(struct programs);
	p->ways = ways;
	p->watch = (struct watch){ -1, came };
	slot_init(&p->slot);
	link_init(&p->running);
	return p;
}

void programs_free(struct programs *p)
{
	while (!link_alone(&p->running))
		program_free(program_of(p->running.next));
	if (p->watch.fd >= 0)
		loop_unwatch(p->ways->loop, &p->watch);
	slot_close(&p->slot);
	if (p->pool)
		pool_put(p->pool);
	mem_free(p);
}

/* The steps of a process.  The control thread. */
#include "control/process.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "control/app.h"
#include "event/spawn.h"

enum {
	PROBE_MS = 10,            /* between attempts to connect */
	RETIRE_MS = 20,           /* between looks whether the last request has ended */
	RESEND_MS = 1000,         /* between SIGKILLs */
	LONG_LIFE_MS = 10000,     /* forgives earlier failures; */
	USEFUL_LIFE_MS = 1000,    /* so does one in which it has answered something */
	BACKOFF_LEAST_MS = 100,
	BACKOFF_MOST_MS = 30000,
	USEFUL_FAILURES = 3,      /* as many are counted at most, where it has answered something in its life */
};

static struct loop *loop_of(const struct process *p)
{
	return p->app->ways->loop;
}

static void wait_for(struct process *p, uint64_t ms)
{
	timer_set(&loop_of(p)->wheel, &p->timer, loop_of(p)->now_ms + ms);
}

static void enter(struct process *p, enum process_state state)
{
	p->state = state;
	timer_stop(&p->timer);
	app_changed(p->app);
}

static int send_message(struct process *p, const struct spawn_message *m, int fd)
{
	return p->app->ways->send(p->app->ways->apps, m, fd);
}

/* Where it gets lost, the deadline sends the next. */
static void send_signal(struct process *p, int number)
{
	(void)!send_message(p, &(struct spawn_message){ .kind = SPAWN_SIGNAL, .id = p->id, .number = number }, -1);
}

static void close_probe(struct process *p)
{
	if (p->probe_fd >= 0)
		close(p->probe_fd);
	p->probe_fd = -1;
}

bool process_serves(const struct process *p)
{
	return p->state == PROCESS_READY || p->kept;
}

bool process_comes(const struct process *p)
{
	return p->state < PROCESS_READY || p->state == PROCESS_BACKOFF || p->late;
}

/* --- Starting. --- */

static bool has_port(const struct process *p)
{
	return p->app->protocol == PROTOCOL_HTTP;
}

static uint64_t backoff_ms(unsigned failures)
{
	unsigned doublings = failures > 2 ? failures - 2 : 0;
	uint64_t ms = doublings < 20 ? (uint64_t)BACKOFF_LEAST_MS << doublings : BACKOFF_MOST_MS;
	return ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
}

/* Nobody is sent there any more, and who waits there is cut off. */
static void leave_place(struct process *p)
{
	slot_shut(&p->slot);
	p->kept = false;
	if (p->peer)
		app_publish(p->app);
}

static void back_off(struct process *p)
{
	p->failures++;
	enter(p, PROCESS_BACKOFF);
	leave_place(p);
	wait_for(p, backoff_ms(p->failures));
}

/* Loops may still know the address: it is not given away before the last of them let go. */
static void give_up_place(struct process *p)
{
	parting_add(&p->app->partings, &p->slot, p->peer);
	p->peer = NULL;
}

static int open_slot(struct process *p, char *error, size_t error_n)
{
	if (p->kept)
		return 0;
	give_up_place(p);
	return has_port(p) ? slot_open_port(&p->slot, error, error_n) : slot_open_socket(&p->slot, error, error_n);
}

static void start(struct process *p)
{
	char error[160] = "its spawner is not there";
	struct app *a = p->app;
	int err = open_slot(p, error, sizeof error);
	p->generation = a->generation;
	p->asked_ms = loop_of(p)->now_ms;
	p->requests_before = p->requests;
	p->late = false;
	p->due = NULL;
	p->pid = 0;
	p->memory_b = p->descriptors = 0;
	if (!err) {
		p->id = a->ways->next_id(a->ways->apps);
		err = send_message(p, &(struct spawn_message){ .kind = SPAWN_START, .id = p->id, .name = buf_str(&a->name),
		                                       .number = p->slot.port }, p->slot.listen_fd);
	}
	if (err) {
		p->id = 0;
		app_ended(a, p, "could not be started: %s (%s)", error, strerror(-err));
		back_off(p);
		return;
	}
	enter(p, PROCESS_STARTING);
	wait_for(p, a->conf.start_timeout_ms);
}

static void become_ready(struct process *p)
{
	close_probe(p);
	enter(p, PROCESS_READY);
	p->ready_ms = p->counted_ms = loop_of(p)->now_ms;
	p->kept = false;
	app_publish(p->app);
	p->requests_before = p->requests = p->requests_seen = p->peer ? atomic_load(&p->peer->requests) : 0;
}

static bool is_late(const struct process *p)
{
	return loop_of(p)->now_ms >= p->asked_ms + p->app->conf.start_timeout_ms;
}

/* 1: it takes connections; 0: not known yet; else -errno. */
static int probe(struct process *p)
{
	int err = 0;
	socklen_t n = sizeof err;
	if (p->probe_fd >= 0) {
		struct pollfd one = { p->probe_fd, POLLOUT, 0 };
		if (poll(&one, 1, 0) == 0)
			return 0;
		return getsockopt(p->probe_fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0 ? -errno : err ? -err : 1;
	}
	p->probe_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->probe_fd < 0)
		return -errno;
	if (connect(p->probe_fd, (struct sockaddr *)&p->slot.addr, p->slot.addr_b) == 0)
		return 1;
	return errno == EINPROGRESS ? 0 : -errno;
}

static void end(struct process *p)
{
	close_probe(p);
	enter(p, PROCESS_ENDING);
	send_signal(p, SIGTERM);
	wait_for(p, p->app->conf.stop_timeout_ms);
}

static void wake(struct process *p)
{
	int got = probe(p);
	if (got < 0)
		close_probe(p);
	if (got > 0) {
		become_ready(p);
	} else if (is_late(p)) {
		app_ended(p->app, p, "took no connection on port %u within start_timeout, and is ended", p->slot.port);
		p->late = true;
		end(p);
	} else {
		wait_for(p, PROBE_MS);
	}
}

static void on_started(struct process *p, pid_t pid, int fd)
{
	char who[112];
	p->pid = pid;
	snprintf(who, sizeof who, "app %.*s[%d]", STR_F(buf_str(&p->app->name)), (int)pid);
	if (fd >= 0)
		said_open(&p->said, fd, who);
	if (p->state != PROCESS_STARTING)
		return;
	if (has_port(p)) {
		enter(p, PROCESS_WAKING);
		wake(p);
	} else {
		become_ready(p);
	}
}

/* --- Retiring. --- */

static bool is_done(const struct process *p)
{
	return !p->peer || atomic_load(&p->peer->busy) == 0;
}

/* Every loop has closed what was idle and picks it no more: what is not under way now will never be. */
static void swept(void *arg)
{
	struct process *p = arg;
	p->sweep = NULL;
	if (is_done(p))
		end(p);
	else
		wait_for(p, RETIRE_MS);
}

/* A tunnel may be open for days. */
static void end_undone(struct process *p)
{
	log_line(p->app->ways->ring, LOG_LEVEL_WARN,
	         "app %.*s: process %d (%s) is not done after drain_timeout (%u under way), and is ended",
	         STR_F(buf_str(&p->app->name)), (int)p->pid, p->name, (unsigned)atomic_load(&p->peer->busy));
	end(p);
}

static void look_if_done(struct process *p)
{
	if (!p->peer)
		end(p);
	else if (is_done(p))
		p->sweep = sweep_start(p->app->ways->pools, p->peer, &loop_of(p)->mailbox, swept, p);
	else if (loop_of(p)->now_ms >= p->drained_ms)
		end_undone(p);
	else
		wait_for(p, RETIRE_MS);
}

void process_retire(struct process *p)
{
	enter(p, PROCESS_RETIRING);
	p->drained_ms = loop_of(p)->now_ms + p->app->conf.drain_timeout_ms;
	app_publish(p->app);
	look_if_done(p);
}

void process_cancel(struct process *p)
{
	p->kept = false;
	if (p->late) {
		p->late = false;
		if (p->state != PROCESS_BACKOFF)
			return;
	}
	if (p->id) {
		end(p);
		return;
	}
	enter(p, PROCESS_GONE);
	leave_place(p);
}

/* --- Its end. --- */

static void describe(struct buf *out, int status)
{
	const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
	if (WIFSIGNALED(status))
		buf_addf(out, "was killed by SIG%s%s", name ? name : "?", WCOREDUMP(status) ? " (core dumped)" : "");
	else
		buf_addf(out, "exited with status %d", WEXITSTATUS(status));
}

/* How long ago it was asked for. */
static uint64_t lived_ms(const struct process *p)
{
	return loop_of(p)->now_ms - p->asked_ms;
}

/* It served, and then ended as one does that has done its work: no failure. */
static bool was_done(const struct process *p, int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 && process_requests(p) > 0;
}

static void gone(struct process *p)
{
	sweep_drop(p->sweep);
	p->sweep = NULL;
	enter(p, PROCESS_GONE);
	leave_place(p);
}

/* However it ended, it was no failure of starting it. */
static bool was_worth_it(const struct process *p)
{
	return lived_ms(p) >= (uint64_t)(process_requests(p) ? USEFUL_LIFE_MS : LONG_LIFE_MS);
}

/* Once is no reason to wait, and its socket, with those who wait at it, stays. */
static void start_again(struct process *p, bool served)
{
	if (p->app->removed) {
		gone(p);
		return;
	}
	p->app->restarts++;
	if (p->failures || !served) {
		back_off(p);
		return;
	}
	p->failures++;
	enter(p, PROCESS_STARTING);
	p->kept = !has_port(p) && p->generation == p->app->generation;
	if (!p->kept)
		leave_place(p);
	start(p);
}

static void on_crash(struct process *p, int status)
{
	struct buf how = {};
	bool served = p->state == PROCESS_READY;
	describe(&how, status);
	process_count(p);
	if (!was_done(p, status))
		app_ended(p->app, p, "%.*s after %" PRIu64 ".%01" PRIu64 " s and %" PRIu64 " requests", STR_F(buf_str(&how)),
		          lived_ms(p) / 1000, lived_ms(p) % 1000 / 100, process_requests(p));
	buf_fini(&how);
	if (was_worth_it(p) || was_done(p, status))
		p->failures = 0;
	else if (process_requests(p) && p->failures > USEFUL_FAILURES)
		p->failures = USEFUL_FAILURES;
	close_probe(p);
	start_again(p, served);
}

static void on_ended(struct process *p, int status)
{
	p->id = 0;
	said_close(&p->said);
	if (p->state < PROCESS_RETIRING) {
		on_crash(p, status);
	} else if (p->late) {
		p->late = false;
		back_off(p);
	} else {
		if (p->state == PROCESS_RETIRING)
			app_ended(p->app, p, "ended before its last requests did");
		gone(p);
	}
}

static void on_failed(struct process *p, const struct spawn_message *m)
{
	p->id = 0;
	if (p->state != PROCESS_STARTING) {
		gone(p);
		return;
	}
	app_ended(p->app, p, "could not be started: %.*s (%s)", STR_F(m->text), strerror((int)(m->number & 0xFFF)));
	back_off(p);
}

void process_heard(struct process *p, const struct spawn_message *m, int fd)
{
	switch (m->kind) {
	case SPAWN_STARTED:
		on_started(p, (pid_t)m->number, fd);
		return;
	case SPAWN_FAILED: on_failed(p, m); break;
	case SPAWN_ENDED: on_ended(p, (int)m->number); break;
	case SPAWN_SEEN:
		p->memory_b = m->memory_b;
		p->descriptors = m->descriptors;
		app_seen(p->app, p);
		break;
	default: break;
	}
	if (fd >= 0)
		close(fd);
}

void process_lost(struct process *p)
{
	if (!p->id)
		return;
	p->id = 0;
	said_close(&p->said);
	close_probe(p);
	if (p->state >= PROCESS_RETIRING) {
		gone(p);
		return;
	}
	p->failures = 0;
	back_off(p);
}

void process_retry(struct process *p)
{
	if (p->state == PROCESS_BACKOFF)
		start(p);
}

/* --- Time. --- */

static void kill_it(struct process *p)
{
	if (p->state == PROCESS_ENDING)
		log_line(p->app->ways->ring, LOG_LEVEL_WARN, "app %.*s: process %d (%s) has not ended within stop_timeout: killed",
		         STR_F(buf_str(&p->app->name)), (int)p->pid, p->name);
	enter(p, PROCESS_KILLED);
	send_signal(p, SIGKILL);
	wait_for(p, RESEND_MS);
}

static void on_time(struct timer *t)
{
	struct process *p = container_of(t, struct process, timer);
	switch (p->state) {
	case PROCESS_STARTING:
		app_ended(p->app, p, "was not started within start_timeout");
		p->late = true;
		end(p);
		break;
	case PROCESS_WAKING: wake(p); break;
	case PROCESS_RETIRING: look_if_done(p); break;
	case PROCESS_ENDING:
	case PROCESS_KILLED: kill_it(p); break;
	case PROCESS_BACKOFF: start(p); break;
	case PROCESS_READY:
	case PROCESS_GONE: must(!"it waits for nothing");
	}
}

/* --- Counts, beginning and end. --- */

void process_count(struct process *p)
{
	uint64_t requests = p->peer ? atomic_load_explicit(&p->peer->requests, memory_order_relaxed) : p->requests;
	if (requests != p->requests || !is_done(p))
		p->counted_ms = loop_of(p)->now_ms;
	p->requests = requests;
}

uint64_t process_requests(const struct process *p)
{
	return p->requests - p->requests_before;
}

struct process *process_new(struct app *a, unsigned number)
{
	struct process *p = MEM_NEW(struct process);
	p->app = a;
	p->number = number;
	p->probe_fd = -1;
	snprintf(p->name, sizeof p->name, "%.*s/%u", STR_F(buf_str(&a->name)), number);
	slot_init(&p->slot);
	timer_init(&p->timer, on_time);
	said_init(&p->said, a->ways->loop, a->ways->ring);
	link_add(&a->processes, &p->link);
	start(p);
	return p;
}

void process_free(struct process *p)
{
	sweep_drop(p->sweep);
	timer_stop(&p->timer);
	close_probe(p);
	said_fini(&p->said);
	give_up_place(p);
	link_del(&p->link);
	mem_free(p);
}

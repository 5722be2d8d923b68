/* The supervisor's states and its small poll loop.  One thread, one worker, one thing waited for at a time.
 *
 * What was read last and works is `current`; a reload makes `next` beside it, which takes its place when the worker
 * says READY, or is dropped.  So a worker that dies is always started with a configuration that was once in effect. */
#include "main/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/channel.h"
#include "main/child.h"
#include "main/kept.h"
#include "main/notify.h"
#include "main/nursery.h"
#include "main/reply.h"
#include "main/say.h"
#include "main/worker.h"

enum {
	ANSWER_MS = 30000,  /* a worker that takes longer over a configuration hangs */
	ABORT_MS = 5000,    /* between SIGABRT, for the panic's lines, and SIGKILL */
	SPAWNER_MS = 2000,  /* what a spawner may take longer than the slowest of its applications */
};

enum phase {
	PHASE_WAITING,   /* no worker; one is started at the deadline */
	PHASE_STARTING,  /* a new worker has the current configuration and has not said READY */
	PHASE_RUNNING,   /* it serves; no deadline */
	PHASE_LOADING,   /* it has the next configuration and has not said READY */
	PHASE_ABORTING,  /* it hangs and was sent SIGABRT; SIGKILL at the deadline */
	PHASE_DRAINING,  /* it finishes what is under way; SIGKILL at the deadline */
	PHASE_STOPPING,  /* it ends; SIGKILL at the deadline */
	PHASE_ENDING,    /* it has; so do applications, and their spawners with them.  SIGKILL at the deadline */
	PHASE_ENDED,
};

struct supervisor {
	const struct supervisor_spec *spec;
	enum phase phase;
	uint64_t deadline_ms;   /* of the phase; 0: none */
	int signals;
	struct passed passed;
	struct draft current, next;
	struct messages messages;  /* about next */
	struct kept kept;
	struct child worker;
	struct backoff backoff;
	struct nursery nursery;
	bool served;            /* some worker was ready once: from now on, failures do not end us */
	bool asked;             /* the worker wants an answer to the reload under way */
	bool again, again_asked;   /* another one came meanwhile */
	pid_t hup_pid;          /* who sent SIGHUP last */
	uid_t hup_uid;
	bool reopen;            /* logs are to be reopened when the worker is ready */
	bool told;              /* we ended the worker, and have said why */
	int status;
};

static void enter(struct supervisor *s, enum phase phase, uint64_t wait_ms)
{
	s->phase = phase;
	s->deadline_ms = wait_ms ? clock_ms() + wait_ms : 0;
}

static void end(struct supervisor *s, int status)
{
	s->status = status;
	nursery_part(&s->nursery);
	if (nursery_is_empty(&s->nursery))
		enter(s, PHASE_ENDED, 0);
	else
		enter(s, PHASE_ENDING, s->current.apps_stop_ms + SPAWNER_MS);
}

static void kill_worker(struct supervisor *s, int number)
{
	if (s->worker.pid)
		kill(s->worker.pid, number);
}

/* Whatever the answer would have been, it will not come: the stacks of a worker that hangs say more. */
static void abort_worker(struct supervisor *s, const char *why)
{
	say("worker %d %s; it is ended and another takes its place", (int)s->worker.pid, why);
	kill_worker(s, SIGABRT);
	enter(s, PHASE_ABORTING, ABORT_MS);
}

/* What is kept comes before any configuration. */
static void send_kept(struct supervisor *s)
{
	int fd = kept_give(&s->kept);
	if (fd < 0)
		return;
	if (channel_send(s->worker.channel, CHANNEL_STATE, STR(""), &fd, 1) < 0)
		say("worker %d does not get what was kept", (int)s->worker.pid);
	close(fd);
}

static void start_worker(struct supervisor *s)
{
	static const struct child_kind WORKER = { "worker", worker_main, true };
	int err = child_start(&s->worker, &WORKER);
	if (err) {
		say("no worker can be started: %s", strerror(-err));
		if (s->served)
			enter(s, PHASE_WAITING, BACKOFF_MOST_MS);
		else
			end(s, 1);
		return;
	}
	enter(s, PHASE_STARTING, ANSWER_MS);
	send_kept(s);
	nursery_send(&s->nursery, &s->current, s->worker.channel);
	/* A worker that is dead already shows as SIGCHLD. */
	if (draft_send(&s->current, s->worker.channel) == -ETIMEDOUT)
		abort_worker(s, "does not read its channel");
}

/* --- reloads --- */

/* For the worker's list of changes. */
static void tell_hup(struct supervisor *s)
{
	char text[40];
	snprintf(text, sizeof text, "%d %u", (int)s->hup_pid, (unsigned)s->hup_uid);
	(void)!channel_send(s->worker.channel, CHANNEL_HUP, str_of(text), NULL, 0);
}

/* Tells whoever asked how it ended, once, and makes ready for the next. */
static void reload_done(struct supervisor *s, bool ok)
{
	struct buf json = {};
	if (s->asked && s->worker.channel >= 0) {
		reply_write(&json, ok, &s->messages, CHANNEL_TEXT_B);
		(void)!channel_send(s->worker.channel, CHANNEL_RELOADED, buf_str(&json), NULL, 0);
		buf_fini(&json);
	}
	if (ok && !s->asked && s->worker.channel >= 0)
		tell_hup(s);
	reply_show(&s->messages);
	say(ok ? "reloaded: the new configuration is in effect" : "not reloaded: the configuration stays as it was");
	notify_send("READY=1\nSTATUS=%s", ok ? "serving" : "serving; the last reload failed");
	messages_fini(&s->messages);
	s->messages = (struct messages){};
	s->asked = false;
}

static void reload_failed(struct supervisor *s)
{
	draft_drop(&s->next, &s->current);
	reload_done(s, false);
}

static void reload_worked(struct supervisor *s)
{
	draft_drop(&s->current, &s->next);
	s->current = s->next;
	kept_move(&s->kept, s->current.state);
	say_to(grants_error_log(&s->current.grants));
	s->next = (struct draft){ .sources = -1 };
	reload_done(s, true);
}

/* Only while a worker runs, or while none is there and one may be started with what is read now. */
static void reload(struct supervisor *s)
{
	notify_reloading();
	if (draft_read(&s->next, &s->spec->origin, &s->current, &s->passed, &s->messages) < 0) {
		reload_failed(s);
	} else if (s->phase == PHASE_WAITING) {
		reload_worked(s);
		start_worker(s);
	} else {
		enter(s, PHASE_LOADING, ANSWER_MS);
		nursery_send(&s->nursery, &s->next, s->worker.channel);
		if (draft_send(&s->next, s->worker.channel) == -ETIMEDOUT)
			abort_worker(s, "does not read its channel");
	}
}

static void reload_wanted(struct supervisor *s, bool asked)
{
	if (s->phase == PHASE_RUNNING || s->phase == PHASE_WAITING) {
		s->asked = asked;
		reload(s);
	} else if (s->phase < PHASE_DRAINING) {
		/* However many come meanwhile, one more reload has seen the newest files. */
		s->again = true;
		s->again_asked |= asked;
	}
}

/* --- logs --- */

static void reopen(struct supervisor *s)
{
	char error[512] = "";
	s->reopen = false;
	if (grants_reopen(&s->current.grants, error, sizeof error) < 0)
		say("%s: that log goes on as before", error);
	say_to(grants_error_log(&s->current.grants));
	if (grants_send(&s->current.grants, s->worker.channel) == 0)
		(void)!channel_send(s->worker.channel, CHANNEL_REOPEN, STR(""), NULL, 0);
}

static void reopen_wanted(struct supervisor *s)
{
	s->reopen = true;
	if (s->phase == PHASE_RUNNING)
		reopen(s);
}

/* --- what the worker says --- */

static void say_addresses(const struct grants *g)
{
	struct buf text = {};
	struct addr at;
	for (size_t i = 0; grants_listens_on(g, i, &at); i++) {
		buf_add(&text, i ? STR(", ") : STR(""));
		addr_print(&text, &at);
	}
	say(PETREL_VERSION " serves %.*s", STR_F(buf_str(&text)));
	buf_fini(&text);
}

static void first_served(struct supervisor *s)
{
	struct addr at = {};
	s->served = true;
	if (!s->current.has_user && geteuid() == 0)
		say("the worker runs as root, without capabilities: better name a user (user www-data;)");
	if (s->spec->serving && grants_listens_on(&s->current.grants, 0, &at))
		s->spec->serving(s->spec->arg, &at);
	else
		say_addresses(&s->current.grants);
}

static void worker_ready(struct supervisor *s)
{
	enum phase before = s->phase;
	if (before != PHASE_STARTING && before != PHASE_LOADING)
		return;
	enter(s, PHASE_RUNNING, 0);
	/* Whoever waits for it to be ready finds that said. */
	if (!s->served)
		first_served(s);
	if (before == PHASE_LOADING)
		reload_worked(s);
	else
		notify_send("READY=1\nSTATUS=serving");
	if (s->reopen)
		reopen(s);
	if (s->again) {
		bool asked = s->again_asked;
		s->again = s->again_asked = false;
		reload_wanted(s, asked);
	}
}

static void worker_failed(struct supervisor *s, struct str why)
{
	if (s->phase == PHASE_LOADING) {
		message_add(&s->messages, LEVEL_ERROR, NULL, "the worker can't take it: %.*s", STR_F(why));
		enter(s, PHASE_RUNNING, 0);
		reload_failed(s);
		nursery_send(&s->nursery, &s->current, s->worker.channel);
	} else if (s->phase == PHASE_STARTING) {
		say("the worker can't start: %.*s", STR_F(why));
		s->told = true;
		kill_worker(s, SIGKILL);
	}
}

static void keep(struct supervisor *s, const struct channel_message *m)
{
	struct buf why = {};
	kept_take(&s->kept, m->fd_count == 1 ? m->fds[0] : -1, &why);
	(void)!channel_send(s->worker.channel, CHANNEL_KEPT, buf_str(&why), NULL, 0);
	buf_fini(&why);
}

static void take_message(struct supervisor *s, const struct channel_message *m)
{
	switch (m->kind) {
	case CHANNEL_READY: worker_ready(s); break;
	case CHANNEL_FAILED: worker_failed(s, buf_str(&m->text)); break;
	case CHANNEL_RELOAD: reload_wanted(s, true); break;
	case CHANNEL_REOPEN: reopen_wanted(s); break;
	case CHANNEL_STATE: keep(s, m); break;
	default: abort_worker(s, "sent what only its supervisor may send");
	}
}

static void read_channel(struct supervisor *s)
{
	struct channel_message m;
	int err = channel_receive(s->worker.channel, &m);
	if (err == -EAGAIN)
		return;
	if (!err) {
		take_message(s, &m);
		channel_message_fini(&m);
		return;
	}
	close(s->worker.channel);
	s->worker.channel = -1;
	/* It is about to end; if it does not, it is no use to anybody. */
	if (s->phase < PHASE_ABORTING)
		enter(s, PHASE_ABORTING, ABORT_MS);
}

/* --- the worker's end --- */

static void tell_death(struct supervisor *s, pid_t pid, int status)
{
	struct buf how = {}, panic = {};
	child_describe(&how, status);
	child_fini(&s->worker, &panic);
	/* The panic's lines went to standard error as they were made; the first of them names the cause. */
	say_again(buf_str(&panic));
	struct str rest = buf_str(&panic), cause = rest.n ? str_cut(&rest, '\n') : (struct str){};
	struct str mark = STR("petrel: panic: ");
	cause = str_starts(cause, mark) ? str_from(cause, mark.n) : (struct str){};
	say("worker %d %.*s%s%.*s%s", (int)pid, STR_F(buf_str(&how)), cause.n ? " (" : "", STR_F(cause),
	    cause.n ? ")" : "");
	buf_fini(&how);
	buf_fini(&panic);
}

static void restart(struct supervisor *s, uint64_t lived_ms)
{
	uint64_t wait_ms = backoff_next(&s->backoff, lived_ms);
	if (wait_ms) {
		say("it lived %" PRIu64 " ms; the next one starts in %" PRIu64 " ms", lived_ms, wait_ms);
		enter(s, PHASE_WAITING, wait_ms);
	} else {
		start_worker(s);
		say("worker %d takes its place", (int)s->worker.pid);
	}
}

static void worker_died(struct supervisor *s, pid_t pid, int status)
{
	enum phase before = s->phase;
	bool ending = before == PHASE_DRAINING || before == PHASE_STOPPING;
	if (s->told || (ending && !status))
		child_fini(&s->worker, NULL);
	else
		tell_death(s, pid, status);
	s->told = false;
	nursery_part(&s->nursery);
	if (ending || !s->served) {
		end(s, status || !ending);
		return;
	}
	if (s->next.sources >= 0) {
		message_add(&s->messages, LEVEL_ERROR, NULL, "the worker died while it took the new configuration");
		reload_failed(s);
	}
	/* What was asked for meanwhile is read before the next start, in place of a reload right after it. */
	enter(s, PHASE_WAITING, 0);
	if (s->again) {
		s->again = s->again_asked = false;
		reload_wanted(s, false);
	}
	if (s->phase == PHASE_WAITING)
		restart(s, clock_ms() - s->worker.started_ms);
}

/* --- spawners --- */

static void reap_spawners(struct supervisor *s)
{
	nursery_reap(&s->nursery);
	if (s->phase == PHASE_ENDING && nursery_is_empty(&s->nursery))
		enter(s, PHASE_ENDED, 0);
}

/* A draining worker needs its applications, too. */
static void restart_spawner(struct supervisor *s)
{
	s->nursery.due_ms = 0;
	if (s->worker.pid && s->worker.channel >= 0)
		nursery_send(&s->nursery, s->phase == PHASE_LOADING ? &s->next : &s->current, s->worker.channel);
}

/* --- signals and deadlines --- */

static void stop(struct supervisor *s, enum phase phase, enum channel_kind kind, uint64_t wait_ms)
{
	notify_send("STOPPING=1\nSTATUS=%s", kind == CHANNEL_DRAIN ? "finishing requests" : "stopping");
	if (!s->worker.pid) {
		end(s, 0);
		return;
	}
	/* Told twice: at once. */
	if (s->phase == PHASE_STOPPING || channel_send(s->worker.channel, kind, STR(""), NULL, 0) < 0)
		kill_worker(s, SIGKILL);
	enter(s, phase, wait_ms);
}

static void hang_up(struct supervisor *s, const struct signalfd_siginfo *from)
{
	s->hup_pid = (pid_t)from->ssi_pid;
	s->hup_uid = from->ssi_uid;
	reload_wanted(s, false);
}

static void take_signal(struct supervisor *s, const struct signalfd_siginfo *info)
{
	pid_t pid = s->worker.pid;
	int status;
	switch (info->ssi_signo) {
	case SIGTERM:
	case SIGINT:
		if (s->phase == PHASE_ENDING)
			nursery_kill(&s->nursery);
		else
			stop(s, PHASE_STOPPING, CHANNEL_STOP, s->spec->stop_ms);
		break;
	case SIGQUIT:
		if (s->phase >= PHASE_DRAINING)
			break;
		stop(s, PHASE_DRAINING, CHANNEL_DRAIN, s->current.drain_timeout_ms + s->spec->stop_ms);
		/* The worker closes its own: whoever comes now is refused, and goes elsewhere at once. */
		grants_close_sockets(&s->current.grants);
		break;
	case SIGHUP: hang_up(s, info); break;
	case SIGUSR1: reopen_wanted(s); break;
	case SIGCHLD:
		if (child_ended(&s->worker, &status))
			worker_died(s, pid, status);
		reap_spawners(s);
	}
}

static void read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (s->phase != PHASE_ENDED && read(s->signals, &info, sizeof info) == sizeof info)
		take_signal(s, &info);
}

static void deadline(struct supervisor *s)
{
	switch (s->phase) {
	case PHASE_WAITING: start_worker(s); break;
	case PHASE_STARTING:
	case PHASE_LOADING: abort_worker(s, "has not taken the configuration in time"); break;
	case PHASE_ABORTING: kill_worker(s, SIGKILL); break;
	case PHASE_DRAINING:
	case PHASE_STOPPING:
		say("worker %d does not end by itself and is killed", (int)s->worker.pid);
		s->told = true;
		kill_worker(s, SIGKILL);
		break;
	case PHASE_ENDING: nursery_kill(&s->nursery); break;
	default: break;
	}
	/* After SIGKILL only SIGCHLD can follow. */
	if (s->deadline_ms <= clock_ms())
		s->deadline_ms = 0;
}

static int wait_ms(const struct supervisor *s)
{
	uint64_t now_ms = clock_ms(), until_ms = s->deadline_ms;
	if (s->nursery.due_ms && (!until_ms || s->nursery.due_ms < until_ms))
		until_ms = s->nursery.due_ms;
	if (!until_ms)
		return -1;
	return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

static void turn(struct supervisor *s)
{
	struct pollfd p[] = { { s->signals, POLLIN, 0 }, { s->worker.channel, POLLIN, 0 } };
	int count = poll(p, s->worker.channel >= 0 ? 2 : 1, wait_ms(s));
	if (count < 0 && errno != EINTR) {
		say("the supervisor can't wait: %s", strerror(errno));
		end(s, 1);
		return;
	}
	/* First what it said, then its death: a FAILED before an exit is the better reason. */
	if (count > 0 && p[1].revents)
		read_channel(s);
	if (count > 0 && p[0].revents)
		read_signals(s);
	if (s->deadline_ms && s->deadline_ms <= clock_ms())
		deadline(s);
	if (s->nursery.due_ms && s->nursery.due_ms <= clock_ms())
		restart_spawner(s);
}

static int open_signals(void)
{
	static const int WANTED[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGCHLD };
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < countof(WANTED); i++)
		sigaddset(&set, WANTED[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);  /* a file that may not grow is an error for who writes it */
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* What is wrong before the first start goes to whoever typed the command, and nothing is started. */
static int first_read(struct supervisor *s)
{
	int err = draft_read(&s->current, &s->spec->origin, NULL, &s->passed, &s->messages);
	reply_show(&s->messages);
	messages_fini(&s->messages);
	s->messages = (struct messages){};
	say_to(grants_error_log(&s->current.grants));
	if (!err)
		kept_open(&s->kept, s->current.state);
	return err;
}

int supervisor_run(const struct supervisor_spec *spec)
{
	struct supervisor s = { .spec = spec, .worker = { .channel = -1, .panic_fd = -1 } };
	s.current.sources = s.next.sources = -1;
	s.passed = passed_take();
	nursery_init(&s.nursery);
	s.signals = open_signals();
	if (s.signals < 0) {
		say("no descriptor for signals: %s", strerror(-s.signals));
		return 1;
	}
	if (first_read(&s) == 0)
		start_worker(&s);
	else
		end(&s, 1);
	while (s.phase != PHASE_ENDED)
		turn(&s);
	say_to(-1);
	draft_drop(&s.next, &s.current);
	draft_drop(&s.current, NULL);
	kept_fini(&s.kept);
	messages_fini(&s.messages);
	close(s.signals);
	return s.status;
}

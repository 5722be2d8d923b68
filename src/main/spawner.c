/* The spawner's poll loop, its processes, and what the worker asks of it.  One thread.
 *
 * What the worker says is not trusted: names are looked up in the configuration, ids in the list of what runs, and an app
 * can't have many more processes than it is configured to have. */
#include "main/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "control/alert_conf.h"
#include "event/spawn.h"
#include "handlers/cgi.h"
#include "http/backend.h"
#include "http/core.h"
#include "main/cgroup.h"
#include "main/channel.h"
#include "main/launch.h"
#include "main/received.h"
#include "main/say.h"
#include "main/script.h"
#include "main/tally.h"
#include "main/tell.h"

enum {
	STRAY_MS = 50,        /* between looks for what lost its parent, at the end */
	CGI_STOP_MS = 2000,   /* how long CGI programs may take to end */
	NOTIFY_STOP_MS = 2000,
};

/* What runs to tell of alerts, among the names of apps, which have no brackets. */
#define NOTIFY_GROUP STR("(notify)")

/* A process that runs. */
struct running {
	struct link link;
	uint64_t id;
	pid_t pid;
	char *app;            /* its name; heap */
	int said;             /* the read end of what it says: kept open here, too, so that nobody dies of SIGPIPE who
	                       * still has something to say when the worker is gone */
	uint64_t stop_ms;     /* how long it may take to end */
	uint64_t kill_at_ms;  /* at the end; 0: not told to end yet */
};

struct spawner {
	int channel;          /* the supervisor; -1: gone */
	int worker;           /* -1: not there yet, or gone */
	int signals;
	struct conf *conf;    /* the newest; NULL: none yet */
	struct link running;
	struct cgroups cgroups;
	bool grumbled;        /* has said that there are no control groups */
	bool ending;
	uint64_t stray_at_ms; /* the next look for strays */
	struct spawn_received received;
};

static struct running *running_of(struct link *l)
{
	return container_of(l, struct running, link);
}

static struct running *find(struct spawner *s, uint64_t id)
{
	for (struct link *l = s->running.next; l != &s->running; l = l->next)
		if (running_of(l)->id == id)
			return running_of(l);
	return NULL;
}

/* A worker that does not take what it is told hangs, and its supervisor will see to that. */
static void tell(struct spawner *s, const struct spawn_message *m, int fd)
{
	if (s->worker >= 0)
		(void)!spawn_send(s->worker, m, &fd, fd >= 0, true);
}

static void tell_failed(struct spawner *s, uint64_t id, int err, const char *why)
{
	tell(s, &(struct spawn_message){ .kind = SPAWN_FAILED, .id = id, .number = -err, .text = str_of(why) }, -1);
}

/* --- Starting. --- */

/* PHP would end by itself after 500 requests, in the middle of a kept connection. */
static const char *const FASTCGI_PRESETS[] = { "PHP_FCGI_MAX_REQUESTS=0", NULL };

static const char *text_or_null(struct str s)
{
	return s.n ? s.p : NULL;
}

/* Who a program runs as: its own user, or that of the worker; only root can choose. */
static const char *user_of(const struct spawner *s, struct str user)
{
	if (user.n)
		return user.p;
	return geteuid() == 0 ? text_or_null(conf_core(s->conf)->user) : NULL;
}

/* The shell becomes the program where there is nothing else for it to do: one process less, and signals and exit statuses
 * are the program's own.  Not every shell does that by itself. */
static bool is_simple(struct str command)
{
	struct str first = str_head(command, str_find(command, ' '));
	for (size_t i = 0; i < command.n; i++)
		if (strchr(";&|<>(){}!`\n#", command.p[i]))
			return false;
	return !str_eq(first, STR("exec")) && str_find(first, '=') == first.n;
}

static char *command_of(const struct app_conf *app)
{
	struct buf text = {};
	buf_addf(&text, "%s%.*s", is_simple(app->command) ? "exec " : "", STR_F(app->command));
	buf_add_char(&text, '\0');
	return text.p;
}

static int open_cgroup(struct spawner *s, const struct backend *b)
{
	const struct app_conf *app = &b->app;
	struct cgroup_limits limits = { app->cgroup_memory_b, app->cgroup_cpu_percent, app->cgroup_tasks };
	const char *why;
	if (!limits.memory_b && !limits.cpu_percent && !limits.tasks)
		return -1;
	int fd = cgroup_open(&s->cgroups, b->name, &limits, &why);
	if (fd < 0 && !s->grumbled) {
		say("app %.*s runs without its control group: %s (%s)", STR_F(b->name), why, strerror(-fd));
		s->grumbled = true;
	}
	return fd;
}

static void add(struct spawner *s, struct str app, uint64_t stop_ms, uint64_t id, pid_t pid, int said)
{
	struct running *r = MEM_NEW(struct running);
	*r = (struct running){ .id = id, .pid = pid, .said = said, .stop_ms = stop_ms };
	r->app = mem_new(app.n + 1);
	memcpy(r->app, app.p, app.n);
	link_add(&s->running, &r->link);
	tell(s, &(struct spawn_message){ .kind = SPAWN_STARTED, .id = id, .number = pid }, said);
}

/* Both ends; nobody waits for us when we write, and the worker does not wait when it reads. */
static int open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

/* Starts it with a pipe for what it says, and tells how that went. */
static void start(struct spawner *s, struct launch *l, struct str app, uint64_t stop_ms, uint64_t id)
{
	int said[2];
	char error[256] = "no descriptor left";
	int err = open_pipe(said);
	if (err) {
		tell_failed(s, id, err, error);
		return;
	}
	l->output = said[1];
	pid_t pid = launch(l, error, sizeof error);
	close(said[1]);
	if (pid > 0) {
		add(s, app, stop_ms, id, pid, said[0]);
		return;
	}
	close(said[0]);
	tell_failed(s, id, pid, error);
}

/* As many again may be on their way out; more than that is a worker gone wrong. */
static bool has_room(struct spawner *s, struct str app, uint64_t most)
{
	uint64_t count = 0;
	for (struct link *l = s->running.next; l != &s->running; l = l->next)
		count += str_eq(str_of(running_of(l)->app), app);
	return count < 2 * most + 4;
}

static void start_app(struct spawner *s, const struct backend *b, const struct spawn_message *m, int input)
{
	const struct app_conf *app = &b->app;
	struct launch l = {
		.command = command_of(app), .user = user_of(s, app->user), .group = text_or_null(app->group),
		.folder = app->folder.n ? app->folder.p : "/",
		.presets = b->protocol == PROTOCOL_FASTCGI ? FASTCGI_PRESETS : NULL, .env = app->env,
		.input = input, .listens = input >= 0, .port = (unsigned)m->number, .cgroup = open_cgroup(s, b),
		.limits = { { RLIMIT_AS, app->max_memory_b }, { RLIMIT_CPU, app->max_cpu_s },
		            { RLIMIT_NOFILE, app->max_descriptors }, { RLIMIT_NPROC, app->max_processes } },
	};
	start(s, &l, b->name, app->stop_timeout_ms, m->id);
	mem_free((void *)(uintptr_t)l.command);
	if (l.cgroup >= 0)
		close(l.cgroup);
}

static void on_start(struct spawner *s, struct spawn_received *r)
{
	const struct spawn_message *m = &r->m;
	const struct backend *b = s->conf ? backend_find(s->conf, m->name) : NULL;
	int input = spawn_take_fd(r, 0);
	if (!b || !b->is_app)
		tell_failed(s, m->id, -ENOENT, "the configuration has no such app");
	else if (m->number < 0 || m->number > UINT16_MAX || (input < 0 && !m->number))
		tell_failed(s, m->id, -EINVAL, "it has no socket");
	else if (!has_room(s, b->name, b->app.processes_max))
		tell_failed(s, m->id, -EAGAIN, "too many of its processes have not ended yet");
	else
		start_app(s, b, m, input);
	if (input >= 0)
		close(input);
}

/* --- CGI programs. --- */

static void start_program(struct spawner *s, const struct cgi *v, const struct spawn_message *m, int connection)
{
	struct str root = script_var(m->text, STR("DOCUMENT_ROOT"));
	struct script script;
	int err = script_find(root, m->name, &script);
	if (err) {
		tell_failed(s, m->id, err, SPAWN_NO_PROGRAM);
		return;
	}
	struct items env = script_env(m->text, &v->gateway.cgi.params, root, m->name, &script);
	struct launch l = {
		.program = script.path, .user = user_of(s, v->user), .folder = script.folder, .env = env, .input = connection,
		.talks = true, .cgroup = -1,
		.limits = { { RLIMIT_AS, v->memory_b }, { RLIMIT_CPU, v->cpu_s }, { RLIMIT_NOFILE, v->descriptors },
		            { RLIMIT_NPROC, v->processes } },
	};
	start(s, &l, CGI_POOL, CGI_STOP_MS, m->id);
	script_env_free(&env);
}

static void on_run(struct spawner *s, struct spawn_received *r)
{
	const struct spawn_message *m = &r->m;
	const struct cgi *v = s->conf ? cgi_below(s->conf, script_var(m->text, STR("DOCUMENT_ROOT"))) : NULL;
	int connection = spawn_take_fd(r, 0);
	if (!v || connection < 0)
		tell_failed(s, m->id, -ENOENT, "no route runs programs there");
	else if (!has_room(s, CGI_POOL, cgi_at_once(s->conf)))
		tell_failed(s, m->id, -EAGAIN, "too many programs have not ended yet");
	else
		start_program(s, v, m, connection);
	if (connection >= 0)
		close(connection);
}

/* --- Who tells of alerts. --- */

static void start_notify(struct spawner *s, const struct notify_conf *n, const struct spawn_message *m)
{
	struct tell_start t;
	int err = tell_start(&t, n, m->text);
	t.launch.user = user_of(s, n->user);
	if (!t.launch.user && geteuid() == 0)
		t.launch.user = "nobody";
	if (err)
		tell_failed(s, m->id, err, "no memory file for the message");
	else
		start(s, &t.launch, NOTIFY_GROUP, NOTIFY_STOP_MS, m->id);
	tell_fini(&t);
}

/* Each has one under way at a time. */
static void on_notify(struct spawner *s, const struct spawn_message *m)
{
	const struct alerts_conf *a = s->conf ? conf_alerts(s->conf) : NULL;
	const struct notify_conf *n = a ? notify_find(a, m->name) : NULL;
	if (!n)
		tell_failed(s, m->id, -ENOENT, "the configuration has no such notify");
	else if (!has_room(s, NOTIFY_GROUP, NOTIFIES_MOST))
		tell_failed(s, m->id, -EAGAIN, "too many of its kind have not ended yet");
	else
		start_notify(s, n, m);
}

/* --- What else the worker asks. --- */

static void on_signal(struct spawner *s, const struct spawn_message *m)
{
	struct running *r = find(s, m->id);
	if (r && m->number > 0 && m->number < NSIG)
		kill(-r->pid, (int)m->number);
}

static void on_look(struct spawner *s, const struct spawn_message *m)
{
	struct running *r = find(s, m->id);
	if (!r)
		return;
	struct tally t = tally_of(r->pid);
	tell(s, &(struct spawn_message){ .kind = SPAWN_SEEN, .id = m->id, .memory_b = t.memory_b,
	                                 .descriptors = t.descriptors }, -1);
}

static void on_message(struct spawner *s, struct spawn_received *r)
{
	switch (r->m.kind) {
	case SPAWN_START:
		if (!find(s, r->m.id))
			on_start(s, r);
		break;
	case SPAWN_RUN:
		if (!find(s, r->m.id))
			on_run(s, r);
		break;
	case SPAWN_NOTIFY:
		if (!find(s, r->m.id))
			on_notify(s, &r->m);
		break;
	case SPAWN_SIGNAL: on_signal(s, &r->m); break;
	case SPAWN_LOOK: on_look(s, &r->m); break;
	default: break;
	}
	spawn_drop_fds(r);
}

/* --- The end. --- */

static void begin_end(struct spawner *s)
{
	uint64_t now_ms = clock_ms();
	if (s->worker >= 0)
		close(s->worker);
	s->worker = -1;
	if (s->ending)
		return;
	s->ending = true;
	for (struct link *l = s->running.next; l != &s->running; l = l->next) {
		struct running *r = running_of(l);
		kill(-r->pid, SIGTERM);
		r->kill_at_ms = now_ms + r->stop_ms;
	}
}

static void running_free(struct running *r)
{
	link_del(&r->link);
	close(r->said);
	mem_free(r->app);
	mem_free(r);
}

static void ended(struct spawner *s, pid_t pid)
{
	struct link *l = s->running.next;
	int status = 0;
	while (l != &s->running && running_of(l)->pid != pid)
		l = l->next;
	/* What it forked into its group goes with it; before it is reaped, so that its id can't be another's. */
	if (l != &s->running)
		kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (l == &s->running)
		return;
	tell(s, &(struct spawn_message){ .kind = SPAWN_ENDED, .id = running_of(l)->id, .number = status }, -1);
	running_free(running_of(l));
}

static void reap(struct spawner *s)
{
	siginfo_t info = {};
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
		ended(s, info.si_pid);
		info = (siginfo_t){};
	}
}

/* At the end: SIGKILL for who has had its time, and for who lost its parent and became our child. */
static void kill_late(struct spawner *s)
{
	uint64_t now_ms = clock_ms();
	for (struct link *l = s->running.next; l != &s->running; l = l->next) {
		struct running *r = running_of(l);
		if (r->kill_at_ms > now_ms)
			continue;
		kill(-r->pid, SIGKILL);
		r->kill_at_ms = now_ms + STRAY_MS;
	}
	if (!link_alone(&s->running) || s->stray_at_ms > now_ms)
		return;
	tally_kill_children();
	s->stray_at_ms = now_ms + STRAY_MS;
}

/* --- The loop. --- */

static void take_conf(struct spawner *s, int fd)
{
	struct messages messages = {};
	struct buf why = {};
	struct conf *conf = conf_received(fd, STR(""), &messages);
	if (conf && s->conf)
		conf_free(s->conf);
	if (conf)
		s->conf = conf;
	else {
		messages_print(&messages, false, &why);
		say("the spawner can't take the configuration: %.*s", STR_F(buf_str(&why)));
	}
	buf_fini(&why);
	messages_fini(&messages);
	mem_give_back();
}

static void take_message(struct spawner *s, struct channel_message *m)
{
	if (m->kind == CHANNEL_CONF && m->fd_count == 1) {
		take_conf(s, m->fds[0]);
	} else if (m->kind == CHANNEL_SPAWNER && m->fd_count == 1 && s->worker < 0) {
		s->worker = m->fds[0];
		m->fds[0] = -1;
	}
}

static void read_channel(struct spawner *s)
{
	struct channel_message m;
	int err = 0;
	while (s->channel >= 0 && (err = channel_receive(s->channel, &m)) != -EAGAIN) {
		if (err) {
			close(s->channel);
			s->channel = -1;
			begin_end(s);
			return;
		}
		take_message(s, &m);
		channel_message_fini(&m);
	}
}

/* A message may rest on a configuration that the supervisor sent before it: so that is taken first. */
static void read_worker(struct spawner *s)
{
	int err = 0;
	while (s->worker >= 0 && (err = spawn_receive(s->worker, &s->received)) == 0) {
		read_channel(s);
		if (s->ending)
			spawn_drop_fds(&s->received);
		else
			on_message(s, &s->received);
	}
	if (err && err != -EAGAIN)
		begin_end(s);
}

static int wait_ms(const struct spawner *s)
{
	uint64_t now_ms = clock_ms(), next_ms = link_alone(&s->running) ? s->stray_at_ms : UINT64_MAX;
	if (!s->ending)
		return -1;
	for (struct link *l = s->running.next; l != &s->running; l = l->next)
		if (running_of(l)->kill_at_ms < next_ms)
			next_ms = running_of(l)->kill_at_ms;
	return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static void read_signals(struct spawner *s)
{
	struct signalfd_siginfo info;
	while (read(s->signals, &info, sizeof info) == sizeof info)
		continue;
	reap(s);
}

static void turn(struct spawner *s)
{
	struct pollfd p[] = { { s->signals, POLLIN, 0 }, { s->channel, POLLIN, 0 }, { s->worker, POLLIN, 0 } };
	if (poll(p, countof(p), wait_ms(s)) < 0 && errno != EINTR)
		begin_end(s);
	if (p[1].revents)
		read_channel(s);
	if (p[2].revents)
		read_worker(s);
	read_signals(s);
	if (s->ending)
		kill_late(s);
}

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Nothing runs any more, and nothing that something left behind. */
static bool is_over(struct spawner *s)
{
	return s->ending && link_alone(&s->running) && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

int spawner_main(int channel)
{
	struct spawner s = { .channel = channel, .worker = -1 };
	link_init(&s.running);
	s.signals = open_signals();
	/* Whoever loses its parent among what we started is our child then: we can end and bury it. */
	if (s.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		say("the spawner can't begin: %s", strerror(errno));
		return 1;
	}
	while (!is_over(&s))
		turn(&s);
	cgroups_remove(&s.cgroups);
	if (s.conf)
		conf_free(s.conf);
	spawn_received_fini(&s.received);
	return 0;
}

/* The worker: its control thread, which listens to the supervisor and commands the stations (one event loop each).
 *
 * Owns everything that the loops share.  Starts with the first configuration that comes over the channel: builds the
 * snapshot, gives up its rights, starts threads, publishes.  Later configurations are only built and published. */
#include "main/worker.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "base/whole.h"
#include "config/overlay.h"
#include "control/admin.h"
#include "control/alert.h"
#include "control/apps.h"
#include "control/audience.h"
#include "control/keeper.h"
#include "control/page.h"
#include "control/sample.h"
#include "http/cache.h"
#include "http/core.h"
#include "http/memcached.h"
#include "main/granted.h"
#include "main/grants.h"
#include "main/modules.h"
#include "main/panic.h"
#include "main/publish.h"
#include "main/received.h"
#include "main/sandbox.h"
#include "main/warm.h"
#include "share/pool.h"

enum { RING_B = 1 << 20 };

struct worker {
	int channel;
	struct loop control;
	struct watch channel_watch;
	struct granted granted;
	struct publisher publisher;
	struct listenings listenings;    /* of the snapshot being published */
	struct log_ring *ring;           /* the control thread's */
	struct warm *to_warm;            /* read, not yet given to a loop */
	int sources;                     /* of the configuration in effect: settings are laid over it; -1: none yet */
	int next;                        /* a configuration that waits for the end of a publication; -1: none */
	bool publishing;
	bool laying;                     /* what is published is the same configuration with other settings */
	bool started;
	bool ending;                     /* draining or stopping */
	struct timer drain_timer;        /* the drain's deadline */
	size_t answers_left;             /* of stations, to a drain or stop */
	size_t cut;                      /* requests that the stop cut off */
	uint64_t drain_timeout_ms;
	int spawner;                     /* its end of the pair, until there are apps; -1 */
	struct apps *apps;
	struct keeper *keeper;
	struct observer *observer;
	struct alerts *alerts;
	struct control admin;            /* what the admin socket may ask */
	struct buf lost;                 /* of what was kept: to be said */
	struct link calls;               /* its reloads that the supervisor has not answered */
	int status;
};

static void tell(struct worker *w, enum channel_kind kind, struct str text)
{
	/* A supervisor that is gone takes this process with it: there is nobody to tell. */
	if (channel_send(w->channel, kind, text, NULL, 0))
		loop_stop(&w->control);
}

[[gnu::format(printf, 2, 3)]] static void fail(struct worker *w, const char *format, ...)
{
	struct buf text = {};
	va_list args;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	tell(w, CHANNEL_FAILED, buf_str(&text));
	buf_fini(&text);
}

/* --- A configuration comes. --- */

/* Whether it can be built with these settings. */
struct fitting {
	int fd;
};

static bool fits(void *arg, struct str overlay, struct buf *why)
{
	const struct fitting *f = arg;
	struct messages messages = {};
	struct conf *conf = conf_received(f->fd, overlay, &messages);
	bool built = conf;
	if (!built)
		overlay_why(&messages, false, why);
	conf_free(conf);
	messages_fini(&messages);
	return built;
}

/* Settings that were kept and fit this configuration no more go; the others do not. */
static struct conf *build_fitting(struct worker *w, int fd)
{
	struct buf text = {}, lost = {};
	struct messages messages = {};
	struct fitting f = { fd };
	settings_forget(&w->admin.settings);
	settings_fit(&w->admin.settings, fits, &f, &lost);
	settings_text(&w->admin.settings, false, &text);
	struct conf *conf = conf_received(fd, buf_str(&text), &messages);
	buf_addf(&w->lost, "%s%.*s", w->lost.n ? "; " : "", STR_F(buf_str(&lost)));
	buf_fini(&text);
	buf_fini(&lost);
	messages_fini(&messages);
	return conf;
}

/* From the memory file that the supervisor sent, with the settings that are kept; NULL after saying why not. */
static struct conf *build(struct worker *w, int fd)
{
	struct buf why = {}, text = {};
	struct messages messages = {}, plain = {};
	settings_text(&w->admin.settings, true, &text);
	struct conf *conf = conf_received(fd, buf_str(&text), &messages);
	if (!conf && text.n && (conf = conf_received(fd, STR(""), &plain))) {
		conf_free(conf);
		conf = build_fitting(w, fd);
	}
	messages_print(text.n ? &plain : &messages, false, &why);
	if (!conf)
		fail(w, "%.*s", STR_F(buf_str(&why)));
	else
		settings_forget(&w->admin.settings);
	buf_fini(&why);
	buf_fini(&text);
	messages_fini(&messages);
	messages_fini(&plain);
	return conf;
}

static int start_shared(struct shared *s, const struct core *core)
{
	int err = log_new(&s->log, RING_B);
	if (!err)
		err = disk_new(&s->disk, (enum disk_kind)core->disk_engine, (unsigned)core->disk_workers,
		               (unsigned)core->disk_queue);
	if (err)
		return err;
	s->epoch = epoch_new();
	s->hot = store_new(s->epoch, core->hot_memory_b);
	s->limits = limits_new();
	s->pools = pools_new(s->epoch, loops_wanted(core));
	s->meters = meters_new(loops_wanted(core));
	return 0;
}

static int start_stations(struct worker *w, size_t count)
{
	struct publisher *p = &w->publisher;
	p->stations = mem_new(count * sizeof *p->stations);
	for (; p->station_count < count; p->station_count++) {
		struct station *s = &p->stations[p->station_count];
		int err = station_init(s, (unsigned)p->station_count, &p->shared, &w->control.mailbox);
		if (!err)
			err = station_start(s);
		if (err)
			return err;
	}
	return 0;
}

static void start_apps(struct worker *w)
{
	struct shared *s = &w->publisher.shared;
	w->apps = apps_new(&w->control, w->ring, s->pools, s->epoch);
	if (w->spawner >= 0)
		apps_spawner(w->apps, w->spawner);
	w->spawner = -1;
}

/* Its configurations come before ours. */
static void on_spawner(struct worker *w, struct channel_message *m)
{
	int fd = m->fd_count == 1 ? m->fds[0] : -1;
	if (fd < 0)
		return;
	m->fds[0] = -1;
	if (w->apps) {
		apps_spawner(w->apps, fd);
		return;
	}
	if (w->spawner >= 0)
		close(w->spawner);
	w->spawner = fd;
}

/* --- What is counted. --- */

static void fill(void *worker, struct sample *out)
{
	const struct worker *w = worker;
	const struct publisher *p = &w->publisher;
	const struct shared *s = &p->shared;
	out->generation = p->generation;
	out->snapshots = p->alive;
	out->loop_count = (unsigned)p->station_count;
	out->loops = mem_new(out->loop_count * sizeof *out->loops);
	for (unsigned i = 0; i < out->loop_count; i++)
		sample_loop(&out->loops[i], &p->stations[i].home, out->at_ms);
	out->meter_count = meters_count(s->meters);
	out->meters = mem_new(out->meter_count * sizeof *out->meters);
	for (unsigned i = 0; i < out->meter_count; i++)
		meters_sum(s->meters, i, &out->meters[i]);
	out->hot = store_stats(s->hot);
	out->caches = cache_samples_take(s->caches, &out->cache_count);
	out->disk_kind = disk_kind(s->disk);
	out->disk = disk_stats(s->disk);
	out->log = log_stats(s->log);
}

/* --- The start. --- */

/* --- The admin socket: traces. --- */

static void taps_taken(struct order *o)
{
	audience_taken(o->audience, o->taps);
	mem_free(o);
}

static void give_taps(void *arg, struct taps *taps)
{
	struct worker *w = arg;
	struct publisher *p = &w->publisher;
	for (size_t i = 0; i < p->station_count; i++) {
		struct order *o = MEM_NEW(struct order);
		*o = (struct order){ .kind = ORDER_TAPS, .taps = taps, .audience = w->admin.audience, .done = taps_taken };
		station_order(&p->stations[i], o);
	}
}

/* The first configuration: after it, no rights and many threads. */
static int start(struct worker *w, const struct core *core)
{
	char error[256];
	int err = sandbox_enter(core->user, error, sizeof error);
	if (err) {
		fail(w, "%s", error);
		return err;
	}
	struct shared *s = &w->publisher.shared;
	err = start_shared(s, core);
	if (!err)
		s->memcacheds = memcacheds_new(&w->control, loops_wanted(core), s->log);
	if (!err)
		err = start_stations(w, loops_wanted(core));
	if (err) {
		fail(w, "the worker can't start its threads: %s", strerror(-err));
		return err;
	}
	w->ring = log_ring_new(s->log);
	s->caches = caches_new(s->epoch, s->disk, &w->control, w->ring, loops_wanted(core));
	w->keeper = keeper_new(&w->control, s->pools, w->ring, (struct str){});
	start_apps(w);
	w->observer = observer_new(&w->control, &(struct observed){ fill, w });
	w->admin.observer = w->observer;
	w->admin.audience = audience_new(&w->control, w->publisher.station_count, give_taps, w);
	w->admin.viewers = viewers_new(&w->admin);
	w->admin.caches = w->publisher.shared.caches;
	w->admin.memcacheds = w->publisher.shared.memcacheds;
	w->admin.apps = w->apps;
	w->admin.alerts = w->alerts = alerts_new(&w->admin, &w->control, w->ring);
	w->admin.keeper = w->keeper;
	w->started = true;
	return 0;
}

static void warmed(struct order *o)
{
	mem_free(o);
}

/* Once in a worker's life, with its first configuration. */
static void warm(struct worker *w)
{
	if (!w->to_warm)
		return;
	struct order *o = MEM_NEW(struct order);
	*o = (struct order){ .kind = ORDER_WARM, .warm = w->to_warm, .done = warmed };
	w->to_warm = NULL;
	station_order(&w->publisher.stations[0], o);
}

static void on_conf(struct worker *w, int fd);

static void in_effect(struct publisher *p)
{
	struct worker *w = container_of(p, struct worker, publisher);
	char loops[20];
	bool laid = w->laying;
	int next = w->next;
	w->publishing = w->laying = false;
	granted_settle(&w->granted, p->shared.log);
	mem_free(w->listenings.p);
	w->listenings = (struct listenings){};
	warm(w);
	observer_look(w->observer);
	if (!laid)
		tell(w, CHANNEL_READY, str_make(loops, num_print(loops, p->station_count)));
	w->next = -1;
	if (next >= 0 && w->ending)
		close(next);
	else if (next >= 0)
		on_conf(w, next);
	if (laid)
		settings_laid(&w->admin);
	else
		settings_step(&w->admin);
}

static void set_error_log(struct worker *w, const struct core *core)
{
	struct log *log = w->publisher.shared.log;
	struct log_sink *sink = log_sink_get(log, core->error_log, -1);
	if (!sink)
		return;
	log_errors_to(log, sink, (enum log_level)core->error_level);
	log_sink_put(log, sink);
}

/* What was kept and fits no more is said once, in one line. */
static void say_lost(struct worker *w)
{
	if (w->lost.n)
		log_note(w->ring, LOG_LEVEL_WARN, "kept changes that are lost: %.*s", STR_F(buf_str(&w->lost)));
	buf_clear(&w->lost);
}

/* fresh: it is another configuration; else the same one with other settings. */
static void adopt(struct worker *w, struct conf *conf, bool fresh)
{
	set_error_log(w, conf_core(conf));
	w->listenings = granted_listenings(&w->granted);
	w->drain_timeout_ms = conf_core(conf)->drain_timeout_ms;
	keeper_adopt(w->keeper, conf, fresh);
	if (!w->publisher.generation)
		state_restore(&w->admin, false, &w->lost);
	say_lost(w);
	apps_conf(w->apps, conf);
	w->publishing = true;
	publish(&w->publisher, conf, &w->listenings);
	w->admin.conf = conf;
	alerts_conf(w->alerts, conf);
}

static void take_conf(struct worker *w, int fd)
{
	if (!w->started)
		state_restore(&w->admin, true, &w->lost);
	struct conf *conf = build(w, fd);
	if (!conf)
		return;
	if (!w->started && start(w, conf_core(conf))) {
		w->status = 1;
		loop_stop(&w->control);
		conf_free(conf);
		return;
	}
	granted_merge(&w->granted);
	granted_logs(&w->granted, w->publisher.shared.log);
	int hot_fd = granted_hot(&w->granted);
	if (!w->publisher.generation && hot_fd >= 0)
		w->to_warm = warm_read(hot_fd, conf);
	fd_swap(&w->sources, fd_copy(fd));
	adopt(w, conf, true);
}

/* Takes fd over. */
static void on_conf(struct worker *w, int fd)
{
	if (w->publishing) {
		fd_swap(&w->next, fd);
		return;
	}
	take_conf(w, fd);
	close(fd);
}

/* --- Settings, and what is kept. --- */

static bool has_grant(const void *arg, const char *name)
{
	return granted_has(arg, name);
}

/* Files and sockets that only the supervisor can open. */
static bool is_granted(const struct worker *w, const struct conf *conf, struct buf *why)
{
	struct grants wanted;
	char error[256] = "";
	const char *lacking = NULL;
	if (grants_wanted(&wanted, conf, error, sizeof error))
		buf_add(why, str_of(error));
	else if ((lacking = grants_lacking(&wanted, has_grant, &w->granted)))
		buf_addf(why, "%s is not open in the running server, and is opened with the supervisor's rights: change the "
		         "configuration, then: petrel reload", lacking);
	grants_fini(&wanted);
	return !why->n;
}

static int lay(struct control *c, struct str overlay, struct buf *why)
{
	struct worker *w = container_of(c, struct worker, admin);
	struct messages messages = {};
	/* Snapshots that came now would find loops that have ended. */
	if (w->ending) {
		buf_add(why, STR("the server is stopping"));
		return -ESHUTDOWN;
	}
	if (w->publishing || w->next >= 0)
		return -EBUSY;
	struct conf *conf = conf_received(w->sources, overlay, &messages);
	if (!conf)
		overlay_why(&messages, true, why);
	messages_fini(&messages);
	if (conf && !is_granted(w, conf, why)) {
		conf_free(conf);
		conf = NULL;
	}
	if (!conf)
		return -EINVAL;
	w->laying = true;
	adopt(w, conf, false);
	return 0;
}

static void keep(struct control *c, struct str document)
{
	struct worker *w = container_of(c, struct worker, admin);
	int fd = document.n <= STATE_MOST_B ? memfd_create("petrel state", MFD_CLOEXEC) : -1;
	bool sent = fd >= 0 && write_whole(fd, document) == 0 &&
	            channel_send(w->channel, CHANNEL_STATE, STR(""), &fd, 1) == 0;
	if (fd >= 0)
		close(fd);
	if (!sent)
		state_kept(c, document.n > STATE_MOST_B ? STR("it is too large") : STR("the supervisor could not be told"));
}

/* What the supervisor kept of the server's life so far. */
static void on_state(struct worker *w, int fd)
{
	struct buf text = {};
	if (read_whole(fd, STATE_MOST_B, &text))
		buf_add(&w->lost, STR("what was kept can't be read, and is lost"));
	else
		state_found(&w->admin.state, buf_str(&text), &w->lost);
	buf_fini(&text);
}

static void hot_clear(struct control *c)
{
	struct worker *w = container_of(c, struct worker, admin);
	store_bound(w->publisher.shared.hot, 0);
	store_bound(w->publisher.shared.hot, conf_core(c->conf)->hot_memory_b);
}

/* --- The admin socket: reloads. --- */

static void answer_calls(struct worker *w, unsigned status, struct str json)
{
	while (!link_alone(&w->calls)) {
		struct admin_call *call = container_of(w->calls.next, struct admin_call, link);
		link_del(&call->link);
		admin_answer(call, status, json);
	}
}

/* The supervisor takes no reload any more: nobody waits for it, and no drain waits for who does. */
static void refuse_calls(struct worker *w)
{
	answer_calls(w, 503, STR("{\"ok\":false,\"messages\":[{\"level\":\"error\",\"text\":\"the server is stopping\"}]}\n"));
	/* What was laid is nearly in effect; what waits for it is refused. */
	settings_laid(&w->admin);
	state_end(&w->admin);
	if (w->alerts)
		alerts_stop(w->alerts);
}

static void reload(struct control *c, struct admin_call *call)
{
	struct worker *w = container_of(c, struct worker, admin);
	link_add(&w->calls, &call->link);
	if (w->ending)
		refuse_calls(w);
	else
		tell(w, CHANNEL_RELOAD, STR(""));
}

/* Reloads that were asked for at the same time are answered by the same one. */
static void reloaded(struct worker *w, struct str json)
{
	bool ok = str_starts(json, STR("{\"ok\":true"));
	for (struct link *l = w->calls.next; ok && l != &w->calls; l = l->next)
		admin_note(container_of(l, struct admin_call, link), STR("the configuration was read again"));
	answer_calls(w, ok ? 200 : 422, json);
}

/* Nobody waits for an answer: the list of changes has it. */
static void hung_up(struct worker *w, const char *text)
{
	int pid = 0;
	unsigned uid = 0;
	if (sscanf(text, "%d %u", &pid, &uid) == 2)
		changes_add(&w->admin.changes, clock_wall_ms(), &(struct caller){ .pid = pid, .uid = uid },
		            STR("the configuration was read again, after SIGHUP"));
}

/* The supervisor opens them, with its rights. */
static void reopen(struct control *c)
{
	tell(container_of(c, struct worker, admin), CHANNEL_REOPEN, STR(""));
}

/* --- The end. --- */

static void order_all(struct worker *w, enum order_kind kind, void (*done)(struct order *))
{
	struct publisher *p = &w->publisher;
	w->answers_left = p->station_count;
	for (size_t i = 0; i < p->station_count; i++) {
		struct order *o = MEM_NEW(struct order);
		o->kind = kind;
		o->done = done;
		station_order(&p->stations[i], o);
	}
}

static struct worker *worker_of(const struct order *o)
{
	return container_of(o->station->control, struct worker, control.mailbox);
}

static void stopped(struct order *o)
{
	struct worker *w = worker_of(o);
	w->cut += o->cut;
	mem_free(o);
	if (--w->answers_left)
		return;
	if (w->cut)
		log_note(w->ring, LOG_LEVEL_WARN, "stopped with %zu request%s under way, cut off by drain_timeout or SIGTERM",
		         w->cut, w->cut == 1 ? "" : "s");
	loop_stop(&w->control);
}

static void stop(struct worker *w)
{
	timer_stop(&w->drain_timer);
	w->ending = true;
	refuse_calls(w);
	if (w->started)
		order_all(w, ORDER_STOP, stopped);
	else
		loop_stop(&w->control);
}

static void drained(struct order *o)
{
	struct worker *w = worker_of(o);
	mem_free(o);
	/* A drain whose deadline came is answered, too, when the stop that follows it clears up. */
	if (timer_is_set(&w->drain_timer) && --w->answers_left == 0)
		stop(w);
}

/* No loop accepts any more: newcomers are refused at once, instead of waiting in the kernel's queue for nobody. */
static void closed(struct order *o)
{
	struct worker *w = worker_of(o);
	mem_free(o);
	if (!timer_is_set(&w->drain_timer) || --w->answers_left)
		return;
	granted_close_listeners(&w->granted, w->publisher.shared.log);
	order_all(w, ORDER_DRAIN, drained);
}

static void drain_late(struct timer *t)
{
	stop(container_of(t, struct worker, drain_timer));
}

static void drain(struct worker *w)
{
	if (!w->started || w->ending) {
		stop(w);
		return;
	}
	w->ending = true;
	refuse_calls(w);
	timer_set(&w->control.wheel, &w->drain_timer, w->control.now_ms + w->drain_timeout_ms);
	order_all(w, ORDER_CLOSE, closed);
}

static const struct control_ops OPS = {
	.reload = reload,
	.reopen = reopen,
	.lay = lay,
	.keep = keep,
	.hot_clear = hot_clear,
};

/* --- The channel. --- */

static void on_message(struct worker *w, struct channel_message *m)
{
	switch (m->kind) {
	case CHANNEL_GRANT:
		granted_add(&w->granted, m);
		break;
	case CHANNEL_CONF:
		if (m->fd_count == 1 && !w->ending) {
			on_conf(w, m->fds[0]);
			m->fds[0] = -1;
		}
		break;
	case CHANNEL_STATE:
		if (m->fd_count == 1 && !w->started)
			on_state(w, m->fds[0]);
		break;
	case CHANNEL_KEPT:
		state_kept(&w->admin, buf_str(&m->text));
		break;
	case CHANNEL_REOPEN:
		if (w->started)
			granted_reopen(&w->granted, w->publisher.shared.log);
		break;
	case CHANNEL_DRAIN:
		drain(w);
		break;
	case CHANNEL_STOP:
		stop(w);
		break;
	case CHANNEL_RELOADED:
		reloaded(w, buf_str(&m->text));
		break;
	case CHANNEL_HUP:
		buf_add_char(&m->text, '\0');
		hung_up(w, m->text.p);
		break;
	case CHANNEL_SPAWNER:
		on_spawner(w, m);
		break;
	case CHANNEL_READY:
	case CHANNEL_FAILED:
	case CHANNEL_RELOAD:
		must(!"the supervisor says what only a worker does");
	}
}

static void channel_ready(struct watch *watch, uint32_t events)
{
	struct worker *w = container_of(watch, struct worker, channel_watch);
	struct channel_message m;
	(void)events;
	int err;
	while (!w->control.stopping && (err = channel_receive(w->channel, &m)) != -EAGAIN) {
		if (err) {
			loop_stop(&w->control);  /* the supervisor is gone */
			return;
		}
		on_message(w, &m);
		channel_message_fini(&m);
	}
}

/* All loops have ended: takes in what is on its way between them and this thread. */
static void settle(struct worker *w, unsigned rounds)
{
	while (rounds--) {
		mailbox_open(&w->control.mailbox);
		for (size_t i = 0; i < w->publisher.station_count; i++)
			station_settle(&w->publisher.stations[i]);
	}
}

static void fini(struct worker *w)
{
	struct publisher *p = &w->publisher;
	for (size_t i = 0; i < p->station_count; i++)
		station_join(&p->stations[i]);
	/* An errand of the admin socket goes to this thread, to the loops, back to this thread, and home. */
	settle(w, 3);
	if (granted_hot(&w->granted) >= 0)
		warm_write(granted_hot(&w->granted), p->shared.hot);
	caches_settle(p->shared.caches);
	disk_free(p->shared.disk);
	/* Jobs came home, and may have sent word to those who waited for them on other loops. */
	settle(w, 2);
	for (size_t i = 0; i < p->station_count; i++)
		station_fini(&p->stations[i]);
	/* The stations let go of their last snapshots. */
	mailbox_open(&w->control.mailbox);
	viewers_free(w->admin.viewers);
	audience_free(w->admin.audience);
	observer_free(w->observer);
	alerts_free(w->alerts);
	apps_free(w->apps);
	keeper_free(w->keeper);
	store_free(p->shared.hot);
	limits_free(p->shared.limits);
	meters_free(p->shared.meters);
	pools_free(p->shared.pools);
	caches_free(p->shared.caches);
	memcacheds_free(p->shared.memcacheds);
	epoch_free(p->shared.epoch);
	/* What was freed just now may have sent its descriptors here to be closed. */
	mailbox_open(&w->control.mailbox);
	granted_fini(&w->granted, p->shared.log);
	warm_free(w->to_warm);
	log_free(p->shared.log);
	mem_free(p->stations);
	mem_free(w->listenings.p);
}

int worker_main(int channel)
{
	struct worker w = { .channel = channel, .channel_watch = { channel, channel_ready }, .spawner = -1, .sources = -1,
		            .next = -1 };
	int err = loop_init(&w.control, EPOCH_LOOPS - 1);
	if (!err)
		err = loop_watch(&w.control, &w.channel_watch);
	if (err)
		return 1;
	w.publisher.in_effect = in_effect;
	w.publisher.shared.control = &w.admin;
	w.publisher.shared.folders = &w.granted.folders;
	w.admin = (struct control){ .box = &w.control.mailbox, .ops = &OPS, .modules = MODULES, .module_count = MODULE_COUNT };
	settings_init(&w.admin.settings);
	state_init(&w.admin.state);
	link_init(&w.calls);
	granted_init(&w.granted);
	timer_init(&w.drain_timer, drain_late);
	loop_run(&w.control);
	if (w.started)
		fini(&w);
	loop_fini(&w.control);
	changes_fini(&w.admin.changes);
	settings_fini(&w.admin.settings);
	state_fini(&w.admin.state);
	fd_swap(&w.sources, -1);
	fd_swap(&w.next, -1);
	buf_fini(&w.lost);
	return w.status;
}

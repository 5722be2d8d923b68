/* The ways to tell, and what they are doing.
 *
 * Of one way one message is under way at a time.  What comes meanwhile, and within `group` of the first, waits and becomes
 * the next one.  A message that can't be delivered is sent again, later each time; then it is given up, with a line in the
 * log.  Nobody waits for any of it. */
#include "control/alert_tell.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/admin.h"
#include "control/alert_message.h"
#include "control/apps.h"
#include "control/said.h"
#include "event/spawn.h"

enum {
	LOOK_MS = 100,               /* between looks at a process that runs */
	START_MS = 10000,            /* until the spawner has to have answered */
	KILL_MS = 2000,              /* between two SIGKILLs, should one not have come through */
	HOUR_MS = 3600000,
	WAIT_MOST_MS = HOUR_MS,      /* between two attempts */
	TESTS_MOST = 16,
	LINES_SHOWN = 5,
	LINE_SHOWN_B = 200,
};

enum way_state {
	WAY_IDLE,                    /* timer: what waits may go */
	WAY_STARTING,                /* the spawner was asked; timer: it has not answered */
	WAY_RUNNING,                 /* timer: looks at its time and at how much it says */
	WAY_ENDING,                  /* it was sent SIGKILL; timer: once more */
	WAY_WAITING,                 /* the message is to be sent again; timer: when */
};

/* A try of one way, or of all, on its way back to who asked. */
struct trial {
	struct admin_call *call;
	unsigned left;               /* ways that have not said how it went */
	bool fine;
	struct buf json;
};

struct message {
	struct link link;
	char id[MESSAGE_ID_B + 1];
	struct link items;
	unsigned left_out;
	unsigned attempts;
	struct trial *trial;         /* NULL: it is none */
};

struct way {
	struct link link;
	struct teller *teller;
	struct buf name;
	enum notify_kind kind;
	uint64_t timeout_ms, limit, retries, retry_ms;
	bool removed;                /* no configuration names it any more */
	bool kept;                   /* during a reload */
	struct link items;           /* that wait to be put into a message */
	unsigned item_count, left_out;
	uint64_t first_ms;           /* when the first of them came */
	struct link trials;          /* struct message: go before the items */
	unsigned trial_count;
	struct message *now;         /* under way; NULL: none */
	enum way_state state;
	struct timer timer;
	uint64_t id;                 /* of its process, for the spawner */
	uint64_t due_ms;             /* running: its deadline */
	struct said said;
	char why[160];               /* it was ended by us, since; empty: it was not */
	double tokens;               /* messages that may be sent now */
	uint64_t tokens_ms;
	uint64_t sent, failed;
	struct buf outcome;          /* of the last message */
	bool fine;
	uint64_t outcome_wall_ms;    /* 0: there was none */
};

struct teller {
	struct loop *loop;
	struct log_ring *ring;
	struct apps *apps;
	struct teller_ops ops;
	struct link ways;
	struct str *to;              /* who is told of what does not say so; heap, as its texts are; to_count of them */
	size_t to_count;
	uint64_t group_ms;
	bool stopped;
};

static struct way *way_of(struct link *l)
{
	return container_of(l, struct way, link);
}

static const struct app_ways *ways_of(const struct way *w)
{
	return apps_ways(w->teller->apps);
}

static uint64_t now_ms(const struct way *w)
{
	return w->teller->loop->now_ms;
}

static void wait_for(struct way *w, uint64_t ms)
{
	timer_set(&w->teller->loop->wheel, &w->timer, now_ms(w) + ms);
}

static void enter(struct way *w, enum way_state state, uint64_t ms)
{
	w->state = state;
	wait_for(w, ms);
}

static void way_go(struct way *w);

/* --- Messages. --- */

static struct message *message_new(void)
{
	struct message *m = MEM_NEW(struct message);
	unsigned char bytes[MESSAGE_ID_B / 2];
	must(getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(m->id + 2 * i, 3, "%02x", bytes[i]);
	link_init(&m->link);
	link_init(&m->items);
	return m;
}

static void message_free(struct message *m)
{
	items_free(&m->items);
	link_del(&m->link);
	mem_free(m);
}

/* --- Tries. --- */

static void trial_end(struct trial *t)
{
	struct buf json = {};
	buf_addf(&json, "{\"ok\":%s,\"tests\":[%.*s]}\n", t->fine ? "true" : "false", STR_F(buf_str(&t->json)));
	admin_answer(t->call, 200, buf_str(&json));
	buf_fini(&json);
	buf_fini(&t->json);
	mem_free(t);
}

static void trial_heard(struct trial *t, const struct way *w, bool fine, struct str outcome)
{
	buf_addf(&t->json, "%s{\"notify\":\"%.*s\",\"ok\":%s,\"outcome\":\"", t->json.n ? "," : "", STR_F(buf_str(&w->name)),
	         fine ? "true" : "false");
	buf_add_json(&t->json, outcome);
	buf_add(&t->json, STR("\"}"));
	t->fine &= fine;
	if (--t->left == 0)
		trial_end(t);
}

/* --- How it went. --- */

static void note(struct way *w, const struct message *m, bool fine, struct str outcome)
{
	const struct teller_ops *ops = &w->teller->ops;
	for (struct link *l = m->items.next; l != &m->items && !m->trial; l = l->next) {
		const struct item *i = container_of(l, struct item, link);
		ops->told(ops->arg, buf_str(&i->name), buf_str(&w->name), i->what, fine, outcome);
	}
	buf_clear(&w->outcome);
	buf_add(&w->outcome, outcome);
	w->fine = fine;
	w->outcome_wall_ms = clock_wall_ms();
}

static void give_up(struct way *w, struct message *m, struct str outcome)
{
	w->failed++;
	if (!m->trial)
		log_line(w->teller->ring, LOG_LEVEL_ERROR, "notify %.*s: message %s was not delivered and is given up: %.*s",
		         STR_F(buf_str(&w->name)), m->id, STR_F(outcome));
}

static void end_message(struct way *w)
{
	struct message *m = w->now;
	w->now = NULL;
	w->state = WAY_IDLE;
	message_free(m);
	way_go(w);
}

static void delivered(struct way *w, struct str outcome)
{
	struct message *m = w->now;
	w->sent++;
	note(w, m, true, outcome);
	if (m->trial)
		trial_heard(m->trial, w, true, outcome);
	end_message(w);
}

/* Twice as long each time. */
static uint64_t back_off(const struct way *w)
{
	uint64_t ms = w->retry_ms;
	for (unsigned i = 1; i < w->now->attempts && ms < WAIT_MOST_MS; i++)
		ms *= 2;
	return ms < WAIT_MOST_MS ? ms : WAIT_MOST_MS;
}

static void failed(struct way *w, struct str why)
{
	struct message *m = w->now;
	bool again = !m->trial && m->attempts <= w->retries && !w->removed && !w->teller->stopped;
	note(w, m, false, why);
	if (!again) {
		give_up(w, m, why);
		if (m->trial)
			trial_heard(m->trial, w, false, why);
		end_message(w);
		return;
	}
	uint64_t ms = back_off(w);
	log_line(w->teller->ring, LOG_LEVEL_WARN, "notify %.*s: message %s: %.*s; it is sent again in %" PRIu64 " ms",
	         STR_F(buf_str(&w->name)), m->id, STR_F(why), ms);
	enter(w, WAY_WAITING, ms);
}

/* The last line that is not empty. */
static struct str last_line(const struct said *s)
{
	for (unsigned i = s->last.count; i-- > 0;)
		if (str_trim(tail_get(&s->last, i)).n)
			return str_head(tail_get(&s->last, i), LINE_SHOWN_B);
	return (struct str){};
}

static void on_ended(struct way *w, int status)
{
	struct buf why = {};
	said_close(&w->said);
	w->id = 0;
	struct str line = last_line(&w->said);
	if (w->why[0])
		buf_add(&why, str_of(w->why));
	else if (WIFSIGNALED(status))
		buf_addf(&why, "was killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) && w->kind != NOTIFY_WEBHOOK)
		buf_addf(&why, "exited with status %d", WEXITSTATUS(status));
	bool fine = !status && !w->why[0];
	if (line.n && (!fine || w->kind == NOTIFY_WEBHOOK))
		buf_addf(&why, "%s%.*s", why.n ? ": " : "", STR_F(line));
	if (!why.n)
		buf_add(&why, fine ? STR("delivered") : STR("failed"));
	if (fine)
		delivered(w, buf_str(&why));
	else
		failed(w, buf_str(&why));
	buf_fini(&why);
}

/* --- Its process. --- */

static void kill_process(struct way *w)
{
	const struct spawn_message m = { .kind = SPAWN_SIGNAL, .id = w->id, .number = SIGKILL };
	(void)!ways_of(w)->send(ways_of(w)->apps, &m, -1);
	enter(w, WAY_ENDING, KILL_MS);
}

[[gnu::format(printf, 2, 3)]] static void cut_off(struct way *w, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(w->why, sizeof w->why, format, args);
	va_end(args);
	kill_process(w);
}

static void look(struct way *w)
{
	if (w->said.read_b > TELL_SAID_B)
		cut_off(w, "wrote more than %d KB and was ended", TELL_SAID_B / 1024);
	else if (now_ms(w) >= w->due_ms)
		cut_off(w, "took longer than %" PRIu64 " ms and was ended", w->timeout_ms);
	else
		wait_for(w, LOOK_MS);
}

static void on_started(struct way *w, const struct spawn_message *m, int fd)
{
	char who[112];
	snprintf(who, sizeof who, "notify %.*s[%d]", STR_F(buf_str(&w->name)), (int)m->number);
	if (fd >= 0)
		said_open(&w->said, fd, who);
	w->due_ms = now_ms(w) + w->timeout_ms;
	if (w->state == WAY_STARTING)
		enter(w, WAY_RUNNING, LOOK_MS);
}

/* The spawner could not, or is not there. */
static void not_started(struct way *w, struct str why, int err)
{
	struct buf text = {};
	w->id = 0;
	buf_addf(&text, "could not be started: %.*s (%s)", STR_F(why), strerror(err));
	failed(w, buf_str(&text));
	buf_fini(&text);
}

static void start(struct way *w)
{
	struct buf text = {};
	w->now->attempts++;
	w->why[0] = '\0';
	message_print(&text, w->kind, &w->now->items, w->now->left_out, w->now->id);
	said_fini(&w->said);
	said_init(&w->said, w->teller->loop, w->teller->ring);
	w->said.quiet = true;
	w->id = ways_of(w)->next_id(ways_of(w)->apps);
	const struct spawn_message m = { .kind = SPAWN_NOTIFY, .id = w->id, .name = buf_str(&w->name),
		                             .text = buf_str(&text) };
	enter(w, WAY_STARTING, START_MS);
	int err = ways_of(w)->send(ways_of(w)->apps, &m, -1);
	if (err)
		not_started(w, STR("its spawner does not hear"), -err);
	buf_fini(&text);
}

static struct way *way_at(struct teller *t, uint64_t id)
{
	for (struct link *l = t->ways.next; l != &t->ways; l = l->next)
		if (way_of(l)->id == id)
			return way_of(l);
	return NULL;
}

static bool heard(void *arg, const struct spawn_message *m, int fd)
{
	struct way *w = way_at(arg, m->id);
	if (!w)
		return false;
	if (m->kind == SPAWN_STARTED) {
		on_started(w, m, fd);
		return true;
	}
	if (fd >= 0)
		close(fd);
	if (m->kind == SPAWN_FAILED)
		not_started(w, m->text, (int)(m->number & 0xFFF));
	else if (m->kind == SPAWN_ENDED)
		on_ended(w, (int)m->number);
	return true;
}

static void lost(void *arg)
{
	struct teller *t = arg;
	for (struct link *l = t->ways.next, *next; l != &t->ways; l = next) {
		next = l->next;
		if (way_of(l)->id)
			not_started(way_of(l), STR("its spawner is gone"), EPIPE);
	}
}

/* --- What goes when. --- */

/* So many an hour, and as many at a time. */
static uint64_t token_wait_ms(struct way *w)
{
	double most = (double)w->limit;
	if (!w->limit)
		return 0;
	w->tokens += (double)(now_ms(w) - w->tokens_ms) * most / HOUR_MS;
	w->tokens = w->tokens > most ? most : w->tokens;
	w->tokens_ms = now_ms(w);
	return w->tokens >= 1 ? 0 : (uint64_t)((1 - w->tokens) * HOUR_MS / most) + 1;
}

static void pack(struct way *w)
{
	struct message *m = message_new();
	while (!link_alone(&w->items)) {
		struct link *l = w->items.next;
		link_del(l);
		link_add(&m->items, l);
	}
	m->left_out = w->left_out;
	w->item_count = w->left_out = 0;
	w->tokens -= w->limit > 0;
	w->now = m;
}

static void way_free(struct way *w);

/* Idle: a try goes at once; what happened when its time has come. */
static void way_go(struct way *w)
{
	if (w->now || w->teller->stopped)
		return;
	if (!link_alone(&w->trials)) {
		w->now = container_of(w->trials.next, struct message, link);
		link_del(&w->now->link);
		w->trial_count--;
		start(w);
		return;
	}
	if (w->removed) {
		way_free(w);
		return;
	}
	if (link_alone(&w->items))
		return;
	uint64_t due_ms = w->first_ms + w->teller->group_ms, wait_ms = token_wait_ms(w);
	if (due_ms > now_ms(w) + wait_ms)
		wait_ms = due_ms - now_ms(w);
	if (wait_ms) {
		wait_for(w, wait_ms);
		return;
	}
	pack(w);
	start(w);
}

static void on_time(struct timer *t)
{
	struct way *w = container_of(t, struct way, timer);
	switch (w->state) {
	case WAY_IDLE: way_go(w); break;
	case WAY_STARTING: cut_off(w, "its spawner did not answer"); break;
	case WAY_RUNNING: look(w); break;
	case WAY_ENDING: kill_process(w); break;
	case WAY_WAITING: start(w); break;
	}
}

static void add_item(struct way *w, const struct tell *what)
{
	if (w->item_count == TELL_ITEMS) {
		w->left_out++;
		return;
	}
	if (!w->item_count++)
		w->first_ms = now_ms(w);
	link_add(&w->items, &item_new(what)->link);
	way_go(w);
}

/* --- Who is told. --- */

static struct way *find(const struct teller *t, struct str name)
{
	for (struct link *l = t->ways.next; l != &t->ways; l = l->next)
		if (!way_of(l)->removed && str_eq(buf_str(&way_of(l)->name), name))
			return way_of(l);
	return NULL;
}

bool teller_add(struct teller *t, const struct tell *what)
{
	const struct str *to = what->to_count ? what->to : t->to;
	size_t count = what->to_count ? what->to_count : t->to_count;
	bool any = false;
	for (size_t i = 0; i < count; i++) {
		struct way *w = find(t, to[i]);
		any |= w != NULL;
		if (w)
			add_item(w, what);
	}
	for (struct link *l = t->ways.next, *next; l != &t->ways && !count; l = next) {
		next = l->next;
		any |= !way_of(l)->removed;
		if (!way_of(l)->removed)
			add_item(way_of(l), what);
	}
	return any;
}

static void add_trial(struct way *w, struct trial *t)
{
	struct message *m = message_new();
	struct tell what = { .what = TELL_TEST, .name = STR("test") };
	m->trial = t;
	t->left++;
	link_add(&m->items, &item_new(&what)->link);
	link_add(&w->trials, &m->link);
	w->trial_count++;
}

bool teller_test(struct teller *t, struct str name, struct admin_call *call)
{
	if (t->stopped) {
		admin_refuse(call, 503, "the server is stopping");
		return true;
	}
	struct trial *trial = MEM_NEW(struct trial);
	*trial = (struct trial){ .call = call, .fine = true, .left = 1 };
	for (struct link *l = t->ways.next; l != &t->ways; l = l->next) {
		struct way *w = way_of(l);
		if (!w->removed && w->trial_count < TESTS_MOST && (!name.n || str_eq(buf_str(&w->name), name)))
			add_trial(w, trial);
	}
	if (trial->left == 1) {
		mem_free(trial);
		return false;
	}
	for (struct link *l = t->ways.next, *next; l != &t->ways; l = next) {
		next = l->next;
		way_go(way_of(l));
	}
	if (--trial->left == 0)
		trial_end(trial);
	return true;
}

void teller_names(const struct teller *t, struct buf *out)
{
	for (struct link *l = t->ways.next; l != &t->ways; l = l->next)
		if (!way_of(l)->removed)
			buf_addf(out, "%s%.*s", out->n ? ", " : "", STR_F(buf_str(&way_of(l)->name)));
}

/* --- Configurations. --- */

static struct way *way_new(struct teller *t, const struct notify_conf *n)
{
	struct way *w = MEM_NEW(struct way);
	w->teller = t;
	buf_add(&w->name, n->name);
	link_init(&w->items);
	link_init(&w->trials);
	timer_init(&w->timer, on_time);
	said_init(&w->said, t->loop, t->ring);
	w->tokens = (double)n->limit;
	w->tokens_ms = t->loop->now_ms;
	link_add(&t->ways, &w->link);
	return w;
}

static void way_free(struct way *w)
{
	must(!w->now);
	link_del(&w->link);
	timer_stop(&w->timer);
	items_free(&w->items);
	said_fini(&w->said);
	buf_fini(&w->name);
	buf_fini(&w->outcome);
	mem_free(w);
}

static void way_conf(struct way *w, const struct notify_conf *n)
{
	w->kind = n->kind;
	w->timeout_ms = n->timeout_ms;
	w->limit = n->limit;
	w->retries = n->retries;
	w->retry_ms = n->retry_ms;
	w->kept = true;
}

static void free_names(struct teller *t)
{
	for (size_t i = 0; i < t->to_count; i++)
		mem_str_free(t->to[i]);
	mem_free(t->to);
	t->to = NULL;
	t->to_count = 0;
}

static void take_names(struct teller *t, const struct items *to)
{
	free_names(t);
	t->to = mem_new(to->count * sizeof *t->to + 1);
	for (; t->to_count < to->count; t->to_count++)
		t->to[t->to_count] = mem_str(((const struct str *)to->p)[t->to_count]);
}

void teller_conf(struct teller *t, const struct alerts_conf *c)
{
	const struct notify_conf *n = c->notifies.p;
	t->group_ms = c->group_ms;
	take_names(t, &c->to);
	for (struct link *l = t->ways.next; l != &t->ways; l = l->next)
		way_of(l)->kept = false;
	for (size_t i = 0; i < c->notifies.count; i++) {
		struct way *w = find(t, n[i].name);
		way_conf(w ? w : way_new(t, &n[i]), &n[i]);
	}
	for (struct link *l = t->ways.next, *next; l != &t->ways; l = next) {
		struct way *w = way_of(l);
		next = l->next;
		w->removed |= !w->kept;
		if (w->removed && w->state == WAY_WAITING)
			end_message(w);
		else if (w->removed)
			way_go(w);
	}
}

/* --- Beginning and end. --- */

struct teller *teller_new(struct loop *l, struct log_ring *ring, struct apps *apps, const struct teller_ops *ops)
{
	struct teller *t = MEM_NEW(struct teller);
	*t = (struct teller){ .loop = l, .ring = ring, .apps = apps, .ops = *ops };
	link_init(&t->ways);
	apps_others(apps, &(struct apps_others){ heard, lost, t });
	return t;
}

void teller_stop(struct teller *t)
{
	t->stopped = true;
	for (struct link *l = t->ways.next; l != &t->ways; l = l->next) {
		struct way *w = way_of(l);
		timer_stop(&w->timer);
		w->id = 0;
		if (w->now && w->now->trial)
			trial_heard(w->now->trial, w, false, STR("the server is stopping"));
		for (struct link *k = w->trials.next; k != &w->trials; k = k->next)
			trial_heard(container_of(k, struct message, link)->trial, w, false, STR("the server is stopping"));
		if (w->now)
			message_free(w->now);
		w->now = NULL;
		while (!link_alone(&w->trials))
			message_free(container_of(w->trials.next, struct message, link));
	}
}

void teller_free(struct teller *t)
{
	if (!t->stopped)
		teller_stop(t);
	while (!link_alone(&t->ways))
		way_free(way_of(t->ways.next));
	apps_others(t->apps, &(struct apps_others){});
	free_names(t);
	mem_free(t);
}

/* --- The listing. --- */

static void print_last(const struct way *w, struct buf *out)
{
	char time[32];
	if (!w->outcome_wall_ms)
		return;
	size_t n = civil_print(time, (int64_t)(w->outcome_wall_ms / 1000));
	buf_addf(out, ",\"last\":{\"time\":\"%.*sZ\",\"ok\":%s,\"outcome\":\"", (int)n, time, w->fine ? "true" : "false");
	buf_add_json(out, buf_str(&w->outcome));
	buf_add(out, STR("\",\"lines\":["));
	unsigned count = w->said.last.count, from = count > LINES_SHOWN ? count - LINES_SHOWN : 0;
	for (unsigned i = from; i < count; i++) {
		buf_add(out, i > from ? STR(",\"") : STR("\""));
		buf_add_json(out, str_head(tail_get(&w->said.last, i), LINE_SHOWN_B));
		buf_add_char(out, '"');
	}
	buf_add(out, STR("]}"));
}

static void print_way(const struct way *w, struct buf *out)
{
	static const char *const KINDS[] = { "command", "webhook", "mail" };
	static const char *const STATES[] = { "idle", "sending", "sending", "sending", "waiting" };
	buf_addf(out, "{\"name\":\"%.*s\",\"kind\":\"%s\",\"state\":\"%s\",\"delivered\":%" PRIu64 ",\"failed\":%" PRIu64
	         ",\"attempts\":%u,\"waiting\":%u", STR_F(buf_str(&w->name)), KINDS[w->kind], STATES[w->state], w->sent,
	         w->failed, w->now ? w->now->attempts : 0, w->item_count + w->left_out);
	print_last(w, out);
	buf_add_char(out, '}');
}

void teller_print(const struct teller *t, struct buf *out)
{
	bool first = true;
	buf_add_char(out, '[');
	for (struct link *l = t->ways.next; l != &t->ways; l = l->next) {
		if (way_of(l)->removed)
			continue;
		buf_add(out, first ? STR("\n") : STR(",\n"));
		print_way(way_of(l), out);
		first = false;
	}
	buf_add_char(out, ']');
}

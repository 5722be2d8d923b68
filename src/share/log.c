/* The log: rings in, sinks out, and the writer thread between them.  See log.h.
 *
 * The writer takes what all rings hold, writes it, and naps for a few milliseconds while there is something to do, so
 * that a busy server's lines leave in batches; a ring that is half full wakes it earlier.  When nothing came it sleeps
 * until somebody writes its eventfd, which producers do only when they see it asleep.
 *
 * Everything of the sinks beside their list, counts and new descriptors belongs to the writer.  A sink that nobody
 * refers to is freed after the rings were emptied once more: no record can name it then. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "event/thread.h"
#include "share/log_in.h"

enum {
	NAP_MS = 15,
	LATER_MS = 100,       /* between looks at a sink that takes nothing, or at what is still to be told */
	DRAIN_MS = 700,       /* for sinks that take nothing, at the end */
	END_MS = 1000,        /* for the writer to end */
	TOLD_EVERY_MS = 1000,
};

enum sleep { AWAKE, NAPPING, ASLEEP };

struct log {
	size_t ring_b;
	_Atomic(struct log_ring *) rings;  /* all, newest first; they only become more */
	_Atomic int sleep;                 /* enum sleep; whoever makes it AWAKE writes event_fd */
	_Atomic bool stopping;
	_Atomic int level;                 /* enum log_level */
	int event_fd;
	pthread_t writer;
	pthread_mutex_t lock;              /* of the two below, and of the sinks' first fields */
	struct link sinks;
	struct log_sink *errors;           /* the error log, counted */
	struct sink_counts counts;
	/* The writer's alone. */
	struct link dirty;                 /* sinks to be flushed */
	uint64_t lost_told_ms, lost;       /* lines lost for want of room, not told of yet */
};

/* --- Waking and sleeping. --- */

static void wake(struct log *l)
{
	uint64_t one = 1;
	if (write(l->event_fd, &one, sizeof one) < 0)
		must(errno == EAGAIN);
}

bool log_put(struct log_ring *ring, struct log_sink *sink, enum log_level level, struct str line)
{
	struct log *l = ring->log;
	bool put = ring_put(ring, sink, level, line);
	int sleep = atomic_load(&l->sleep);
	bool due = sleep == ASLEEP || (sleep == NAPPING && ring_used_b(ring) > ring->size_b / 2);
	if (due && atomic_exchange(&l->sleep, AWAKE) != AWAKE)
		wake(l);
	return put;
}

/* Something has come since the writer looked that it must not sleep over. */
static bool came(struct log *l, enum sleep sleep)
{
	for (struct log_ring *r = atomic_load(&l->rings); r; r = r->next)
		if (ring_used_b(r) > (sleep == NAPPING ? r->size_b / 2 : 0))
			return true;
	return false;
}

static void writer_sleep(struct log *l, bool busy)
{
	bool later = !link_alone(&l->dirty) || l->lost > 0;
	enum sleep sleep = busy ? NAPPING : ASLEEP;
	int wait_ms = busy ? NAP_MS : later ? LATER_MS : -1;
	struct pollfd p = { .fd = l->event_fd, .events = POLLIN };
	/* seq_cst: a producer that does not see it asleep has put its record where came() sees it. */
	atomic_store(&l->sleep, sleep);
	if (!came(l, sleep) && poll(&p, 1, wait_ms) == 1) {
		uint64_t count;
		if (read(l->event_fd, &count, sizeof count) < 0)
			must(errno == EAGAIN || errno == EINTR);
	}
	atomic_store(&l->sleep, AWAKE);
}

/* --- The writer's round. --- */

static void dirty(struct log *l, struct log_sink *s)
{
	if (link_alone(&s->dirty))
		link_add(&l->dirty, &s->dirty);
}

static bool add(struct log *l, struct log_sink *s, enum log_level level, struct str line)
{
	bool added = sink_add(s, level, line, &l->counts);
	if (s->pending.n)
		dirty(l, s);
	return added;
}

/* Takes what is in the rings by now.  True where there was anything. */
static bool rings_empty(struct log *l, struct log_sink *errors)
{
	bool any = false;
	for (struct log_ring *r = atomic_load(&l->rings); r; r = r->next) {
		const struct record *record;
		struct str line;
		uint64_t end = ring_end(r);
		while ((record = ring_peek(r, end, &line))) {
			l->lost += !add(l, record->sink ? record->sink : errors, record->level, line);
			ring_next(r, record);
			any = true;
		}
		uint64_t dropped = atomic_load_explicit(&r->dropped, memory_order_relaxed);
		l->lost += dropped - r->dropped_told;
		r->dropped_told = dropped;
	}
	return any;
}

static void tell_lost(struct log *l, struct log_sink *errors)
{
	char text[128], line[640];
	uint64_t now_ms = clock_ms();
	if (l->lost == 0 || now_ms - l->lost_told_ms < TOLD_EVERY_MS)
		return;
	int n = snprintf(text, sizeof text, "lines dropped from the logs: %llu; they came faster than they could be written",
	                 (unsigned long long)l->lost);
	l->lost_told_ms = now_ms;
	size_t length_b = note_print(line, LOG_LEVEL_WARN, str_make(text, (size_t)n));
	if (add(l, errors, LOG_LEVEL_WARN, str_make(line, length_b)))
		l->lost = 0;
}

static void flush(struct log *l)
{
	struct link *next;
	for (struct link *at = l->dirty.next; at != &l->dirty; at = next) {
		struct log_sink *s = container_of(at, struct log_sink, dirty);
		next = at->next;
		if (sink_flush(s, &l->counts))
			link_del(&s->dirty);
	}
}

/* Under the lock: takes over new descriptors, and puts sinks that nobody refers to on a list of their own. */
static struct log_sink *sinks_look(struct log *l, struct link *unused)
{
	struct link *next;
	pthread_mutex_lock(&l->lock);
	for (struct link *at = l->sinks.next; at != &l->sinks; at = next) {
		struct log_sink *s = container_of(at, struct log_sink, all);
		next = at->next;
		if (s->next_fd >= 0) {
			s->move_fd = s->next_fd;  /* the last one has been moved to: flush() empties it */
			s->next_fd = -1;
			dirty(l, s);
		}
		if (s->refs == 0) {
			link_del(&s->all);
			link_add(unused, &s->all);
		}
	}
	struct log_sink *errors = l->errors;
	pthread_mutex_unlock(&l->lock);
	return errors;
}

static bool writer_round(struct log *l)
{
	struct link unused;
	link_init(&unused);
	struct log_sink *errors = sinks_look(l, &unused);
	bool any = rings_empty(l, errors);
	tell_lost(l, errors);
	flush(l);
	while (!link_alone(&unused)) {
		struct log_sink *s = container_of(unused.next, struct log_sink, all);
		link_del(&s->all);
		sink_free(s, &l->counts);
	}
	return any;
}

static void *writer_run(void *arg)
{
	struct log *l = arg;
	uint64_t end_ms = 0;
	for (;;) {
		bool stopping = atomic_load(&l->stopping);
		bool any = writer_round(l);
		if (stopping && end_ms == 0)
			end_ms = clock_ms() + DRAIN_MS;
		if (stopping && (link_alone(&l->dirty) || clock_ms() >= end_ms))
			return NULL;
		writer_sleep(l, any || stopping);
	}
}

/* --- The log and its rings. --- */

int log_new(struct log **out, size_t ring_b)
{
	struct log *l = MEM_NEW(struct log);
	l->ring_b = ring_b;
	atomic_init(&l->level, LOG_LEVEL_INFO);
	pthread_mutex_init(&l->lock, NULL);
	link_init(&l->sinks);
	link_init(&l->dirty);
	l->errors = sink_new(STR(""), STDERR_FILENO);
	link_add(&l->sinks, &l->errors->all);
	l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = l->event_fd < 0 ? -errno : thread_start(&l->writer, "petrel-log", writer_run, l);
	if (!err) {
		*out = l;
		return 0;
	}
	if (l->event_fd >= 0)
		close(l->event_fd);
	sink_free(l->errors, &l->counts);
	mem_free(l);
	return err;
}

void log_free(struct log *l)
{
	if (!l)
		return;
	atomic_store(&l->stopping, true);
	wake(l);
	struct timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += END_MS / 1000;
	if (pthread_timedjoin_np(l->writer, NULL, &end)) {
		/* It hangs in a write: all that it may touch stays. */
		pthread_detach(l->writer);
		return;
	}
	while (!link_alone(&l->sinks)) {
		struct log_sink *s = container_of(l->sinks.next, struct log_sink, all);
		link_del(&s->all);
		sink_free(s, &l->counts);
	}
	for (struct log_ring *r = atomic_load(&l->rings), *next; r; r = next) {
		next = r->next;
		ring_release(r);
	}
	close(l->event_fd);
	pthread_mutex_destroy(&l->lock);
	mem_free(l);
}

struct log_ring *log_ring_new(struct log *l)
{
	struct log_ring *r = ring_alloc(l, l->ring_b);
	r->next = atomic_load(&l->rings);
	while (!atomic_compare_exchange_weak(&l->rings, &r->next, r))
		;
	return r;
}

bool log_write(struct log_ring *ring, struct log_sink *sink, struct str line)
{
	return log_put(ring, sink, LOG_LEVEL_INFO, line);
}

bool log_wants(const struct log *l, enum log_level level)
{
	return (int)level <= atomic_load_explicit(&l->level, memory_order_relaxed);
}

struct log_stats log_stats(const struct log *l)
{
	struct log_stats stats = {
		.written = atomic_load_explicit(&l->counts.written, memory_order_relaxed),
		.dropped = atomic_load_explicit(&l->counts.dropped, memory_order_relaxed),
		.write_errors = atomic_load_explicit(&l->counts.write_errors, memory_order_relaxed),
	};
	for (struct log_ring *r = atomic_load(&l->rings); r; r = r->next)
		stats.dropped += atomic_load_explicit(&r->dropped, memory_order_relaxed);
	return stats;
}

/* --- Sinks.  Any thread. --- */

static struct log_sink *sink_find(struct log *l, struct str name)
{
	for (struct link *at = l->sinks.next; at != &l->sinks; at = at->next) {
		struct log_sink *s = container_of(at, struct log_sink, all);
		if (str_eq(s->name, name))
			return s;
	}
	return NULL;
}

struct log_sink *log_sink_get(struct log *l, struct str name, int fd)
{
	struct log_sink *s = sink_new(name, fd);
	pthread_mutex_lock(&l->lock);
	struct log_sink *known = sink_find(l, name);
	if (known)
		known->refs++;
	else
		link_add(&l->sinks, &s->all);
	pthread_mutex_unlock(&l->lock);
	if (!known)
		return s;
	sink_free(s, &l->counts);
	return known;
}

/* The lock is held.  The writer frees it. */
static bool unref(struct log_sink *s)
{
	must(s->refs > 0);
	return --s->refs == 0;
}

void log_sink_put(struct log *l, struct log_sink *s)
{
	pthread_mutex_lock(&l->lock);
	bool last = unref(s);
	pthread_mutex_unlock(&l->lock);
	if (last)
		wake(l);
}

void log_sink_reopen(struct log *l, struct str name, int fd)
{
	pthread_mutex_lock(&l->lock);
	struct log_sink *s = sink_find(l, name);
	int unused = fd;
	if (s) {
		unused = s->next_fd;
		s->next_fd = fd;
	}
	pthread_mutex_unlock(&l->lock);
	if (unused >= 0)
		close(unused);
	wake(l);
}

void log_errors_to(struct log *l, struct log_sink *s, enum log_level level)
{
	pthread_mutex_lock(&l->lock);
	s->refs++;
	unref(l->errors);
	l->errors = s;
	pthread_mutex_unlock(&l->lock);
	atomic_store_explicit(&l->level, (int)level, memory_order_relaxed);
	wake(l);
}

/* The event loop.  One thread per loop; see loop.h for what may be called from elsewhere (the mailbox only). */
#include "event/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

enum { GAP_LEAST_NS = 20000 };  /* a sleep that is shorter costs more than it saves */

/* It woke the loop, which then looks into its mailbox in any case.  What was written need not be read: the next write is
 * another edge. */
static void mail_ready(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
}

static void read_clock(struct loop *l)
{
	l->now_ns = clock_ns();
	l->now_ms = l->now_ns / 1000000;
}

int loop_init(struct loop *l, unsigned index)
{
	*l = (struct loop){ .index = index, .epoll_fd = -1 };
	read_clock(l);
	wheel_init(&l->wheel, l->now_ms);
	link_init(&l->tasks);
	int err = mailbox_init(&l->mailbox);
	if (err)
		return err;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		err = -errno;
		goto out;
	}
	l->events = mem_new(LOOP_EVENTS * sizeof *l->events);
	l->scratch = mem_new(LOOP_SCRATCH_B);
	l->mail_watch = (struct watch){ l->mailbox.event_fd, mail_ready };
	err = loop_watch(l, &l->mail_watch);
out:
	if (err)
		loop_fini(l);
	return err;
}

void loop_fini(struct loop *l)
{
	mailbox_fini(&l->mailbox);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
	mem_free(l->events);
	mem_free(l->scratch);
	l->events = NULL;
	l->scratch = NULL;
}

enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP };

static int add(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e) < 0 ? -errno : 0;
}

int loop_watch(struct loop *l, struct watch *w)
{
	return add(l, w, ALL | EPOLLET);
}

int loop_watch_shared(struct loop *l, struct watch *w)
{
	return add(l, w, EPOLLIN | EPOLLEXCLUSIVE);
}

void loop_again(struct loop *l, struct watch *w)
{
	struct epoll_event e = { .events = ALL | EPOLLET, .data.ptr = w };
	must(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e) == 0);
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	struct epoll_event none = {};
	int err = epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, &none) < 0 ? errno : 0;
	must(!err || err == ENOENT);
	loop_forget(l, w);
}

void loop_forget(struct loop *l, struct watch *w)
{
	for (int i = l->event_at; i < l->event_count; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
}

void loop_queue(struct loop *l, struct task *t)
{
	if (link_alone(&t->link))
		link_add(&l->tasks, &t->link);
}

static void run_events(struct loop *l)
{
	for (l->event_at = 0; l->event_at < l->event_count;) {
		struct epoll_event *e = &l->events[l->event_at++];
		struct watch *w = e->data.ptr;
		if (w)
			w->ready(w, e->events);
	}
	l->event_count = 0;
}

/* Runs what is queued now; what that queues in its turn comes next turn, so that no task can starve the sockets. */
static void run_tasks(struct loop *l)
{
	struct link now;
	if (link_alone(&l->tasks))
		return;
	now = l->tasks;
	now.next->prev = now.prev->next = &now;
	link_init(&l->tasks);
	while (!link_alone(&now)) {
		struct task *t = (struct task *)now.next;
		link_del(&t->link);
		t->run(t);
	}
}

/* What comes meanwhile is found together afterwards: each sleep in epoll_wait() would end with the first of it. */
static void keep_apart(const struct loop *l)
{
	uint64_t until_ns = l->now_ns + l->gap_ns;
	if (!l->gap_ns || clock_ns() + GAP_LEAST_NS > until_ns)
		return;
	struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000) };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void wait_events(struct loop *l)
{
	int wait_ms = link_alone(&l->tasks) ? wheel_wait_ms(&l->wheel, l->now_ms) : 0;
	if (l->asleep)
		l->asleep(l);
	if (wait_ms)
		keep_apart(l);
	if (wait_ms && !mailbox_sleep(&l->mailbox))
		wait_ms = 0;
	l->event_count = epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS, wait_ms);
	mailbox_wake(&l->mailbox);
	if (l->awake)
		l->awake(l);
	if (l->event_count < 0) {
		must(errno == EINTR);
		l->event_count = 0;
	}
	l->turn_events = l->event_count;
	read_clock(l);
}

void loop_run(struct loop *l)
{
	read_clock(l);
	if (l->awake)
		l->awake(l);
	while (!l->stopping) {
		wait_events(l);
		run_events(l);
		mailbox_open(&l->mailbox);
		wheel_turn(&l->wheel, l->now_ms);
		run_tasks(l);
	}
	if (l->asleep)
		l->asleep(l);
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

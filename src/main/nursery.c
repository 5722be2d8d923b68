/* Starting and burying spawners.  The supervisor's thread. */
#include "main/nursery.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/channel.h"
#include "main/say.h"
#include "main/spawner.h"

static const struct child_kind SPAWNER = { .name = "spawner", .work = spawner_main };

void nursery_init(struct nursery *n)
{
	*n = (struct nursery){ .now = { .channel = -1, .panic_fd = -1 } };
	for (size_t i = 0; i < countof(n->old); i++)
		n->old[i] = n->now;
}

/* A pair, an end for each of them: from then on they need nobody between them. */
static int introduce(struct nursery *n, int worker)
{
	int ends[2] = { -1, -1 };
	int err = packet_pair(ends);
	if (!err)
		err = channel_send(n->now.channel, CHANNEL_SPAWNER, STR(""), &ends[0], 1);
	if (!err)
		err = channel_send(worker, CHANNEL_SPAWNER, STR(""), &ends[1], 1);
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return err;
}

/* The one that has been ending longest goes at once: there can't be ever more of them. */
static struct child *free_place(struct nursery *n)
{
	struct child *oldest = n->old;
	for (size_t i = 0; i < countof(n->old); i++) {
		if (!n->old[i].pid)
			return &n->old[i];
		if (n->old[i].started_ms < oldest->started_ms)
			oldest = &n->old[i];
	}
	int status;
	kill(oldest->pid, SIGKILL);
	while (!child_ended(oldest, &status))
		usleep(1000);
	child_fini(oldest, NULL);
	return oldest;
}

void nursery_part(struct nursery *n)
{
	n->due_ms = 0;
	if (!n->now.pid)
		return;
	/* The end of the channel tells it. */
	close(n->now.channel);
	n->now.channel = -1;
	*free_place(n) = n->now;
	n->now = (struct child){ .channel = -1, .panic_fd = -1 };
}

void nursery_send(struct nursery *n, const struct draft *d, int worker)
{
	bool fresh = !n->now.pid;
	if (fresh && !d->has_apps)
		return;
	n->due_ms = 0;
	int err = fresh ? child_start(&n->now, &SPAWNER) : 0;
	if (!err)
		err = channel_send(n->now.channel, CHANNEL_CONF, STR(""), &d->sources, 1);
	if (!err && fresh)
		err = introduce(n, worker);
	if (!err)
		return;
	say("no spawner for applications: %s", strerror(-err));
	/* One that is dead shows as SIGCHLD, and is followed by another. */
	if (fresh)
		nursery_part(n);
}

static void tell_death(struct child *c, pid_t pid, int status)
{
	struct buf how = {};
	child_describe(&how, status);
	child_fini(c, NULL);
	say("spawner %d %.*s; its applications are started again", (int)pid, STR_F(buf_str(&how)));
	buf_fini(&how);
}

void nursery_reap(struct nursery *n)
{
	int status;
	pid_t pid = n->now.pid;
	for (size_t i = 0; i < countof(n->old); i++)
		if (child_ended(&n->old[i], &status))
			child_fini(&n->old[i], NULL);
	if (!child_ended(&n->now, &status))
		return;
	/* It ended as it should: its worker left it, and is about to end, too. */
	if (status == 0) {
		child_fini(&n->now, NULL);
		return;
	}
	tell_death(&n->now, pid, status);
	n->due_ms = clock_ms() + backoff_next(&n->backoff, clock_ms() - n->now.started_ms);
}

bool nursery_is_empty(const struct nursery *n)
{
	for (size_t i = 0; i < countof(n->old); i++)
		if (n->old[i].pid)
			return false;
	return !n->now.pid;
}

void nursery_kill(struct nursery *n)
{
	nursery_part(n);
	for (size_t i = 0; i < countof(n->old); i++)
		if (n->old[i].pid)
			kill(n->old[i].pid, SIGKILL);
}

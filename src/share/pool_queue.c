/* The pool's queue: who waits for a slot, and how he gets one.
 *
 * Nobody waits while a server that he may go to has room.  Whoever begins to wait counts himself before he looks for a
 * slot the last time; whoever makes room, or makes a server ready, looks afterwards whether somebody is counted.  So at
 * least one of the two sees the other, and no slot stays free unseen.
 *
 * All of it on any thread, under the pool's lock; the mail is posted when the lock is free again. */
#include "share/pool_in.h"

#include "base/mem.h"
#include "base/must.h"

/* Those who got a slot, linked by mail.next until their mail is posted. */
struct served {
	struct mail *first, **end;
};

/* From here on w is the receiver's. */
static void served_post(struct served *s)
{
	struct mail *m = s->first;
	while (m) {
		struct mail *next = m->next;
		mailbox_post(container_of(m, struct pool_waiter, mail)->to, m);
		m = next;
	}
}

/* Takes w out of the queue; the slot and the reference are in w->peer.  The lock is held. */
static void serve(struct pool *pool, struct pool_waiter *w, struct served *s)
{
	link_del(&w->link);
	atomic_fetch_sub(&pool->waiting, 1);
	w->mail.next = NULL;
	*s->end = &w->mail;
	s->end = &w->mail.next;
}

/* The first who waits and may go to p.  The lock is held. */
static struct pool_waiter *next_for(struct pool *pool, const struct peer *p, uint64_t now_ms)
{
	const struct peer_list *l = pool_list(pool);
	for (unsigned class = 0; class < POOL_CLASSES; class++) {
		struct link *head = &pool->classes[class];
		for (struct link *at = head->next; at != head; at = at->next) {
			struct pool_waiter *w = container_of(at, struct pool_waiter, link);
			struct reach reach;
			w->pick.now_ms = now_ms;
			if (pick_reach(l, &w->pick, &reach) && pick_fits(p, &w->pick, &reach))
				return w;
		}
	}
	return NULL;
}

static void slot_free(struct peer *p)
{
	uint32_t before = atomic_fetch_sub(&p->busy, 1);
	must(before > 0);
}

/* A slot of p goes to who waits for it; else it is free.  The lock is held. */
static void slot_pass(struct pool *pool, struct peer *p, uint64_t now_ms, struct served *s)
{
	uint32_t most = atomic_load(&p->connections);
	bool lasts = !most || atomic_load(&p->busy) <= most;  /* else there are fewer slots by now */
	struct pool_waiter *w = lasts ? next_for(pool, p, now_ms) : NULL;
	if (!w) {
		slot_free(p);
		return;
	}
	slot_taken(pool, p, w->pick.loop);
	w->peer = p;
	serve(pool, w, s);
}

/* Somebody may have begun to wait just when the slot became free. */
static void slot_offer(struct pool *pool, struct peer *p, uint64_t now_ms)
{
	struct served s = { .end = &s.first };
	pthread_mutex_lock(&pool->lock);
	if (slot_take(p))
		slot_pass(pool, p, now_ms, &s);
	pthread_mutex_unlock(&pool->lock);
	served_post(&s);
}

static void slot_leave(struct pool *pool, struct peer *p, uint64_t now_ms)
{
	if (!atomic_load(&pool->waiting)) {
		slot_free(p);
		if (atomic_load(&pool->waiting))
			slot_offer(pool, p, now_ms);
		return;
	}
	/* From hand to hand: no newcomer finds it free in between. */
	struct served s = { .end = &s.first };
	pthread_mutex_lock(&pool->lock);
	slot_pass(pool, p, now_ms, &s);
	pthread_mutex_unlock(&pool->lock);
	served_post(&s);
}

void queue_serve(struct pool *pool, uint64_t now_ms)
{
	struct served s = { .end = &s.first };
	if (!atomic_load(&pool->waiting))
		return;
	pthread_mutex_lock(&pool->lock);
	for (unsigned class = 0; class < POOL_CLASSES; class++) {
		struct link *head = &pool->classes[class], *next;
		for (struct link *at = head->next; at != head; at = next) {
			struct pool_waiter *w = container_of(at, struct pool_waiter, link);
			next = at->next;
			w->pick.now_ms = now_ms;
			if (pick_now(pool, &w->pick, &w->peer) == PICKED)
				serve(pool, w, &s);
		}
	}
	pthread_mutex_unlock(&pool->lock);
	served_post(&s);
}

/* The lock is held. */
static enum waits wait_locked(struct pool *pool, struct pool_waiter *w)
{
	if (atomic_load(&pool->waiting) >= pool_list(pool)->rules.queue)
		return WAITS_FULL;
	atomic_fetch_add(&pool->waiting, 1);
	enum picked how = pick_now(pool, &w->pick, &w->peer);
	if (how == PICK_WAIT) {
		link_add(&pool->classes[w->class], &w->link);
		return WAITS_QUEUED;
	}
	atomic_fetch_sub(&pool->waiting, 1);
	return how == PICKED ? WAITS_PICKED : WAITS_NONE;
}

enum waits pool_wait(struct pool *pool, struct pool_waiter *w)
{
	must(w->class < POOL_CLASSES && w->pick.loop < pool->loops);
	struct mail *wish = NULL;
	link_init(&w->link);
	w->peer = NULL;
	pthread_mutex_lock(&pool->lock);
	struct mailbox *box = pool->wish_box;
	enum waits how = wait_locked(pool, w);
	if (how == WAITS_QUEUED && atomic_load(&pool->waiting) == 1) {
		wish = pool->wish;
		pool->wish = NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	if (wish)
		mailbox_post(box, wish);
	if (how == WAITS_QUEUED)
		atomic_fetch_add_explicit(&pool->queued, 1, memory_order_relaxed);
	else if (how == WAITS_FULL)
		atomic_fetch_add_explicit(&pool->queue_full, 1, memory_order_relaxed);
	else if (how == WAITS_NONE)
		atomic_fetch_add_explicit(&pool->none, 1, memory_order_relaxed);
	return how;
}

bool pool_unwait(struct pool *pool, struct pool_waiter *w)
{
	pthread_mutex_lock(&pool->lock);
	bool waits = !link_alone(&w->link);
	if (waits) {
		link_del(&w->link);
		atomic_fetch_sub(&pool->waiting, 1);
	}
	pthread_mutex_unlock(&pool->lock);
	if (waits)
		atomic_fetch_add_explicit(&pool->queue_late, 1, memory_order_relaxed);
	return waits;
}

void pool_on_demand(struct pool *pool, struct mailbox *box, struct mail *wish)
{
	pthread_mutex_lock(&pool->lock);
	pool->wish_box = box;
	pool->wish = box ? wish : NULL;
	atomic_store(&pool->grows, box != NULL);
	pthread_mutex_unlock(&pool->lock);
}

/* --- Giving back. --- */

static void note_good(struct peer *p, uint32_t latency_us)
{
	if (atomic_load_explicit(&p->failures, memory_order_relaxed))
		atomic_store_explicit(&p->failures, 0, memory_order_relaxed);
	if (!latency_us)
		return;
	/* The last eight or so count.  Two at the same time may lose one of them, which does no harm. */
	int64_t before = atomic_load_explicit(&p->latency_us, memory_order_relaxed);
	int64_t now = before ? before + ((int64_t)latency_us - before) / 8 : latency_us;
	atomic_store_explicit(&p->latency_us, (uint32_t)now, memory_order_relaxed);
}

static void note_failed(struct peer *p, uint64_t now_ms)
{
	const struct pool_rules *rules = &pool_list(p->pool)->rules;
	atomic_fetch_add_explicit(&p->failed, 1, memory_order_relaxed);
	uint32_t failures = atomic_fetch_add_explicit(&p->failures, 1, memory_order_relaxed) + 1;
	bool already = atomic_load(&p->state) & PEER_EJECTED && atomic_load(&p->ejected_until_ms) > now_ms;
	if (rules->eject_after && failures >= rules->eject_after && !already)
		peer_eject(p->pool, p, now_ms + rules->eject_ms, now_ms);
}

void peer_leave(struct pool *pool, struct peer *peer, enum outcome outcome, uint32_t latency_us, uint64_t now_ms)
{
	if (outcome == OUTCOME_GOOD)
		note_good(peer, latency_us);
	else if (outcome == OUTCOME_FAILED)
		note_failed(peer, now_ms);
	slot_leave(pool, peer, now_ms);
	peer_put(pool, peer);
}

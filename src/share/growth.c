/* Growths: who fetches what, and who waits for it.  See growth.h.
 *
 * A lane's lock is that of all growths whose keys fall into it: of their readers' seats, and of their states, which are
 * read without it.  What a state promises is written before it. */
#include "share/growth.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/must.h"

enum { LANES = 64 };

struct lane {
	pthread_mutex_t lock;
	struct link under_way;       /* struct growth */
};

struct growths {
	struct epoch *epoch;
	struct lane lanes[LANES];
};

struct growth {
	_Atomic uint32_t refs;
	_Atomic enum growing state;
	struct growths *of;
	struct lane *lane;
	struct link link;            /* in the lane's list */
	bool parted;                 /* nobody joins it any more */
	struct link seats;           /* struct growth_seat: all of them */
	struct link waiting;         /* those that wait */
	struct object *head, *object;
	struct blob *blob;
	unsigned status;
	int reason;
	uint64_t hash, mark;
	struct str key;
	char key_bytes[];
};

struct growth_seat {
	struct mail mail;
	struct mailbox *to;
	struct growth *growth;
	struct link seats;           /* in the growth's */
	struct link waiting;         /* in the growth's, while it waits */
	uint64_t at_b;               /* how far it had read when it last waited */
	bool posted;                 /* its mail is on the way */
	bool left;                   /* nobody sits here any more: to be freed when the mail is there */
	void (*wake)(void *arg);
	void *arg;
};

struct growths *growths_new(struct epoch *e)
{
	struct growths *g = MEM_NEW(struct growths);
	g->epoch = e;
	for (size_t i = 0; i < LANES; i++) {
		pthread_mutex_init(&g->lanes[i].lock, NULL);
		link_init(&g->lanes[i].under_way);
	}
	return g;
}

void growths_free(struct growths *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < LANES; i++) {
		must(link_alone(&g->lanes[i].under_way));
		pthread_mutex_destroy(&g->lanes[i].lock);
	}
	mem_free(g);
}

/* --- By key.  The lane's lock is held. --- */

static struct growth *find(struct lane *lane, struct str key, uint64_t hash)
{
	for (struct link *l = lane->under_way.next; l != &lane->under_way; l = l->next) {
		struct growth *g = container_of(l, struct growth, link);
		if (!g->parted && g->hash == hash && str_eq(g->key, key))
			return g;
	}
	return NULL;
}

static struct growth *begin(struct growths *of, struct lane *lane, struct str key, uint64_t hash, uint64_t mark)
{
	struct growth *g = mem_new(sizeof *g + key.n);
	atomic_init(&g->refs, 1);
	atomic_init(&g->state, GROWTH_ASKED);
	g->of = of;
	g->lane = lane;
	g->hash = hash;
	g->mark = mark;
	memcpy(g->key_bytes, key.p, key.n);
	g->key = str_make(g->key_bytes, key.n);
	link_init(&g->seats);
	link_init(&g->waiting);
	link_add(&lane->under_way, &g->link);
	return g;
}

static void sit(struct growth *g, struct growth_seat *s)
{
	growth_get(g);
	s->growth = g;
	link_add(&g->seats, &s->seats);
}

enum role growths_join(struct growths *of, struct str key, uint64_t hash, uint64_t mark, struct growth_seat *seat,
                       struct growth **out)
{
	struct lane *lane = &of->lanes[hash % LANES];
	pthread_mutex_lock(&lane->lock);
	struct growth *g = find(lane, key, hash);
	enum role role = g ? ROLE_READER : ROLE_FILLER;
	if (g)
		growth_get(g);
	else
		g = begin(of, lane, key, hash, mark);
	if (seat)
		sit(g, seat);
	pthread_mutex_unlock(&lane->lock);
	*out = g;
	return role;
}

/* The lane's lock is held. */
static void part(struct lane *lane, const uint64_t *mark)
{
	for (struct link *l = lane->under_way.next; l != &lane->under_way; l = l->next) {
		struct growth *g = container_of(l, struct growth, link);
		g->parted |= !mark || g->mark == *mark;
	}
}

void growths_part(struct growths *of, const uint64_t *mark)
{
	for (size_t i = 0; i < LANES; i++) {
		struct lane *lane = &of->lanes[i];
		pthread_mutex_lock(&lane->lock);
		part(lane, mark);
		pthread_mutex_unlock(&lane->lock);
	}
}

/* The lane's lock is held. */
static bool has(struct lane *lane, uint64_t mark)
{
	for (struct link *l = lane->under_way.next; l != &lane->under_way; l = l->next)
		if (container_of(l, struct growth, link)->mark == mark)
			return true;
	return false;
}

bool growths_have(struct growths *of, uint64_t mark)
{
	bool found = false;
	for (size_t i = 0; i < LANES && !found; i++) {
		struct lane *lane = &of->lanes[i];
		pthread_mutex_lock(&lane->lock);
		found = has(lane, mark);
		pthread_mutex_unlock(&lane->lock);
	}
	return found;
}

/* --- Its life. --- */

void growth_get(struct growth *g)
{
	must(atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed) > 0);
}

void growth_put(struct growth *g)
{
	uint32_t before = atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel);
	must(before > 0);
	if (before > 1)
		return;
	must(link_alone(&g->link) && link_alone(&g->seats));
	if (g->head)
		object_put(g->of->epoch, g->head);
	if (g->object)
		object_put(g->of->epoch, g->object);
	if (g->blob)
		blob_put(g->blob);
	mem_free(g);
}

enum growing growth_state(const struct growth *g)
{
	return atomic_load_explicit(&g->state, memory_order_acquire);
}

/* The lane's lock is held. */
static void wake_all(struct growth *g)
{
	while (!link_alone(&g->waiting)) {
		struct growth_seat *s = container_of(g->waiting.next, struct growth_seat, waiting);
		link_del(&s->waiting);
		s->posted = true;
		mailbox_post(s->to, &s->mail);
	}
}

static void become(struct growth *g, enum growing state)
{
	pthread_mutex_lock(&g->lane->lock);
	atomic_store_explicit(&g->state, state, memory_order_release);
	if (state > GROWTH_BYTES)
		link_del(&g->link);
	wake_all(g);
	pthread_mutex_unlock(&g->lane->lock);
}

void growth_head(struct growth *g, struct object *head, struct blob *blob)
{
	must(growth_state(g) == GROWTH_ASKED);
	g->head = head;
	g->blob = blob;
	become(g, GROWTH_BYTES);
}

void growth_close(struct growth *g)
{
	pthread_mutex_lock(&g->lane->lock);
	link_del(&g->link);
	pthread_mutex_unlock(&g->lane->lock);
}

bool growth_forsaken(struct growth *g)
{
	pthread_mutex_lock(&g->lane->lock);
	bool forsaken = link_alone(&g->seats);
	if (forsaken)
		link_del(&g->link);
	pthread_mutex_unlock(&g->lane->lock);
	return forsaken;
}

void growth_more(struct growth *g)
{
	pthread_mutex_lock(&g->lane->lock);
	wake_all(g);
	pthread_mutex_unlock(&g->lane->lock);
}

void growth_end(struct growth *g, enum growing how, struct object *object, unsigned status, int reason)
{
	must(growth_state(g) <= GROWTH_BYTES && how > GROWTH_BYTES);
	g->object = object;
	g->status = status;
	g->reason = reason;
	become(g, how);
}

struct object *growth_object(const struct growth *g)
{
	enum growing state = growth_state(g);
	if (state == GROWTH_WHOLE || state == GROWTH_AGAIN)
		return g->object;
	return state == GROWTH_BYTES || state == GROWTH_CUT ? g->head : NULL;
}

struct blob *growth_blob(const struct growth *g)
{
	return growth_state(g) == GROWTH_ASKED ? NULL : g->blob;
}

unsigned growth_status(const struct growth *g, int *reason)
{
	must(growth_state(g) > GROWTH_BYTES);
	*reason = g->reason;
	return g->status;
}

/* --- Who waits. --- */

static void arrive(struct mail *m)
{
	struct growth_seat *s = container_of(m, struct growth_seat, mail);
	pthread_mutex_lock(&s->growth->lane->lock);
	s->posted = false;
	pthread_mutex_unlock(&s->growth->lane->lock);
	if (!s->left) {
		s->wake(s->arg);
		return;
	}
	growth_put(s->growth);
	mem_free(s);
}

struct growth_seat *growth_seat_new(struct mailbox *to, void (*wake)(void *arg), void *arg)
{
	struct growth_seat *s = MEM_NEW(struct growth_seat);
	*s = (struct growth_seat){ .mail.deliver = arrive, .to = to, .wake = wake, .arg = arg };
	link_init(&s->seats);
	link_init(&s->waiting);
	return s;
}

void growth_seat_for(struct growth_seat *s, void (*wake)(void *arg), void *arg)
{
	s->wake = wake;
	s->arg = arg;
}

bool growth_wait(struct growth_seat *s, enum growing seen, uint64_t seen_b)
{
	struct growth *g = s->growth;
	pthread_mutex_lock(&g->lane->lock);
	struct blob *blob = growth_blob(g);
	bool news = growth_state(g) != seen || (blob && blob_size_b(blob) > seen_b);
	s->at_b = seen_b;
	if (!news && !s->posted && link_alone(&s->waiting))
		link_add(&g->waiting, &s->waiting);
	pthread_mutex_unlock(&g->lane->lock);
	return !news;
}

uint64_t growth_slowest_b(struct growth *g)
{
	uint64_t slowest_b = UINT64_MAX;
	pthread_mutex_lock(&g->lane->lock);
	for (struct link *l = g->seats.next; l != &g->seats; l = l->next) {
		const struct growth_seat *s = container_of(l, struct growth_seat, seats);
		if (s->at_b < slowest_b)
			slowest_b = s->at_b;
	}
	pthread_mutex_unlock(&g->lane->lock);
	return slowest_b;
}

void growth_leave(struct growth_seat *s)
{
	pthread_mutex_t *lock = &s->growth->lane->lock;
	pthread_mutex_lock(lock);
	link_del(&s->waiting);
	link_del(&s->seats);
	s->left = s->posted;
	bool left = s->left;
	pthread_mutex_unlock(lock);
	if (left)
		return;
	growth_put(s->growth);
	mem_free(s);
}

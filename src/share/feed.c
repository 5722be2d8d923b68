/* Feeds: each line is a mail to the reader's loop.  See feed.h. */
#include "share/feed.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

struct feed {
	_Atomic uint32_t refs;
	_Atomic bool ended;
	_Atomic uint64_t held_b;     /* sent and not taken */
	_Atomic uint64_t dropped;
	struct mailbox *to;
	uint64_t most_b;
	/* The reader's. */
	struct buf come;
	void (*came)(void *arg);     /* NULL: it ended */
	void *arg;
};

/* On its way; has a reference of the feed. */
struct parcel {
	struct mail mail;
	struct feed *feed;
	size_t n;
	char p[];
};

struct feed *feed_new(struct mailbox *to, uint64_t most_b, void (*came)(void *arg), void *arg)
{
	struct feed *f = MEM_NEW(struct feed);
	atomic_init(&f->refs, 1);
	f->to = to;
	f->most_b = most_b;
	f->came = came;
	f->arg = arg;
	return f;
}

void feed_get(struct feed *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
}

void feed_put(struct feed *f)
{
	if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
		return;
	buf_fini(&f->come);
	mem_free(f);
}

static void arrive(struct mail *m)
{
	struct parcel *p = container_of(m, struct parcel, mail);
	struct feed *f = p->feed;
	if (f->came) {
		buf_add(&f->come, str_make(p->p, p->n));
		f->came(f->arg);
	}
	mem_free(p);
	feed_put(f);
}

bool feed_send(struct feed *f, struct str line)
{
	bool full = atomic_fetch_add_explicit(&f->held_b, line.n, memory_order_relaxed) + line.n > f->most_b;
	if (full || feed_ended(f)) {
		atomic_fetch_sub_explicit(&f->held_b, line.n, memory_order_relaxed);
		atomic_fetch_add_explicit(&f->dropped, 1, memory_order_relaxed);
		return false;
	}
	struct parcel *p = mem_grow(NULL, sizeof *p + line.n);
	p->mail.deliver = arrive;
	p->feed = f;
	p->n = line.n;
	memcpy(p->p, line.p, line.n);
	feed_get(f);
	mailbox_post(f->to, &p->mail);
	return true;
}

bool feed_ended(const struct feed *f)
{
	return atomic_load_explicit(&f->ended, memory_order_relaxed);
}

uint64_t feed_dropped(const struct feed *f)
{
	return atomic_load_explicit(&f->dropped, memory_order_relaxed);
}

void feed_take(struct feed *f, struct buf *out)
{
	atomic_fetch_sub_explicit(&f->held_b, f->come.n, memory_order_relaxed);
	buf_add(out, buf_str(&f->come));
	buf_clear(&f->come);
}

void feed_end(struct feed *f)
{
	atomic_store_explicit(&f->ended, true, memory_order_relaxed);
	f->came = NULL;
	feed_put(f);
}

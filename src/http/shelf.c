/* The disk tier: looks on the loops where nothing has to be waited for, else by the disk engine; writes by the engine, one
 * batch of chores at a time, with no thread of its own.  See shelf.h; the files are share/segments.h's.
 *
 * An ask is its asker's, and is on its loop and on the engine in turn.  Chores belong to the batch.  What the worker of the
 * batch has is touched by nobody else. */
#include "http/shelf.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "http/shelf_journal.h"
#include "share/batch.h"

enum {
	WAITING_MOST_B = 64 << 20,   /* of pages that wait to be written */
	DROPS_MOST_B = 16 << 20,     /* of what is to be forgotten, beside them */
	OFF_MS = 60 * 1000,
	TRIES = 2,                   /* to have the kernel fetch what it lacks, before the engine waits for it */
};

struct shelf {
	struct segments *segments;
	struct journal *journal;
	struct batch *batch;
	struct disk *disk;
	struct store *store;         /* NULL: none */
	/* The worker's. */
	struct buf lines;            /* of the journal, of this batch */
	int failed;                  /* why writing is off, since it was last on; 0: it is on */
	int said;                    /* in the log */
};

/* A worker of the batch, on its way to the engine and back.  The shelf may be gone by the time it is back. */
struct shelf_work {
	struct disk_job job;
	struct shelf *shelf;
	struct home *home;           /* who sent it off; NULL: the control thread did */
};

/* A line for the log, on its way to a loop. */
struct shelf_word {
	struct mail mail;
	struct home *home;
	int failed;
};

enum errand { ERRAND_PUT, ERRAND_MOVE, ERRAND_DROP, ERRAND_NOTE };

struct shelf_chore {
	struct chore chore;
	enum errand errand;
	struct digest key;           /* not of ERRAND_NOTE */
	struct epoch *epoch;         /* ERRAND_PUT, ERRAND_MOVE */
	struct page *page;           /* referenced */
	struct buf line;             /* ERRAND_NOTE */
	struct shelf_noted *noted;
};

/* --- Handing in chores. --- */

static void work(struct disk_job *job);
static void worked(struct mail *m);

static void work_begin(struct shelf *s, struct home *h, struct mailbox *to)
{
	struct shelf_work *w = MEM_NEW(struct shelf_work);
	w->shelf = s;
	w->home = h;
	w->job = (struct disk_job){ .done.deliver = worked, .to = to, .op = DISK_WAIT, .call = work };
	if (s->disk && !disk_submit(s->disk, &w->job))
		return;
	/* The engine has too much to do, or has ended: whoever comes next begins, or shelf_free(). */
	batch_leave(s->batch);
	mem_free(w);
}

static bool hand_in(struct shelf *s, struct home *h, struct mailbox *to, const struct shelf_chore *what,
                    uint64_t over_b)
{
	struct shelf_chore *c = MEM_NEW(struct shelf_chore);
	*c = *what;
	enum handed handed = batch_add(s->batch, &c->chore, over_b);
	if (handed == HANDED_BEGIN)
		work_begin(s, h, to);
	else if (handed == HANDED_FULL)
		mem_free(c);
	return handed != HANDED_FULL;
}

/* A disk that hangs must not cost memory without end: then rather all is forgotten. */
static void drop(struct shelf *s, struct home *h, struct digest key)
{
	const struct shelf_chore c = { .chore.cost_b = sizeof c, .errand = ERRAND_DROP, .key = key };
	if (!hand_in(s, h, &h->loop.mailbox, &c, DROPS_MOST_B))
		segments_blind(s->segments);
}

/* What is not written must not be there in an earlier state either. */
void shelf_put(struct shelf *s, struct home *h, struct page *p)
{
	if (p->shelved)
		return;
	struct shelf_chore c = { .chore.cost_b = p->object.cost_b, .errand = ERRAND_PUT, .epoch = h->epoch, .page = p,
		                 .key = segments_digest(s->segments, page_key(p)) };
	bool off = segments_is_off(s->segments, h->loop.now_ms);
	object_get(&p->object);
	if (!off && hand_in(s, h, &h->loop.mailbox, &c, 0))
		return;
	object_put(h->epoch, &p->object);
	segments_count(s->segments, SEGMENTS_DROPPED);
	drop(s, h, c.key);
}

void shelf_drop(struct shelf *s, struct home *h, struct str key)
{
	drop(s, h, segments_digest(s->segments, key));
}

void shelf_note(struct shelf *s, const struct purge *what, struct shelf_noted *done)
{
	struct shelf_chore c = { .errand = ERRAND_NOTE, .noted = done };
	purge_print(what, &c.line);
	hand_in(s, NULL, done->to, &c, BATCH_SURELY);
}

static bool is_old(const struct shelf *s, const struct page *p)
{
	uint16_t berth = atomic_load_explicit(&p->berth, memory_order_relaxed);
	return berth && segments_is_old(s->segments, berth);
}

void shelf_seen(struct shelf *s, struct home *h, struct page *p)
{
	if (!is_old(s, p) || segments_is_off(s->segments, h->loop.now_ms))
		return;
	const struct shelf_chore c = { .chore.cost_b = sizeof c, .errand = ERRAND_MOVE, .epoch = h->epoch, .page = p,
		                       .key = segments_digest(s->segments, page_key(p)) };
	atomic_store_explicit(&p->berth, 0, memory_order_relaxed);
	object_get(&p->object);
	if (!hand_in(s, h, &h->loop.mailbox, &c, 0))
		object_put(h->epoch, &p->object);
}

/* --- Doing them: the engine's thread. --- */

/* The bytes of a page's body, in as many runs as there are: the heap's. */
static struct iovec *body_of(struct page *p, size_t *count)
{
	struct iovec *runs = NULL;
	uint64_t at_b = 0;
	*count = 0;
	while (at_b < p->image.body_b) {
		struct str run = p->body_kind == PAGE_BLOB ? blob_at(p->blob, at_b)
		                                           : str_make(page_body_at(p), p->image.body_b);
		run = str_head(run, p->image.body_b - at_b);
		if (!(*count & (*count - 1)))
			runs = mem_grow(runs, 2 * (*count + 1) * sizeof *runs);
		runs[(*count)++] = (struct iovec){ (void *)(uintptr_t)run.p, run.n };
		at_b += run.n;
	}
	return runs;
}

static int put(struct shelf *s, const struct shelf_chore *c)
{
	struct page *p = c->page;
	size_t count;
	/* One run is the common case, and needs no memory. */
	struct iovec one = { p->body_kind == PAGE_INLINE ? page_body_at(p) : NULL, p->image.body_b };
	struct iovec *runs = p->body_kind == PAGE_INLINE ? NULL : body_of(p, &count);
	struct str head = { (const char *)&p->image, image_head_b(&p->image) };
	int err = runs ? segments_put(s->segments, c->key, head, runs, count)
	               : segments_put(s->segments, c->key, head, &one, 1);
	mem_free(runs);
	if (!err)
		atomic_store_explicit(&p->berth, (uint16_t)segments_newest(s->segments), memory_order_relaxed);
	return err;
}

static int move(struct shelf *s, const struct shelf_chore *c)
{
	uint32_t number;
	int err = segments_move(s->segments, c->key, &number);
	atomic_store_explicit(&c->page->berth, (uint16_t)number, memory_order_relaxed);
	return err;
}

static int do_one(struct shelf *s, struct shelf_chore *c)
{
	switch (c->errand) {
	case ERRAND_PUT:
		return s->failed ? s->failed : put(s, c);
	case ERRAND_MOVE:
		return s->failed ? 0 : move(s, c);
	case ERRAND_DROP:
		return segments_drop(s->segments, c->key);
	case ERRAND_NOTE:
		buf_add(&s->lines, buf_str(&c->line));
		return 0;
	}
	return 0;
}

static void chore_free(struct shelf_chore *c)
{
	if (c->page)
		object_put(c->epoch, &c->page->object);
	buf_fini(&c->line);
	mem_free(c);
}

/* Writing goes off where the disk refuses; what is too large, or can't be read again, says nothing about it. */
static void look_at(struct shelf *s, int err)
{
	if (!err || err == -E2BIG || err == -EBADMSG)
		return;
	segments_count(s->segments, SEGMENTS_ERROR);
	segments_off(s->segments, err, clock_ms() + OFF_MS);
	s->failed = err;
}

static void do_all(struct shelf *s, struct shelf_chore *first)
{
	for (struct chore *l = &first->chore; l; l = l->next) {
		struct shelf_chore *c = container_of(l, struct shelf_chore, chore);
		int err = do_one(s, c);
		look_at(s, err);
		if (err && c->errand == ERRAND_PUT) {
			segments_count(s->segments, SEGMENTS_DROPPED);
			look_at(s, segments_drop(s->segments, c->key));
		}
	}
	look_at(s, segments_flush(s->segments));
}

static void end_all(struct shelf *s, struct shelf_chore *first)
{
	int err = s->lines.n ? journal_add(s->journal, buf_str(&s->lines)) : 0;
	look_at(s, err);
	buf_clear(&s->lines);
	for (struct chore *l = &first->chore, *next; l; l = next) {
		struct shelf_chore *c = container_of(l, struct shelf_chore, chore);
		next = l->next;
		if (c->noted) {
			c->noted->err = err;
			mailbox_post(c->noted->to, &c->noted->mail);
		}
		chore_free(c);
	}
}

/* A page in memory whose body lies in a segment that went: its file would be there, past the bound, for as long as somebody
 * asks for that page.  Where the disk has it elsewhere by now it is found again. */
static bool is_stranded(const struct object *o)
{
	const struct page *p = page_in(o);
	return p->body_kind == PAGE_SEGMENT && segment_is_gone(p->segment);
}

/* What was refused while all this waited may be what was to forget some of it: so that is forgotten afterwards. */
static void work_on(struct shelf *s)
{
	unsigned blind = segments_blindness(s->segments);
	struct chore *first = batch_take(s->batch);
	if (!segments_is_off(s->segments, clock_ms()))
		s->failed = 0;
	if (first) {
		do_all(s, container_of(first, struct shelf_chore, chore));
		end_all(s, container_of(first, struct shelf_chore, chore));
	}
	if (blind && !s->failed)
		look_at(s, segments_forget(s->segments, blind));
	segments_tidy(s->segments);
	if (s->store && segments_strand(s->segments))
		store_weed(s->store, is_stranded);
}

static void say(struct mail *m)
{
	struct shelf_word *w = container_of(m, struct shelf_word, mail);
	if (w->failed)
		log_line(w->home->ring, LOG_LEVEL_ERROR, "cache: its folder can't be written: %s; nothing is kept there "
		"until it can",
		         strerror(-w->failed));
	else
		log_line(w->home->ring, LOG_LEVEL_INFO, "cache: its folder can be written again");
	mem_free(w);
}

/* Once for each time that writing goes off or on. */
static void have_said(struct shelf *s, struct home *h)
{
	if (!h || s->said == s->failed)
		return;
	struct shelf_word *w = MEM_NEW(struct shelf_word);
	*w = (struct shelf_word){ .mail.deliver = say, .home = h, .failed = s->failed };
	s->said = s->failed;
	mailbox_post(&h->loop.mailbox, &w->mail);
}

static void work(struct disk_job *job)
{
	struct shelf_work *w = container_of(job, struct shelf_work, job);
	struct shelf *s = w->shelf;
	do {
		work_on(s);
		have_said(s, w->home);
	} while (batch_more(s->batch));
}

static void worked(struct mail *m)
{
	struct shelf_work *w = container_of(m, struct shelf_work, job.done);
	if (w->job.err == -ECANCELED)
		batch_leave(w->shelf->batch);
	mem_free(w);
}

/* --- Asking. --- */

/* The page of a record, perhaps not whole: -EBADMSG: it is not what was asked for. */
static int page_fill(struct shelf_ask *a, const struct record *r, struct page *p)
{
	bool whole = p->body_kind == PAGE_INLINE;
	int err = record_head(r, &a->seek, &p->image);
	if (!err)
		err = image_check(&p->image, str_make((const char *)&p->image, r->head_b));
	if (!err && !str_eq(page_key(p), a->key))
		err = -EBADMSG;
	if (!err)
		err = whole ? record_body(r, &a->seek, page_body_at(p)) : record_body_check(r);
	return err;
}

static int page_of_record(struct shelf_ask *a, const struct record *r)
{
	struct image image;
	struct str begin = record_begin(r);
	bool whole = r->body_b <= a->whole_b;
	if (begin.n < sizeof image)
		return -EBADMSG;
	memcpy(&image, begin.p, sizeof image);
	if (image.body_b != r->body_b || image_head_b(&image) != r->head_b)
		return -EBADMSG;
	if (!whole && !a->seek.wait)
		return -EOPNOTSUPP;
	struct page *p = page_new(a->store, &image, whole ? PAGE_INLINE : PAGE_SEGMENT);
	p->shelved = true;
	atomic_init(&p->berth, (uint16_t)r->extent.segment);
	if (!whole) {
		segment_get(r->segment);
		p->segment = r->segment;
		page_place_set(p, record_body_at(r));
	}
	int err = page_fill(a, r, p);
	if (err) {
		p->object.free(&p->object);
		return err;
	}
	page_ready(p, a->store);
	a->page = p;
	return 0;
}

/* 0: there is a page; -ENOENT; -EAGAIN: the kernel lacks something; -EOPNOTSUPP: only who may wait can say. */
static int look(struct shelf_ask *a, bool wait)
{
	char first[RECORD_FIRST_B];
	struct record r = { .first = first };
	int err;
	a->seek.next = 0;
	a->seek.wait = wait;
	while (!(err = segments_seek(a->shelf->segments, &a->seek, &r))) {
		err = page_of_record(a, &r);
		record_fini(&r);
		if (err != -EBADMSG)
			break;
		segments_count(a->shelf->segments, SEGMENTS_BAD);
	}
	return err;
}

static bool over(struct shelf_ask *a, int err)
{
	struct shelf *s = a->shelf;
	a->over = true;
	a->err = err;
	segments_count(s->segments, err ? SEGMENTS_MISS : SEGMENTS_HIT);
	if (err && err != -ENOENT)
		segments_count(s->segments, SEGMENTS_ERROR);
	if (!err)
		shelf_seen(s, a->home, a->page);
	seek_fini(&a->seek);
	return true;
}

static void waited(struct mail *m)
{
	struct shelf_ask *a = container_of(m, struct shelf_ask, job.done);
	struct shelf *s = a->shelf;
	over(a, a->job.err);
	loop_queue(&a->home->loop, a->task);
	/* The engine has room again. */
	if (batch_begin(s->batch))
		work_begin(s, a->home, &a->home->loop.mailbox);
}

static void wait_and_look(struct disk_job *job)
{
	struct shelf_ask *a = container_of(job, struct shelf_ask, job);
	job->err = look(a, true);
}

static bool step(struct shelf_ask *a);

static void fetched(struct mail *m)
{
	struct shelf_ask *a = container_of(m, struct shelf_ask, job.done);
	if (a->job.err ? over(a, a->job.err) : step(a))
		loop_queue(&a->home->loop, a->task);
}

/* True: it is over. */
static bool submit(struct shelf_ask *a, enum disk_op op)
{
	bool ahead = op == DISK_AHEAD;
	a->job = (struct disk_job){ .done.deliver = ahead ? fetched : waited, .to = &a->home->loop.mailbox, .op = op,
		                    .fd = a->seek.fd, .offset_b = a->seek.offset_b, .length_b = a->seek.length_b,
		                    .call = wait_and_look };
	int err = a->shelf->disk ? disk_submit(a->shelf->disk, &a->job) : -ECANCELED;
	return err ? over(a, err) : false;
}

/* First the kernel fetches what it lacks, as many files at a time as the engine reads; where it lacks it all the same, or
 * can't tell, a thread waits. */
static bool step(struct shelf_ask *a)
{
	int err = look(a, false);
	if (err == -EAGAIN && a->tries++ < TRIES)
		return submit(a, DISK_AHEAD);
	if (err == -EAGAIN || err == -EOPNOTSUPP)
		return submit(a, DISK_WAIT);
	return over(a, err);
}

bool shelf_ask(struct shelf *s, struct shelf_ask *a, uint64_t whole_b)
{
	a->over = false;
	a->err = 0;
	a->page = NULL;
	a->shelf = s;
	a->whole_b = whole_b;
	a->tries = 0;
	a->seek = (struct seek){ .key = segments_digest(s->segments, a->key) };
	return step(a);
}

/* --- The whole of it. --- */

int shelf_open(struct shelf **out, int dir_fd, uint64_t size_b, struct disk *disk, struct purges *purges, const char **why)
{
	struct segments *segments;
	struct journal *journal;
	int err = segments_open(&segments, dir_fd, size_b, why);
	if (err)
		return err;
	err = journal_open(&journal, dir_fd, segments_seed(segments), segments_are_new(segments), purges, why);
	if (err) {
		segments_free(segments);
		return err;
	}
	struct shelf *s = MEM_NEW(struct shelf);
	*s = (struct shelf){ .segments = segments, .journal = journal, .batch = batch_new(WAITING_MOST_B), .disk = disk };
	*out = s;
	return 0;
}

void shelf_weeds(struct shelf *s, struct store *store)
{
	s->store = store;
}

bool shelf_is_new(const struct shelf *s)
{
	return segments_are_new(s->segments);
}

void shelf_bound(struct shelf *s, uint64_t size_b)
{
	segments_bound(s->segments, size_b);
}

void shelf_settle(struct shelf *s)
{
	s->disk = NULL;
	batch_end(s->batch);
	work_on(s);
	s->store = NULL;
}

void shelf_free(struct shelf *s)
{
	if (!s)
		return;
	shelf_settle(s);
	batch_free(s->batch);
	journal_free(s->journal);
	segments_free(s->segments);
	buf_fini(&s->lines);
	mem_free(s);
}

struct shelf_stats shelf_stats(const struct shelf *s)
{
	struct segments_stats g = segments_stats(s->segments);
	int err = segments_is_off(s->segments, clock_ms());
	return (struct shelf_stats){
		.bytes = g.bytes,
		.bound_b = g.bound_b,
		.segments = g.segments,
		.hits = g.events[SEGMENTS_HIT],
		.misses = g.events[SEGMENTS_MISS],
		.written = g.written,
		.written_b = g.written_b,
		.dropped = g.events[SEGMENTS_DROPPED],
		.bad = g.events[SEGMENTS_BAD],
		.errors = g.events[SEGMENTS_ERROR],
		.off = err,
		.err = err,
	};
}

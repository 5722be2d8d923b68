/* The journal of purges that machines share: what one of them purged, all hear of about a second later.
 *
 * A piece of the journal is a value in memcached that machines append lines to: one for each 64 seconds, in two copies,
 * which mostly lie on two servers.  Each machine asks once a second how long the latest pieces are, and reads what is new.
 * It reads its own lines, too: one that does not turn up in a copy is appended again, to the piece of that time, so that
 * neither a server that was away nor one that came back empty loses a purge.  A line is applied once, by its number.
 *
 * Bounds: a purge is heard within two seconds where one of its copies' servers is well all the time; told for ten minutes
 * at most; and read by who starts within a day.  All of it on the control thread. */
#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "http/cluster.h"
#include "http/cluster_key.h"
#include "http/memcached.h"

enum {
	POLL_MS = 1000,
	PAST_POLL_MS = 50,           /* between two looks at the past, at the start */
	PIECE_S = 64,
	COPIES = 2,
	PIECES_BEHIND = 4,           /* so many pieces machines' clocks may be apart, and one ahead */
	PIECES = PIECES_BEHIND + 2,
	PAST_PIECES = 86400 / PIECE_S,
	PAST_AT_ONCE = 32,
	PIECE_TTL_S = 86400 + 2 * PIECE_S * PIECES,
	TOLD_MOST = 10000,           /* lines that are not in the journal yet */
	TELL_AT_ONCE = 1000,
	TELL_SOON_MS = 100,          /* so that a URL that changes all the time is told of now and then */
	TELL_MS = 600000,            /* so long it is tried */
	AGAIN_MS = 2500,             /* a line that did not turn up within this time is appended again */
	ENOUGH_MS = 60000,           /* after so long one copy is enough */
	SLACK_MS = 5000,             /* so much later what is read of the past counts: clocks, */
	AHEAD_MS = 60000,            /* which are so far apart at most */
	HEARD_MOST = 8192,           /* lines that are known to be known, twice */
	MACHINE_B = 16,
	SOFT_TTL_S = 30,             /* what was purged softly is kept so long for who may use it meanwhile */
};

/* A copy of a piece, as far as it was read. */
struct reader {
	struct task task;
	struct mc_op op;
	struct cluster *c;
	uint64_t piece;
	unsigned copy;
	uint64_t read_b;
	bool asks, wants;            /* a question is under way: for the bytes, not for the length alone */
	bool past;                   /* it was not read yet: what is in it may be old */
};

/* A line of our own that is not in all copies yet. */
struct notice {
	struct link link;
	enum purge_kind kind;
	bool soft;
	uint64_t mark;
	uint64_t number, made_ms, sent_ms;   /* sent_ms: 0: not yet */
	bool seen[COPIES];
	struct str line;             /* own copy */
};

struct cluster {
	struct memcached *m;         /* counted */
	struct loop *control;
	struct str site;
	struct log_ring *ring;
	void (*purged)(void *arg, struct purge *what);
	void *arg;
	struct timer timer;
	uint64_t next_ms;            /* the next look at the latest pieces */
	struct timer soon;           /* tells what is new */
	char machine[MACHINE_B + 1];
	uint64_t last;               /* number given last */
	struct link notices;         /* struct notice, oldest first */
	size_t notice_count;
	struct reader readers[PIECES * COPIES];
	struct reader past[PAST_AT_ONCE];
	uint64_t past_from_ms;       /* when to begin with it: connections are there */
	uint64_t past_piece;         /* to be read next, going back; */
	unsigned past_left;          /* so many pieces' copies are left */
	uint64_t *heard[2];          /* hashes of lines' numbers: being filled, and the ones before */
	size_t heard_count;
	struct cluster_stats stats;
};

static uint64_t piece_now(void)
{
	return clock_wall_ms() / 1000 / PIECE_S;
}

/* --- What was heard already. --- */

static bool find_heard(const uint64_t *set, uint64_t hash, size_t *at)
{
	for (*at = hash % (2 * HEARD_MOST); set[*at]; *at = (*at + 1) % (2 * HEARD_MOST))
		if (set[*at] == hash)
			return true;
	return false;
}

/* True: for the first time, as far as anybody remembers. */
static bool is_news(struct cluster *c, struct str number)
{
	uint64_t hash = hash_bytes(number, 0) | 1;
	size_t at;
	if (find_heard(c->heard[1], hash, &at) || find_heard(c->heard[0], hash, &at))
		return false;
	if (c->heard_count == HEARD_MOST) {
		uint64_t *oldest = c->heard[1];
		c->heard[1] = c->heard[0];
		c->heard[0] = oldest;
		memset(oldest, 0, 2 * HEARD_MOST * sizeof *oldest);
		c->heard_count = 0;
		find_heard(c->heard[0], hash, &at);
	}
	c->heard[0][at] = hash;
	c->heard_count++;
	return true;
}

/* --- Reading. --- */

static void see_own(struct cluster *c, struct str number, unsigned copy)
{
	uint64_t n;
	if (num_parse(number, UINT64_MAX, &n))
		return;
	for (struct link *l = c->notices.next; l != &c->notices; l = l->next) {
		struct notice *own = container_of(l, struct notice, link);
		if (own->number != n)
			continue;
		own->seen[copy] = true;
		return;
	}
}

/* "0123456789abcdef.7 <a purge's line>" */
static void hear_line(struct cluster *c, struct str line, unsigned copy, bool past)
{
	struct str rest = line, name = str_cut(&rest, ' '), number = str_from(name, MACHINE_B + 1);
	struct purge what;
	if (!rest.p || name.n < MACHINE_B + 2 || name.p[MACHINE_B] != '.' || purge_parse(rest, &what))
		return;
	if (str_eq(str_head(name, MACHINE_B), str_make(c->machine, MACHINE_B))) {
		see_own(c, number, copy);
		return;
	}
	if (!is_news(c, name))
		return;
	/* Of whose clock is far ahead the time is no purge's: none is given out that lies before one (share/purges.h). */
	bool is_time = what.at_ms <= clock_wall_ms() + AHEAD_MS;
	what.at_ms = past && is_time ? what.at_ms + SLACK_MS : 0;
	c->stats.heard++;
	c->purged(c->arg, &what);
}

/* Whole lines only: another is being appended, or it is all wrong. */
static uint64_t hear_lines(struct cluster *c, struct str bytes, uint64_t from_b, unsigned copy, bool past)
{
	struct str rest = str_from(bytes, from_b);
	size_t end;
	while ((end = str_find(rest, '\n')) < rest.n) {
		hear_line(c, str_head(rest, end), copy, past);
		from_b += end + 1;
		rest = str_from(rest, end + 1);
	}
	return from_b;
}

static void ask(struct reader *r, bool wants)
{
	char key[CLUSTER_KEY_B];
	struct mc_request ask = { .verb = "mg", .key = key_of_journal(key, r->c->site, r->piece, r->copy),
		                  .flags = wants ? STR("v") : STR("s") };
	r->op.task = &r->task;
	r->wants = wants;
	r->asks = memcached_ask(r->c->m, NULL, &ask, &r->op, UINT64_MAX);
}

static void got_length(struct reader *r, const struct mc_answer *a)
{
	if (a->stored_b < r->read_b)
		r->read_b = 0;   /* its server began anew */
	if (a->stored_b > r->read_b)
		ask(r, true);
	else
		r->past = false;
}

static void got_bytes(struct reader *r)
{
	struct str bytes = r->op.value;
	if (bytes.p)
		r->read_b = hear_lines(r->c, bytes, r->read_b <= bytes.n ? r->read_b : 0, r->copy, r->past);
	r->past = false;
	mc_cancel(&r->op);
}

static void reader_step(struct task *t)
{
	struct reader *r = container_of(t, struct reader, task);
	const struct mc_answer *a = &r->op.answer;
	if (!r->asks || r->op.got == MC_WAITING)
		return;
	r->asks = false;
	if (r->op.got != MC_ANSWERED)
		return;
	if (a->code == MC_VA) {
		got_bytes(r);
	} else if (a->code == MC_HD) {
		got_length(r, a);
	} else if (a->code == MC_EN) {
		r->read_b = 0;
		r->past = false;
	}
}

static void reader_init(struct cluster *c, struct reader *r)
{
	*r = (struct reader){ .c = c, .past = true };
	task_init(&r->task, reader_step);
}

/* Each piece has its readers; those of the oldest go on with the newest. */
static void poll_now(struct cluster *c)
{
	uint64_t newest = piece_now() + 1;
	for (uint64_t piece = newest - (PIECES - 1); piece <= newest; piece++) {
		for (unsigned copy = 0; copy < COPIES; copy++) {
			struct reader *r = &c->readers[piece % PIECES * COPIES + copy];
			if (r->asks)
				continue;
			if (r->piece != piece) {
				r->piece = piece;
				r->copy = copy;
				r->read_b = 0;
			}
			ask(r, false);
		}
	}
}

/* A server that is away, or does not answer now, is not asked for the past again: its other copy is. */
static void poll_past(struct cluster *c)
{
	for (size_t i = 0; i < PAST_AT_ONCE && c->past_left; i++) {
		struct reader *r = &c->past[i];
		if (r->asks)
			continue;
		r->piece = c->past_piece;
		r->copy = c->past_left % COPIES;
		r->read_b = 0;
		r->past = true;
		ask(r, true);
		if (--c->past_left % COPIES == 0)
			c->past_piece--;
	}
}

/* --- Telling. --- */

static void notice_free(struct cluster *c, struct notice *n)
{
	link_del(&n->link);
	mem_str_free(n->line);
	mem_free(n);
	c->stats.waiting = --c->notice_count;
}

/* Whether there is nothing more to do about it. */
static bool is_told(struct cluster *c, const struct notice *n)
{
	uint64_t age_ms = c->control->now_ms - n->made_ms;
	bool some = false, each = true;
	for (unsigned copy = 0; copy < COPIES; copy++) {
		some = some || n->seen[copy];
		each = each && n->seen[copy];
	}
	if (age_ms > TELL_MS && !some)
		c->stats.lost++;
	return each || (some && age_ms > ENOUGH_MS) || age_ms > TELL_MS;
}

/* The piece is made where it is not there; what is there stays. */
static void append(struct cluster *c, const struct notice *n, unsigned copy)
{
	char key[CLUSTER_KEY_B];
	struct str nothing = STR("");
	struct mc_request r = { .verb = "ms", .key = key_of_journal(key, c->site, piece_now(), copy), .flags = STR("ME"),
		                .ttl_s = PIECE_TTL_S, .parts = &nothing, .part_count = 1 };
	memcached_tell(c->m, NULL, &r);
	r.flags = STR("MA");
	r.ttl_s = 0;
	r.parts = &n->line;
	memcached_tell(c->m, NULL, &r);
}

static void tell(struct cluster *c)
{
	size_t n = 0;
	for (struct link *l = c->notices.next, *next; l != &c->notices && n < TELL_AT_ONCE; l = next) {
		struct notice *own = container_of(l, struct notice, link);
		next = l->next;
		if (is_told(c, own)) {
			notice_free(c, own);
			continue;
		}
		if (own->sent_ms && c->control->now_ms - own->sent_ms < AGAIN_MS)
			continue;
		for (unsigned copy = 0; copy < COPIES; copy++)
			if (!own->seen[copy])
				append(c, own, copy);
		own->sent_ms = c->control->now_ms;
		n++;
	}
}

/* What was told is looked for first: it may be there. */
static void poll(struct timer *t)
{
	struct cluster *c = container_of(t, struct cluster, timer);
	uint64_t now_ms = c->control->now_ms;
	if (now_ms >= c->next_ms) {
		c->next_ms = now_ms + POLL_MS;
		tell(c);
		poll_now(c);
	}
	if (now_ms >= c->past_from_ms)
		poll_past(c);
	bool past = c->past_left && now_ms >= c->past_from_ms;
	timer_set(&c->control->wheel, t, past ? now_ms + PAST_POLL_MS : c->next_ms);
}

static void tell_soon(struct timer *t)
{
	tell(container_of(t, struct cluster, soon));
}

/* Whether the same is about to be told. Those that were not sent yet stand at the end. */
static bool is_waiting(const struct cluster *c, const struct purge *what)
{
	for (struct link *l = c->notices.prev; l != &c->notices; l = l->prev) {
		const struct notice *own = container_of(l, struct notice, link);
		if (own->sent_ms)
			return false;
		if (own->kind == what->kind && own->mark == what->mark && own->soft == what->soft)
			return what->kind == PURGE_URL || what->kind == PURGE_TAG;
	}
	return false;
}

static void note(struct cluster *c, const struct purge *what)
{
	struct buf line = {};
	struct notice *n = MEM_NEW(struct notice);
	n->number = ++c->last;
	n->made_ms = c->control->now_ms;
	n->kind = what->kind;
	n->soft = what->soft;
	n->mark = what->mark;
	buf_addf(&line, "%s.%llu ", c->machine, (unsigned long long)n->number);
	purge_print(what, &line);
	n->line = mem_str(buf_str(&line));
	buf_fini(&line);
	link_init(&n->link);
	link_add(&c->notices, &n->link);
	c->stats.waiting = ++c->notice_count;
	c->stats.told++;
	if (!timer_is_set(&c->soon))
		timer_set(&c->control->wheel, &c->soon, c->control->now_ms + TELL_SOON_MS);
}

/* So many that nobody could be told of each: all that others have is to be asked for anew, which is never wrong. */
static void note_all(struct cluster *c)
{
	struct purge all = { .kind = PURGE_ALL, .soft = true, .at_ms = clock_wall_ms() };
	while (!link_alone(&c->notices))
		notice_free(c, container_of(c->notices.next, struct notice, link));
	log_line(c->ring, LOG_LEVEL_WARN, "cache %.*s: %d purges wait to be told to other machines: they are told to ask for "
	         "all pages anew", STR_F(c->site), (int)TOLD_MOST);
	note(c, &all);
}

/* --- In memcached itself. --- */

static void purge_page(struct cluster *c, struct str text, bool soft)
{
	char key[CLUSTER_KEY_B];
	memcached_tell_surely(c->m, NULL, &(struct mc_request){ .verb = "md", .key = key_of_page(key, c->site, text),
	                                                        .flags = soft ? STR("I") : STR(""),
	                                                        .ttl_s = soft ? SOFT_TTL_S : 0 });
}

static void purge_number(struct cluster *c, struct str key, bool soft)
{
	struct buf flags = {};
	buf_addf(&flags, "N%d J%llu D%d", MEMCACHED_TTL_MOST_S, (unsigned long long)generation_first(clock_wall_ms()),
	         soft ? 1 : GENERATION_HARD);
	memcached_tell_surely(c->m, NULL, &(struct mc_request){ .verb = "ma", .key = key, .flags = buf_str(&flags),
	                                                        .ttl_s = MEMCACHED_TTL_MOST_S });
	buf_fini(&flags);
}

void cluster_purge(struct cluster *c, const struct purge *what, struct str text)
{
	char key[CLUSTER_KEY_B];
	if (what->kind == PURGE_URL) {
		purge_page(c, text, what->soft);
		purge_number(c, key_of_url(key, c->site, what->mark), what->soft);
	} else if (what->kind == PURGE_TAG) {
		purge_number(c, key_of_tag(key, c->site, what->mark), what->soft);
	}
	if (is_waiting(c, what))
		return;
	if (c->notice_count >= TOLD_MOST)
		note_all(c);
	else
		note(c, what);
}

/* --- Its life. --- */

struct cluster *cluster_open(struct memcached *m, struct loop *control, struct str site, struct log_ring *ring,
                             void (*purged)(void *arg, struct purge *what), void *arg)
{
	struct cluster *c = MEM_NEW(struct cluster);
	uint64_t random;
	*c = (struct cluster){ .m = m, .control = control, .site = mem_str(site), .ring = ring, .purged = purged, .arg = arg };
	must(getrandom(&random, sizeof random, 0) == sizeof random);
	snprintf(c->machine, sizeof c->machine, "%0*llx", MACHINE_B, (unsigned long long)random);
	memcached_hold(m);
	link_init(&c->notices);
	timer_init(&c->soon, tell_soon);
	timer_init(&c->timer, poll);
	for (size_t i = 0; i < countof(c->readers); i++)
		reader_init(c, &c->readers[i]);
	for (size_t i = 0; i < countof(c->past); i++)
		reader_init(c, &c->past[i]);
	for (size_t i = 0; i < countof(c->heard); i++)
		c->heard[i] = mem_new(2 * HEARD_MOST * sizeof(uint64_t));
	c->past_piece = piece_now() - PIECES_BEHIND;
	c->past_left = PAST_PIECES * COPIES;
	c->past_from_ms = control->now_ms + 2 * POLL_MS;
	timer_set(&control->wheel, &c->timer, control->now_ms);
	return c;
}

void cluster_close(struct cluster *c)
{
	timer_stop(&c->timer);
	timer_stop(&c->soon);
	/* What could not be told yet is said as well as can be. */
	tell(c);
	for (size_t i = 0; i < countof(c->readers); i++) {
		mc_cancel(&c->readers[i].op);
		task_stop(&c->readers[i].task);
	}
	for (size_t i = 0; i < countof(c->past); i++) {
		mc_cancel(&c->past[i].op);
		task_stop(&c->past[i].task);
	}
	while (!link_alone(&c->notices))
		notice_free(c, container_of(c->notices.next, struct notice, link));
	for (size_t i = 0; i < countof(c->heard); i++)
		mem_free(c->heard[i]);
	memcached_put(c->m);
	mem_str_free(c->site);
	mem_free(c);
}

struct cluster_stats cluster_stats(const struct cluster *c)
{
	return c->stats;
}

/* What a loop keeps for its requests: the current snapshot and the date.  The loop's thread only. */
#include "http/home.h"

#include "base/clock.h"
#include "base/must.h"
#include "http/core.h"

static void refresh(struct home *h)
{
	uint64_t wall_ms = clock_wall_ms();
	h->wall_s = (int64_t)(wall_ms / 1000);
	h->wall_ahead_ms = wall_ms - h->loop.now_ms;
	date_print(h->date, h->wall_s);
	h->date_until_ms = h->loop.now_ms + 1000 - wall_ms % 1000;
}

struct str home_date(struct home *h)
{
	if (h->loop.now_ms >= h->date_until_ms)
		refresh(h);
	return (struct str){ h->date, DATE_B };
}

int64_t home_wall_s(struct home *h)
{
	home_date(h);
	return h->wall_s;
}

uint64_t home_wall_ms(struct home *h)
{
	home_date(h);
	return h->loop.now_ms + h->wall_ahead_ms;
}

static void count_turn(struct home_stats *s, uint64_t now_ms, uint64_t ns)
{
	uint64_t minute = now_ms / 60000, us = ns / 1000;
	counter_add(&s->turns, 1);
	counter_add(&s->busy_ns, ns);
	if (minute != counter_get(&s->minute)) {
		counter_set(&s->longest_before_us, counter_get(&s->minute) + 1 == minute ? counter_get(&s->longest_us) : 0);
		counter_set(&s->longest_us, 0);
		counter_set(&s->minute, minute);
	}
	if (us > counter_get(&s->longest_us))
		counter_set(&s->longest_us, us);
}

void home_turn_over(struct home *h)
{
	const struct loop *l = &h->loop;
	uint64_t ns = clock_ns() - l->now_ns, us = ns / 1000, blamed_ms = h->blamed_ms;
	uint64_t most_ms = h->use ? conf_core(h->use->conf)->long_turn_ms : 0;
	count_turn(&h->stats, l->now_ms, ns);
	uint64_t requests = counter_get(&h->stats.requests);
	h->loop.gap_ns = h->use && conf_core(h->use->conf)->gather ? gather_turn(&h->gather, h->calls, requests, l->now_ns) : 0;
	h->blamed_ms = 0;
	if (!most_ms || us / 1000 < blamed_ms + most_ms)
		return;
	const struct trace *last = &l->trace[(l->trace_at + LOOP_TRACE - 1) % LOOP_TRACE];
	log_note(h->ring, LOG_LEVEL_WARN, "a turn of loop %u took %llu ms: %d events, and last %s %llu", l->index,
	         (unsigned long long)us / 1000, l->turn_events, last->what ? last->what : "nothing",
	         (unsigned long long)last->detail);
}

/* Digits with zeros before them. */
static char *put_padded(char *at, uint64_t n, size_t width)
{
	for (size_t i = width; i-- > 0; n /= 10)
		at[i] = (char)('0' + n % 10);
	return at + width;
}

static char *put(char *at, const char *from, size_t n)
{
	memcpy(at, from, n);
	return at + n;
}

/* Of "Fri, 20 Nov 2026 10:00:00 GMT", as date_print() writes it. */
enum { AT_DAY = 5, AT_MONTH = 8, AT_YEAR = 12, AT_TIME = 17 };

static unsigned month_of(const char *date)
{
	static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	unsigned month = 0;
	while (memcmp(MONTHS + 3 * (size_t)month, date + AT_MONTH, 3) != 0)
		month++;
	return month + 1;
}

void home_time_print(struct home *h, struct buf *out)
{
	const char *date = home_date(h).p;
	uint64_t left_ms = h->date_until_ms - h->loop.now_ms;  /* of this second: 1 … 1000 */
	char *at = put(buf_room(out, 24), date + AT_YEAR, 4);
	*at++ = '-';
	at = put_padded(at, month_of(date), 2);
	*at++ = '-';
	at = put(at, date + AT_DAY, 2);
	*at++ = 'T';
	at = put(at, date + AT_TIME, 8);
	*at++ = '.';
	put(put_padded(at, left_ms < 1000 ? 1000 - left_ms : 0, 3), "Z", 1);
	out->n += 24;
}

void home_time_common(struct home *h, struct buf *out)
{
	const char *date = home_date(h).p;
	char *at = put(buf_room(out, 26), date + AT_DAY, 2);
	*at++ = '/';
	at = put(at, date + AT_MONTH, 3);
	*at++ = '/';
	at = put(at, date + AT_YEAR, 4);
	*at++ = ':';
	at = put(at, date + AT_TIME, 8);
	put(at, " +0000", 6);
	out->n += 26;
}

struct conf_use *home_conf_share(struct conf_use *use)
{
	must(use->refs > 0);
	use->refs++;
	return use;
}

struct conf_use *home_conf_get(struct home *h)
{
	return home_conf_share(h->use);
}

void home_conf_put(struct conf_use *use)
{
	must(use->refs > 0);
	if (--use->refs == 0)
		use->released(use);
}

void home_conf_set(struct home *h, struct conf_use *use)
{
	struct conf_use *before = h->use;
	if (use)
		use->refs++;
	h->use = use;
	if (before)
		home_conf_put(before);
}

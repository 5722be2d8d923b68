/* What a loop keeps for its requests: the current snapshot and the date.  The loop's thread only. */
#include "http/home.h"

#include "base/clock.h"
#include "base/must.h"

static void refresh(struct home *h)
{
	uint64_t wall_ms = clock_wall_ms();
	h->wall_s = (int64_t)(wall_ms / 1000);
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

struct conf_use *home_conf_get(struct home *h)
{
	h->use->refs++;
	return h->use;
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

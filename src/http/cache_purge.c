/* What is purged of a cache, here and on other machines: it takes effect at once on all loops and in all tiers of this
 * machine; then the journal on disk has it, and memcached, from which other machines hear of it.  Any loop's, or the
 * control thread's, which alone knows the cluster. */
#include "base/mem.h"
#include "http/cache_in.h"

/* --- On this machine. --- */

/* Until the journal has it. */
struct note {
	struct shelf_noted noted;
	struct cache_noted *then;
};

static void tell_noted(struct cache_noted *then, int err)
{
	if (then)
		then->noted(then, err);
}

static void noted(struct mail *m)
{
	struct note *n = container_of(m, struct note, noted.mail);
	tell_noted(n->then, n->noted.err);
	mem_free(n);
}

static void note(struct cache *c, const struct purge *what, struct mailbox *to, struct cache_noted *then)
{
	struct note *n = MEM_NEW(struct note);
	n->noted.mail.deliver = noted;
	n->noted.to = to;
	n->then = then;
	shelf_note(c->shelf, what, &n->noted);
}

/* Takes effect here, at once. */
static int apply(struct cache *c, struct purge *what)
{
	int err = purges_add(c->purges, what);
	if (err)
		return err;
	/* What is being fetched was asked for before: of a URL all variants and slices. */
	growths_part(c->growths, what->kind == PURGE_URL ? &what->mark : NULL);
	return 0;
}

/* --- On others. --- */

/* A purge on its way to the control thread, which tells other machines. */
struct told {
	struct mail mail;
	struct cache *cache;
	struct purge what;
	struct str text;         /* own copy */
};

static void tell_others(struct mail *m)
{
	struct told *t = container_of(m, struct told, mail);
	t->what.match = t->text;
	if (t->cache->cluster)
		cluster_purge(t->cache->cluster, &t->what, t->text);
	mem_str_free(t->text);
	mem_free(t);
}

static void tell(struct cache *c, const struct purge *what, struct str text)
{
	struct told *t = MEM_NEW(struct told);
	*t = (struct told){ .mail.deliver = tell_others, .cache = c, .what = *what, .text = mem_str(text) };
	mailbox_post(&c->control->mailbox, &t->mail);
}

/* What another machine purged. */
static void heard(void *arg, struct purge *what)
{
	struct cache *c = arg;
	/* What can't be added says nothing. */
	if (apply(c, what) == 0 && c->shelf)
		note(c, what, &c->control->mailbox, NULL);
}

/* Another pool has another journal. */
void cache_share(struct cache *c, struct memcached *m, struct log_ring *ring)
{
	if (c->memcached == m)
		return;
	if (c->cluster)
		cluster_close(c->cluster);
	c->memcached = m;
	c->cluster = m ? cluster_open(m, c->control, c->name, ring, heard, c) : NULL;
	counter_set(&c->clustered, m != NULL);
}

/* --- All of it. --- */

int cache_purge(struct cache *c, struct mailbox *to, enum purge_kind kind, struct str text, bool soft,
                struct cache_noted *then)
{
	struct purge what = { .kind = kind, .soft = soft, .mark = page_hash(text), .match = text };
	int err = apply(c, &what);
	if (err)
		return err;
	if (c->shelf)
		note(c, &what, to, then);
	else
		tell_noted(then, 0);
	if (counter_get(&c->clustered))
		tell(c, &what, text);
	return 0;
}

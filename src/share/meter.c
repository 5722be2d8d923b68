/* Meters: cells that a loop counts in, and their sums.  See meter.h. */
#include "share/meter.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"

/* Bucket 0 is below 2^FIRST_BIT µs; from there on each power of two has STEPS buckets. */
enum { FIRST_BIT = 4, STEP_BITS = 2, STEPS = 1 << STEP_BITS };

/* A configuration may name a hundred times as many routes as there are numbers: each is looked for in a table. */
enum { SLOTS = 4 * METERS_MOST };

struct meter_name {
	uint64_t hash;
	enum meter_kind kind;
	struct str site, name;   /* from mem_new() */
};

/* A loop's cells by number; those that were not given a number yet are NULL. */
struct cells {
	struct meter *at[METERS_MOST];
};

struct meters {
	unsigned loops, count;
	struct meter_name names[METERS_MOST];
	unsigned short slots[SLOTS];  /* numbers by the names' hashes, open addressing; METER_REST: none */
	struct cells cells[];
};

static unsigned bucket_of(uint64_t us)
{
	if (us < 1 << FIRST_BIT)
		return 0;
	unsigned bit = 63 - (unsigned)__builtin_clzll(us), step = (unsigned)(us >> (bit - STEP_BITS)) & (STEPS - 1);
	unsigned bucket = 1 + (bit - FIRST_BIT) * STEPS + step;
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	counter_add(&h->sum_us, us);
	counter_add(&h->bucket[bucket_of(us)], 1);
}

uint64_t histogram_bound_us(unsigned bucket)
{
	if (bucket >= HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	if (!bucket)
		return 1 << FIRST_BIT;
	unsigned bit = FIRST_BIT + (bucket - 1) / STEPS, step = (bucket - 1) % STEPS;
	return (uint64_t)(STEPS + step + 1) << (bit - STEP_BITS);
}

/* --- The registry. --- */

static unsigned number_add(struct meters *m, const struct meter_name *name)
{
	unsigned number = m->count++;
	m->names[number] = *name;
	for (unsigned i = 0; i < m->loops; i++)
		m->cells[i].at[number] = MEM_NEW(struct meter);
	return number;
}

struct meters *meters_new(unsigned loops)
{
	struct meters *m = mem_new(sizeof *m + loops * sizeof *m->cells);
	m->loops = loops;
	number_add(m, &(struct meter_name){});
	return m;
}

void meters_free(struct meters *m)
{
	if (!m)
		return;
	for (unsigned number = 0; number < m->count; number++) {
		mem_str_free(m->names[number].site);
		mem_str_free(m->names[number].name);
		for (unsigned i = 0; i < m->loops; i++)
			mem_free(m->cells[i].at[number]);
	}
	mem_free(m);
}

static bool is_name(const struct meter_name *n, const struct meter_name *of)
{
	return n->hash == of->hash && n->kind == of->kind && str_eq(n->site, of->site) && str_eq(n->name, of->name);
}

unsigned meters_number(struct meters *m, enum meter_kind kind, struct str site, struct str name)
{
	struct meter_name wanted = { hash_bytes(name, hash_bytes(site, kind)), kind, site, name };
	size_t slot = wanted.hash % SLOTS;
	while (m->slots[slot] != METER_REST) {
		if (is_name(&m->names[m->slots[slot]], &wanted))
			return m->slots[slot];
		slot = (slot + 1) % SLOTS;
	}
	if (m->count == METERS_MOST)
		return METER_REST;
	wanted.site = mem_str(site);
	wanted.name = mem_str(name);
	m->slots[slot] = (unsigned short)m->count;
	return number_add(m, &wanted);
}

struct meter *meters_at(struct meters *m, unsigned loop, unsigned number)
{
	must(loop < m->loops && number < METERS_MOST);
	return m->cells[loop].at[number];
}

/* --- Sums. --- */

static void histogram_sum(const struct histogram *h, struct distribution *out)
{
	out->sum_us += counter_get(&h->sum_us);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = counter_get(&h->bucket[i]);
		out->bucket[i] += n;
		out->count += n;
	}
}

unsigned meters_count(const struct meters *m)
{
	return m->count;
}

void meters_sum(const struct meters *m, unsigned number, struct meter_sum *out)
{
	*out = (struct meter_sum){ .kind = m->names[number].kind, .site = m->names[number].site,
		                   .name = m->names[number].name };
	for (unsigned i = 0; i < m->loops; i++) {
		const struct meter *cell = m->cells[i].at[number];
		for (unsigned class = 0; class < METER_CLASSES; class++) {
			uint64_t n = counter_get(&cell->by_class[class]);
			out->by_class[class] += n;
			out->requests += n;
		}
		out->in_b += counter_get(&cell->in_b);
		out->out_b += counter_get(&cell->out_b);
		out->shed += counter_get(&cell->shed);
		histogram_sum(&cell->time, &out->time);
		histogram_sum(&cell->wait, &out->wait);
	}
}

void distribution_add(struct distribution *into, const struct distribution *of)
{
	into->count += of->count;
	into->sum_us += of->sum_us;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += of->bucket[i];
}

void distribution_sub(struct distribution *from, const struct distribution *of)
{
	from->count -= of->count;
	from->sum_us -= of->sum_us;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		from->bucket[i] -= of->bucket[i];
}

uint64_t distribution_quantile_us(const struct distribution *d, double q)
{
	double rank = q * (double)d->count, below = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		double here = (double)d->bucket[i];
		uint64_t least_us = i ? histogram_bound_us(i - 1) : 0, most_us = histogram_bound_us(i);
		if (!here || below + here < rank) {
			below += here;
			continue;
		}
		if (most_us == UINT64_MAX)
			return least_us;
		double share = rank > below ? (rank - below) / here : 0;
		return least_us + (uint64_t)(share * (double)(most_us - least_us));
	}
	return 0;
}

/* Sites by host, routes by pattern.  Immutable once built; any thread. */
#include "http/route.h"

#include "base/hash.h"

struct host_slot {
	uint64_t hash;
	struct str name;
	const struct site *site;   /* NULL: free */
};

struct host_table {
	struct host_slot *slots;
	size_t mask;               /* slots - 1; at most half of them are used */
	struct host_slot any;      /* of "*" */
	bool wildcards;            /* there is a "*.suffix" at all */
};

static void put(struct host_table *t, struct str name, const struct site *site)
{
	uint64_t hash = hash_bytes(name, 0);
	size_t at = hash & t->mask;
	while (t->slots[at].site)
		at = (at + 1) & t->mask;
	t->slots[at] = (struct host_slot){ hash, name, site };
}

static const struct host_slot *get(const struct host_table *t, struct str name)
{
	uint64_t hash = hash_bytes(name, 0);
	for (size_t at = hash & t->mask; t->slots[at].site; at = (at + 1) & t->mask)
		if (t->slots[at].hash == hash && str_eq(t->slots[at].name, name))
			return &t->slots[at];
	return NULL;
}

struct host_table *host_table_build(struct arena *a, const struct site *sites, size_t count)
{
	struct host_table *t = ARENA_NEW(a, struct host_table);
	size_t names = 0, slots = 16;
	for (size_t i = 0; i < count; i++)
		names += sites[i].name_count;
	while (slots < names * 2)
		slots *= 2;
	t->slots = arena_new(a, slots * sizeof *t->slots);
	t->mask = slots - 1;
	for (size_t i = 0; i < count; i++) {
		for (size_t n = 0; n < sites[i].name_count; n++) {
			struct str name = sites[i].names[n];
			if (str_eq(name, STR("*")))
				t->any = (struct host_slot){ .name = name, .site = &sites[i] };
			else
				put(t, name, &sites[i]);
			t->wildcards |= str_starts(name, STR("*."));
		}
	}
	return t;
}

/* "a.b.example.org" is looked up as "*.b.example.org", "*.example.org", "*.org". */
static const struct host_slot *get_wildcard(const struct host_table *t, struct str host)
{
	char name[257] = "*";
	size_t dot;
	while ((dot = str_find(host, '.')) < host.n) {
		host = str_from(host, dot);
		if (host.n < sizeof name) {
			memcpy(name + 1, host.p, host.n);
			const struct host_slot *slot = get(t, (struct str){ name, host.n + 1 });
			if (slot)
				return slot;
		}
		host = str_from(host, 1);
	}
	return NULL;
}

static const struct host_slot *find(const struct host_table *t, struct str host)
{
	const struct host_slot *slot = host.n ? get(t, host) : NULL;
	if (!slot && t->wildcards)
		slot = get_wildcard(t, host);
	return slot ? slot : &t->any;
}

const struct site *host_table_find(const struct host_table *t, struct str host)
{
	return find(t, host)->site;
}

const struct site *host_table_fit(const struct host_table *t, struct str host, enum host_fit *fit, struct str *name)
{
	const struct host_slot *slot = find(t, host);
	*name = slot->name;
	if (!slot->site)
		*fit = HOST_FITS_NONE;
	else if (slot == &t->any)
		*fit = HOST_FITS_ANY;
	else
		*fit = str_starts(slot->name, STR("*.")) ? HOST_FITS_WILDCARD : HOST_FITS_EXACTLY;
	return slot->site;
}

const struct route *route_pick_after(const struct site *site, const struct route *after, struct str path,
                                     struct captures *captures)
{
	for (size_t i = after ? (size_t)(after - site->routes) + 1 : 0; i < site->route_count; i++)
		if (pattern_match(&site->routes[i].pattern, path, captures))
			return &site->routes[i];
	captures->count = 0;
	return &site->fallback;
}

const struct route *route_pick(const struct site *site, struct str path, struct captures *captures)
{
	return route_pick_after(site, NULL, path, captures);
}

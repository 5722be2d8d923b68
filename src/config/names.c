/* A hash table of names, open addressing with linear probing.  Owns its slots, not its keys. */
#include "config/names.h"

#include "base/hash.h"
#include "base/mem.h"

struct names_slot {
	struct str key;  /* p NULL: free */
	uint64_t hash;
	size_t number;
};

void names_fini(struct names *t)
{
	mem_free(t->slots);
	*t = (struct names){};
}

static struct names_slot *slot_of(const struct names *t, struct str key, uint64_t hash)
{
	size_t i = hash & (t->cap - 1);
	while (t->slots[i].key.p && (t->slots[i].hash != hash || !str_eq(t->slots[i].key, key)))
		i = (i + 1) & (t->cap - 1);
	return &t->slots[i];
}

static void grow(struct names *t)
{
	struct names old = *t;
	t->cap = old.cap ? old.cap * 2 : 64;
	t->slots = mem_new(t->cap * sizeof *t->slots);
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].key.p)
			*slot_of(t, old.slots[i].key, old.slots[i].hash) = old.slots[i];
	names_fini(&old);
}

size_t *names_put(struct names *t, struct str key, bool *fresh)
{
	if (t->count * 2 >= t->cap)
		grow(t);
	uint64_t hash = hash_bytes(key, 0);
	struct names_slot *slot = slot_of(t, key, hash);
	*fresh = !slot->key.p;
	if (*fresh) {
		*slot = (struct names_slot){ { key.p ? key.p : "", key.n }, hash, 0 };
		t->count++;
	}
	return &slot->number;
}

const size_t *names_get(const struct names *t, struct str key)
{
	if (!t->cap)
		return NULL;
	struct names_slot *slot = slot_of(t, key, hash_bytes(key, 0));
	return slot->key.p ? &slot->number : NULL;
}

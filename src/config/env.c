/* Variables of the environment that a configuration named.  Owns the list; strings live in the sources' arena. */
#include "config/env.h"

#include <stdlib.h>

#include "base/mem.h"

void env_fini(struct env *e)
{
	names_fini(&e->index);
	mem_free(e->list);
	*e = (struct env){};
}

void env_add(struct env *e, const struct env_variable *v)
{
	bool fresh;
	size_t *at = names_put(&e->index, v->name, &fresh);
	if (!fresh)
		return;
	if (e->count == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 8;
		e->list = mem_grow(e->list, e->cap * sizeof *e->list);
	}
	*at = e->count;
	e->list[e->count++] = *v;
}

bool env_get(struct env *e, struct str name, struct str *value)
{
	const size_t *at = names_get(&e->index, name);
	if (!at && e->sealed)
		return false;
	if (!at) {
		struct str kept = arena_str(e->arena, name);
		const char *text = getenv(kept.p);
		env_add(e, &(struct env_variable){ kept, arena_str(e->arena, str_of(text)), text != NULL });
		at = names_get(&e->index, name);
	}
	const struct env_variable *v = &e->list[*at];
	*value = v->value;
	return v->set;
}

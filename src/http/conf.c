/* The end of a configuration snapshot.  Everything in it lives in its arena, compiled patterns included. */
#include "http/conf.h"

#include "base/mem.h"

void conf_free(struct conf *c)
{
	if (!c)
		return;
	arena_fini(&c->arena);
	mem_free(c);
}

void conf_each_values(const struct conf *c, size_t module, void (*see)(void *arg, void *values), void *arg)
{
	void *outer = c->values[module];
	if (!outer)
		return;
	see(arg, outer);
	for (size_t i = 0; i < c->site_count; i++) {
		const struct site *site = &c->sites[i];
		if (site->values[module] != outer)
			see(arg, site->values[module]);
		for (size_t k = 0; k < site->route_count; k++)
			if (site->routes[k].values[module] != site->values[module])
				see(arg, site->routes[k].values[module]);
	}
}

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

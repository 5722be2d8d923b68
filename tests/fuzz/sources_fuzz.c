/* Any bytes as a bundle of sources, which a worker reads from its supervisor: refused, or something that builds. */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/config/table.h"
#include "config/build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	if (sources_unpack(&s, str_make((const char *)data, size)) < 0)
		return 0;
	if (conf_build(&s, T_MODULES, T_COUNT, false, &m, &c) == 0)
		conf_free(c);
	messages_fini(&m);
	sources_fini(&s);
	return 0;
}

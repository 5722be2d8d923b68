/* The list of modules.  The core is the first. */
#include "main/modules.h"

#include "base/mem.h"
#include "handlers/handlers.h"
#include "http/core.h"

const struct module *const MODULES[] = {
	&CORE,
	&REDIRECT,
	&RESPOND,
	&FILES,
};
const size_t MODULE_COUNT = countof(MODULES);

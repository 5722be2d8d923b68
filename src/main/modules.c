/* The list of modules.  The core is the first. */
#include "main/modules.h"

#include "base/mem.h"
#include "control/alert_conf.h"
#include "control/page.h"
#include "handlers/handlers.h"
#include "http/backend.h"
#include "http/core.h"
#include "http/ids.h"
#include "http/memcached.h"
#include "http/shed.h"

const struct module *const MODULES[] = {
	&CORE,
	&SHED,
	&BACKENDS,
	&MEMCACHEDS,
	&ALERTS,
	&IDS,
	/* Gates. */
	&INTERNAL,
	&ACCESS,
	&THROTTLE,
	&CACHE,
	/* Handlers. */
	&CGI,
	&ECHO,
	&FASTCGI,
	&FILES,
	&MEMCACHED,
	&PROXY,
	&REDIRECT,
	&RESPOND,
	&SCGI,
	&STATUS,
	&UWSGI,
	/* Heads, from the last to the first: what it is that is answered, then its fields, then its coding. */
	&COMPRESS,
	&HEADERS,
	&ERROR_PAGE,
	/* Logs. */
	&ACCESS_LOG,
};
const size_t MODULE_COUNT = countof(MODULES);

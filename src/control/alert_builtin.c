/* The rules that are there without a line of configuration: what is always wrong.  A constant. */
#include "control/alert_conf.h"

const struct alert_builtin ALERT_BUILTINS[] = {
	{ "no_server",
	  "petrel_pool_servers(state=ready) < 1 and petrel_pool_servers(state=other) > 0 for 2s each pool",
	  "no server of the pool gets requests" },
	{ "app_crashes", "increase(petrel_app_restarts_total, 5m) >= 3 each app",
	  "its processes end by themselves, again and again" },
	{ "app_down", "petrel_app_processes < 1 and petrel_app_processes_wanted > 0 for 30s each app",
	  "no process of the application takes requests" },
	{ "descriptors", "process_open_fds / process_max_fds > 90% for 5s",
	  "hardly any descriptor is left: soon no connection can be accepted" },
	{ "log_dropped", "increase(petrel_log_dropped_total, 1m) > 0",
	  "log records were dropped: the logs' disk is too slow" },
	{ "log_errors", "increase(petrel_log_write_errors_total, 1m) > 0",
	  "logs can't be written: a disk that is full or fails" },
	{ "disk_fails", "increase(petrel_disk_errors_total, 5m) > 0", "files could not be read: a disk is failing" },
	{ "cache_disk_off", "petrel_cache_disk_off > 0 for 5s each cache",
	  "the cache writes nothing to its disk tier: a disk that is full or fails" },
	{ "memcached_away", "petrel_memcached_up < 1 for 5s each server",
	  "the memcached server is not asked any more: what it had is fetched from origins" },
	{ "long_turn", "max(petrel_loop_longest_turn_seconds) > 1s",
	  "an event loop did one thing for so long that all its connections waited" },
	{},
};

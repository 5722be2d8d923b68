/* The core's directives: what the server is, not what it answers.  CORE is the first of the modules. */
#pragma once

#include "base/directive.h"
#include "http/module.h"
#include "net/listener.h"

extern const struct module CORE;

/* Values of every scope; those whose directives are allowed in main only are read from the main scope's. */
struct core {
	/* main only */
	struct str user;            /* empty: stay who we are, without capabilities */
	uint64_t loops;             /* 0: one per core */
	struct items listens;       /* struct listen_spec */
	struct items admins;        /* struct listen_spec */
	struct str state;           /* file of what operators' changes are kept in; empty: none */
	uint64_t drain_timeout_ms;
	struct str error_log;       /* path, "stderr" or "syslog:" */
	int error_level;            /* enum log_level */
	int disk_engine;            /* enum disk_kind */
	uint64_t disk_workers, disk_queue;
	uint64_t hot_memory_b, hot_file_b, hot_recheck_ms, hot_warm_rate;
	struct str hot_list;        /* file that keeps what was hot over a restart; empty: none */
	uint64_t connections, connections_per_address;
	uint64_t long_turn_ms;      /* a loop's turn that is longer is logged; 0: none is */
	bool gather;                /* what comes for many requests at origins is taken together (http/gather.h) */

	/* limits: main and site, of the site that the request's host chose; before that, main's */
	uint64_t header_b, fields, body_b, requests_per_connection;
	uint64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, send_timeout_ms, linger_timeout_ms;
	uint64_t min_rate_bps;      /* bytes a second below which a sender or reader is cut off */

	/* every scope */
	struct str root;
	struct items index;         /* struct str */
	struct str temporary;       /* folder of temporary files */
};

/* What the configuration says about alerts: `alert`, `notify` and `alerts` blocks, and the table of rules that are there
 * without any.  Values of the module ALERTS, of main alone. */
#pragma once

#include "control/alert_expr.h"
#include "http/backend.h"

extern const struct module ALERTS;

/* An `alert` block. */
struct alert_conf {
	struct str name;
	struct items when;               /* struct str: the words of its condition */
	struct str text;                 /* what it means, for a person; empty */
	struct items to;                 /* struct str: of `notify` blocks; none: those of `alerts` */
};

enum notify_kind { NOTIFY_COMMAND, NOTIFY_WEBHOOK, NOTIFY_MAIL };

struct notify_header {
	struct str name, value;
};

/* A `notify` block. */
struct notify_conf {
	struct str name;
	enum notify_kind kind;           /* set by the check */
	struct str command;              /* run by /bin/sh */
	struct str url, secret, ca;      /* of a webhook */
	struct items headers;            /* struct notify_header */
	struct items mail;               /* struct str: addresses */
	struct str from, sendmail;
	struct str user;                 /* that it runs as; empty: who serves */
	struct items env_lines;          /* struct env_line: as configured */
	uint64_t timeout_ms;
	uint64_t limit;                  /* messages an hour; 0: no bound */
	uint64_t retries, retry_ms;
};

struct alerts_conf {
	struct items alerts;             /* struct alert_conf */
	struct items notifies;           /* struct notify_conf */
	int builtin_off;                 /* 1: without names all are off, else those */
	struct items builtin_names;      /* int: index in the table of built-in rules */
	struct items to;                 /* struct str; none: all `notify` blocks */
	uint64_t group_ms, clear_ms;
};

/* A rule that petrel brings along. */
struct alert_builtin {
	const char *name, *when, *text;
};

/* Ended by a NULL name. */
extern const struct alert_builtin ALERT_BUILTINS[];

enum { ALERT_NAME_B = 63, ALERTS_MOST = 500, NOTIFIES_MOST = 20 };
/* In `to`: nobody but the log. */
#define ALERT_TO_NOBODY STR("nobody")

/* A snapshot's; NULL: it was built without the module. */
const struct alerts_conf *conf_alerts(const struct conf *c);
bool alert_builtin_is_on(const struct alerts_conf *a, size_t builtin);
/* By its name; NULL. */
const struct notify_conf *notify_find(const struct alerts_conf *a, struct str name);
/* The condition as one text: its words apart by blanks, in the arena. */
struct str alert_when(struct arena *arena, const struct items *words);
/* What petrel webhook connects to. */
struct url {
	bool tls;
	struct str host;                 /* a name, or an address without its brackets */
	struct str port;
	struct str authority, target;    /* "example.org:8443", "/hook?x=1" */
};
/* 0, or -EINVAL with a sentence in *why. */
[[nodiscard]] int url_parse(struct str text, struct url *out, const char **why);

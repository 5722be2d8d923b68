/* The shape of a module: one struct of values, one table of directives, up to four hooks.
 *
 * The hooks are called by http/steps.c on the request's loop.  A hook gets the module's values for the route that was
 * chosen; they are immutable and live as long as the request's snapshot. */
#pragma once

#include "base/directive.h"

struct req;
struct explained;
struct outward;
struct conf;
struct checker;
struct log;
struct meters;
struct pools;
struct caches;
struct memcacheds;

/* The folders that modules asked for (struct module's folder()), as the supervisor opened them. */
struct folders {
	/* A descriptor of the caller's own; -1: it was not opened. */
	int (*get)(struct folders *f, struct str path);
};

/* What outlives snapshots and modules may use when one is opened or closed. */
struct commons {
	struct log *log;
	struct pools *pools;
	struct caches *caches;
	struct memcacheds *memcacheds;
	struct meters *meters;
	struct folders *folders;
};

enum go {
	GO_NEXT,    /* done here; on to the next step */
	GO_ANSWER,  /* r->answer is filled; skip the steps before sending it */
	GO_AGAIN,   /* the path was changed: route the request anew (req_again()) */
	GO_WAIT,    /* call this hook again after the wake that was asked for; it may be called without one, too */
	GO_FAIL,    /* the connection can't go on: close it without an answer */
};

struct module {
	const char *name;  /* in messages and the reference */
	const char *doc;   /* a paragraph at the head of its page in the reference */
	size_t size;       /* of its struct of values; 0: has none */
	const struct directive *directives;

	/* False where the values make the module do nothing: its gate, on_head and on_done are then not called on that
	 * route.  NULL: always active. */
	bool (*active)(const void *values);
	/* Before the handler: may answer instead (limits, access, redirects). */
	enum go (*gate)(struct req *r, const void *values);
	/* The gate goes by the request's head and the values alone, so that it may be asked what it would say. */
	bool gate_foretells;
	/* Fills r->answer.  Exactly one module handles a request. */
	enum go (*handle)(struct req *r, const void *values);
	/* How a handler asks servers (http/upstream.h), for who has to know beforehand whom a route asks.  NULL: it answers by
	 * itself. */
	const struct outward *(*outward)(const void *values);
	/* Whether it may leave requests to the next route that matches (req_pass()).  NULL: never. */
	bool (*passes)(const void *values);
	/* What handle(), or a gate that does not foretell, would do, for `petrel ctl explain` (http/explain.h).  NULL:
	 * nothing can be said. */
	void (*explain)(struct req *r, const void *values, struct explained *out);
	/* Edits the answer's head, may wrap its body: GO_NEXT, or GO_AGAIN.  Called in reverse order of modules. */
	enum go (*on_head)(struct req *r, const void *values);
	/* After the last byte, or after the request broke off: logs and counters. */
	void (*on_done)(struct req *r, const void *values);
	/* While a configuration is checked: what the types can't know (a root that doesn't exist).  Once per scope that set
	 * any of the module's directives; see http/check.h for what it may call. */
	void (*check)(struct checker *c, void *values);
	/* The same for the values of main alone, once all sites are there: for what names them. */
	void (*check_all)(struct checker *c, void *values);
	/* The file that the module appends to: opened by the supervisor, with its rights.  Empty: none. */
	struct str (*log_file)(const void *values);
	/* The i-th folder that the module keeps files in: made where it is missing, for the user that serves, and opened by the
	 * supervisor; the worker has it as commons.folders.  Empty: there are no more. */
	struct str (*folder)(const void *values, size_t i);
	/* In the worker, before a snapshot is published, and after its last use; once for each struct of values that differs
	 * from its outer scope's.  For what can't live in an arena: log sinks, pools. */
	void (*open)(void *values, const struct commons *with);
	void (*close)(void *values, const struct commons *with);
};

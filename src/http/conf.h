/* struct conf: a configuration snapshot, immutable once built, in one arena.
 *
 * Built by config/build.c; every request holds a reference to the one that it began with, so that nothing changes under
 * a request.  References are counted per loop (see share/epoch.h for how the last one frees it). */
#pragma once

#include "base/arena.h"
#include "base/directive.h"
#include "http/module.h"
#include "http/pattern.h"

/* Where in the configuration something stands, for messages: file:line:column. */
struct place {
	struct str file;
	unsigned line, column;  /* from 1 */
};

/* A module with its values on one route. */
struct hook {
	const struct module *module;
	const void *values;
};

struct hooks {
	const struct hook *p;
	size_t count;
};

/* A directive as one scope says it: for who wants to know where something comes from. */
struct mention {
	const struct directive *row;
	const char *file;
	unsigned line;
};

/* Those of a scope, each row once: of a list's, the first. */
struct mentions {
	const struct mention *p;
	size_t count;
};

struct route {
	struct pattern pattern;
	struct place place;
	struct mentions mentions;
	struct hook handler;          /* module NULL: no handler, answered 404 */
	struct hooks gates, heads, dones;  /* the active ones, in the order in which they are called */
	unsigned *meter;              /* its number (share/meter.h), given when the snapshot is published; NULL: none */
	void *const *values;          /* by the module's index in conf->modules */
};

struct site {
	const struct str *names;      /* as written: "example.org", "*.example.org", "*" */
	size_t name_count;
	struct place place;
	struct mentions mentions;
	void *const *values;
	const struct route *routes;
	size_t route_count;
	struct route fallback;        /* for what no route matches: gates and logs of the site, no handler */
};

struct host_table;

struct conf {
	struct arena arena;
	unsigned generation;               /* 1, 2, … over the life of a worker; set when it is published */
	const struct module *const *modules;
	size_t module_count;
	void *const *values;               /* of the main scope, by the module's index */
	struct mentions mentions;
	const struct site *sites;
	size_t site_count;
	const struct host_table *hosts;    /* see http/route.h */
	struct route unsited;              /* what holds outside of all sites, for streams: gates and logs, no handler */
};

struct core;

/* The main scope's values of the first module, which is always the core (http/core.h). */
static inline const struct core *conf_core(const struct conf *c)
{
	return c->values[0];
}

/* Calls see() for each struct of a module's values in the snapshot, once each, however many scopes share it. */
void conf_each_values(const struct conf *c, size_t module, void (*see)(void *arg, void *values), void *arg);
/* Frees all of it; the caller had the last reference. */
void conf_free(struct conf *c);

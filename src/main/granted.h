/* struct granted: what the supervisor opened for the worker, as the worker holds it: listening sockets, log files,
 * the hot list, folders. The supervisor sends all of it with every configuration; what the worker has already is
 * kept, so that a socket stays the same descriptor over any number of reloads. The control thread only. */
#pragma once

#include "http/module.h"
#include "main/channel.h"
#include "main/station.h"

struct granted {
	struct link things;   /* what is in use */
	struct link fresh;    /* what came since the last configuration or reopening */
	struct folders folders;
};

void granted_init(struct granted *g);
void granted_fini(struct granted *g, struct log *log);
/* Takes the message's descriptors over. */
void granted_add(struct granted *g, struct channel_message *m);
/* A configuration came: what is fresh is wanted, and nothing else.  What is known already stays as it is. */
void granted_merge(struct granted *g);
/* The logs that are wanted become sinks of the log. */
void granted_logs(struct granted *g, struct log *log);
/* The fresh logs replace those of the same name. */
void granted_reopen(struct granted *g, struct log *log);
/* The listeners that are wanted: an array from the heap, freed by the caller; names and descriptors are borrowed. */
struct listenings granted_listenings(const struct granted *g);
/* Closes the listeners: no loop watches them any more. */
void granted_close_listeners(struct granted *g, struct log *log);
/* Closes what the configuration, now in effect, does not want. */
void granted_settle(struct granted *g, struct log *log);
/* Whether there is one of this name ("log /path"). */
bool granted_has(const struct granted *g, const char *name);
/* The descriptor of the hot list, borrowed; -1: none. */
int granted_hot(const struct granted *g);

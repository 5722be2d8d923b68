/* struct keeper: who looks after the servers of pools: which there are, where they are, and whether they are well.
 *
 * Of each pool of the configuration in effect it has the servers, as configured and as the operator changed them since;
 * it looks up their names again and again, checks their health, ends ejections, and tells the loops by way of the shared
 * pool.  The servers of an app are its processes and somebody else's business: the keeper sets the app's rules only.
 *
 * All of it on the control thread. */
#pragma once

#include <jansson.h>

#include "event/loop.h"
#include "http/backend.h"
#include "share/log.h"

struct conf;
struct keeper;

/* servers: whom to ask for names, as resolver_new() has it; empty: as the system is set up. */
struct keeper *keeper_new(struct loop *l, struct pools *pools, struct log_ring *ring, struct str servers);
void keeper_free(struct keeper *k);
/* These are the backends from now on; c may go at once.  Pools that are no longer there are put.  fresh: it is another
 * configuration, before which the operator's changes go that were not to be kept; else the same one with other settings. */
void keeper_adopt(struct keeper *k, const struct conf *c, bool fresh);

/* --- The operator's changes. --- */

/* Take effect at once, and last until a fresh configuration is adopted, or, where keep, until they are taken back or the
 * pool is gone.  A server is named as it is configured, which means all of its addresses, or as a peer of the pool.
 *
 * 0; or -errno and a sentence in *why: -ENOENT: there is no such pool or server; -EEXIST: it is there already;
 * -EINVAL. */
int keeper_server_add(struct keeper *k, struct str pool, const struct server_conf *server, bool keep, struct buf *why);
/* What is under way there ends. */
int keeper_server_remove(struct keeper *k, struct str pool, struct str server, bool keep, struct buf *why);
/* Of enum peer_state: PEER_DRAINING and PEER_DOWN; PEER_EJECTED can be cleared. */
int keeper_server_state(struct keeper *k, struct str pool, struct str server, unsigned set, unsigned clear, bool keep,
                        struct buf *why);
int keeper_server_weight(struct keeper *k, struct str pool, struct str server, unsigned weight, bool keep,
                         struct buf *why);

/* The changes to be kept, as a list of JSON objects; and back, after keeper_adopt(): what fits no more is left out, and
 * *lost says what and why. */
json_t *keeper_kept(const struct keeper *k);
void keeper_restore(struct keeper *k, const json_t *list, struct buf *lost);
/* Appends the `server` lines of a pool as they are now, where an operator changed any, or where always; false: nobody
 * did. */
bool keeper_lines(const struct keeper *k, struct str pool, bool always, struct buf *out);

/* What is known of a peer's health, or why its name has no address: "answered 503"; empty: nothing.  Borrowed until the
 * loop's next turn. */
struct str keeper_why(const struct keeper *k, struct str pool, struct str peer);

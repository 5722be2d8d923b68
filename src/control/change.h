/* struct changes: what was changed in a running server over its admin socket or its status page, when and by whom; the
 * newest ones.  The control thread's. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "net/addr.h"

enum { CHANGES_KEPT = 100 };

/* Who asked. */
struct caller {
	pid_t pid;              /* as the kernel says (SO_PEERCRED); 0: it does not */
	uid_t uid;
	struct ip from;         /* no family of IP: over a Unix socket */
	bool token;             /* from there with a token, over the admin socket's TCP; else by a status page */
};

struct change {
	uint64_t wall_ms;
	struct caller who;
	struct str what;        /* from mem_new() */
};

/* Zeroed means empty. */
struct changes {
	struct change kept[CHANGES_KEPT];   /* number n stands at n % CHANGES_KEPT */
	uint64_t count;                     /* that there have been */
};

void changes_fini(struct changes *c);
void changes_add(struct changes *c, uint64_t wall_ms, const struct caller *who, struct str what);
/* "time":…,"uid":…,"pid":…, or "time":…,"address":…,"by":…, */
void change_print_who(struct buf *out, uint64_t wall_ms, const struct caller *who);
/* {"count":N,"changes":[{"time":…,"uid":…,"pid":…,"did":…}]}, the oldest first. */
void changes_print(const struct changes *c, struct buf *out);

/* struct admin_at: where a running server answers its operators, and what it wants to see: found as `petrel ctl` and its
 * like are told.  One thread; waits. */
#pragma once

#include "config/source.h"
#include "net/addr.h"

enum { TOKEN_MOST_B = 512 };

struct admin_at {
	struct addr addr;
	char token[TOKEN_MOST_B + 1];   /* empty: none */
};

/* The admin socket that a configuration names, as far as it can be read: it may be wrong elsewhere.  Of several a Unix
 * socket is taken.  False: none. */
bool admin_at_conf(const struct sources *s, struct admin_at *out);
/* What a command was told: --socket, -c and --token-file, each NULL where it was not given. */
struct admin_told {
	const char *command;
	const char *socket, *config, *token_file;
};
/* By that, or $PETREL_ADMIN, or the usual configuration; the token of the file, of $PETREL_TOKEN, or of the configuration.
 * 0, or the exit status after saying as `petrel COMMAND` what is wrong. */
int admin_at_find(const struct admin_told *told, struct admin_at *out);
/* The head's lines that say who is asked, and by whom: "Host: …" and perhaps "Authorization: …". */
void admin_at_head(const struct admin_at *at, struct buf *out);

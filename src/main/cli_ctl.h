/* petrel ctl: asks a running server how it is, and changes it, over its admin socket. */
#pragma once

#include "config/doc.h"
#include "main/options.h"
#include "net/addr.h"

extern const struct option CTL_OPTIONS[];
/* What can be asked for. */
extern const struct action CTL_ACTIONS[];

/* The admin socket: of the path, of the configuration, of $PETREL_ADMIN, or of the usual configuration; the first two may be
 * NULL.  0, or the exit status after saying as `petrel COMMAND` what is wrong. */
int ctl_admin(const char *command, const char *socket, const char *config, struct addr *out);
int cli_ctl(const struct options *o);

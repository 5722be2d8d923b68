/* struct grants: what the supervisor opens with its rights and gives to the worker, by name: the table of kinds in
 * grants.c says what a configuration wants and how it is opened.
 *
 * Every list owns its descriptors.  A reload makes a new list: what the old one has, too, is duplicated, and the
 * rest is opened; then one of the two is thrown away whole, so that nothing has to be put back.  Names are what the
 * worker finds things by: "listen 127.0.0.1:80", "listen [::]:80 reuseport", "admin unix:/run/petrel.sock", "log
 * /var/log/petrel.log", "log syslog", "hot /var/lib/petrel/hot", "folder /var/cache/petrel". */
#pragma once

#include "http/conf.h"
#include "http/core.h"
#include "main/passed.h"

struct grant_kind;

struct grant {
	const struct grant_kind *kind;
	char *name;               /* heap */
	struct listen_spec spec;  /* of sockets; nothing in it points anywhere */
	char mode[8];             /* spec.mode's text */
	unsigned copies;          /* descriptors wanted: one per loop with reuseport, else one */
	int *fds;                 /* heap, fd_count of them */
	size_t fd_count;
	bool passed;              /* systemd's: its file is not ours to remove */
	bool errors;              /* the error log */
	uid_t uid;                /* of a folder that has to be made: who serves */
	gid_t gid;
};

struct grants {
	struct grant *list;
	size_t count;
};

/* The name under which a listener's descriptors come. */
void grant_listen_name(struct buf *out, const struct listen_spec *spec);
/* How many event loops the configuration means. */
unsigned loops_wanted(const struct core *core);

/* What the configuration wants, nothing of it open yet.  0, or -EINVAL with a sentence in error. */
[[nodiscard]] int grants_wanted(struct grants *g, const struct conf *conf, char *error, size_t error_n);
/* The name of the first thing that it wants and the worker does not have; NULL: it has all. */
const char *grants_lacking(const struct grants *g, bool (*has)(const void *arg, const char *name), const void *arg);
/* Opens all that g wants, duplicating what `old` or systemd has.  0, or -errno with a sentence in error. */
[[nodiscard]] int grants_open(struct grants *g, struct grants *old, const struct passed *passed, char *error,
                              size_t error_n);
/* Sends all of it.  0 or -errno. */
[[nodiscard]] int grants_send(const struct grants *g, int channel);
/* Opens anew what can be rotated (logs).  0, or -errno with a sentence in error; what fails stays as it was. */
[[nodiscard]] int grants_reopen(struct grants *g, char *error, size_t error_n);
/* Where listener `i` of the list really listens (the kernel chose where the port is 0); false: there are fewer. */
bool grants_listens_on(const struct grants *g, size_t i, struct addr *at);
/* The error log's descriptor, borrowed, where that is a file; else -1. */
int grants_error_log(const struct grants *g);
/* Closes all sockets, but not those from systemd, and removes their files: nobody is to come any more. */
void grants_close_sockets(struct grants *g);
/* Removes the files of Unix sockets that `kept` does not want; kept may be NULL. */
void grants_unlink(const struct grants *g, const struct grants *kept);
/* Closes all descriptors. */
void grants_fini(struct grants *g);

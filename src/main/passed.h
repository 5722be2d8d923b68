/* Sockets that systemd opened and passed (LISTEN_FDS, sd_listen_fds(3)): taken where a listener of the configuration
 * has the same address, and kept open, so that a reload can take them up again. */
#pragma once

#include "net/listener.h"

struct passed {
	int first;       /* descriptors first … first + count - 1 */
	unsigned count;
};

/* Takes them from the environment, which no longer names them then. */
struct passed passed_take(void);
/* The passed socket that listens on spec's address, still owned by p; -1: none. */
int passed_find(const struct passed *p, const struct listen_spec *spec);

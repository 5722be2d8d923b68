/* struct slot: where a process of an app is connected to: a Unix socket of its own, or a free TCP port. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

struct slot {
	int listen_fd;                   /* a Unix socket's, listening, and open as long as the slot is: what nobody has
	                                  * accepted waits for the next process.  -1: a port, or closed */
	int path_fd;                     /* the same socket's file, which has no name any more; -1 */
	unsigned port;                   /* on 127.0.0.1; 0: a Unix socket */
	struct sockaddr_storage addr;    /* that loops connect to */
	socklen_t addr_b;
};

/* A closed one. */
void slot_init(struct slot *s);
/* A listening Unix socket that nobody can reach but through this process's descriptor.  0, or -errno with a sentence. */
[[nodiscard]] int slot_open_socket(struct slot *s, char *error, size_t error_n);
/* A port that is free now. */
[[nodiscard]] int slot_open_port(struct slot *s, char *error, size_t error_n);
/* Nobody listens any more, and who waited for it is cut off.  The address stays this slot's. */
void slot_shut(struct slot *s);
/* The address may be another's from now on. */
void slot_close(struct slot *s);

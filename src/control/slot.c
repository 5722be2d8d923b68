/* Making sockets for processes.  The control thread.
 *
 * A socket with a name in a folder could be connected to by whoever may enter the folder, and an abstract one by everybody
 * on the machine.  So the name is removed as soon as there is a descriptor of the file: loops connect by
 * /proc/self/fd/N, which leads to the same file, and nobody else has a way to it. */
#include "control/slot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,
	PORT_FIRST = 20000, PORT_COUNT = 12000,  /* below those that the kernel gives to who connects */
	PORT_TRIES = 64,
};

void slot_init(struct slot *s)
{
	*s = (struct slot){ .listen_fd = -1, .path_fd = -1 };
}

/* A fresh folder that only we can enter, in the first place that we may write to. */
static int make_folder(char *folder, size_t folder_n)
{
	static const char *const PLACES[] = { "/tmp", "/run/petrel", "/dev/shm", "/var/tmp" };
	for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
		snprintf(folder, folder_n, "%s/petrel-XXXXXX", PLACES[i]);
		if (mkdtemp(folder))
			return 0;
	}
	return -errno;
}

static int bind_in(struct slot *s, const char *folder)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int err = 0;
	snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", folder);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listen_fd < 0)
		return -errno;
	if (bind(s->listen_fd, (struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	s->path_fd = open(at.sun_path, O_PATH | O_CLOEXEC);
	if (s->path_fd < 0 || listen(s->listen_fd, BACKLOG) < 0)
		err = -errno;
	unlink(at.sun_path);
	return err;
}

int slot_open_socket(struct slot *s, char *error, size_t error_n)
{
	char folder[64];
	slot_init(s);
	int err = make_folder(folder, sizeof folder);
	if (!err) {
		err = bind_in(s, folder);
		rmdir(folder);
	}
	if (err) {
		snprintf(error, error_n, "no socket for it: %s", strerror(-err));
		slot_close(s);
		return err;
	}
	struct sockaddr_un *to = (struct sockaddr_un *)&s->addr;
	to->sun_family = AF_UNIX;
	snprintf(to->sun_path, sizeof to->sun_path, "/proc/self/fd/%d", s->path_fd);
	s->addr_b = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to->sun_path) + 1);
	return 0;
}

static bool is_free(unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	at.sin_addr.s_addr = htonl(INADDR_ANY);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	/* As servers do: what waits for its end from an earlier connection is not in the way. */
	bool is = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	          bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

int slot_open_port(struct slot *s, char *error, size_t error_n)
{
	struct sockaddr_in *to = (struct sockaddr_in *)&s->addr;
	slot_init(s);
	for (int i = 0; i < PORT_TRIES && !s->port; i++) {
		uint32_t any;
		if (getrandom(&any, sizeof any, 0) == sizeof any && is_free(PORT_FIRST + any % PORT_COUNT))
			s->port = PORT_FIRST + any % PORT_COUNT;
	}
	if (!s->port) {
		snprintf(error, error_n, "no free port for it from %d to %d", PORT_FIRST, PORT_FIRST + PORT_COUNT - 1);
		return -EADDRINUSE;
	}
	to->sin_family = AF_INET;
	to->sin_port = htons((uint16_t)s->port);
	to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->addr_b = sizeof *to;
	return 0;
}

void slot_shut(struct slot *s)
{
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
}

void slot_close(struct slot *s)
{
	slot_shut(s);
	if (s->path_fd >= 0)
		close(s->path_fd);
	slot_init(s);
}

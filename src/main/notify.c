/* sd_notify's protocol in a few lines.  The supervisor's thread; a socket per message, for there are few. */
#include "main/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static void send_line(const char *path, struct str line)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	if (!n || n >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')  /* an abstract name */
		to.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	(void)!sendto(fd, line.p, line.n, MSG_NOSIGNAL, (struct sockaddr *)&to, length);
	close(fd);
}

void notify_send(const char *format, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct buf line = {};
	va_list args;
	if (!path)
		return;
	va_start(args, format);
	buf_addv(&line, format, args);
	va_end(args);
	send_line(path, buf_str(&line));
	buf_fini(&line);
}

void notify_reloading(void)
{
	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reading the configuration", clock_ns() / 1000);
}

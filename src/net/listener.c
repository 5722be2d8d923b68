/* Listening sockets (the supervisor's thread) and doors, by which loops accept from them (each door its loop's
 * thread). */
#include "net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "net/holder.h"

static bool is_local(const struct listen_spec *spec)
{
	return spec->addr.any.sa_family == AF_UNIX;
}

/* The file of a Unix socket; NULL for other addresses and abstract names. */
static const char *path_of(const struct listen_spec *spec)
{
	return is_local(spec) && spec->addr.local.sun_path[0] ? spec->addr.local.sun_path : NULL;
}

static mode_t mode_of(const struct listen_spec *spec)
{
	mode_t mode = 0;
	for (size_t i = 0; i < spec->mode.n; i++)
		mode = mode << 3 | (mode_t)(spec->mode.p[i] & 7);
	return spec->mode.n ? mode & 0777 : 0666;
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

/* Options that have to stand before bind().  TCP_NODELAY is inherited by what is accepted, which saves a call each. */
static int prepare(int fd, const struct listen_spec *spec)
{
	int err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && spec->addr.any.sa_family == AF_INET6)
		err = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, spec->v6only);
	if (!err && spec->reuseport)
		err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return err;
}

/* True where the file is a socket on which nobody listens any more. */
static bool is_stale(const struct listen_spec *spec)
{
	const char *path = path_of(spec);
	struct stat st;
	if (!path || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	bool refused = connect(fd, &spec->addr.any, spec->addr.length) < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int bind_to(int fd, const struct listen_spec *spec)
{
	return bind(fd, &spec->addr.any, spec->addr.length) < 0 ? -errno : 0;
}

static bool is_grouped(const struct listen_spec *spec)
{
	return path_of(spec) && spec->group.n && spec->gid != GROUP_OWN;
}

/* The umask gives the file its mode from its first moment on; only the supervisor, which has one thread, comes here. */
static int bind_local(int fd, const struct listen_spec *spec)
{
	mode_t before = umask(0777 & ~mode_of(spec));
	int err = bind_to(fd, spec);
	if (err == -EADDRINUSE && is_stale(spec) && unlink(path_of(spec)) == 0)
		err = bind_to(fd, spec);
	umask(before);
	if (!err && is_grouped(spec) && chown(path_of(spec), (uid_t)-1, spec->gid) < 0)
		err = -errno;
	return err;
}

static int open_socket(const struct listen_spec *spec, int *out)
{
	int fd = socket(spec->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int err = is_local(spec) ? 0 : prepare(fd, spec);
	if (!err)
		err = is_local(spec) ? bind_local(fd, spec) : bind_to(fd, spec);
	if (!err && listen(fd, (int)spec->backlog) < 0)
		err = -errno;
	if (err)
		close(fd);
	else
		*out = fd;
	return err;
}

/* "*:80" and "80" mean both families; where the kernel has no IPv6, the one that it has. */
static bool without_v6(const struct listen_spec *spec, struct listen_spec *v4)
{
	const struct sockaddr_in6 *any = (const struct sockaddr_in6 *)&spec->addr.storage;
	if (any->sin6_family != AF_INET6 || spec->v6only || !IN6_IS_ADDR_UNSPECIFIED(&any->sin6_addr))
		return false;
	struct sockaddr_in plain = { .sin_family = AF_INET, .sin_port = any->sin6_port };
	*v4 = *spec;
	memcpy(&v4->addr.storage, &plain, sizeof plain);
	v4->addr.length = sizeof plain;
	return true;
}

/* Room for a sentence that grows: what does not fit is cut. */
struct text {
	char *p;
	size_t room;
};

[[gnu::format(printf, 2, 3)]] static void say(struct text t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(t.p, t.room, format, args);
	va_end(args);
}

static void explain_in_use(struct text t, const char *name, const struct listen_spec *spec)
{
	char holder[80];
	struct stat st;
	if (path_of(spec) && lstat(path_of(spec), &st) == 0 && !S_ISSOCK(st.st_mode)) {
		say(t, "%s is a file that is no socket: remove it, or choose another path with listen", name);
		return;
	}
	holder_find(&spec->addr, holder, sizeof holder);
	say(t, "%s is in use by %s: stop it, or choose another %s with listen", name, holder,
	    is_local(spec) ? "path" : "port");
}

static void explain_denied(struct text t, const char *name, const struct listen_spec *spec)
{
	if (is_local(spec))
		say(t, "%s can't be made: its folder is not ours to write to", name);
	else
		say(t, "%s can't be opened without rights: start petrel as root, or choose a port from 1024 on", name);
}

static void explain(struct text t, const struct listen_spec *spec, int err)
{
	struct buf name = {};
	addr_print(&name, &spec->addr);
	buf_add_char(&name, '\0');
	switch (-err) {
	case EADDRINUSE: explain_in_use(t, name.p, spec); break;
	case EACCES:
	case EPERM: explain_denied(t, name.p, spec); break;
	case EADDRNOTAVAIL: say(t, "%s is no address of this machine (see: ip address)", name.p); break;
	case EAFNOSUPPORT: say(t, "%s can't be opened: this kernel has no IPv6", name.p); break;
	case ENOENT: say(t, "%s can't be made: its folder does not exist", name.p); break;
	default: say(t, "%s can't be opened: %s", name.p, strerror(-err));
	}
	buf_fini(&name);
}

int listener_open(const struct listen_spec *spec, int *fd, char *error, size_t error_n)
{
	struct listen_spec v4;
	if (is_local(spec) && spec->reuseport) {
		say((struct text){ error, error_n }, "a Unix socket can't have reuseport");
		return -EINVAL;
	}
	int err = open_socket(spec, fd);
	if (err == -EAFNOSUPPORT && without_v6(spec, &v4))
		err = open_socket(&v4, fd);
	if (err)
		explain((struct text){ error, error_n }, spec, err);
	return err;
}

int listener_adjust(int fd, const struct listen_spec *spec)
{
	const char *path = path_of(spec);
	int err = 0;
	if (!is_local(spec))
		err = set(fd, SOL_SOCKET, SO_REUSEPORT, spec->reuseport);
	if (!err && !is_local(spec))
		err = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!err && listen(fd, (int)spec->backlog) < 0)
		err = -errno;
	if (!err && is_grouped(spec) && chown(path, (uid_t)-1, spec->gid) < 0)
		err = -errno;
	if (!err && path && chmod(path, mode_of(spec)) < 0)
		err = -errno;
	return err;
}

bool listener_is(int fd, const struct listen_spec *spec)
{
	struct addr own = { .length = sizeof own.storage };
	int listens = 0;
	socklen_t n = sizeof listens;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 || !listens)
		return false;
	return getsockname(fd, &own.any, &own.length) == 0 && addr_eq(&own, &spec->addr);
}

/* What only the client, its network or our firewall did; the next connection may be fine (accept(2)). */
static bool is_passing(int err)
{
	static const int PASSING[] = { EINTR,    ECONNABORTED, EPROTO,     ENOPROTOOPT,  ENETDOWN,   ENETUNREACH,
		                       ENONET,   EHOSTDOWN,    EHOSTUNREACH, EOPNOTSUPP, EPERM, ETIMEDOUT };
	for (size_t i = 0; i < countof(PASSING); i++)
		if (err == PASSING[i])
			return true;
	return false;
}

/* Without a pause, a level-triggered socket that can't be accepted from would wake the loop for ever. */
static void door_pause(struct door *d, int err)
{
	d->paused = true;
	loop_unwatch(d->loop, &d->watch);
	timer_set(&d->loop->wheel, &d->pause, d->loop->now_ms + DOOR_PAUSE_MS);
	d->starved(d, err);
}

static void door_resume(struct timer *t)
{
	struct door *d = container_of(t, struct door, pause);
	if (loop_watch_shared(d->loop, &d->watch) == 0)
		d->paused = false;
	else
		timer_set(&d->loop->wheel, t, d->loop->now_ms + DOOR_PAUSE_MS);
}

/* One connection; false where there is none for now. */
static bool door_accept(struct door *d)
{
	struct sockaddr_storage from = {};
	socklen_t n = sizeof from;
	int fd = accept4(d->watch.fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		struct ip ip = ip_of(&from);
		d->accepted(d, fd, &ip);
	} else if (errno == EAGAIN) {
		return false;
	} else if (!is_passing(errno)) {
		door_pause(d, -errno);
	}
	return true;
}

static void door_ready(struct watch *w, uint32_t events)
{
	(void)events;
	struct door *d = container_of(w, struct door, watch);
	/* accepted() and starved() may close the door. */
	for (int i = 0; i < DOOR_BATCH && d->watch.fd >= 0 && !d->paused; i++)
		if (!door_accept(d))
			return;
}

int door_open(struct door *d, struct loop *l, int fd)
{
	d->watch = (struct watch){ fd, door_ready };
	d->loop = l;
	d->paused = false;
	timer_init(&d->pause, door_resume);
	int err = loop_watch_shared(l, &d->watch);
	if (err)
		d->watch.fd = -1;
	return err;
}

void door_close(struct door *d)
{
	if (d->watch.fd < 0)
		return;
	timer_stop(&d->pause);
	if (!d->paused)
		loop_unwatch(d->loop, &d->watch);
	d->watch.fd = -1;
}

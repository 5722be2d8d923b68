/* Opening what a configuration names.  The supervisor's thread; paths and addresses come from the operator only. */
#include "main/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "main/channel.h"
#include "share/epoch.h"

/* One kind of thing that is granted. */
struct grant_kind {
	const char *word;  /* before the name */
	/* Adds what the configuration wants; 0 or -EINVAL with a sentence in error. */
	int (*want)(struct grants *g, const struct grant_kind *kind, const struct conf *conf, char *error,
	            size_t error_n);
	/* True where the other one is open on the same thing, so that its descriptors do. */
	bool (*same)(const struct grant *a, const struct grant *b);
	/* Opens one descriptor. */
	int (*open)(const struct grant *g, int *fd, char *error, size_t error_n);
	/* Makes duplicated descriptors what this grant wants; NULL: they always are. */
	int (*adjust)(const struct grant *g, int fd);
	bool rotates;      /* opened anew on SIGUSR1 */
};

unsigned loops_wanted(const struct core *core)
{
	cpu_set_t cpus;
	if (core->loops)
		return (unsigned)core->loops;
	int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	return (unsigned)(count < EPOCH_LOOPS ? count : EPOCH_LOOPS);
}

/* --- sockets --- */

void grant_listen_name(struct buf *out, const struct listen_spec *spec)
{
	buf_add(out, spec->admin ? STR("admin ") : STR("listen "));
	addr_print(out, &spec->addr);
	if (spec->v6only)
		buf_add(out, STR(" v6only"));
	if (spec->reuseport)
		buf_add(out, STR(" reuseport"));
}

static struct grant *grants_add(struct grants *g, const struct grant_kind *kind)
{
	g->list = mem_grow(g->list, (g->count + 1) * sizeof *g->list);
	struct grant *new = &g->list[g->count++];
	*new = (struct grant){ .kind = kind, .copies = 1 };
	return new;
}

/* Owns the text that was in b. */
static char *take_text(struct buf *b)
{
	buf_add_char(b, '\0');
	return b->p;
}

static void want_socket(struct grants *g, const struct grant_kind *kind, const struct listen_spec *spec,
                        unsigned copies)
{
	struct grant *new = grants_add(g, kind);
	struct buf name = {};
	grant_listen_name(&name, spec);
	new->name = take_text(&name);
	new->spec = *spec;
	new->spec.mode = (struct str){};
	snprintf(new->mode, sizeof new->mode, "%.*s", STR_F(spec->mode));
	new->copies = copies;
}

static int want_listens(struct grants *g, const struct grant_kind *kind, const struct conf *conf, char *error,
                        size_t error_n)
{
	const struct core *core = conf_core(conf);
	const struct listen_spec *specs = core->listens.p;
	(void)error, (void)error_n;
	for (size_t i = 0; i < core->listens.count; i++)
		want_socket(g, kind, &specs[i], specs[i].reuseport ? loops_wanted(core) : 1);
	return 0;
}

static int want_admins(struct grants *g, const struct grant_kind *kind, const struct conf *conf, char *error,
                       size_t error_n)
{
	const struct core *core = conf_core(conf);
	const struct listen_spec *specs = core->admins.p;
	for (size_t i = 0; i < core->admins.count; i++) {
		struct listen_spec spec = specs[i];
		const struct group *group = spec.group.n ? getgrnam(spec.group.p) : NULL;
		if (spec.group.n && !group) {
			snprintf(error, error_n, "there is no group %.*s on this machine", STR_F(spec.group));
			return -EINVAL;
		}
		spec.gid = group ? group->gr_gid : GROUP_OWN;
		spec.group = group ? STR("known") : STR("");
		spec.token = (struct str){};
		want_socket(g, kind, &spec, 1);
	}
	return 0;
}

static bool same_socket(const struct grant *a, const struct grant *b)
{
	return addr_eq(&a->spec.addr, &b->spec.addr) && a->spec.v6only == b->spec.v6only;
}

/* mode points into the grant itself, which moves when the list grows: so it is set for the moment of use. */
static struct listen_spec spec_now(const struct grant *g)
{
	struct listen_spec spec = g->spec;
	spec.mode = str_of(g->mode);
	return spec;
}

static int open_socket(const struct grant *g, int *fd, char *error, size_t error_n)
{
	struct listen_spec spec = spec_now(g);
	return listener_open(&spec, fd, error, error_n);
}

static int adjust_socket(const struct grant *g, int fd)
{
	struct listen_spec spec = spec_now(g);
	return g->passed ? 0 : listener_adjust(fd, &spec);
}

/* --- files --- */

static bool same_name(const struct grant *a, const struct grant *b)
{
	return str_eq(str_of(a->name), str_of(b->name));
}

/* What stands behind the word of a grant's name. */
static const char *target_of(const struct grant *g)
{
	return strchr(g->name, ' ') + 1;
}

static struct grant *want_named(struct grants *g, const struct grant_kind *kind, struct str target)
{
	struct buf name = {};
	buf_addf(&name, "%s %.*s", kind->word, STR_F(target));
	struct grant *new = grants_add(g, kind);
	new->name = take_text(&name);
	return new;
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	return fd < 0 ? -errno : fd;
}

static int opened(int result, const char *what, int *fd, char *error, size_t error_n)
{
	if (result < 0)
		snprintf(error, error_n, "%s can't be opened: %s", what, strerror(-result));
	else
		*fd = result;
	return result < 0 ? result : 0;
}

static int want_hot(struct grants *g, const struct grant_kind *kind, const struct conf *conf, char *error,
                    size_t error_n)
{
	struct str list = conf_core(conf)->hot_list;
	(void)error, (void)error_n;
	if (list.n)
		want_named(g, kind, list);
	return 0;
}

static int open_hot(const struct grant *g, int *fd, char *error, size_t error_n)
{
	return opened(open_file(target_of(g), O_RDWR), target_of(g), fd, error, error_n);
}

/* What collects the files of a module's values, over all scopes. */
struct file_wants {
	struct grants *grants;
	const struct grant_kind *kind;
	const struct module *module;
	const struct passwd *user;   /* folders: who serves; NULL: as we are */
};

static bool wanted(const struct grants *g, const struct grant_kind *kind, struct str name)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->list[i].kind == kind && str_eq(str_from(str_of(g->list[i].name), strlen(kind->word) + 1), name))
			return true;
	return false;
}

/* --- folders --- */

static void want_folders_of(void *arg, void *values)
{
	struct file_wants *w = arg;
	struct str name;
	for (size_t i = 0; (name = w->module->folder(values, i)).n; i++) {
		if (wanted(w->grants, w->kind, name))
			continue;
		struct grant *g = want_named(w->grants, w->kind, name);
		g->uid = w->user ? w->user->pw_uid : geteuid();
		g->gid = w->user ? w->user->pw_gid : getegid();
	}
}

/* A user that does not exist is found out elsewhere. */
static int want_folders(struct grants *g, const struct grant_kind *kind, const struct conf *conf, char *error,
                        size_t error_n)
{
	struct str user = conf_core(conf)->user;
	char name[256];
	(void)error, (void)error_n;
	snprintf(name, sizeof name, "%.*s", STR_F(user));
	for (size_t i = 0; i < conf->module_count; i++) {
		struct file_wants w = { g, kind, conf->modules[i], user.n ? getpwnam(name) : NULL };
		if (w.module->folder)
			conf_each_values(conf, i, want_folders_of, &w);
	}
	return 0;
}

static int folder_make(const struct grant *g, const char *path)
{
	if (mkdir(path, 0700) < 0)
		return -errno;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if ((g->uid == geteuid() && g->gid == getegid()) || fchown(fd, g->uid, g->gid) == 0)
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

static int open_folder(const struct grant *g, int *fd, char *error, size_t error_n)
{
	const char *path = target_of(g);
	int result = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (result < 0)
		result = errno == ENOENT ? folder_make(g, path) : -errno;
	return opened(result, path, fd, error, error_n);
}

/* --- logs --- */

static void want_log_of(void *arg, void *values)
{
	struct file_wants *w = arg;
	struct str name = w->module->log_file(values);
	if (name.n && !wanted(w->grants, w->kind, name))
		want_named(w->grants, w->kind, name);
}

static int want_logs(struct grants *g, const struct grant_kind *kind, const struct conf *conf, char *error,
                     size_t error_n)
{
	struct str errors = conf_core(conf)->error_log;
	(void)error, (void)error_n;
	if (errors.n && !str_eq(errors, STR("off")))
		want_named(g, kind, errors)->errors = true;
	for (size_t i = 0; i < conf->module_count; i++) {
		struct file_wants w = { g, kind, conf->modules[i], NULL };
		if (w.module->log_file)
			conf_each_values(conf, i, want_log_of, &w);
	}
	return 0;
}

static int open_standard(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? -errno : copy;
}

/* The local daemon's socket: datagrams, a line each. */
static int open_syslog(void)
{
	static const struct sockaddr_un DAEMON = { AF_UNIX, "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&DAEMON, sizeof DAEMON) == 0)
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

static int open_log(const struct grant *g, int *fd, char *error, size_t error_n)
{
	const char *target = target_of(g);
	int result;
	if (!strcmp(target, "stdout"))
		result = open_standard(STDOUT_FILENO);
	else if (!strcmp(target, "stderr"))
		result = open_standard(STDERR_FILENO);
	else if (!strcmp(target, "syslog"))
		result = open_syslog();
	else
		result = open_file(target, O_WRONLY | O_APPEND);
	return opened(result, target, fd, error, error_n);
}

static const struct grant_kind KINDS[] = {
	{ "listen", want_listens, same_socket, open_socket, adjust_socket, false },
	{ "admin", want_admins, same_socket, open_socket, adjust_socket, false },
	{ "log", want_logs, same_name, open_log, NULL, true },
	{ "hot", want_hot, same_name, open_hot, NULL, false },
	{ "folder", want_folders, same_name, open_folder, NULL, false },
};

/* --- lists --- */

int grants_wanted(struct grants *g, const struct conf *conf, char *error, size_t error_n)
{
	int err = 0;
	*g = (struct grants){};
	for (size_t i = 0; i < countof(KINDS) && !err; i++)
		err = KINDS[i].want(g, &KINDS[i], conf, error, error_n);
	return err;
}

const char *grants_lacking(const struct grants *g, bool (*has)(const void *arg, const char *name), const void *arg)
{
	for (size_t i = 0; i < g->count; i++)
		if (!has(arg, g->list[i].name))
			return g->list[i].name;
	return NULL;
}

static void grant_add_fd(struct grant *g, int fd)
{
	g->fds = mem_grow(g->fds, (g->fd_count + 1) * sizeof *g->fds);
	g->fds[g->fd_count++] = fd;
}

static int grant_add_dup(struct grant *g, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	grant_add_fd(g, copy);
	return g->kind->adjust ? g->kind->adjust(g, copy) : 0;
}

static struct grant *grants_find(const struct grants *all, const struct grant *like)
{
	for (size_t i = 0; all && i < all->count; i++)
		if (all->list[i].kind == like->kind && like->kind->same(&all->list[i], like))
			return &all->list[i];
	return NULL;
}

/* Takes what is open already, as far as it goes. */
static int grant_inherit(struct grant *g, const struct grants *old, const struct passed *passed)
{
	const struct grant *before = grants_find(old, g);
	int fd = g->spec.addr.length && !before ? passed_find(passed, &g->spec) : -1;
	int err = 0;
	g->passed = before ? before->passed : fd >= 0;
	if (g->passed)
		g->copies = 1;
	for (size_t i = 0; before && !err && i < before->fd_count && i < g->copies; i++)
		err = grant_add_dup(g, before->fds[i]);
	return fd >= 0 ? grant_add_dup(g, fd) : err;
}

/* Our own old sockets on g's port share it, or do no longer. */
static bool share_port(const struct grants *old, const struct grant *g, bool on)
{
	bool any = false;
	for (size_t i = 0; old && i < old->count; i++) {
		struct grant *o = &old->list[i];
		if (!addr_port(&g->spec.addr) || addr_port(&o->spec.addr) != addr_port(&g->spec.addr) || o->passed)
			continue;
		any = true;
		for (size_t j = 0; j < o->fd_count; j++) {
			int value = on || o->spec.reuseport;
			must(setsockopt(o->fds[j], SOL_SOCKET, SO_REUSEPORT, &value, sizeof value) == 0);
		}
	}
	return any;
}

/* From 127.0.0.1:80 to *:80, say: the new socket and the old one are in each other's way, but must both be open for a
 * moment, and for that moment both have reuseport. */
static int grant_open_beside(struct grant *g, const struct grants *old, int *fd, char *error, size_t error_n)
{
	struct grant beside = *g;
	if (!share_port(old, g, true))
		return -EADDRINUSE;
	beside.spec.reuseport = true;
	int err = g->kind->open(&beside, fd, error, error_n);
	share_port(old, g, false);
	if (!err && g->kind->adjust(g, *fd) < 0)
		close(*fd), err = -EADDRINUSE;
	return err;
}

static int grant_open(struct grant *g, const struct grants *old, const struct passed *passed, char *error,
                      size_t error_n)
{
	int err = grant_inherit(g, old, passed);
	if (err)
		snprintf(error, error_n, "%s can't be kept open: %s", g->name, strerror(-err));
	while (!err && g->fd_count < g->copies) {
		int fd;
		err = g->kind->open(g, &fd, error, error_n);
		if (err == -EADDRINUSE)
			err = grant_open_beside(g, old, &fd, error, error_n);
		if (!err)
			grant_add_fd(g, fd);
	}
	return err;
}

int grants_open(struct grants *g, struct grants *old, const struct passed *passed, char *error, size_t error_n)
{
	int err = 0;
	for (size_t i = 0; i < g->count && !err; i++) {
		struct grants earlier = { g->list, i };
		if (grants_find(&earlier, &g->list[i])) {
			snprintf(error, error_n, "%s stands there twice", g->list[i].name);
			return -EINVAL;
		}
		err = grant_open(&g->list[i], old, passed, error, error_n);
	}
	return err;
}

/* More descriptors than fit in a message come in several of the same name. */
static int grant_send(const struct grant *g, int channel)
{
	int err = 0;
	for (size_t at = 0; at < g->fd_count && !err; at += CHANNEL_FDS) {
		size_t count = g->fd_count - at < CHANNEL_FDS ? g->fd_count - at : CHANNEL_FDS;
		err = channel_send(channel, CHANNEL_GRANT, str_of(g->name), g->fds + at, count);
	}
	return err;
}

int grants_send(const struct grants *g, int channel)
{
	int err = 0;
	for (size_t i = 0; i < g->count && !err; i++)
		err = grant_send(&g->list[i], channel);
	return err;
}

int grants_reopen(struct grants *g, char *error, size_t error_n)
{
	int err = 0;
	for (size_t i = 0; i < g->count; i++) {
		struct grant *one = &g->list[i];
		int fd, failed = one->kind->rotates ? one->kind->open(one, &fd, error, error_n) : -EAGAIN;
		if (!failed) {
			close(one->fds[0]);
			one->fds[0] = fd;
		} else if (one->kind->rotates) {
			err = failed;
		}
	}
	return err;
}

bool grants_listens_on(const struct grants *g, size_t i, struct addr *at)
{
	/* Listeners are the first kind. */
	if (i >= g->count || g->list[i].kind != KINDS || !g->list[i].fd_count)
		return false;
	*at = (struct addr){ .length = sizeof at->storage };
	return getsockname(g->list[i].fds[0], &at->any, &at->length) == 0;
}

int grants_error_log(const struct grants *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->list[i].errors && g->list[i].fd_count && target_of(&g->list[i])[0] == '/')
			return g->list[i].fds[0];
	return -1;
}

static void grant_close(struct grant *g)
{
	for (size_t i = 0; i < g->fd_count; i++)
		close(g->fds[i]);
	g->fd_count = 0;
}

/* A Unix socket's file, where that is ours. */
static void grant_unlink(const struct grant *g)
{
	const struct sockaddr_un *local = &g->spec.addr.local;
	if (g->spec.addr.length && local->sun_family == AF_UNIX && local->sun_path[0] && !g->passed && g->fd_count)
		unlink(local->sun_path);
}

void grants_close_sockets(struct grants *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct grant *one = &g->list[i];
		if (!one->spec.addr.length || one->passed)
			continue;
		grant_unlink(one);
		grant_close(one);
	}
}

void grants_unlink(const struct grants *g, const struct grants *kept)
{
	for (size_t i = 0; i < g->count; i++)
		if (!grants_find(kept, &g->list[i]))
			grant_unlink(&g->list[i]);
}

void grants_fini(struct grants *g)
{
	for (size_t i = 0; i < g->count; i++) {
		grant_close(&g->list[i]);
		mem_free(g->list[i].fds);
		mem_free(g->list[i].name);
	}
	mem_free(g->list);
	*g = (struct grants){};
}
